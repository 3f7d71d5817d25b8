"""Did training cost the model what its base could? Base and model answer the questions of a recipe's
`evaluation`, and both foretell its untouched texts.

The base is asked as its makers ask it, by the chat template in its own folder, since what may be forgotten is
what it can do there; where it has none, or one that drops the question's tools, it is asked as the model is:
by the model's template in its thinking mode. Both answer greedily until an end token of either. An answer
thinks, ends and is right as train/use/answers.py says.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from curation.dataset.questions import FOLDER, Question, dataset_name, read_questions, read_texts
from curation.errors import CurationError, Refusal
from curation.progress import Progress
from curation.rendering.template import (
    Template,
    known_template,
    own_template,
    special_tokens,
    tokenizer_config,
)
from curation.rendering.template_parts import RenderError
from curation.turns.thoughts import OPENS, SPACE
from train.data.encoding import Encoder
from train.data.gatekeeper import Admitted
from train.ship.evaluation import Measured, Tested
from train.use.answers import is_right, thinks
from train.use.inference import Inference, prompt_ids, text_of
from train.use.intervals import change, ratio

CHUNK = 32  # questions that are asked before progress is told
WINDOW = 1024  # tokens of a text that are foretold at once
SHOWN = 5  # lost answers that the file quotes
QUOTED = 400  # characters of each


@dataclass(frozen=True)
class File:
    """A file of the recipe's `evaluation`: its questions, or its texts."""

    kind: Literal["questions", "texts"]
    name: str
    sha256: str
    questions: Sequence[Question]
    texts: Sequence[str]
    max_tokens: int

    @property
    def label(self) -> str:
        """How the metrics name it."""
        return f"{self.kind}.{self.name}"

    @property
    def rows(self) -> int:
        """How many questions or texts it has."""
        return len(self.questions) + len(self.texts)


class Manner(NamedTuple):
    """How a model is asked. own: its maker's template, null for the one it was trained with.

    ends: ids that end an answer beside the template's. start: ids that a text begins with.
    """

    own: Template | None
    ends: frozenset[int]
    start: tuple[int, ...]


class Said(NamedTuple):
    """An answer, and what it is worth."""

    text: str
    right: bool
    thinks: bool
    ends: bool


class Nats(NamedTuple):
    """The loss of a text in nats, and over how many tokens."""

    nats: float
    tokens: int


Taken = Mapping[str, Sequence[Said] | Sequence[Nats]]


def files_of(admitted: Admitted, rows: int | None = None) -> list[File]:
    """The files of the recipe's `evaluation`, as the dataset keeps them. rows: so many lines of each.

    Refusal where one is not what was approved.
    """
    found = []
    for one in admitted.recipe.asked:
        assert one.kind != "metric"
        name = dataset_name(one.kind, str(one.name))
        path = admitted.data / name
        sha256 = admitted.frozen.versions.get(f"{FOLDER}:{Path(name).name}")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise Refusal(f"{path}: cannot be read: {error.strerror or error}; curate again") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Refusal(f"{path}: not the file that was approved: its bytes changed")
        questions = read_questions(path)[:rows] if one.kind == "questions" else []
        texts = read_texts(path)[:rows] if one.kind == "texts" else []
        found.append(File(one.kind, str(one.name), sha256, questions, texts, one.max_tokens))
    return found


def manner_of(encoder: Encoder, folder: Path | None, *, own: bool) -> Manner:
    """How the model in a folder is asked; null: as a file without one. own: by the template that it has."""
    if folder is None:
        return Manner(None, frozenset(), ())
    ends = [special_tokens(folder).get("eos_token")]
    for name in ("config.json", "generation_config.json"):
        if (folder / name).is_file():
            ids = json.loads((folder / name).read_bytes()).get("eos_token_id")
            ends += ids if isinstance(ids, list) else [ids]
    numbers = (encoder.added.get(end) if isinstance(end, str) else end for end in ends)
    start = encoder.whole.encode("", add_special_tokens=True).ids
    first = encoder.added.get(special_tokens(folder).get("bos_token", ""))
    if not start and first is not None and tokenizer_config(folder).get("add_bos_token"):
        start = [first]
    ids = frozenset(number for number in numbers if number is not None)
    return Manner(own_way(folder) if own else None, ids, tuple(start))


def own_way(folder: Path) -> Template | None:
    """The chat template in a model's folder, for asking; null without one."""
    try:
        source = own_template(folder)
    except Refusal:
        return None
    special = special_tokens(folder)
    return known_template(source) or Template("model", source, end="", calls="openai", special=special)


def asked(template: Template, question: Question) -> str | None:
    """The prompt of a question by a template; null where it cannot be written without loss."""
    try:
        text = template.render(question.messages, question.tools, add_generation_prompt=True)
        if question.tools and text == template.render(question.messages, None, add_generation_prompt=True):
            return None
    except (RenderError, CurationError):
        return None
    return text


