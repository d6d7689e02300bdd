"""Installs the engine's environment: a child process does it, the preferences show it. No Blender in here."""
