#!/usr/bin/env python3
"""The one entry for people: `python build.py VERB`. Standard library only.

demo          convert examples/spot.obj, render it beside native geometry in headless Blender, write demo/
test          every check and every test; says what was skipped and why
bench         print the tables of tests/benchmarks/
pictures      draw docs/timelapse.gif and docs/slice.png: the fit of examples/spot.obj, and a plane through its field.
              --windows: instead take the manual's pictures of windows, docs/window_*.png, in a real Blender of .blender/
extension     write dist/neural_implicit-VERSION.zip, the same bytes from the same sources.
              --cuda: with what `cuda` makes in it, where the installed engine looks for it
cuda          compile the CUDA kernels for every chip into dist/neural_implicit-kernels.zip; needs NVIDIA's nvcc
environments  make .venv (the engine) and .venv-bpy-5.0.1 (headless Blender); other verbs do it when they need to.
              --older: also .venv-bpy-4.2.0 and .venv-bpy-4.5.15, in which a few tests then run as well, and with
              NEURAL_IMPLICIT_LONG=1 all that need no window
clean         remove what the verbs made
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from requirements import cubins, kernels
from requirements.environments import ENGINE, HEADLESS_BLENDER, OLDER_BLENDERS, BuildError, prepare

ROOT = Path(__file__).resolve().parent
EXTENSION_FILES = (
    *("blender_manifest.toml", "__init__.py", "LICENSE"),
    *("requirements/engine.txt", "requirements/torch.txt", "requirements/cuda.txt"),  # for Install Engine
)
EXTENSION_FOLDERS = ("addon", "engine")
EXTENSION_SUFFIXES = (".py", ".glsl", ".cu", ".cuh")
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can hold
MADE = (
    "build",
    "demo",
    "dist",
    "bench",
    ".cache",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".hypothesis",
)

DEMO_MESH = ROOT / "examples/spot.obj"
DEMO_OPTIONS = ("--preset", "standard", "--seed", "0")
PICTURE_OPTIONS = ("--preset", "draft", "--seed", "0")
SLICE_OPTIONS = ("--axis", "x", "--size", "400")
FILM_OPTIONS = ("--preset", "draft", "--pictures", "8", "--panel", "130", "--rate", "3")


def main() -> int:
    """Run a verb; give its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    _verb(verbs, "demo", demo).add_argument(
        "--output", type=Path, default=ROOT / "demo", help="default: demo/"
    )
    test_parser = _verb(verbs, "test", test)
    test_parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="passed on to pytest, which then runs alone"
    )
    _verb(verbs, "bench", bench).add_argument("name", nargs="?", help="one benchmark; default: all")
    _verb(verbs, "pictures", pictures).add_argument(
        "--windows", action="store_true", help="those of windows instead; needs a Blender in .blender/"
    )
    extension_parser = _verb(verbs, "extension", extension)
    extension_parser.add_argument("--output", type=Path, default=ROOT / "dist", help="a folder")
    extension_parser.add_argument("--cuda", action="store_true", help="with the compiled CUDA kernels")
    _verb(verbs, "cuda", cuda).add_argument("--output", type=Path, default=ROOT / "dist", help="a folder")
    _verb(verbs, "environments", environments).add_argument(
        "--older", action="store_true", help="headless Blender 4.2 and 4.5 as well, for the tests"
    )
    _verb(verbs, "clean", clean).add_argument(
        "--environments", action="store_true", help="the environments as well"
    )
    arguments = parser.parse_args()
    try:
        return arguments.run(arguments)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _verb(verbs: Any, name: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, description=run.__doc__)
    parser.set_defaults(run=run)
    return parser


# ---- verbs


def environments(arguments: argparse.Namespace) -> int:
    """Make the environments that the other verbs work in."""
    for environment in (ENGINE, HEADLESS_BLENDER, *(OLDER_BLENDERS if arguments.older else ())):
        print(f"{environment.name}: {prepare(environment)}")
    return 0


def extension(arguments: argparse.Namespace) -> int:
    """Write the extension's zip."""
    compiled = kernels.write_archive(arguments.output)[0] if arguments.cuda else None
    path = write_extension(arguments.output, compiled)
    print(
        f"{path}: {path.stat().st_size:,} bytes, for Edit > Preferences > Get Extensions > Install from Disk"
    )
    return 0


