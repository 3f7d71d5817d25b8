"""`aj init`: a first recipe for a folder of files, to be read and mended by a person."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from curation.jobs.first.files import Found
from curation.jobs.first.flow import flow, scalar
from curation.jobs.first.look import First, files_of, place_of, proposal, slug, some, why_unknown
from curation.recipe.readers import READERS
from curation.recipe.stages import STAGES
from curation.visible import visible

_LEFT_OUT = "  # - "


def recipe_text(first: First, out: Path) -> str:
    """The recipe of a first look. What is left open stands in comments.

    out: where it will be written, from which its data_root leads to the folder.
    """
    return "\n".join(_recipe(first, out)) + "\n"


def _recipe(first: First, out: Path) -> Iterator[str]:
    root = Path(os.path.relpath(first.folder, out.parent)).as_posix()
    yield f"# aj curate {out.as_posix()}"
    yield "#"
    yield "# A first recipe: readers and columns are what the files' own names say, groups are guesses from"
    yield "# the folders' names. Read it, mend it, then look at a preview: aj curate … --sample 500"
    yield f"name: {scalar(slug(first.folder.resolve().name) or 'first')}"
    yield "version: 1.0.0"
    yield "seed: 17"
    yield "base_model: {id: deepseek-ai/DeepSeek-R1-Distill-Qwen-32B, code: DeepSeekR1Qwen32B}"
    yield f"data_root: {scalar(root)}"
    yield "sources:"
    for name, one in first.known.items():
        yield from _source(name, one, first.groups[name])
    if first.held_out:
        yield "  # Named as files of a test or of validation, and left out for that; the recipe's split holds"
        yield "  # out rows of its own:"
        yield from (f"{_LEFT_OUT}{place_of(one)} ({one.split})" for one in first.held_out)
    yield from _left_open(first)
    yield from _rest(first.languages)


def _source(name: str, one: Found, group: str) -> Iterator[str]:
    yield f"  {name}:"
    yield f"    uri: {scalar(one.uri)}" + (f"    # {files_of(one.files)}" if "*" in one.uri else "")
    if one.patterns:
        yield "    files:"
        yield from (f"      - {scalar(pattern)}" for pattern in one.patterns)
    yield f"    reader: {one.guess.reader}"
    for key, value in one.guess.settings.items():
        yield f"    {key}: {flow(value)}"
    yield f"    group: {group}"
    if one.guess.caution:
        yield f"    # caution: {visible(one.guess.caution)}".replace("\n", " ")
    for part, keys in (("ignored", one.guess.ignored), ("refused", one.guess.refused)):
        if keys:
            yield f"    # {part}: {some(keys)}"
    for key, held in one.guess.outcomes.items():
        yield f"    # `where` can choose by {scalar(key)}, which is: {visible(held)}"


def _left_open(first: First) -> Iterator[str]:
    """What no reader fits, why, and how a person can name it by hand."""
    if not first.unknown:
        return
    yield "  # No reader fits these. Where the keys hold what you need, name them:"
    ways = ["\n".join(reader.by_hand) for reader in READERS.values() if reader.by_hand]
    yield from (f"  #   {line}" for line in ", or\n".join(ways).splitlines())
    for one in first.unknown:
        yield from (f"{_LEFT_OUT}{line}" for line in why_unknown(one))
        if one.guess.settings and not one.patterns:
            yield f"  #   {proposal(one, first.folder)}"


def _rest(spoken: Mapping[str, int]) -> Iterator[str]:
    yield "mixture:"
    yield "  shares: natural            # as the files have them, every row once; or {group: share, …}"
    yield "split: {eval: 0.01, at_least: 1}   # a row at least of every group of 20 and more"
    yield "stages:"
    for stage in STAGES.values():
        if stage.proposed and "[en]" in stage.proposed and spoken:
            found = ", ".join(f"{name} {rows}" for name, rows in spoken.items())
            kept = stage.proposed.replace("[en]", f"[{', '.join(spoken)}]")
            yield f"  {kept:<26} # of the rows looked at: {found}"
        elif stage.proposed:
            yield f"  {stage.proposed}"
    yield "train:"
    yield "  epochs: 3                  # else 5000 steps, however few rows there are"
    yield "  thinking: empty            # rows without a thought leave the thinking of an R1 base alone"
    yield "  warmup_ratio: 0.03         # of the steps, until the learning rate is at its peak"
