"""Weights files of other programs: the paper's Keras files in and out; ONNX, GLSL and NumPy out."""