def cuda(arguments: argparse.Namespace) -> int:
    """Compile the CUDA kernels; some minutes the first time."""
    path, uses = kernels.write_archive(arguments.output)
    print(kernels.table(uses))
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            print(f"{entry.filename:34} {entry.file_size:10,} bytes, {entry.compress_size:9,} compressed")
    found = cubins.verify(path)
    print(
        f"every member read back: {len(found)} sources, {sum(map(len, found.values()))} kernels for each chip"
    )
    print(f"{path}: {path.stat().st_size:,} bytes; the engine loads it from there without any toolkit")
    over = [use for use in uses if not use.within_limits]
    for use in over:
        print(f"over the limit of {kernels.MOST_SPILLED} bytes spilled: {use.kernel} on {use.architecture}")
    return 1 if over else 0


def test(arguments: argparse.Namespace) -> int:
    """Run every check and every test, or pytest alone with the given arguments."""
    python = prepare(ENGINE)
    prepare(HEADLESS_BLENDER)
    pytest = [str(python), "-m", "pytest", *arguments.arguments]
    if arguments.arguments:
        return subprocess.run(pytest, cwd=ROOT).returncode
    checks = {
        "ruff check": [str(python), "-m", "ruff", "check", "."],
        "ruff format": [str(python), "-m", "ruff", "format", "--check", "."],
        "mypy": [str(python), "-m", "mypy"],
    }
    failed = [name for name, command in checks.items() if not _passes(name, command)]
    if failed:
        print(f"FAILED: {', '.join(failed)}", flush=True)
    code = subprocess.run([*pytest, "--durations=15"], cwd=ROOT).returncode
    return code or (1 if failed else 0)


def bench(arguments: argparse.Namespace) -> int:
    """Run the benchmarks and print their tables."""
    folder = ROOT / "tests/benchmarks"
    names = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
    if arguments.name is not None and arguments.name not in names:
        raise BuildError(f"There is no benchmark {arguments.name}; there are: {', '.join(names) or 'none'}.")
    if not names:
        raise BuildError("There are no benchmarks in tests/benchmarks yet.")
    python = prepare(ENGINE)
    codes = []
    for name in [arguments.name] if arguments.name else names:
        print(f"== {name}", flush=True)
        code = f"import sys; from tests.benchmarks.{name} import main; sys.exit(main())"
        codes.append(subprocess.run([str(python), "-c", code], cwd=ROOT).returncode)
    return max(codes)


def pictures(arguments: argparse.Namespace) -> int:
    """Film the fit of the bundled mesh and draw a plane through its field, for the README; or take pictures of windows."""
    engine, docs, made = prepare(ENGINE), ROOT / "docs", ROOT / "build/pictures"
    if arguments.windows:
        return subprocess.run([str(engine), "-m", "tests.blender.manual_pictures"], cwd=ROOT).returncode
    made.mkdir(parents=True, exist_ok=True)
    weights = made / "spot.safetensors"
    verbs = {
        "The conversion": ["convert", str(DEMO_MESH), "-o", str(weights), *PICTURE_OPTIONS],
        "The slice": ["slice", str(weights), "-o", str(docs / "slice.png"), *SLICE_OPTIONS],
        "The film": ["timelapse", str(DEMO_MESH), "-o", str(docs / "timelapse.gif"), *FILM_OPTIONS],
    }
    for what, verb in verbs.items():
        _must([str(engine), "-m", "engine", *verb], what)
    return 0


def clean(arguments: argparse.Namespace) -> int:
    """Remove what the verbs made."""
    folders = [ROOT / name for name in MADE]
    if arguments.environments:
        folders += [environment.folder(ROOT) for environment in (ENGINE, HEADLESS_BLENDER, *OLDER_BLENDERS)]
    for folder in folders:
        if folder.exists():
            print(f"removing {folder}")
            shutil.rmtree(folder)
    return 0


