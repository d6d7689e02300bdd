"""CUDA: kernels compiled ahead, the driver that launches them, and what they read. Importing it makes no context."""
