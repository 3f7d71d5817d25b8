"""Which type each tensor of a GGUF file gets, and its bytes.

F32, F16, BF16 and Q8_0 are computed in Python by `gguf`; K-quants by llama.cpp's own kernel, of the
`export` extra. Types follow llama.cpp (src/llama-quant.cpp, `llama_tensor_get_type`), so that the file is
the one that its own tool makes.
"""

import ctypes
import importlib
import importlib.util
import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from numpy.typing import NDArray

from curation.errors import CurationError, to_install
from train.model.tensors import Weights
from train.ship.gguf_writer import Planned

INSTALL = f"needs llama.cpp: {to_install('export')} (it is built from source, some ten minutes)"
LAYER = re.compile(r"blk\.(\d+)\.")
LAYERS_70B = 80  # Qwen2 of 72 B: eight heads share a value matrix, so it is worth more bits


class Quant(NamedTuple):
    """A quantisation as a whole. file_type: llama.cpp's number of it (llama_ftype)."""

    file_type: int
    matrix: Type


QUANTS = {
    "f16": Quant(1, Type.F16),
    "bf16": Quant(32, Type.BF16),
    "q8_0": Quant(7, Type.Q8_0),
    "q4_k_m": Quant(15, Type.Q4_K),
    "q5_k_m": Quant(17, Type.Q5_K),
    "q6_k": Quant(18, Type.Q6_K),
}
# What a type becomes where a row is no multiple of its block.
FALLBACKS = {Type.Q4_K: Type.Q5_0, Type.Q5_K: Type.Q5_1, Type.Q6_K: Type.Q8_0}


def plan(
    weights: Weights, names: Iterable[tuple[str, str]], quant: str, *, layers: int, tied: bool
) -> list[Planned]:
    """The tensors of a file with their types; `names` are (GGUF name, checkpoint name) in order."""
    planned = []
    for name, source in names:
        shape = weights.entries[source].shape
        kind = tensor_type(name, shape, quant, layers=layers, tied=tied)
        planned.append(Planned(name, source, kind, shape))
    return planned


def tensor_type(name: str, shape: Sequence[int], quant: str, *, layers: int, tied: bool) -> Type:
    """The type of one tensor: vectors stay F32, as in llama.cpp."""
    if len(shape) == 1:
        return Type.F32
    wanted = QUANTS[quant].matrix
    columns = shape[-1]
    if wanted in FALLBACKS:
        wanted = k_quant(name, columns, wanted, layers=layers, tied=tied)
    return fitting(wanted, columns)


def k_quant(name: str, columns: int, usual: Type, *, layers: int, tied: bool) -> Type:
    """More bits than usual for the output, and for values and the way down in some layers."""
    if name == "output.weight" or (tied and name == "token_embd.weight"):
        return Type.Q6_K if columns % 256 == 0 else Type.Q8_0
    found = LAYER.match(name)
    if found is None or not name.endswith(("ffn_down.weight", "attn_v.weight")):
        return usual
    if use_more_bits(int(found[1]), layers):
        return Type.Q6_K
    if usual == Type.Q4_K and name.endswith("attn_v.weight") and layers == LAYERS_70B:
        return Type.Q5_K
    return usual


def use_more_bits(layer: int, layers: int) -> bool:
    """The first and last eighth, and every third layer between."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def fitting(wanted: Type, columns: int) -> Type:
    """The type, or what llama.cpp falls back to where a row is no multiple of its block."""
    for kind in (wanted, FALLBACKS.get(wanted, Type.F16), Type.F16):
        if columns % gguf.GGML_QUANT_SIZES[kind][0] == 0:
            return kind
    raise AssertionError("F16 has blocks of one")


def needs_llama(planned: Iterable[Planned]) -> bool:
    """Whether any tensor's type is computed by llama.cpp."""
    return any(tensor.type not in IN_PYTHON for tensor in planned)


def encode(tensor: torch.Tensor, kind: Type) -> NDArray[Any]:
    """A tensor's data in a file, as GGUF has it."""
    if kind == Type.BF16 and tensor.dtype == torch.bfloat16:
        return tensor.contiguous().view(torch.uint8).numpy()
    values = tensor.float().contiguous().numpy()
    if kind in IN_PYTHON:
        return gguf.quants.quantize(values, kind)
    return by_llama(values, kind)


IN_PYTHON = (Type.F32, Type.F16, Type.BF16, Type.Q8_0)


def by_llama(values: NDArray[np.float32], kind: Type) -> NDArray[np.uint8]:
    """Rows quantised by llama.cpp's kernel, in all cores: the bytes of its own tool."""
    kernel = chunk_kernel()
    rows, columns = values.shape
    block, size = gguf.GGML_QUANT_SIZES[kind]
    row_bytes = columns // block * size
    data = np.empty((rows, row_bytes), dtype=np.uint8)
    source = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    step = max(1, 2**20 // columns)

    def quantise(first: int) -> None:
        count = min(step, rows - first)
        written = kernel(
            int(kind), source, data.ctypes.data_as(ctypes.c_void_p), first * columns, count, columns, None
        )
        assert written == count * row_bytes, "llama.cpp and gguf disagree on the size of a block"

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(quantise, range(0, rows, step)))
    return data


@lru_cache(maxsize=1)
def chunk_kernel() -> Any:
    """ggml_quantize_chunk(type, floats, bytes, first value, rows, columns, importance) -> bytes written.

    CurationError with what to install when llama.cpp is not there.
    """
    check_llama("a K-quant")
    importlib.import_module("llama_cpp")
    function = importlib.import_module("llama_cpp._ggml").libggml.ggml_quantize_chunk
    function.restype = ctypes.c_size_t
    function.argtypes = [
        ctypes.c_int,
        ctypes.POINTER(ctypes.c_float),
        ctypes.c_void_p,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.c_void_p,
    ]
    return function


def has_llama() -> bool:
    """Whether the `export` extra is installed."""
    return importlib.util.find_spec("llama_cpp") is not None


def check_llama(what: str) -> None:
    """CurationError with the install hint unless llama.cpp is there. `what`: what needs it."""
    if not has_llama():
        raise CurationError(f"{what} {INSTALL}")