def demo(arguments: argparse.Namespace) -> int:
    """Convert the bundled mesh, render it beside native geometry in headless Blender, and say what came out."""
    started = time.monotonic()
    engine, blender = prepare(ENGINE), prepare(HEADLESS_BLENDER)
    folder = arguments.output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    weights, report = folder / "spot.safetensors", folder / "report.json"
    converted = [
        "--weights",
        str(weights),
        "--report",
        str(report),
        "--proxy",
        str(_convert(engine, weights, report)),
    ]
    _render(engine, blender, converted, folder)
    errors = json.loads(report.read_text())["errors"]
    print(f"\n{folder / 'spot.png'}: the neural spot beside native geometry, 960 x 540")
    print(f"{folder / 'spot.blend'}: the scene, with the weights packed into it")
    print(f"{weights}: the shape, {weights.stat().st_size:,} bytes")
    print(f"{report}: every measured error")
    for name in ("surface_mean", "surface_p95", "near_surface_mean", "grid_mean", "iou"):
        if name in errors:
            print(f"  {name:18} {errors[name]:.5f}")
    print(f"took {time.monotonic() - started:.0f} s")
    return 0


# ---- steps


def write_extension(folder: Path, compiled: Path | None = None) -> Path:
    """Write the zip that Blender installs: manifest, add-on and engine, in a fixed order with fixed times.

    `compiled` is the kernels' archive, if it goes with them.
    """
    manifest = (ROOT / "blender_manifest.toml").read_text()
    version = re.search(r'^version = "([^"]+)"$', manifest, re.MULTILINE)
    if version is None:
        raise BuildError("blender_manifest.toml names no version.")
    paths = [ROOT / name for name in EXTENSION_FILES]
    for name in EXTENSION_FOLDERS:
        paths += [path for path in (ROOT / name).rglob("*") if path.suffix in EXTENSION_SUFFIXES]
    members = {path.relative_to(ROOT).as_posix(): path for path in paths}
    if compiled is not None:
        members[f"engine/cuda/{compiled.name}"] = compiled
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"neural_implicit-{version[1]}.zip"
    half = target.with_suffix(".part")
    with zipfile.ZipFile(half, "w") as archive:
        for name, path in sorted(members.items()):
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    half.replace(target)
    return target


def _convert(engine: Path, weights: Path, report: Path) -> Path:
    """Fit the demo's weights, unless they are there and were made from the same inputs; give the proxy's file."""
    made = ROOT / "build/demo"
    made.mkdir(parents=True, exist_ok=True)
    proxy, stamp = made / "spot.proxy.npz", made / "inputs"
    inputs = hashlib.sha256(DEMO_MESH.read_bytes() + repr(DEMO_OPTIONS).encode() + str(weights).encode())
    for path in sorted((ROOT / "engine").rglob("*.py")):
        inputs.update(path.read_bytes())
    present = all(path.exists() for path in (weights, report, proxy, stamp))
    if present and stamp.read_text() == inputs.hexdigest() + _sha256(weights):
        print(f"{weights.name} is up to date")
        return proxy
    command = [str(engine), "-m", "engine", "convert", str(DEMO_MESH), "-o", str(weights)]
    _must([*command, "--report", str(report), "--proxy", str(proxy), *DEMO_OPTIONS], "The conversion")
    stamp.write_text(inputs.hexdigest() + _sha256(weights))
    return proxy


def _render(engine: Path, blender: Path, converted: list[str], folder: Path) -> None:
    """Install the extension into a clean profile of headless Blender and run the demo's scene there."""
    profile = ROOT / "build/demo-profile"
    shutil.rmtree(profile, ignore_errors=True)
    profile.mkdir(parents=True)
    variables = {"BLENDER_USER_RESOURCES": str(profile), "NEURAL_IMPLICIT_PYTHON": str(engine)}
    script = [str(ROOT / "examples/demo_scene.py"), "--extension", str(write_extension(ROOT / "dist"))]
    _must([str(blender), *script, *converted, "--output", str(folder)], "Blender", variables)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _must(command: list[str], what: str, variables: dict[str, str] | None = None) -> None:
    code = subprocess.run(command, cwd=ROOT, env={**os.environ, **(variables or {})}).returncode
    if code != 0:
        raise BuildError(f"{what} failed with exit code {code}; its own message is above.")


def _passes(name: str, command: list[str]) -> bool:
    print(f"== {name}", flush=True)
    return subprocess.run(command, cwd=ROOT).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
