"""A model that answers: an adapter on its base, a merged model, or a GGUF file, behind one face."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from curation.errors import CurationError, Refusal
from curation.rendering.template import Template, known_template, probed
from train.data.encoding import Encoder
from train.model.sizes import cached
from train.run.model_folder import Model, check_recorded, model_template
from train.ship.check_gguf import llama_logits, open_llama
from train.ship.gguf_metadata import read_metadata
from train.ship.gguf_tokenizer import tokenizer_document

CONTEXT = 4096  # tokens that a GGUF file is opened for
AT_ONCE = 8  # answers that are generated together
Show = Callable[[int], None]
Ids = frozenset[int]


class Inference(Protocol):
    """What evaluation and `aj try` ask of a model. Ids are the tokenizer's.

    context: tokens that a conversation and its answer may have together; null where nothing is set.
    """

    encoder: Encoder
    context: int | None

    def losses(self, ids: Sequence[int], places: Sequence[int]) -> NDArray[np.float64]:
        """Nats of the tokens at `places` (each at least 1), given all before them."""

    def answer(self, ids: Sequence[int], max_tokens: int, show: Show | None = None) -> list[int]:
        """Greedy continuation, without the end token. `show` is called with each id as it comes."""

    def answers(
        self, prompts: Sequence[Sequence[int]], max_tokens: int, ends: Ids = frozenset()
    ) -> list[list[int]]:
        """Greedy continuations, without the end token: the template's, or one of `ends`."""

    def as_base(self) -> AbstractContextManager["Inference | None"]:
        """The base model, with the same tokenizer and template; null where it is not on this machine."""


def open_inference(model: Model, base: Path | None = None) -> Inference:
    """Load a model for answering. CurationError with the reason when that is not possible.

    base: folder of the base model of a GGUF file or a merged model, in place of the recorded one.
    """
    if model.kind == "gguf":
        return LlamaInference(model, base)
    encoder = Encoder(model.path, model_template(model.path))
    adapter = model.path if model.kind == "adapter" else None
    return TransformersInference(model.weights_folder, encoder, adapter, base_folder(model, base))


def base_folder(model: Model, given: Path | None) -> Path | None:
    """Where the base model of a merged model or a GGUF file lies; null when its weights are not here."""
    recorded = model.run.get("base") or {}
    folder = given
    if folder is None and recorded.get("id"):
        try:
            folder = cached(recorded["id"], recorded.get("commit") or recorded.get("revision"))
        except CurationError:
            return None
        if not any(folder.glob("*.safetensors")):
            return None
    if folder is not None and recorded and model.kind != "adapter":
        check_recorded(model.path, model.run, folder)
    return folder


class TransformersInference:
    """A model in transformers, on the GPU where there is one.

    folder: its weights. adapter: on top of them. base: where the base model lies, when there is no adapter.
    """

    context: int | None = None

    def __init__(
        self, folder: Path, encoder: Encoder, adapter: Path | None = None, base: Path | None = None
    ) -> None:
        from peft import PeftModel
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging

        quiet: Any = logging
        quiet.set_verbosity_error()
        quiet.disable_progress_bar()
        self.encoder, self.base = encoder, base
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", local_files_only=True)
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            message = str(error).strip().partition("\n")[0]
            raise CurationError(f"{folder}: cannot be loaded: {message}") from error
        self.is_adapter = adapter is not None
        if self.is_adapter:
            loaded = PeftModel.from_pretrained(loaded, str(adapter))
        self.model = loaded.to(self.device).eval()
        # Greedy and nothing else: a model's own settings may ask for sampling.
        self.model.generation_config.update(do_sample=False, temperature=None, top_p=None, top_k=None)

    @torch.inference_mode()
    def losses(self, ids: Sequence[int], places: Sequence[int]) -> NDArray[np.float64]:
        """Nats of the tokens at `places`; logits are made for these only."""
        whole = torch.tensor([list(ids)], device=self.device)
        before = torch.tensor(places, device=self.device) - 1
        logits = self.model(input_ids=whole, logits_to_keep=before, use_cache=False).logits[0]
        nats = torch.nn.functional.cross_entropy(logits.float(), whole[0, before + 1], reduction="none")
        found: NDArray[np.float64] = nats.double().cpu().numpy()
        return found

    def answer(self, ids: Sequence[int], max_tokens: int, show: Show | None = None) -> list[int]:
        """Greedy continuation."""
        streamer = Streamer(show, self.encoder.end_id) if show else None
        return self.generate([ids], max_tokens, frozenset(), streamer)[0]

    def answers(
        self, prompts: Sequence[Sequence[int]], max_tokens: int, ends: Ids = frozenset()
    ) -> list[list[int]]:
        """Greedy continuations, of prompts of like length in one batch."""
        found: dict[int, list[int]] = {}
        order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
        for first in range(0, len(order), AT_ONCE):
            places = order[first : first + AT_ONCE]
            made = self.generate([prompts[place] for place in places], max_tokens, ends)
            found.update(zip(places, made, strict=True))
        return [found[place] for place in range(len(prompts))]

    @torch.inference_mode()
    def generate(
        self, prompts: Sequence[Sequence[int]], max_tokens: int, ends: Ids, streamer: Any = None
    ) -> list[list[int]]:
        """One batch, padded on the left, where nothing of the padding is seen."""
        end, longest = self.encoder.end_id, max(map(len, prompts))
        ids = torch.full((len(prompts), longest), end, device=self.device)
        seen = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, longest - len(prompt) :] = torch.tensor(list(prompt), device=self.device)
            seen[row, longest - len(prompt) :] = 1
        made = self.model.generate(
            input_ids=ids,
            attention_mask=seen,
            max_new_tokens=max_tokens,
            do_sample=False,
            eos_token_id=[end, *sorted(ends - {end})],
            pad_token_id=end,
            streamer=streamer,
        )
        return [until(row, ends | {end}) for row in made[:, longest:].tolist()]

    @contextmanager
    def as_base(self) -> Iterator[Inference | None]:
        """The same weights without the adapter, or the base model in place of a merged one."""
        if self.is_adapter:
            with self.model.disable_adapter():
                yield self
        else:
            self.model = None  # one model at a time in memory
            yield TransformersInference(self.base, self.encoder) if self.base else None