def take(speaker: Inference, files: Sequence[File], manner: Manner, window: int, label: str) -> Taken:
    """What a model makes of all the files, by their labels. window: tokens of a text at once, at most."""
    found: dict[str, list[Said] | list[Nats]] = {}
    with Progress(f"asking {label}", sum(file.rows for file in files)) as progress:
        for file in files:
            if file.kind == "questions":
                said: list[Said] = []
                for first in range(0, file.rows, CHUNK):
                    chunk = file.questions[first : first + CHUNK]
                    said += answers(speaker, chunk, manner, file.max_tokens)
                    progress.add(len(chunk), len(chunk))
                found[file.label] = said
            else:
                nats = []
                for text in file.texts:
                    nats.append(foretell(speaker, text, manner, min(window, WINDOW)))
                    progress.add(1, 1)
                found[file.label] = nats
    return found


def answers(speaker: Inference, questions: Sequence[Question], manner: Manner, max_tokens: int) -> list[Said]:
    """Let a model answer questions, and judge it."""
    prompts = [prompt_of(speaker.encoder, question, manner) for question in questions]
    found = []
    for question, (ids, opened), made in zip(
        questions, prompts, speaker.answers([ids for ids, _ in prompts], max_tokens, manner.ends), strict=True
    ):
        room = max_tokens if speaker.context is None else min(max_tokens, speaker.context - len(ids) - 1)
        text = opened + text_of(speaker.encoder, made)
        found.append(Said(text, is_right(question, text), thinks(text), len(made) < room))
    return found


def prompt_of(encoder: Encoder, question: Question, manner: Manner) -> tuple[list[int], str]:
    """The ids of a question's prompt, and what of the answer's thought stands in it already."""
    prompt = asked(manner.own, question) if manner.own is not None else None
    template = manner.own if prompt is not None else None
    prompt = prompt or encoder.template.render(question.messages, question.tools, add_generation_prompt=True)
    ids = prompt_ids(encoder, question.messages, question.tools, template=template)
    return ids, f"{OPENS}\n" if prompt.rstrip(SPACE).endswith(OPENS) else ""


def foretell(speaker: Inference, text: str, manner: Manner, window: int) -> Nats:
    """The loss of a text in windows. What it spells of control tokens is text."""
    ids = speaker.encoder.plain.encode(text, add_special_tokens=False).ids
    nats, tokens = 0.0, 0
    size = window - len(manner.start)
    for begun in range(0, len(ids), size):
        part = [*manner.start, *ids[begun : begun + size]]
        places = list(range(1, len(part)))
        if places:
            nats += float(speaker.losses(part, places).sum())
            tokens += len(places)
    return Nats(nats, tokens)


def file_metrics(files: Sequence[File], taken: Taken, base: Taken | None, seed: int) -> dict[str, Measured]:
    """Shares and loss of each file, and with a base model how they changed: paired, over the same rows."""
    metrics: dict[str, Measured] = {}
    for file in files:
        before = base[file.label] if base is not None else None
        for value, (amounts, weights) in measures(file, taken[file.label]).items():
            if not weights.sum():
                continue
            whole = "loss" if file.kind == "texts" else f"{value}_share"
            metrics[f"{file.label}.{whole}"] = ratio(amounts, weights, seed)
            if before is not None:
                other, _ = measures(file, before)[value]
                metrics[f"{file.label}.{value}_change"] = change(amounts, other, weights, seed)
    return metrics


def measures(file: File, taken: Sequence[Any]) -> dict[str, tuple[Any, Any]]:
    """Value → (amounts, weights) over the rows of a file."""
    if file.kind == "texts":
        return {"loss": (np.array([o.nats for o in taken]), np.array([float(o.tokens) for o in taken]))}
    ones = np.ones(len(taken))
    return {
        value: (np.array([float(getattr(one, value)) for one in taken]), ones)
        for value in ("right", "thinks", "ends")
    }


def lost_answers(files: Sequence[File], taken: Taken, base: Taken | None) -> list[dict[str, Any]]:
    """The first questions that the base answers right and the model does not, with how both answers end."""
    found = []
    for file in files:
        if file.kind == "questions" and base is not None:
            pairs: Iterator[Any] = zip(file.questions, taken[file.label], base[file.label], strict=True)
            lost = [(q, said, was) for q, said, was in pairs if was.right and not said.right]
            found += [
                {
                    "file": file.name,
                    "question": str(question.messages[-1]["content"])[:QUOTED],
                    "base": was.text[-QUOTED:],
                    "said": said.text[-QUOTED:],
                }
                for question, said, was in lost[:SHOWN]
            ]
    return found[:SHOWN]


def tested(files: Sequence[File], admitted: Admitted) -> dict[str, Tested]:
    """Of each file its digest, its rows, and how many of them the train split holds, letter case aside."""
    rows = {
        file.label: [folded(str(q.messages[-1]["content"])) for q in file.questions]
        + [folded(text) for text in file.texts]
        for file in files
    }
    wanted = {text for texts in rows.values() for text in texts}
    trained: set[str] = set()
    for part in admitted.parts("train") if wanted else ():
        for messages in part["messages"].to_list():
            trained |= wanted & {folded(one["content"]) for one in messages if one["content"]}
    return {
        file.label: Tested(file.sha256, file.rows, sum(text in trained for text in rows[file.label]))
        for file in files
    }


def folded(text: str) -> str:
    """A text without differences of letter case and white space."""
    return " ".join(text.casefold().split())
