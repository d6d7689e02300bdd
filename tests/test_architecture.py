"""The rules that keep the tree apart, read from every file's syntax; nothing is imported."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STANDARD = sys.stdlib_module_names
BLENDER = {
    "bpy",
    "bpy_extras",
    "bmesh",
    "gpu",
    "gpu_extras",
    "mathutils",
    "addon_utils",
    "bl_operators",
    "blf",
}
ENGINE_ONLY = {
    *("torch", "warp", "numba", "llvmlite", "pycuda", "cuda", "trimesh", "skimage", "scipy", "safetensors"),
    *("click", "rich", "PIL", "lxml", "networkx", "OpenEXR", "h5py", "onnx"),
}
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 60

ADDON = sorted((ROOT / "addon").rglob("*.py"))
ENGINE = sorted((ROOT / "engine").rglob("*.py"))
PROTOCOL = sorted((ROOT / "engine/protocol").rglob("*.py"))
SOURCES = [ROOT / "__init__.py", *ADDON, *ENGINE]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def imports(path):
    """Give (level, module) of every import: level 0 is absolute, else the number of dots."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level and not module:  # `from .. import engine`
                yield from ((node.level, alias.name) for alias in node.names)
            else:
                yield node.level, module


def resolved(path, level, module):
    """Give a relative import as a dotted path from the root of the tree."""
    package = path.relative_to(ROOT).parent.parts
    kept = package[: len(package) - (level - 1)]
    return ".".join((*kept, *filter(None, module.split("."))))


def top_levels(path):
    return {module.split(".")[0] for level, module in imports(path) if level == 0}


def inside(path):
    return {resolved(path, level, module) for level, module in imports(path) if level > 0}


@pytest.mark.parametrize("path", ADDON, ids=name_of)
def test_addon_imports_blender_numpy_and_the_protocol_only(path):
    assert top_levels(path) <= STANDARD | BLENDER | {"numpy"}
    foreign = {module for module in inside(path) if not module.startswith("addon")}
    allowed = ("engine.protocol", "engine.errors")
    foreign -= {"engine"}  # its version
    assert [module for module in foreign if not module.startswith(allowed)] == []


@pytest.mark.parametrize("path", ENGINE, ids=name_of)
def test_engine_knows_neither_blender_nor_the_addon(path):
    assert top_levels(path) & (BLENDER | {"addon"}) == set()
    assert [module for module in inside(path) if not module.startswith("engine")] == []


@pytest.mark.parametrize("path", ENGINE, ids=name_of)
def test_engine_imports_only_packages_that_are_pinned(path):
    assert top_levels(path) <= STANDARD | ENGINE_ONLY | {"numpy"}


@pytest.mark.parametrize("path", [*PROTOCOL, ROOT / "engine/errors.py"], ids=name_of)
def test_protocol_imports_the_standard_library_and_numpy_only(path):
    assert top_levels(path) <= STANDARD | {"numpy"}
    assert [m for m in inside(path) if not m.startswith(("engine.protocol", "engine.errors"))] == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_inside_the_tree_are_relative(path):
    assert top_levels(path) & {"addon", "engine", "tests", "neural_implicit"} == set()


def names_used(path):
    """Give every dotted name and every called name of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node)
        elif isinstance(node, ast.Call):
            yield ast.unparse(node.func) + "()"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_prints_pickles_or_touches_the_module_path(path):
    names = set(names_used(path))
    assert names & {"print()", "sys.path", "eval()", "exec()"} == set()
    assert top_levels(path) & {"pickle", "shelve", "marshal"} == set()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_error_is_swallowed_by_a_bare_except(path):
    handlers = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ExceptHandler)]
    assert [handler.lineno for handler in handlers if handler.type is None] == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_module_stays_under_its_length(path):
    assert len(path.read_text().splitlines()) < MAX_MODULE_LINES


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_functions_stay_under_their_length(path):
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    long = {f.name: f.end_lineno - f.lineno + 1 for f in functions}
    assert {name: lines for name, lines in long.items() if lines > MAX_FUNCTION_LINES} == {}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_module_opens_with_a_docstring(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


# Each package of the engine may import those before it; `tracing` and `cuda` know each other.
LAYERS = (
    {"errors", "cache", "transforms", "kernel_sources", "kernel_cache", "warp_start", "protocol"},
    {"capabilities", "ground_truth", "network"},
    {"tracing", "cuda"},
    {"formats"},
    {"meshing", "fitting", "rendering"},
    {"measuring", "pictures", "serving"},
    {"conversion"},
    {"warm_up"},
    {"commands"},
)
APART = (
    {"meshing", "fitting", "rendering"},
    {"measuring", "pictures", "serving"},
    {"ground_truth", "network"},
)


def layer(name):
    return next(number for number, names in enumerate(LAYERS) if name in names)


@pytest.mark.parametrize(
    "path", [p for p in ENGINE if p.name not in ("__init__.py", "__main__.py")], ids=name_of
)
def test_engine_packages_import_only_lower_ones(path):
    own = path.relative_to(ROOT / "engine").parts[0].removesuffix(".py")
    for module in inside(path) - {"engine", "engine.VERSION"}:
        other = module.split(".")[1]
        if other == own:
            continue
        assert layer(other) <= layer(own), module
        assert not any({own, other} <= names for names in APART), module
