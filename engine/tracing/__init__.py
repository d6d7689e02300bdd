"""Ray tracing backends behind one contract."""