class Streamer:
    """What transformers calls with the prompt first, then with each new id."""

    def __init__(self, show: Show | None, end: int) -> None:
        self.show, self.end_id, self.prompt = show, end, True

    def put(self, value: Any) -> None:
        """Ids as they come."""
        if self.prompt:
            self.prompt = False
            return
        for number in value.reshape(-1).tolist():
            if self.show is not None and number != self.end_id:
                self.show(number)

    def end(self) -> None:
        """The answer is whole."""


class LlamaInference:
    """A GGUF file in llama.cpp. Tokenizer and template are the file's own."""

    context: int | None = CONTEXT

    def __init__(self, model: Model, base: Path | None) -> None:
        self.model, self.base = model, base
        self.llama = open_llama(model.path, context=CONTEXT, gpu_layers=-1)
        self.encoder = Encoder(model.path, file_template(model.path), document=tokenizer_document(model.path))

    def losses(self, ids: Sequence[int], places: Sequence[int]) -> NDArray[np.float64]:
        """Nats of the tokens at `places`."""
        if len(ids) > CONTEXT:
            raise CurationError(f"a row of {len(ids):,} tokens; a GGUF file is evaluated up to {CONTEXT:,}")
        before = torch.tensor(places) - 1
        logits = torch.from_numpy(llama_logits(self.llama, ids))[before]
        nats = torch.nn.functional.cross_entropy(logits, torch.tensor(ids)[before + 1], reduction="none")
        found: NDArray[np.float64] = nats.double().numpy()
        return found

    def answers(
        self, prompts: Sequence[Sequence[int]], max_tokens: int, ends: Ids = frozenset()
    ) -> list[list[int]]:
        """Greedy continuations, one after the other."""
        return [self.answer(ids, max_tokens, ends=ends) for ids in prompts]

    def answer(
        self, ids: Sequence[int], max_tokens: int, show: Show | None = None, *, ends: Ids = frozenset()
    ) -> list[int]:
        """Greedy continuation."""
        made: list[int] = []
        room = min(max_tokens, CONTEXT - len(ids) - 1)
        if room < 1:
            raise CurationError(
                f"a conversation of {len(ids):,} tokens; a GGUF file is opened for {CONTEXT:,}"
            )
        for number in self.llama.generate(list(ids), temp=0.0, repeat_penalty=1.0):
            if number == self.encoder.end_id or number in ends:
                break
            made.append(number)
            if show is not None:
                show(number)
            if len(made) >= room:
                break
        return made

    @contextmanager
    def as_base(self) -> Iterator[Inference | None]:
        """The unquantised base model, in transformers; null where its weights are not here."""
        folder = base_folder(self.model, self.base)
        yield TransformersInference(folder, self.encoder) if folder else None


def file_template(path: Path) -> Template:
    """The chat template in a GGUF file, and the tokens that it names. Refusal when there is none."""
    found = read_metadata(path)
    source = found.get("tokenizer.chat_template")
    if not isinstance(source, str):
        raise Refusal(f"{path}: no chat template in it")
    special = {
        f"{kind}_token": found["tokenizer.ggml.tokens"][found[f"tokenizer.ggml.{key}_token_id"]]
        for kind, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"))
        if f"tokenizer.ggml.{key}_token_id" in found
    }
    return known_template(source) or probed(path.name, source, special)


def prompt_ids(
    encoder: Encoder,
    messages: Sequence[Mapping[str, Any]],
    tools: str | None,
    *,
    thinking: bool = True,
    template: Template | None = None,
) -> list[int]:
    """Ids of a conversation up to where the assistant speaks, encoded as in training.

    thinking: where the template opens a thought (`Template.opens`), leave it open. template: another one than
    the encoder's.
    """
    marked, marked_tools, mark = encoder.mark(messages, tools)
    text = (template or encoder.template).render(
        marked, marked_tools, add_generation_prompt=True, enable_thinking=thinking
    )
    one = encoder.unmarked(text, [], mark)
    if one.spelled:
        return [int(number) for number in encoder.encode_spelled(one)[0]]
    return list(encoder.whole.encode(one.text, add_special_tokens=False).ids)


def text_of(encoder: Encoder, ids: Sequence[int]) -> str:
    """The text of an answer, `<tool_call>` and the like included."""
    return str(encoder.whole.decode(list(ids), skip_special_tokens=False))


def until(ids: list[int], ends: Ids) -> list[int]:
    """The ids before the first end token."""
    return ids[: next((place for place, number in enumerate(ids) if number in ends), len(ids))]
