"""`build.py`: the zip, the environments, and what a person reads when something is missing."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from requirements import environments

ROOT = Path(__file__).resolve().parent.parent
SMALL = environments.Environment("env", ("tests.txt",), "a test", download_mb=1, disk_mb=1)


def build(*arguments, **variables):
    return subprocess.run(
        [sys.executable, str(ROOT / "build.py"), *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_extension_is_the_same_bytes_twice(tmp_path):
    for name in ("first", "second"):
        assert build("extension", "--output", str(tmp_path / name)).returncode == 0
    (first,), (second,) = (list((tmp_path / name).glob("*.zip")) for name in ("first", "second"))
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


def test_extension_holds_manifest_addon_engine_and_the_lists_to_install_and_nothing_else(tmp_path):
    build("extension", "--output", str(tmp_path))
    (path,) = tmp_path.glob("*.zip")
    names = zipfile.ZipFile(path).namelist()
    assert {"blender_manifest.toml", "__init__.py", "addon/__init__.py", "engine/__main__.py"} <= set(names)
    assert {name.split("/")[0] for name in names} == {
        *("blender_manifest.toml", "__init__.py", "LICENSE", "addon", "engine", "requirements")
    }
    assert [name for name in names if "__pycache__" in name or name.endswith(".pyc")] == []
    assert {name for name in names if name.startswith("requirements/")} == {
        *("requirements/engine.txt", "requirements/torch.txt", "requirements/cuda.txt")
    }
    assert names == sorted(names)


def test_wrong_python_is_one_sentence(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 12, 1, "final", 0))
    with pytest.raises(environments.BuildError, match=r"needs Python 3\.11.*runs on 3\.12\.1"):
        environments.check_python()


def test_too_little_disk_is_told_before_anything_is_downloaded(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=500_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(environments.BuildError, match="Not enough disk space"):
        environments.prepare(SMALL, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def without_network(monkeypatch):
    """An index at a port of this machine where nobody listens."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")


def test_no_network_is_one_sentence_and_a_second_run_goes_on(tmp_path, without_network, monkeypatch):
    with pytest.raises(environments.BuildError, match="No network"):
        environments.prepare(SMALL, tmp_path)
    assert not SMALL.is_complete(tmp_path)
    empty = tmp_path / "lists"
    empty.mkdir()
    (empty / "tests.txt").write_text("# nothing\n")
    monkeypatch.setattr(environments, "LISTS", empty)
    python = environments.prepare(SMALL, tmp_path)
    assert SMALL.is_complete(tmp_path)
    assert subprocess.run([str(python), "-c", ""]).returncode == 0


@pytest.fixture
def complete(tmp_path, monkeypatch):
    """A complete environment of nothing."""
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "tests.txt").write_text("# nothing\n")
    monkeypatch.setattr(environments, "LISTS", lists)
    environments.prepare(SMALL, tmp_path)
    return tmp_path


def test_a_complete_environment_is_left_alone(complete, monkeypatch, capsys):
    capsys.readouterr()
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("started a process"))
    environments.prepare(SMALL, complete)
    assert capsys.readouterr().out == ""


def test_a_changed_list_makes_it_incomplete(complete):
    (complete / "lists/tests.txt").write_text("# nothing, but otherwise\n")
    assert not SMALL.is_complete(complete)


def test_a_broken_environment_is_made_anew(complete):
    shutil.rmtree(next((complete / "env/lib").glob("python*")) / "site-packages/pip")
    (complete / "env" / environments.STAMP).unlink()
    python = environments.prepare(SMALL, complete)
    assert subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True).returncode == 0


TINY_DISK = """
set -e
mount -t tmpfs -o size=4m tmpfs "$1"
cd "$2"
exec "$3" -c 'import sys
from pathlib import Path
from requirements.environments import BuildError, Environment, prepare
try:
    prepare(Environment("env", ("tests.txt",), "a test", 1, 1), Path(sys.argv[1]))
except BuildError as error:
    print(error)' "$1"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux mount namespaces")
def test_a_disk_that_fills_up_is_one_sentence(tmp_path):
    namespace = (
        ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--user", "--map-root-user"]
    )
    if subprocess.run([*namespace, "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine allows no mount namespaces")
    command = [*namespace, "bash", "-c", TINY_DISK, "bash", str(tmp_path), str(ROOT), sys.executable]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "The disk is full: env" in ended.stdout, ended.stderr


def test_an_unknown_verb_is_a_usage_error():
    assert build("nonsense").returncode == 2


def test_an_unknown_benchmark_names_those_that_are_there():
    ended = build("bench", "nonsense")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: There is no benchmark nonsense")


def test_slice_for_the_readme_is_there_and_small():
    from PIL import Image

    path = ROOT / "docs/slice.png"
    assert path.stat().st_size < 200_000
    with Image.open(path) as image:
        assert image.size == (400, 400)
