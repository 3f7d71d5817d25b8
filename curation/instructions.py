"""Single machine instructions that numba does not offer, for the compiled loops.

numba's cache does not notice a change in this file: whoever changes one of these empties the caches
(`__pycache__` beside the loops that use it).
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


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
