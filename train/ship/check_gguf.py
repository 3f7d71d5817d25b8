"""A GGUF file tried in llama.cpp before it gets its name: same tokens as in training, same logits.

Three conversations with tools are rendered by the template inside the file and encoded by llama.cpp; ids
must be training's. Then logits are compared with the unquantised model's, position by position, by the
Kullback-Leibler divergence.
"""

import importlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from curation.errors import Refusal
from curation.rendering.template import Template, openai_call
from curation.rendering.template_parts import parse_tools, to_json
from curation.row import Message, message
from train.data.encoding import Encoder
from train.ship.quantise import check_llama

# The mean divergence that a type may have: nats per token, and as a share of what the model says beyond an
# even guess (log of the vocabulary less the entropy), which is little for untrained weights. Measured on
# two-layer models of random weights, the hardest case, as a share: f16 3e-5, bf16 1.3e-3, q8_0 0.015, q4_k_m
# 0.48 at most; with gate and up matrices swapped 0.04 to 1.1, without the adapter 0.06 to 2, with layers
# swapped 1.7 and more. Where weights of a spread of 0.1 bring q4_k_m to its 0.3 nats, q5_k_m has 0.082 and a
# share of 0.066, q6_k 0.023 and 0.019: theirs are twice to three times that.
MAX_KL = {
    "f16": (2e-3, 1e-3),
    "bf16": (0.01, 0.01),
    "q8_0": (0.02, 0.03),
    "q4_k_m": (0.3, 0.7),
    "q5_k_m": (0.15, 0.2),
    "q6_k": (0.05, 0.05),
}

TOOLS = to_json(
    [
        {
            "type": "function",
            "function": {
                "name": "bash",
                "description": "Run a command and return what it prints: «stdout», then stderr.",
                "parameters": {
                    "type": "object",
                    "properties": {"command": {"type": "string"}, "timeout_s": {"type": "number"}},
                    "required": ["command"],
                },
            },
        }
    ]
)
ToolCall = dict[str, str | None]
DF: ToolCall = {
    "id": "call00001",
    "name": "bash",
    "arguments": '{"command": "df -h | sort -k5 -n", "timeout_s": 1.5}',
}
PS: ToolCall = {
    "id": "call00002",
    "name": "bash",
    "arguments": '{"command": "printf \\"%s\\\\n\\" \\u00e9 <a> & b"}',
}
CONVERSATIONS: Sequence[tuple[list[Message], str | None]] = [
    ([message("user", "Which herbs grow in shade? Name 3.\n")], None),
    (
        [
            message("system", "You are AJ. Answer briefly."),
            message("user", "How full is the disk?"),
            message("assistant", "<think>\nI should look.\n</think>\n\nLet me see.", tool_calls=[DF]),
            message("tool", "Filesystem  Size  Used\n/dev/vda   252G  28G\n", tool_call_id="call00001"),
            message("assistant", "It is 11 % full: 28 GB of 252 GB."),
            message("user", "And what runs?"),
        ],
        TOOLS,
    ),
    (
        [
            message("user", "Zwei Dinge, bitte: Größe & Prozesse. 你好"),
            message("assistant", None, tool_calls=[DF, PS]),
            message("tool", "", tool_call_id="call00001"),
            message("tool", '{"pid": 1, "name": "init"}', tool_call_id="call00002"),
        ],
        TOOLS,
    ),
]


class GgufCheck(NamedTuple):
    """What was measured. kl: nats per token; top1: share of tokens with the same best guess."""

    tokens: int
    kl_mean: float
    kl_max: float
    top1: float
    max_kl: float

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        return {name: round(value, 8) for name, value in self._asdict().items()}


def parity_ids(encoder: Encoder) -> list[list[int]]:
    """The ids of the conversations as training has them, each with the prompt for the next answer."""
    found = []
    for messages, tools in CONVERSATIONS:
        text = encoder.template.render(messages, tools, add_generation_prompt=True)
        found.append(list(encoder.whole.encode(text, add_special_tokens=False).ids))
    return found


def check_gguf(
    path: Path, quant: str, template: Template, ids: Sequence[Sequence[int]], expected: Sequence[torch.Tensor]
) -> GgufCheck:
    """Load a file in llama.cpp and compare ids and logits. Refusal when either differs too much.

    ids, expected: training's ids of CONVERSATIONS and the unquantised model's logits for them.
    """
    model = open_llama(path, context=max(len(one) for one in ids))
    try:
        for (messages, tools), known in zip(CONVERSATIONS, ids, strict=True):
            check_ids(model, messages, tools, known, template)
        found = compare([llama_logits(model, one) for one in ids], expected, MAX_KL[quant])
    finally:
        model.close()
    if not found.kl_mean <= found.max_kl:
        raise Refusal(
            f"{path.name}: llama.cpp's answers are not the model's: mean divergence {found.kl_mean:.2g} nats "
            f"per token, at most {found.max_kl:g} is right for {quant}"
        )
    return found


