"""One inner loop of a matrix product, for Numba: a tile of C += A B that stays in registers.

Numba cannot be told to keep a block of sums in registers, so the tile is written in LLVM's own vector type: `TILE_ROWS`
rows of `LANES` columns, one broadcast of A and one vector of B per row and step. LLVM fits the type to the machine: two
AVX2 registers or one of AVX-512 for each row. A is read with two strides, so that it may be transposed.
"""

from __future__ import annotations

from typing import Any

from ..cache import use_cache_folder

use_cache_folder()  # before numba is imported
import llvmlite.binding as llvm  # noqa: E402
from llvmlite import ir  # noqa: E402
from numba import types  # noqa: E402
from numba.core import cgutils  # noqa: E402
from numba.extending import intrinsic  # noqa: E402

LANES = 16
# as many independent sums as the multiply-add units need to stay busy, and no more than there are registers
TILE_ROWS = 8 if llvm.get_host_cpu_features().get("avx512f") else 4
FLOAT, INDEX = ir.FloatType(), ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)


def _multiply_tile(
    typing_context: Any,
    a: Any,
    a_at: Any,
    a_row: Any,
    a_step: Any,
    b: Any,
    b_at: Any,
    b_step: Any,
    start: Any,
    start_at: Any,
    start_row: Any,
    c: Any,
    c_at: Any,
    c_row: Any,
    count: Any,
) -> Any:
    """Set C[r, 0:LANES] = S[r, 0:LANES] + sum over k < count of A[r, k] * B[k, 0:LANES], for r < TILE_ROWS.

    All arrays are flat float32. A[r, k] is `a[a_at + r * a_row + k * a_step]`, row k of B begins at
    `b[b_at + k * b_step]`, row r of S at `start[start_at + r * start_row]` (a stride of 0 repeats a bias), row r of C
    at `c[c_at + r * c_row]`; S and C may be the same. `count` is at least 1. Nothing is checked.
    """
    integers = (types.int64,) * 3
    signature = types.void(
        a, *integers, b, *integers[:2], start, *integers[:2], c, *integers[:2], types.int64
    )
    return signature, _generate


multiply_tile: Any = intrinsic(_multiply_tile)


def _generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    a_at, a_row, a_step = values[1:4]
    b_at, b_step = values[5:7]
    a, b, start, c = (_data(context, builder, signature.args[k], values[k]) for k in (0, 4, 7, 10))
    add, multiply = builder.add, builder.mul
    rows_of_a = [add(a_at, multiply(a_row, _index(r))) for r in range(TILE_ROWS)]
    sums = [_load(builder, p) for p in _rows(builder, start, values[8], values[9])]
    targets = _rows(builder, c, values[11], values[12])
    entry = builder.block
    loop, end = builder.append_basic_block("tile"), builder.append_basic_block("tile.end")
    builder.branch(loop)
    builder.position_at_end(loop)
    k = builder.phi(INDEX)
    k.add_incoming(_index(0), entry)
    running = [builder.phi(VECTOR) for _ in sums]
    for node, value in zip(running, sums):
        node.add_incoming(value, entry)
    vector = _load(builder, builder.gep(b, [add(b_at, multiply(b_step, k))]))
    column = multiply(a_step, k)
    factors = [builder.load(builder.gep(a, [add(row, column)])) for row in rows_of_a]
    find_function: Any = cgutils.get_or_insert_function
    fused = find_function(builder.module, ir.FunctionType(VECTOR, [VECTOR] * 3), f"llvm.fma.v{LANES}f32")
    results = [
        builder.call(fused, [_repeated(builder, factor), vector, node])
        for factor, node in zip(factors, running)
    ]
    following = add(k, _index(1))
    k.add_incoming(following, loop)
    for node, value in zip(running, results):
        node.add_incoming(value, loop)
    builder.cbranch(builder.icmp_signed("<", following, values[13]), loop, end)
    builder.position_at_end(end)
    for target, value in zip(targets, results):
        builder.store(value, builder.bitcast(target, VECTOR.as_pointer())).align = 4
    return context.get_dummy_value()


def _data(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    return context.make_array(array_type)(context, builder, array).data


def _index(value: int) -> Any:
    return ir.Constant(INDEX, value)


def _rows(builder: Any, pointer: Any, first: Any, stride: Any) -> list[Any]:
    return [
        builder.gep(pointer, [builder.add(first, builder.mul(stride, _index(r)))]) for r in range(TILE_ROWS)
    ]


def _load(builder: Any, pointer: Any) -> Any:
    value = builder.load(builder.bitcast(pointer, VECTOR.as_pointer()))
    value.align = 4
    return value


def _repeated(builder: Any, scalar: Any) -> Any:
    undefined = ir.Constant(VECTOR, ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, undefined, zeros)
