"""Every kernel for every chip by nvcc: no warning, no spill above the limit; and the archive that ships them."""

import shutil
import zipfile

import pytest

from engine.cuda.archive import ARCHITECTURES, KernelArchive, member
from requirements import kernels
from requirements.environments import BuildError

HAS_NVCC = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
needs_nvcc = pytest.mark.skipif(not HAS_NVCC, reason="there is no nvcc, so no kernel can be compiled")
WIDTHS = (16, 32, 64, 128, 256)
KERNELS = {
    *(f"{name}_{width}" for name in ("march", "evaluate") for width in WIDTHS),
    *("cast_rays", "begin_pixels", "finish_surfaces", "begin_lights", "add_lights", "neural_normals"),
    "certify_cells",
}
PTXAS = """ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'march_32' for 'sm_90'
ptxas info    : Function properties for march_32
    608 bytes stack frame, 76 bytes spill stores, 68 bytes spill loads
ptxas info    : Used 128 registers, used 1 barriers, 608 bytes cumulative stack size
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
    with pytest.raises(BuildError, match=r"(?s)cannot compile bad\.cu for 90.*unused"):
        kernels.compile_source("bad", 90, False, tmp_path)


def test_what_ptxas_says_is_read_and_limited():
    first, second = kernels.parse(PTXAS)
    assert (first.kernel, first.architecture, first.registers) == ("march_32", "sm_90", 128)
    assert (first.stack_bytes, first.spill_stores, first.spill_loads, first.shared_bytes) == (608, 76, 68, 0)
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
