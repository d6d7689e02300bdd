"""One tile of a matrix product in registers: four outputs at PANEL points over the whole fan-in, as vector instructions.

LLVM's own vectoriser reads and writes the outputs again for every few inputs, which costs half of the machine's
peak; here they stay in registers until the tile is done. A tile is LLVM code over vectors of LANES numbers, so it works
on any processor; LANES follows what the one that Numba compiles for has, and so do the panels of points.

A panel is `rows` rows of PANEL numbers, one row per unit and one column per point. The weights of a tile are four biases,
then four numbers for each input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, codegen, config, types
from numba.extending import intrinsic

ROWS = 4  # outputs of a tile
UNROLLED = 8  # inputs of one round: 32 rounds end in a branch that processors guess wrong, four do not
VECTORS = 2  # a tile keeps ROWS * VECTORS sums: eight hide the latency of a multiply-add, and 16 registers hold them


def _lanes() -> int:
    """Give the float32 numbers in a vector of the processor that Numba compiles for."""
    chosen: str | None = getattr(config, "CPU_FEATURES", None)  # from NUMBA_CPU_FEATURES
    features: str = codegen.get_host_cpu_features() if chosen is None else chosen  # type: ignore[no-untyped-call]
    enabled = set(features.split(","))
    return 16 if "+avx512f" in enabled else 8 if "+avx" in enabled else 4


LANES = _lanes()
PANEL = LANES * VECTORS  # points

_FLOAT, _INT = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)


def _splat(builder: Any, number: Any) -> Any:
    empty = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(empty, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(
        first, empty, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    )


def _vector_at(builder: Any, start: Any, index: Any) -> Any:
    return builder.bitcast(builder.gep(start, [index]), _VECTOR.as_pointer())


def _load(builder: Any, start: Any, index: Any) -> Any:
    return builder.load(_vector_at(builder, start, index), align=4)


def _constant(value: int) -> Any:
    return ir.Constant(_INT, value)


def _sums(builder: Any, weights: Any, fan_in: Any, source: Any) -> list[Any]:
    """Emit the loops over inputs, UNROLLED at a time and then the rest; gives the ROWS * VECTORS sums."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    multiply_add = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")  # type: ignore[no-untyped-call]

    def add(index: Any, sums: list[Any]) -> list[Any]:
        """Add one input's share."""
        column = builder.mul(index, _constant(PANEL))
        values = [_load(builder, source, builder.add(column, _constant(v * LANES))) for v in range(VECTORS)]
        weight = builder.mul(builder.add(index, _constant(1)), _constant(ROWS))
        totals = []
        for r in range(ROWS):
            place = builder.gep(weights, [builder.add(weight, _constant(r))])
            factor = _splat(builder, builder.load(place))
            for v in range(VECTORS):
                totals.append(builder.call(multiply_add, [factor, values[v], sums[r * VECTORS + v]]))
        return totals

    biases = [_splat(builder, builder.load(builder.gep(weights, [_constant(r)]))) for r in range(ROWS)]
    sums = [biases[number // VECTORS] for number in range(ROWS * VECTORS)]
    many = builder.and_(fan_in, _constant(-UNROLLED))
    sums = _loop(builder, _constant(0), many, UNROLLED, sums, add)
    return _loop(builder, many, fan_in, 1, sums, add)


def _loop(
    builder: Any, first: Any, end: Any, step: int, sums: list[Any], add: Callable[[Any, list[Any]], list[Any]]
) -> list[Any]:
    """Emit a loop over inputs from `first` on, `step` at a time; gives the sums after it."""
    entry, loop, done = (
        builder.block,
        builder.append_basic_block("inputs"),
        builder.append_basic_block("done"),
    )
    builder.cbranch(builder.icmp_signed("<", first, end), loop, done)
    builder.position_at_end(loop)
    index = builder.phi(_INT)
    index.add_incoming(first, entry)
    running = [builder.phi(_VECTOR) for _ in sums]
    for total, start in zip(running, sums):
        total.add_incoming(start, entry)
    totals = running
    for k in range(step):
        totals = add(builder.add(index, _constant(k)), totals)
    following = builder.add(index, _constant(step))
    index.add_incoming(following, loop)
    for total, new in zip(running, totals):
        total.add_incoming(new, loop)
    builder.cbranch(builder.icmp_signed("<", following, end), loop, done)
    builder.position_at_end(done)
    results = [builder.phi(_VECTOR) for _ in sums]
    for result, start, new in zip(results, sums, totals):
        result.add_incoming(start, entry)
        result.add_incoming(new, loop)
    return results


def _affine_tile(
    typing_context: Any,
    weights: Any,
    at_weights: Any,
    fan_in: Any,
    source: Any,
    at_source: Any,
    target: Any,
    at_target: Any,
    slope: Any,
) -> tuple[Any, Callable[..., Any]]:
    """Write max(z, slope * z) of four outputs z = W x + b for one panel; slope 1 leaves z as it is.

    Args:
        typing_context: Numba's.
        weights: Flat float32; the tile's begin at `at_weights`: four biases, then four numbers for each input.
        at_weights: See there.
        fan_in: Number of inputs, at least 1.
        source: Flat float32; the inputs' rows of PANEL numbers begin at `at_source`.
        at_source: See there.
        target: Flat float32; four rows are written at `at_target`.
        at_target: See there.
        slope: float32.
    """
    signature = types.void(
        weights, types.int64, types.int64, source, types.int64, target, types.int64, types.float32
    )

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def start(array: int, offset: int) -> Any:
            data = context.make_array(signature.args[array])(context, builder, arguments[array]).data
            return builder.gep(data, [arguments[offset]])

        totals = _sums(builder, start(0, 1), arguments[2], start(3, 4))
        factor, out = _splat(builder, arguments[7]), start(5, 6)
        for number, total in enumerate(totals):
            other = builder.fmul(factor, total)
            value = builder.select(builder.fcmp_ordered("<", total, other), other, total)
            builder.store(value, _vector_at(builder, out, ir.Constant(_INT, number * LANES)), align=4)
        return context.get_dummy_value()

    return signature, generate


affine_tile: Any = intrinsic(_affine_tile)
