"""Installing the engine: real environments and real pip, with small packages and a package index of our own."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from neural_implicit.addon.engine_python import EngineNotFoundError, find_engine_python
from neural_implicit.addon.installing import pythons, steps
from neural_implicit.addon.installing.installer import Installer
from neural_implicit.addon.installing.locked import LISTS, lock_digest, wanted
from neural_implicit.addon.installing.place import Place, look
from neural_implicit.addon.installing.removal import delete_set_aside, set_aside
from neural_implicit.addon.installing.reports import InstallError
from neural_implicit.addon.installing.single import one_at_a_time
from neural_implicit.addon.installing.steps import Installation, InstallOptions

from tests.addon import wheel_house

TIMEOUT_S = 120.0
LARGE = 4_000_000  # bytes; what pip gives a size for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="not tried on Windows")


@pytest.fixture
def index(tmp_path, monkeypatch):
    """An index with three packages, which pip is set to, and nothing else."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    house = tmp_path / "house"
    wheel_house.make_wheel(house, "red_one", "1.0", requires=["blue"])
    wheel_house.make_wheel(house, "blue", "2.5")
    wheel_house.make_wheel(house, "large", "3.1", size=LARGE)
    index = wheel_house.Index(house)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setenv("PIP_RETRIES", "0")
    yield index
    index.close()


@pytest.fixture
def lists(tmp_path):
    """The lock of those packages; nothing reaches a GPU, and torch is a small package."""
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "engine.txt").write_text("# three\nred-one==1.0\nblue==2.5\nlarge==3.1\n")
    (folder / "torch.txt").write_text("torch==9.0\n")
    (folder / "cuda.txt").write_text("gpu==1.0\n")
    return folder


@pytest.fixture(scope="session")
def bare(tmp_path_factory):
    """An environment with pip and nothing else, as the first step makes it."""
    folder = tmp_path_factory.mktemp("bare")
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    subprocess.run([str(environment / "bin/python"), "-m", "ensurepip"], check=True, capture_output=True)
    return folder


@pytest.fixture
def place(bare, tmp_path):
    """A folder for the engine in which the environment is made already."""
    folder = tmp_path / "place with spaces"
    shutil.copytree(bare, folder, symlinks=True)
    return Place(folder)


def install(place, lists, *arguments, until=lambda installer: False):
    """Install as Blender does; give the installer when it has ended, and all that it said on the way."""
    installer, said = Installer(), []
    installer.start(
        sys.executable, place.folder, ["--lists", str(lists), "--disk-mb", "1", "--cuda", "never", *arguments]
    )
    deadline = time.monotonic() + TIMEOUT_S
    while installer.running and time.monotonic() < deadline:
        installer.poll(0.1)
        said.append((installer.fraction, installer.text))
        if until(installer):
            installer.cancel()
    assert not installer.running
    return installer, said


def version_in(place, module):
    """Import a package with the installed engine's Python."""
    code = f"import {module}; print({module}.version)"
    ended = subprocess.run([str(place.python), "-c", code], capture_output=True, text=True)
    return ended.stdout.strip() or ended.stderr.strip().splitlines()[-1]


def wheels(place):
    return sorted(path.name.split("-")[0] for path in place.wheels.glob("*.whl"))


def test_an_environment_is_made_and_the_locked_packages_are_in_it(index, lists, tmp_path):
    place = Place(tmp_path / "new")
    assert look(place, lists).kind == "absent"
    installer, said = install(place, lists)
    assert installer.problem == ""
    assert installer.result.startswith("The engine is installed: Python 3.")
    assert version_in(place, "red_one") == "1.0"
    state = look(place, lists)
    assert (state.kind, state.missing) == ("ready", ())
    assert {"red-one": "1.0", "blue": "2.5", "large": "3.1"}.items() <= state.packages.items()
    fractions = [fraction for fraction, _ in said]
    assert fractions == sorted(fractions)
    assert any(text.startswith("Making an environment with Python 3.") for _, text in said)
    assert any(text.startswith("Downloading ") and " of 3" in text for _, text in said)
    assert not place.wheels.exists() and not place.temporary.exists()
    assert find_as_blender_does(place) == place.python
    assert find_as_blender_does(place, preference=sys.executable) == Path(sys.executable)


def find_as_blender_does(place, preference=""):
    variable = os.environ.pop("NEURAL_IMPLICIT_PYTHON", None)
    try:
        return find_engine_python(preference, place)
    finally:
        if variable is not None:
            os.environ["NEURAL_IMPLICIT_PYTHON"] = variable


def test_megabytes_are_told_where_pip_tells_them(index, lists, place):
    index.slow.add("large")
    _, said = install(place, lists, until=lambda installer: "MB)" in installer.text)
    assert any("large (" in text and "of 4 MB)" in text for _, text in said), said


