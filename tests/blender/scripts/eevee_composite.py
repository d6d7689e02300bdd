"""The Z composite with EEVEE's picture; EEVEE needs a window, since it draws by the graphics driver."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import native_feel
import spot_scene


def main(inside):
    spot = spot_scene.build(inside.arguments)
    yield 0.5
    return {"composite": native_feel.compositing(inside, spot)}
