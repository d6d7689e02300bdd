"""Neural objects in Solid and Material Preview: the network itself, evaluated in GLSL; no engine takes part."""
