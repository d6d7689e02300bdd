"""Convert objects without a window:

    blender --background FILE.blend --python examples/convert_headless.py -- Suzanne --preset draft --save OUT.blend

Blender waits until each shape is trained and prints how far it is; a failure ends it with exit code 1. The
extension has to be installed and enabled, and the engine's Python to be set (README.md).
"""

import argparse
import sys

import bpy


def main():
    arguments = parse_arguments()
    missing = [name for name in arguments.objects if name not in bpy.data.objects]
    if missing:
        sys.exit(f"There is no object {missing[0]!r} in the file.")
    bpy.ops.object.select_all(action="DESELECT")
    for name in arguments.objects:
        bpy.data.objects[name].select_set(True)
    bpy.context.view_layer.objects.active = bpy.data.objects[arguments.objects[0]]
    before = set(bpy.data.objects)
    try:
        bpy.ops.object.convert_to_neural_implicit(preset=arguments.preset.upper())
    except RuntimeError as error:  # what the operator reports as an error
        sys.exit(str(error))
    for obj in set(bpy.data.objects) - before:
        print(f"made {obj.name}")
    if arguments.save:
        bpy.ops.wm.save_as_mainfile(filepath=arguments.save, check_existing=False)


def parse_arguments():
    own = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    parser = argparse.ArgumentParser(prog="convert_headless.py")
    parser.add_argument("objects", nargs="+", help="names of objects with a surface")
    parser.add_argument("--preset", choices=["draft", "standard", "fine"], default="standard")
    parser.add_argument("--save", help="write the file here")
    return parser.parse_args(own)


main()
