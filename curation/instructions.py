"""Single machine instructions that numba does not offer, for the compiled loops."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_VECTOR = ir.VectorType(ir.IntType(8), 64)


def instruction(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of one machine instruction, from its typing function."""
    return intrinsic(function)


def _load_byte(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
    pointer = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
    return builder.zext(builder.load(pointer), ir.IntType(64))


@instruction
def octet(context: Any, address: Any) -> Any:
    """The byte at an address, as i64."""

    return types.int64(types.int64), _load_byte


@instruction
def put_octet(context: Any, address: Any, value: Any) -> Any:
    """Store the lowest byte of a number at an address."""

    def emit(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
        builder.store(builder.trunc(arguments[1], ir.IntType(8)), pointer)

    return types.void(types.int64, types.int64), emit


@instruction
def byte_at(context: Any, address: Any) -> Any:
    """The byte at an address, as u64."""

    return types.uint64(types.int64), _load_byte


@instruction
def eight_at(context: Any, address: Any) -> Any:
    """The eight bytes at an address of any alignment, the first one lowest (x86, ARM)."""

    def emit(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.load(pointer, align=1)

    return types.uint64(types.int64), emit


@instruction
def trailing_zeros(context: Any, value: Any) -> Any:
    """Zero bits below the lowest set bit; 64 for 0."""

    def emit(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(0))

    return types.int64(types.uint64), emit


@instruction
def leading_zeros(context: Any, value: Any) -> Any:
    """Zero bits above the highest set bit; 64 for 0."""

    def emit(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.IntType(1)(0))

    return types.int64(types.uint64), emit


@instruction
def set_bits(context: Any, value: Any) -> Any:
    """The number of set bits."""

    def emit(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), emit


@instruction
def put_eight(context: Any, address: Any, value: Any) -> Any:
    """Store eight bytes at an address of any alignment, the lowest first (x86, ARM)."""

    def emit(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        builder.store(arguments[1], pointer, align=1)

    return types.void(types.int64, types.uint64), emit


def _sixty_four(builder: Any, address: Any) -> Any:
    """The 64 bytes at an address of any alignment."""
    pointer = builder.inttoptr(address, _VECTOR.as_pointer())
    return builder.load(pointer, align=1)


def _within(builder: Any, x: Any, first: str, last: str) -> Any:
    """Which bytes lie between two characters."""
    above = builder.sub(x, ir.Constant(_VECTOR, [ord(first)] * 64))
    return builder.icmp_unsigned("<=", above, ir.Constant(_VECTOR, [ord(last) - ord(first)] * 64))


@instruction
def word_bits_at(context: Any, address: Any) -> Any:
    """Which of the 64 bytes at an address are ASCII letters, digits or `_`, the first one lowest."""

    def emit(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        x = _sixty_four(builder, arguments[0])
        lower = builder.or_(x, ir.Constant(_VECTOR, [0x20] * 64))
        found = builder.or_(_within(builder, lower, "a", "z"), _within(builder, x, "0", "9"))
        found = builder.or_(found, _within(builder, x, "_", "_"))
        return builder.bitcast(found, ir.IntType(64))

    return types.uint64(types.int64), emit


@instruction
def high_bits_at(context: Any, address: Any) -> Any:
    """Which of the 64 bytes at an address are not ASCII, the first one lowest."""

    def emit(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        x = _sixty_four(builder, arguments[0])
        found = builder.icmp_signed("<", x, ir.Constant(_VECTOR, [0] * 64))
        return builder.bitcast(found, ir.IntType(64))

    return types.uint64(types.int64), emit


@instruction
def filled_at(context: Any, address: Any) -> Any:
    """Which of the 64 u32 at an address are not 0xFFFFFFFF, the first one lowest."""

    def emit(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        lanes = ir.VectorType(ir.IntType(32), 64)
        x = builder.load(builder.inttoptr(arguments[0], lanes.as_pointer()), align=4)
        found = builder.icmp_unsigned("!=", x, ir.Constant(lanes, [0xFFFFFFFF] * 64))
        return builder.bitcast(found, ir.IntType(64))

    return types.uint64(types.int64), emit