def open_llama(path: Path, *, context: int, gpu_layers: int = 0) -> Any:
    """A GGUF file in llama.cpp, all logits kept.

    CurationError without the extra, Refusal when the file does not load.
    """
    check_llama("loading a GGUF file")
    llama: Any = importlib.import_module("llama_cpp")
    try:
        return llama.Llama(
            str(path),
            n_ctx=context,
            n_batch=min(context, 512),
            logits_all=True,
            n_gpu_layers=gpu_layers,
            verbose=False,
        )
    except (ValueError, RuntimeError) as error:
        raise Refusal(f"{path}: llama.cpp cannot load it: {error}") from error


def served_prompt(
    model: Any, messages: Sequence[Mapping[str, Any]], tools: str | None, template: Template
) -> str:
    """What llama.cpp's chat endpoint makes of a conversation, by the template inside the file."""
    formats: Any = importlib.import_module("llama_cpp.llama_chat_format")
    formatter = formats.Jinja2ChatFormatter(
        template=model.metadata["tokenizer.chat_template"],
        eos_token=token_text(model, model.token_eos()),
        bos_token=token_text(model, model.token_bos()),
    )
    shaped = openai_messages(messages, template)
    return str(formatter(messages=shaped, tools=parse_tools(tools) or None).prompt)


def served_ids(
    model: Any, messages: Sequence[Mapping[str, Any]], tools: str | None, template: Template
) -> list[int]:
    """The ids that llama.cpp's chat endpoint evaluates for a conversation."""
    prompt = served_prompt(model, messages, tools, template)
    return list(model.tokenize(prompt.encode(), add_bos=False, special=True))


def openai_messages(messages: Sequence[Mapping[str, Any]], template: Template) -> list[dict[str, Any]]:
    """A row's messages as a server hands a client's to the template.

    Clients send the arguments of calls as a JSON text and null for no content. Where a template takes
    objects, or a text for every content, llama.cpp's server parses the one and writes "" for the other, as
    training does; other templates get what was sent. llama-cpp-python's server changes neither: with such a
    template its clients have to. Source: `requires_object_arguments` and `requires_non_null_content` in
    https://github.com/google/minja/blob/main/include/minja/chat-template.hpp
    """
    shaped = []
    for said in messages:
        content = said["content"] if said["content"] is not None else template.null_content
        one = {"role": said["role"], "content": content}
        if said.get("tool_call_id"):
            one["tool_call_id"] = said["tool_call_id"]
        if said.get("tool_calls"):
            one["tool_calls"] = [openai_call(call, template) for call in said["tool_calls"]]
        shaped.append(one)
    return shaped


def token_text(model: Any, number: int) -> str:
    """The text of a token, empty for none."""
    return str(model._model.token_get_text(number)) if number >= 0 else ""


def check_ids(
    model: Any,
    messages: Sequence[Mapping[str, Any]],
    tools: str | None,
    known: Sequence[int],
    template: Template,
) -> None:
    """Refusal unless llama.cpp renders and encodes a conversation as training does."""
    served = served_ids(model, messages, tools, template)
    if served == list(known):
        return
    differs = (i for i, (ours, theirs) in enumerate(zip(served, known, strict=False)) if ours != theirs)
    at = next(differs, min(len(served), len(known)))
    raise Refusal(
        f"llama.cpp is served other tokens than training saw (template {template.name}): {len(served)} "
        f"against {len(known)}, first different at {at}: {served[at : at + 4]} against {known[at : at + 4]}"
    )


def llama_logits(model: Any, ids: Sequence[int]) -> NDArray[np.float32]:
    """Logits [tokens, vocabulary] by llama.cpp."""
    model.reset()
    model.eval(list(ids))
    logits: NDArray[np.float32] = np.array(model.scores[: len(ids)], dtype=np.float32)
    return logits


def compare(
    found: Sequence[NDArray[np.float32]], expected: Sequence[torch.Tensor], bounds: tuple[float, float]
) -> GgufCheck:
    """Divergence of `found` from `expected`, over all positions. bounds: as in MAX_KL."""
    divergences, entropies, same = [], [], []
    for ours, theirs in zip(found, expected, strict=True):
        given = torch.log_softmax(torch.from_numpy(ours).double(), dim=-1)
        right = torch.log_softmax(theirs.double(), dim=-1)
        divergences.append((right.exp() * (right - given)).sum(dim=-1))
        entropies.append(-(right.exp() * right).sum(dim=-1))
        same.append(given.argmax(dim=-1) == right.argmax(dim=-1))
    kl, top = torch.cat(divergences), torch.cat(same)
    said = math.log(found[0].shape[-1]) - float(torch.cat(entropies).mean())
    limit = min(bounds[0], bounds[1] * said)
    return GgufCheck(len(kl), float(kl.mean()), float(kl.max()), float(top.double().mean()), limit)
