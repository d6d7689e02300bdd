"""One tile of out += matrix @ x in registers: four rows by two vectors of columns, as vector instructions.

LLVM's own vectoriser reads and writes the sums again for every few inputs; here they stay in registers over the whole
fan-in. The arrays are float32 with unit stride along columns; offsets and row strides are counted in numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, codegen, config, types
from numba.extending import intrinsic

ROWS = 4
VECTORS = 2  # ROWS * VECTORS sums hide the latency of a multiply-add, and sixteen registers hold them


def _lanes() -> int:
    """Give the float32 numbers in a vector of the processor that Numba compiles for."""
    chosen: str | None = getattr(config, "CPU_FEATURES", None)  # from NUMBA_CPU_FEATURES
    features: str = codegen.get_host_cpu_features() if chosen is None else chosen  # type: ignore[no-untyped-call]
    enabled = set(features.split(","))
    return 16 if "+avx512f" in enabled else 8 if "+avx" in enabled else 4


LANES = _lanes()
COLUMNS = LANES * VECTORS

_INT = ir.IntType(64)
_VECTOR = ir.VectorType(ir.FloatType(), LANES)


def _splat(builder: Any, number: Any) -> Any:
    empty = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(empty, number, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, empty, zeros)


def _vector_at(builder: Any, start: Any, index: Any) -> Any:
    return builder.bitcast(builder.gep(start, [index]), _VECTOR.as_pointer())


def _places(builder: Any, start: Any, stride: Any) -> list[Any]:
    """Give pointers to the tile's vectors in `out`."""
    places = []
    for r in range(ROWS):
        row = builder.mul(stride, ir.Constant(_INT, r))
        for v in range(VECTORS):
            places.append(_vector_at(builder, start, builder.add(row, ir.Constant(_INT, v * LANES))))
    return places


def _accumulate(
    builder: Any, matrix: Any, strides: tuple[Any, Any], fan_in: Any, x: Any, x_stride: Any, places: list[Any]
) -> None:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    multiply_add = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")  # type: ignore[no-untyped-call]
    begin = [builder.load(place, align=4) for place in places]
    entry, loop, done = (
        builder.block,
        builder.append_basic_block("inputs"),
        builder.append_basic_block("done"),
    )
    builder.branch(loop)
    builder.position_at_end(loop)
    index = builder.phi(_INT)
    index.add_incoming(ir.Constant(_INT, 0), entry)
    sums = [builder.phi(_VECTOR) for _ in places]
    for total, first in zip(sums, begin):
        total.add_incoming(first, entry)
    row = builder.mul(index, x_stride)
    values = [
        builder.load(_vector_at(builder, x, builder.add(row, ir.Constant(_INT, v * LANES))), align=4)
        for v in range(VECTORS)
    ]
    totals = []
    for r in range(ROWS):
        at = builder.add(builder.mul(strides[0], ir.Constant(_INT, r)), builder.mul(strides[1], index))
        factor = _splat(builder, builder.load(builder.gep(matrix, [at])))
        totals += [
            builder.call(multiply_add, [factor, values[v], sums[r * VECTORS + v]]) for v in range(VECTORS)
        ]
    following = builder.add(index, ir.Constant(_INT, 1))
    index.add_incoming(following, loop)
    for total, new in zip(sums, totals):
        total.add_incoming(new, loop)
    builder.cbranch(builder.icmp_signed("<", following, fan_in), loop, done)
    builder.position_at_end(done)
    for place, total in zip(places, totals):
        builder.store(total, place, align=4)


def _product_tile(
    typing_context: Any,
    matrix: Any,
    at_matrix: Any,
    matrix_stride: Any,
    matrix_step: Any,
    fan_in: Any,
    x: Any,
    at_x: Any,
    x_stride: Any,
    out: Any,
    at_out: Any,
    out_stride: Any,
) -> tuple[Any, Callable[..., Any]]:
    """Add matrix (ROWS, fan_in) @ x (fan_in, COLUMNS) to out (ROWS, COLUMNS); fan_in is at least 1.

    Rows of the matrix are `matrix_stride` numbers apart and its columns `matrix_step`, so a transpose needs no copy.
    """
    number = types.int64
    signature = types.void(matrix, number, number, number, number, x, number, number, out, number, number)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def start(array: int, offset: int) -> Any:
            data = context.make_array(signature.args[array])(context, builder, arguments[array]).data
            return builder.gep(data, [arguments[offset]])

        places = _places(builder, start(8, 9), arguments[10])
        strides, fan_in, x_stride = (arguments[2], arguments[3]), arguments[4], arguments[7]
        _accumulate(builder, start(0, 1), strides, fan_in, start(5, 6), x_stride, places)
        return context.get_dummy_value()

    return signature, generate


product_tile: Any = intrinsic(_product_tile)