def test_a_folder_of_wheels_needs_no_index(index, lists, place):
    index.close()
    installer, _ = install(place, lists, "--wheels", str(index.folder))
    assert installer.problem == ""
    assert version_in(place, "blue") == "2.5"


def test_a_folder_without_wheels_is_one_sentence(lists, place, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    installer, _ = install(place, lists, "--wheels", str(empty))
    assert installer.problem.startswith(f"There are no wheels (files *.whl) in {empty}.")


def test_a_folder_that_lacks_one_names_it(index, lists, place):
    (index.folder / "blue-2.5-py3-none-any.whl").unlink()
    installer, _ = install(place, lists, "--wheels", str(index.folder))
    assert "the folder of wheels lacks blue==2.5 for Python 3." in installer.problem
    assert look(place, lists).kind == "incomplete"


def test_after_a_broken_download_the_next_run_takes_up_what_is_there(index, lists, place):
    index.cut.add("large")
    installer, _ = install(place, lists)
    assert installer.problem.startswith("large 3.1: the download broke off")
    assert "large" not in wheels(place)
    complete = wheels(place)
    index.cut.clear()
    index.served.clear()
    installer, _ = install(place, lists)
    assert installer.problem == ""
    again = {name.split("-")[0] for name in index.served}
    assert again == {"red_one", "blue", "large"} - set(complete)


def test_without_a_network_it_says_so(index, lists, place, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    installer, _ = install(place, lists)
    assert installer.problem.startswith("No network: pip cannot reach its package index for ")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_an_untrusted_certificate_is_not_called_a_missing_network(index, lists, place, monkeypatch, tmp_path):
    proxied = wheel_house.Index(index.folder, wheel_house.make_certificate(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", proxied.url)
    installer, _ = install(place, lists)
    proxied.close()
    assert installer.problem.startswith("pip does not trust the certificate of its package index for ")
    assert "PIP_CERT" in installer.problem
    assert look(place, lists).kind == "incomplete"


def test_a_wrong_checksum_is_not_installed(index, lists, place):
    index.wrong_hash.add("blue")
    installer, _ = install(place, lists)
    assert installer.problem.startswith(
        "blue 2.5: the download broke off, or was changed on its way: its checksum"
    )
    assert "blue" not in look(place, lists).packages


def test_a_checksum_in_the_lock_is_heeded(index, lists, place):
    (lists / "engine.txt").write_text(f"blue==2.5 --hash=sha256:{'1' * 64}\n")
    installer, _ = install(place, lists)
    assert "its checksum is not the one that was announced" in installer.problem


def test_a_damaged_wheel_is_named_and_fetched_again(index, lists, place):
    whole = (index.folder / "large-3.1-py3-none-any.whl").read_bytes()
    wheel_house.damage(index.folder / "large-3.1-py3-none-any.whl")
    installer, _ = install(place, lists)
    assert installer.problem.startswith("Damaged, and removed: large-3.1-py3-none-any.whl.")
    assert wheels(place) == ["blue", "red_one"]
    (index.folder / "large-3.1-py3-none-any.whl").write_bytes(whole)
    installer, _ = install(place, lists)
    assert installer.problem == ""


def test_a_damaged_wheel_of_the_users_folder_stays_there(index, lists, place):
    wheel = index.folder / "large-3.1-py3-none-any.whl"
    wheel_house.damage(wheel)
    installer, _ = install(place, lists, "--wheels", str(index.folder))
    assert installer.problem.startswith(f"Damaged: {wheel.name} in {index.folder}.")
    assert wheel.exists()


def test_cancelling_ends_all_processes_and_keeps_what_is_complete(index, lists, place):
    index.slow.add("large")
    running = set()

    def half_way(installer):
        if index.sending.is_set() and len(index.served) == 2 and len(wheels(place)) == 2:
            running.update(processes_of(installer._process.pid) if installer._process else ())
            return True
        return False

    installer, _ = install(place, lists, until=half_way)
    assert installer.problem.startswith("Cancelled.")
    assert len(running) >= 2  # the process and its pip
    assert wait_for(lambda: not [pid for pid in running if is_alive(pid)])
    assert wheels(place) == ["blue", "red_one"]
    assert not place.temporary.exists()
    assert look(place, lists).kind == "incomplete"
    index.slow.clear()
    installer, _ = install(place, lists)
    assert installer.problem == ""
    assert sorted(index.served) == sorted(path.name for path in index.folder.iterdir())


def test_it_ends_when_blender_does(index, lists, place):
    index.slow.add("large")
    installer = Installer()
    installer.start(
        sys.executable, place.folder, ["--lists", str(lists), "--disk-mb", "1", "--cuda", "never"]
    )
    assert index.sending.wait(TIMEOUT_S)
    running = processes_of(installer._process.pid)
    installer._process.stdin.close()  # as the system does
    assert wait_for(lambda: not [pid for pid in running if is_alive(pid)])
    installer.stop()


def processes_of(group):
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[2]) == group:
                found.add(int(stat.parent.name))
        except OSError:
            continue
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_too_little_disk_is_told_before_anything_is_downloaded(index, lists, tmp_path, monkeypatch):
    folder = tmp_path / "new"
    usage = shutil.disk_usage(tmp_path)._replace(free=500_000_000)
    monkeypatch.setattr(steps.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(
        InstallError, match=r"about 1400 MB are needed in .*, 500 MB are free\. Free some space"
    ):
        Installation(InstallOptions(folder=folder, lists=lists), lambda text, fraction: None).run()
    assert index.served == []
    assert not Place(folder).environment.exists()


TINY_DISK = """
set -e
mkdir -p "$1" && mount -t tmpfs -o size=200m tmpfs "$1"
cp -a "$2/environment" "$1"
head -c $(($(df --output=avail -B1 "$1" | tail -1) - 3000000)) /dev/zero > "$1/rest"
cd "$3"
exec "$4" -m addon.installing "$1" --lists "$5" --disk-mb 1 --cuda never < /dev/zero
"""


def test_a_disk_that_fills_up_is_one_sentence(index, lists, bare, tmp_path):
    namespace = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*namespace, "true"], capture_output=True).returncode
    ):
        pytest.skip("this machine allows no mount namespaces")
    arguments = [str(tmp_path / "small"), str(bare), str(LISTS.parent), sys.executable, str(lists)]
    ended = subprocess.run(
        [*namespace, "bash", "-c", TINY_DISK, "bash", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert "No space left" in ended.stdout or "The disk is full" in ended.stdout, ended.stdout + ended.stderr
    assert ended.returncode == 3


def test_a_new_lock_makes_it_out_of_date_and_only_what_changed_is_fetched(index, lists, place):
    install(place, lists)
    index.served.clear()
    wheel_house.make_wheel(index.folder, "blue", "2.6")
    (lists / "engine.txt").write_text("red-one==1.0\nblue==2.6\nlarge==3.1\n")
    state = look(place, lists)
    assert (state.kind, state.usable, state.missing) == ("out of date", True, ("blue 2.6",))
    installer, _ = install(place, lists)
    assert installer.problem == ""
    assert index.served == ["blue-2.6-py3-none-any.whl"]
    assert version_in(place, "blue") == "2.6"
    assert look(place, lists).kind == "ready"


def test_installing_what_is_installed_fetches_nothing(index, lists, place):
    install(place, lists)
    index.served.clear()
    installer, _ = install(place, lists)
    assert installer.result and index.served == []


def test_a_python_that_is_gone_is_told_and_made_anew_with_the_packages_kept(index, lists, place):
    install(place, lists)
    index.served.clear()
    for path in (place.environment / "bin").glob("python*"):  # as when Blender's folder has gone
        path.unlink()
        path.symlink_to("/nowhere/blender/python/bin/python3.11")
    state = look(place, lists)
    assert state.kind == "broken" and "Python that the engine was made with is gone" in state.sentence
    with pytest.raises(EngineNotFoundError, match="as after an update of Blender"):
        find_as_blender_does(place)
    installer, _ = install(place, lists)
    assert installer.problem == ""
    assert index.served == []
    assert version_in(place, "red_one") == "1.0"


def test_a_package_that_is_gone_is_told_and_put_back(index, lists, place):
    install(place, lists)
    for path in place.site_packages.glob("blue*"):
        shutil.rmtree(path)
    state = look(place, lists)
    assert (state.kind, state.usable) == ("broken", False)
    assert "Missing from the engine: blue 2.5" in state.sentence
    install(place, lists)
    assert version_in(place, "blue") == "2.5"


def test_torch_is_installed_only_where_it_is_wanted_and_may_bring_more(index, lists, place):
    wheel_house.make_wheel(index.folder, "torch", "9.0", requires=["runtime"])
    wheel_house.make_wheel(index.folder, "runtime", "1.0")  # that no list names
    install(place, lists)
    assert "torch" not in look(place, lists).packages
    installer, _ = install(place, lists, "--torch")
    assert installer.problem == ""
    state = look(place, lists)
    assert {"torch": "9.0", "runtime": "1.0"}.items() <= state.packages.items()
    assert state.kind == "ready" and state.stamp.torch


def test_what_reaches_a_gpu_is_added_where_there_is_one(index, lists, place, tmp_path):
    wheel_house.make_wheel(index.folder, "gpu", "1.0")
    installer = Installer()
    installer.start(
        sys.executable, place.folder, ["--lists", str(lists), "--disk-mb", "1", "--cuda", "always"]
    )
    while installer.running:
        installer.poll(0.1)
    assert (installer.problem, installer.warnings) == ("", [])
    assert look(place, lists).packages["gpu"] == "1.0"


def test_what_reaches_a_gpu_and_cannot_be_had_is_a_warning(index, lists, place):
    installer = Installer()
    installer.start(
        sys.executable, place.folder, ["--lists", str(lists), "--disk-mb", "1", "--cuda", "always"]
    )
    while installer.running:
        installer.poll(0.1)
    assert installer.problem == "" and installer.result
    (warning,) = installer.warnings
    assert warning.startswith("The packages that reach the GPU: ") and warning.endswith(
        "the engine uses the CPU."
    )
    assert look(place, lists).stamp.warnings == (warning,)


def test_removing_leaves_nothing(index, lists, place):
    install(place, lists)
    set_aside(place)
    assert not place.folder.exists()
    assert look(place, lists).kind == "absent"
    delete_set_aside(place.folder)
    assert list(place.folder.parent.glob("place with spaces*")) == []


def test_only_one_at_a_time_installs_or_removes(lists, place):
    with one_at_a_time(place.folder / "lock"):
        installer, _ = install(place, lists)
        assert installer.problem.startswith("Another Blender is installing or removing the engine.")
        with pytest.raises(InstallError, match="Another Blender"):
            set_aside(place)


def fake_python(path, version, ensurepip=True):
    """Write a program that answers as a Python of some version would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    said = {
        "version": list(version),
        "base": str(path),
        "ensurepip": ensurepip,
        "pip": False,
        "venv": True,
        "plain": True,
    }
    path.write_text(f"#!/bin/sh\necho '{json.dumps(said)}'\n")
    path.chmod(0o755)
    return path


def test_without_a_fitting_python_each_is_named_with_its_reason(tmp_path, monkeypatch):
    old = fake_python(tmp_path / "own/python", (3, 10, 4))
    bare = fake_python(tmp_path / "bin/python3", (3, 13, 1), ensurepip=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(pythons, "_usual_places", lambda version: iter(()))
    with pytest.raises(InstallError) as caught:
        pythons.choose("", str(old))
    assert f"{old} is 3.10.4, not 3.11 to 3.14" in str(caught.value)
    assert f"{bare} cannot make an environment" in str(caught.value)
    assert "Install Python 3.11" in str(caught.value)


def test_blenders_own_python_is_taken_where_it_fits_and_else_one_on_the_path(tmp_path, monkeypatch):
    monkeypatch.setattr(pythons, "_usual_places", lambda version: iter(()))
    own = fake_python(tmp_path / "own/python", (3, 13, 1))
    on_path = fake_python(tmp_path / "bin/python3.11", (3, 11, 9))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert pythons.choose("", str(own)).path == own
    own = fake_python(tmp_path / "own/python", (3, 13, 1), ensurepip=False)
    assert pythons.choose("", str(own)).path == on_path
    assert pythons.choose(str(on_path), str(own)).path == on_path


def test_a_chosen_python_that_will_not_do_is_refused_and_no_other_is_taken(tmp_path):
    old = fake_python(tmp_path / "python", (3, 9, 1))
    with pytest.raises(InstallError, match=r"is 3\.9\.1"):
        pythons.choose(str(old), sys.executable)
    with pytest.raises(InstallError, match="does not answer as a Python"):
        pythons.choose(str(tmp_path / "nothing"), sys.executable)


def test_a_python_without_ensurepip_installs_by_its_own_pip(index, lists, tmp_path, monkeypatch):
    real = pythons.choose(sys.executable, "")
    assert real.pip
    monkeypatch.setattr(steps, "choose", lambda *_: replace(real, ensurepip=False))
    place = Place(tmp_path / "new")
    options = InstallOptions(folder=place.folder, lists=lists, cuda="never", disk_mb=1)
    Installation(options, lambda text, fraction: None).run()
    assert version_in(place, "red_one") == "1.0"
    assert "pip" not in look(place, lists).packages


def test_the_extensions_own_lists_pin_every_package_once():
    packages = wanted(LISTS, torch=True)
    assert len({package.key for package in packages}) == len(packages)
    assert {"numpy", "numba", "warp-lang", "torch"} <= {package.key for package in packages}
    assert "torch" not in {package.key for package in wanted(LISTS, torch=False)}
    assert lock_digest(packages) != lock_digest(packages[1:])
