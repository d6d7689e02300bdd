"""The headless engine: surface -> samples -> network -> weights, and weights -> rays -> picture.

Run it as ``python -m engine VERB``. Nothing here imports Blender.
"""

VERSION = "0.1.0"
