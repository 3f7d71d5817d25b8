"""A stand-in for a CUDA card: Unsloth's own code over CPU tensors, its Triton kernels interpreted.

Import it before anything that imports torch, in a process of its own: it stays for good. Tensors that
are asked for on a CUDA device are made on the CPU, and torch.cuda answers as a card of 24 GiB would.
Nothing of Unsloth, transformers or peft is replaced. Slow: some 50 tokens per second.
"""

import os

# Unsloth imports without a driver, its kernels run in Triton's interpreter, nothing is compiled, and
# weights are read by this thread alone: the stand-in for devices holds for the thread that made it.
os.environ |= {
    "UNSLOTH_ALLOW_CPU": "1",
    "UNSLOTH_COMPILE_DISABLE": "1",
    "TRITON_INTERPRET": "1",
    "TORCHDYNAMO_DISABLE": "1",
    "HF_DEACTIVATE_ASYNC_LOAD": "1",
}

from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import torch
import torch.random
from torch.overrides import TorchFunctionMode

GIB = 2**30
CARD = SimpleNamespace(
    name="Stand-in",
    total_memory=24 * GIB,
    major=9,
    minor=0,
    multi_processor_count=4,
    max_threads_per_multi_processor=2048,
    warp_size=32,
)
CPU: Any = "cpu:0"  # with an index: Unsloth keeps what it caches by that


class Stream:
    """A stream, or an event on one: all is done when it is asked for, there is nothing to wait for."""

    cuda_stream = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Callable[..., bool]:
        return lambda *_, **__: True


class Device:
    """`with torch.cuda.device(0)`."""

    def __init__(self, _: Any = None) -> None:
        self.idx = 0

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: Any) -> None:
        pass


class OnTheCpu(TorchFunctionMode):
    """What is asked for on a CUDA device is made on the CPU."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = dict(kwargs or {})
        if function is torch.device:
            asked = [*args, *named.values()]
            return function(CPU) if there(asked[0]) == CPU else function(*args, **named)
        if getattr(function, "__name__", "") == "cuda":
            return args[0]
        named.pop("pin_memory", None)
        if "device" in named:
            named["device"] = there(named["device"])
        moves = getattr(function, "__name__", "") == "to"
        return function(
            *(there(value) if moves or not isinstance(value, int) else value for value in args), **named
        )


def there(value: Any) -> Any:
    """A device as the CPU: one of CUDA, or the number of one."""
    cuda = isinstance(value, str | torch.device) and str(value).startswith("cuda")
    return CPU if cuda or type(value) is int else value


def stand_in() -> None:
    """Let torch.cuda answer, and place what it is asked to place."""
    answers: dict[str, Any] = {
        "get_device_properties": CARD,
        "get_device_name": CARD.name,
        "get_device_capability": (CARD.major, CARD.minor),
        "current_device": 0,
        "device_count": 1,
        "mem_get_info": (20 * GIB, 24 * GIB),
        "memory_allocated": 0,
        "memory_reserved": 0,
        "max_memory_allocated": 0,
        "max_memory_reserved": 0,
        "synchronize": None,
        "empty_cache": None,
        "current_stream": Stream(),
        "stream": nullcontext(),
    }
    for name, answer in answers.items():
        say(torch.cuda, name, answer)
    torch.cuda.Stream = torch.cuda.Event = Stream  # type: ignore[misc,assignment]
    torch.cuda.device = Device  # type: ignore[misc,assignment]
    torch._C._cuda_getCurrentRawStream = lambda *_: 0  # type: ignore[attr-defined]
    fork = torch.random.fork_rng
    torch.random.fork_rng = lambda *_, **__: fork([])
    OnTheCpu().__enter__()


def say(place: Any, name: str, answer: Any) -> None:
    """Let a function give this answer, whatever it is asked."""
    setattr(place, name, lambda *_, **__: answer)


def available() -> None:
    """Say that the card is there, too: transformers trains in bfloat16, keeps its random state and pins.

    Not for Unsloth: Triton's interpreter computes nothing right in bfloat16.
    """
    state = torch.zeros(4, dtype=torch.uint8)
    answers = {"get_rng_state": state, "get_rng_state_all": [state], "set_rng_state": None}
    answers |= {"set_rng_state_all": None, "manual_seed": None, "manual_seed_all": None}
    for name, answer in answers.items():
        say(torch.cuda, name, answer)
        say(torch.cuda.random, name, answer)
    for name in ("is_available", "is_bf16_supported", "is_initialized"):
        say(torch.cuda, name, True)
    for name in ("_lazy_init", "set_device", "reset_peak_memory_stats"):
        say(torch.cuda, name, None)


stand_in()
