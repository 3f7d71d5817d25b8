"""Rows of embedding and output layer: which tokens the base model never learnt, and which are trained.

A LoRA adapter on linear layers cannot teach a token whose row is zero, or the row of another token too: the
model reads and writes the two alike. Base models have such rows for the tokens of a chat template (Llama 3:
`<|eot_id|>`, `<|start_header_id|>`, https://github.com/meta-llama/llama3/issues/77).
"""

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from curation.errors import CurationError, Refusal
from curation.recipe.load import TrainSettings
from curation.rendering.template import PROBE, PROBE_TOOLS
from curation.rendering.template_parts import RenderError
from train.data.encoding import Encoder, Example, MaskError
from train.data.packing import Sequences, joined
from train.model.adapter import VOCABULARY
from train.model.families.decoder import EMBEDDING, HEAD
from train.model.tensors import DTYPES, Checkpoint, Entry, read_rows

# A row that is shorter than the usual one by more is zero but for rounding: those of Llama 3 are 1e-23.
ZERO = 1e-3
# Two rows that differ by less, as a share of the longer, are one: bfloat16 alone rounds by up to 0.4 %.
ALIKE = 0.01
# Rows that nothing trained are found among the shortest, or nearest to unused ones, 2 %: Land and Bartolo,
# Fishing for Magikarp, arXiv 2405.05417. Half the median besides, as 2 % of any rows are among those.
LOWEST, OF_MEDIAN = 0.02, 0.5
ORDINARY, UNUSED = 1024, 256  # rows that are looked at, evenly from all
MATRICES = {EMBEDDING: "embedding", HEAD: "output row"}


class Written(NamedTuple):
    """Ids of added tokens that are written, of those that loss falls on, and that only begin a text."""

    read: set[int]
    said: set[int]
    first: set[int]


class Usual(NamedTuple):
    """Of a figure of ordinary tokens' rows: the median, and what less than is untypical."""

    median: float
    bound: float


def token_ids(folder: Path, tokens: Sequence[str]) -> list[int]:
    """Ids of `train.tokens`, sorted. CurationError for one that is no single token of the tokenizer."""
    if not tokens:
        return []
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        raise CurationError(f"{path}: not a tokenizer that `tokenizers` reads: {error}") from error
    found = set()
    for text in tokens:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        if len(ids) != 1 or tokenizer.decode(ids, skip_special_tokens=False) != text:
            raise CurationError(
                f"train.tokens: expected single tokens of {path}, {text!r} is "
                f"{f'{len(ids)} of them' if len(ids) > 1 else 'none'}"
            )
        found.add(ids[0])
    return sorted(found)


def written(encoder: Encoder, *parts: Sequences) -> Written:
    """Which added tokens the examples of the parts hold."""
    begins = added_in(encoder, (part.ids[part.starts[:-1]] for part in parts))
    later = added_in(encoder, (np.delete(part.ids, part.starts[:-1]) for part in parts))
    said = added_in(encoder, (part.ids[part.trained] for part in parts))
    return Written(begins | later, said, begins - later)


def added_in(encoder: Encoder, parts: Iterable[NDArray[np.int32]]) -> set[int]:
    """The control tokens among ids."""
    seen = np.zeros(encoder.largest_id + 1, dtype=np.bool_)
    for ids in parts:
        seen[ids] = True
    return {number for number in {*encoder.added.values(), encoder.end_id} if seen[number]}


def written_by(encoder: Encoder, *, calls: bool, thoughts: bool) -> Written:
    """Which added tokens the template writes: with tools and their calls or without, and with thoughts."""
    rows: list[tuple[list[Mapping[str, Any]], str | None]] = [
        ([*PROBE[:2], PROBE[-1], *PROBE[5:6], PROBE[-1]], None)
    ]
    if thoughts:
        rows.append(([PROBE[1], PROBE[4]], None))
    if calls:
        rows.append(([*PROBE[:4], PROBE[-1]], PROBE_TOOLS))
    examples: list[Example] = []
    for row in rows:
        # A template of unknown make may refuse one or the other.
        with contextlib.suppress(RenderError, MaskError):
            examples += encoder.examples([row])[0]
    ids, trained = [example.ids for example in examples], [example.trained for example in examples]
    return written(encoder, joined(ids, trained))


def trained_whole(settings: TrainSettings, tied: bool) -> set[str]:
    """The matrices of which all rows are trained."""
    found = {VOCABULARY[module] for module in settings.modules_to_save}
    return {EMBEDDING, HEAD} if tied and found else found


def at_rest(config: Mapping[str, Any], name: str) -> set[int]:
    """The id to pad with: transformers leaves its embedding zero, unless the output layer is tied."""
    pads = config.get("pad_token_id")
    tied = bool(config.get("tie_word_embeddings"))
    return {pads} if name == EMBEDDING and not tied and isinstance(pads, int) else set()


