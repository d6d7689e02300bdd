"""The arithmetic of networks is compiled to the widest vectors that the processor has."""

import numba as nb
import numpy as np
import pytest

from engine.tracing.kernel_math import CODES, FAST, activate, slopes
from engine.tracing.simd_tile import LANES

PANEL = np.linspace(-3.0, 3.0, 96, dtype=np.float32)


@pytest.mark.skipif(LANES < 16, reason="this processor, or what Numba compiles for, has no 512-bit vectors")
@pytest.mark.parametrize("function", [activate, slopes])
def test_activations_use_512_bits(function):
    tape = [] if function is activate else [np.zeros_like(PANEL), 0]
    fresh = nb.njit(fastmath=FAST, error_model="numpy")(function.py_func)  # cached code shows no assembly
    fresh(CODES["hard_gelu"], PANEL.copy(), 0, len(PANEL), *tape)
    (assembly,) = fresh.inspect_asm().values()
    assert assembly.count("zmm") > assembly.count("ymm")
