"""`aj train --show N`: rendered examples, what is trained in colour."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from curation.errors import CurationError
from train.data.encoding import Encoder, Example
from train.data.examples import check_count, rows_of
from train.data.gatekeeper import Admitted, admit, template_of
from train.model.sizes import cached, read_config

TOKENIZER = "tokenizer.json"
GREEN, PLAIN = "\033[32m", "\033[0m"
# Where no colour can be shown.
OPEN, CLOSE = "⟦", "⟧"


def show(
    frozen: Path,
    count: int,
    *,
    data: Path | None = None,
    base_model: Path | None = None,
    colour: bool = False,
) -> str:
    """The first `count` train rows, sources in turn, as the model reads them."""
    admitted = admit(frozen, data)
    folder = base_model or tokenizer_here(admitted)
    if not (folder / TOKENIZER).is_file():
        read_config(folder)
    template = template_of(admitted, folder)
    encoder = Encoder(folder, template)
    lines = []
    for row_id, source, messages, example in chosen(admitted, encoder, count):
        trained, tokens = int(example.trained.sum()), len(example.ids)
        masked = sum(m.get("weight") is not None for m in messages)
        turns = f", {masked} turn{'s' if masked > 1 else ''} without loss" if masked else ""
        lines.append(f"--- {source}  {row_id}  {tokens:,} tokens, {trained:,} trained{turns} ---")
        lines.append(painted(encoder.whole, example, colour=colour))
    how = f"{GREEN}green{PLAIN}" if colour else f"between {OPEN} and {CLOSE}"
    return "\n".join([*lines, f"--- trained: {how}"])


def tokenizer_here(admitted: Admitted) -> Path:
    """The base model's folder, with its weights or without. Raises CurationError when there is none."""
    base, revision = admitted.recipe.base_model.id, admitted.frozen.base_revision
    try:
        return cached(base, revision)
    except CurationError as error:
        at = f" --revision {revision}" if revision else ""
        raise CurationError(
            f"base model {base}: not on this machine; its tokenizer is enough for --show: fetch it with "
            f"`hf download {base} {TOKENIZER} tokenizer_config.json{at}`, or name its folder with "
            f"--base-model DIR"
        ) from error


Chosen = tuple[str, str, Sequence[Mapping[str, Any]], Example]


def chosen(admitted: Admitted, encoder: Encoder, count: int) -> Iterator[Chosen]:
    """(id, source, messages, example) of `count` rows: the first of each source, then the second of each."""
    waiting: dict[str, list[Chosen]] = {}
    for part in admitted.parts("train"):
        for row in part.iter_slices(1):
            source = row["source"][0]
            if len(waiting.setdefault(source, [])) < count:
                examples = encoder.examples(list(rows_of(row)))[0]
                check_count(row.row(0, named=True), examples, admitted, encoder)
                messages = row["messages"][0].to_list()
                waiting[source] += [(row["id"][0], source, messages, example) for example in examples]
        if len(waiting) == len(admitted.recipe.sources) and sum(map(len, waiting.values())) >= count:
            break
    for place in range(count):
        for rows in waiting.values():
            if place < len(rows) and count:
                count -= 1
                yield rows[place]


def painted(tokenizer: Tokenizer, example: Example, *, colour: bool) -> str:
    """The text of an example, decoded from its ids, with the trained runs marked."""
    begin, end = (GREEN, PLAIN) if colour else (OPEN, CLOSE)
    ids, trained = example.ids.tolist(), example.trained.tolist()
    text, start = "", 0
    while start < len(ids):
        stop = start
        while stop < len(ids) and trained[stop] == trained[start]:
            stop += 1
        part = tokenizer.decode(ids[start:stop], skip_special_tokens=False)
        text += f"{begin}{part}{end}" if trained[start] else part
        start = stop
    return text