def check_learnt(
    folder: Path, config: Mapping[str, Any], encoder: Encoder, used: Written, settings: TrainSettings
) -> list[str]:
    """What is untypical of the rows of the template's tokens. Reads some thousand rows of the weights.

    Refusal, with the figures and the ways out, when a row is zero, is another token's too, or lies among
    those that pad the vocabulary; of the token that begins every text only the remark, as it tells nothing.
    Output rows matter for the tokens that the model is to write. Weights that are not plain floats, and rows
    that are trained, are not looked at.
    """
    entries = Checkpoint(folder).entries
    tied = bool(config.get("tie_word_embeddings"))
    trained = set(token_ids(folder, settings.tokens))
    faults: dict[int, str] = {}
    remarks: list[str] = []
    for name in (EMBEDDING,) if tied else (EMBEDDING, HEAD):
        entry = entries.get(name)
        if entry is None or entry.dtype not in DTYPES or name in trained_whole(settings, tied):
            continue
        ids = sorted((used.read if name == EMBEDDING else used.said) - trained - at_rest(config, name))
        unlearnt, small = judged(entry, ids, encoder, MATRICES[name])
        remarks += [why for number, why in unlearnt.items() if number in used.first]
        for number in unlearnt.keys() - used.first:
            faults.setdefault(number, unlearnt[number])
        remarks += small
    if faults:
        wanted = [
            *settings.tokens,
            *(encoder.whole.decode([n], skip_special_tokens=False) for n in sorted(faults)),
        ]
        why = "; ".join(faults[number] for number in sorted(faults))
        way = json.dumps(wanted, ensure_ascii=False)
        raise Refusal(
            f"{folder}: the base model never learnt {len(faults)} of the tokens that the template "
            f"{encoder.template.name} writes: {why}; train their rows with `train: {{tokens: {way}}}`, or "
            f"name a template whose tokens it knows"
        )
    return remarks


def judged(entry: Entry, ids: Sequence[int], encoder: Encoder, what: str) -> tuple[dict[int, str], list[str]]:
    """Of one matrix: what was never learnt, by id, and what is untypical."""
    if not ids:
        return {}, []
    count, known, added = entry.shape[0], encoder.largest_id + 1, set(encoder.added.values())
    padding = evenly(range(known, count), UNUSED)
    others = [*padding, *evenly(sorted(added - {*ids}), UNUSED), *ids]
    ordinary = read_rows(entry, evenly([n for n in range(known) if n not in added], ORDINARY)).float()
    pads, rows = read_rows(entry, padding).float(), read_rows(entry, ids).float()
    lengths, length = usual(ordinary.norm(dim=1)), rows.norm(dim=1)
    near, to_padding = usual(apart(ordinary, pads).amin(dim=1)), apart(rows, pads).amin(dim=1)
    # They tell something where they lie closer together than other rows do to them.
    between = apart(pads, pads).fill_diagonal_(0).amax() if len(pads) else torch.tensor(0.0)
    edge = float(between) if between < near.bound else 0.0
    same = apart(rows, read_rows(entry, others).float())
    same[torch.arange(len(ids)), len(others) - len(ids) + torch.arange(len(ids))] = 1.0
    faults, remarks = {}, []
    for place, number in enumerate(ids):
        row = f"the {what} of {encoder.whole.id_to_token(number)} ({number})"
        twin = others[int(same[place].argmin())]
        if length[place] <= ZERO * lengths.median:
            faults[number] = f"{row} is zero (length {length[place]:.2g}, usual {lengths.median:.2g})"
        elif same[place].amin() <= ALIKE:
            faults[number] = (
                f"{row} is that of {called(twin, encoder)} (they differ by {same[place].amin():.1%}, at most "
                f"{ALIKE:.0%} is rounding)"
            )
        elif to_padding[place] <= edge:
            faults[number] = (
                f"{row} lies among those that pad the vocabulary ({to_padding[place]:.0%} from one of them, "
                f"they are up to {edge:.0%} apart; usual {near.median:.0%})"
            )
        elif length[place] < lengths.bound:
            remarks.append(
                f"{row} is untypically short: {length[place]:.2g}, usual {lengths.median:.2g}, hardly any "
                f"below {lengths.bound:.2g}; if it is hardly learnt, `train.tokens` trains it"
            )
        elif to_padding[place] < near.bound:
            remarks.append(
                f"{row} is untypically near to those that pad the vocabulary: {to_padding[place]:.0%} "
                f"from one of them, usual {near.median:.0%}, hardly any below {near.bound:.0%}; if it is "
                f"hardly learnt, `train.tokens` trains it"
            )
    return faults, remarks


def evenly(ids: Sequence[int], count: int) -> list[int]:
    """So many of the ids, evenly from all."""
    return [ids[place * len(ids) // count] for place in range(count)] if len(ids) > count else list(ids)


def usual(figures: torch.Tensor) -> Usual:
    """Median and lower bound of what ordinary tokens have."""
    median = float(figures.median())
    return Usual(median, min(float(figures.quantile(LOWEST)), OF_MEDIAN * median))


def apart(rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """By what share of the longer of the two each row differs from each other; 1 where there is none."""
    if not len(others):
        return torch.ones(len(rows), 1)
    longer = torch.maximum(rows.norm(dim=1)[:, None], others.norm(dim=1)[None])
    far = torch.cdist(rows, others, compute_mode="donot_use_mm_for_euclid_dist")
    return far / longer.clamp(min=torch.finfo(torch.float32).tiny)


def called(number: int, encoder: Encoder) -> str:
    """A row in a message."""
    token = encoder.whole.id_to_token(number)
    return f"{token} ({number})" if token is not None else f"row {number}, which pads the vocabulary,"
