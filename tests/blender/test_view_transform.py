"""Material Preview's view transform, as the shader looks it up, is Blender's own."""

TRANSFORMS = ["AgX", "Filmic"]
MEDIAN, MOST = (
    0.5,
    4.0,
)  # of 255; half a stop between two colours of the table, the most where one of them leaves the screen's


def test_table_gives_what_blender_saves(bpy_module):
    differences = bpy_module.run_script("view_transform.py", {"transforms": TRANSFORMS}).check().result
    for transform in TRANSFORMS:
        median, nearly_all, _ = differences[transform]
        assert median < MEDIAN, transform
        assert nearly_all < MOST, transform
