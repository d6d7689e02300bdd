"""Every kernel for every chip by nvcc: no warning, no spill above the limit; and the archive that ships them."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

import build
from engine.cuda.archive import ARCHITECTURES, KernelArchive, member
from requirements import cubins, kernels
from requirements.environments import BuildError

HAS_NVCC = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
needs_nvcc = pytest.mark.skipif(not HAS_NVCC, reason="there is no nvcc, so no kernel can be compiled")
WIDTHS = (16, 32, 64, 128, 256)
KERNELS = {
    *(f"{name}_{width}" for name in ("march", "evaluate_half") for width in WIDTHS),
    "evaluate_points",
    *("cast_rays", "begin_pixels", "finish_surfaces", "begin_lights", "add_lights", "neural_normals"),
    *("certify_cells", "finish_frames", "begin_shadows", "pass_surfaces", "measure_noise", "choose_pixels"),
    *("note_samples", "begin_filter", "filter_lights"),
}
PTXAS = """ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'march_32' for 'sm_90'
ptxas info    : Function properties for march_32
    608 bytes stack frame, 76 bytes spill stores, 68 bytes spill loads
ptxas info    : Used 128 registers, used 1 barriers, 608 bytes cumulative stack size
ptxas info    : Function properties for _Z4walkR8RayState
    0 bytes stack frame, 12 bytes spill stores, 24 bytes spill loads
ptxas info    : Compiling entry function 'other' for 'sm_90'
ptxas info    : Function properties for other
    0 bytes stack frame, 600 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 0 barriers, 1024 bytes smem, 8 bytes cmem[0]
"""


@needs_nvcc
@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_kernel_compiles_without_warnings_and_within_the_limits(architecture):
    _, uses = kernels.compile_all([architecture])  # on all processors
    print(kernels.table(uses))
    assert {use.kernel for use in uses} == KERNELS
    assert {use.architecture for use in uses} == {f"sm_{architecture}"}
    assert [use for use in uses if not use.within_limits] == []


@needs_nvcc
def test_a_warning_is_an_error_that_names_the_source(tmp_path, monkeypatch):
    (tmp_path / "bad.cu").write_text("__global__ void f(int* a) { int unused = 3; a[0] = 1; }")
    monkeypatch.setattr(kernels, "FOLDER", tmp_path)
    with pytest.raises(BuildError, match=r"(?s)cannot compile bad\.cu to bad\.compute_80\.ptx.*unused"):
        kernels.compile_cubin("bad", 90, tmp_path)


def test_what_ptxas_says_is_read_and_limited():
    first, second = kernels.parse(PTXAS)
    assert (first.kernel, first.architecture, first.registers) == ("march_32", "sm_90", 128)
    assert (first.stack_bytes, first.spill_stores, first.spill_loads, first.shared_bytes) == (608, 88, 92, 0)
    assert first.within_limits
    assert second.shared_bytes == 1024 and not second.within_limits
    assert "march_32" in kernels.table([first, second])
    with pytest.raises(BuildError, match="another form"):
        kernels.parse("Compiling entry function 'f' for 'sm_90'\n")


def test_missing_compiler_is_one_sentence(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(BuildError, match=r"no nvcc.*12\.8"):
        kernels.find_nvcc()


def test_archive_is_the_same_bytes_twice_and_is_read_by_the_engine(tmp_path, monkeypatch):
    files = [tmp_path / member("march", 90, False), tmp_path / member("march", 80, True)]
    for path in files:
        path.write_bytes(path.name.encode() * 100)
    monkeypatch.setattr(kernels, "compile_all", lambda: (files, []))
    one, _ = kernels.write_archive(tmp_path / "one")
    two, _ = kernels.write_archive(tmp_path / "two")
    assert one.read_bytes() == two.read_bytes()
    archive = KernelArchive(one)
    archive.check()
    assert archive.image("march", (9, 0)) == files[0].read_bytes()
    with zipfile.ZipFile(one) as whole:
        assert all(entry.compress_type == zipfile.ZIP_LZMA for entry in whole.infolist())


def test_sources_that_change_while_they_are_compiled_make_no_archive(tmp_path, monkeypatch):
    digests = iter(["a" * 64, "b" * 64])
    monkeypatch.setattr(kernels, "sources_digest", lambda: next(digests))
    monkeypatch.setattr(kernels, "compile_all", lambda: ([], []))
    with pytest.raises(BuildError, match="changed while it was compiled"):
        kernels.write_archive(tmp_path)
    assert list(tmp_path.iterdir()) == []


@needs_nvcc
def test_real_kernel_is_packed_found_and_read_where_an_installed_release_has_it(tmp_path, monkeypatch):
    """One cubin and its PTX through the archive, the extension's zip, and the installed engine's own search."""
    cubin, uses = kernels.compile_cubin("begin_light", 90, tmp_path)
    ptx = kernels.compile_ptx("begin_light", 80, tmp_path)
    assert [use.kernel for use in uses] == ["begin_lights"]
    monkeypatch.setattr(kernels, "compile_all", lambda: ([cubin, ptx], uses))
    path, _ = kernels.write_archive(tmp_path / "dist")
    monkeypatch.setattr(cubins, "ARCHITECTURES", (90,))
    assert cubins.verify(path) == {"begin_light": {"begin_lights"}}
    installed = tmp_path / "installed"
    with zipfile.ZipFile(build.write_extension(tmp_path / "dist", path)) as extension:
        extension.extractall(installed)
    script = (
        "from engine.cuda.archive import KernelArchive, find_archive\n"
        "archive = KernelArchive(find_archive())\n"
        "archive.check()\n"
        "import sys\n"
        "sys.stdout.buffer.write(archive.image('begin_light', (9, 0)))"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("NEURAL_IMPLICIT", "PYTHON"))}
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=installed, env=environment, capture_output=True
    )
    assert ended.returncode == 0, ended.stderr.decode()
    assert ended.stdout == cubin.read_bytes()
    assert cubins.read_cubin(ended.stdout) == (90, {"begin_lights"})
    assert KernelArchive(path).image("begin_light", (13, 0)) == ptx.read_bytes() + b"\0"


@needs_nvcc
def test_member_that_is_for_another_chip_or_missing_is_found_out(tmp_path, monkeypatch):
    cubin, _ = kernels.compile_cubin("begin_light", 75, tmp_path)
    path = tmp_path / "k.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(cubin, member("begin_light", 90, False))
    monkeypatch.setattr(cubins, "ARCHITECTURES", (90,))
    with pytest.raises(BuildError, match=r"sm_90\.cubin in k\.zip is for sm_75"):
        cubins.verify(path)
    monkeypatch.setattr(cubins, "ARCHITECTURES", (80, 90))
    with pytest.raises(BuildError, match=r"lacks begin_light\.sm_80"):
        cubins.verify(path)
    for data in (b"", b"no cubin" * 20, cubin.read_bytes()[:500]):
        with pytest.raises(BuildError, match=r"no (whole )?cubin"):
            cubins.read_cubin(data)
    with pytest.raises(BuildError, match="no PTX"):
        cubins.read_ptx("")


def test_extension_has_no_compiled_kernels_unless_asked(tmp_path):
    with zipfile.ZipFile(build.write_extension(tmp_path)) as extension:
        assert not [name for name in extension.namelist() if name.endswith((".zip", ".cubin", ".ptx"))]
