"""What `aj train` will refuse of a recipe, and what `aj export` will of its adapter: told by `aj check`.

The refusals themselves, called before any data is made, as far as the base model lies on this machine; what
hangs on its weights, on the rows or on the device is left to the run.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from curation.errors import CurationError
from curation.files import file_digest
from curation.recipe.conform import Fault
from curation.recipe.load import Recipe
from curation.recipe.yaml_lines import KeyPath, key_name
from curation.rendering.template import load_template
from curation.rendering.tokens import ReferenceCounter
from curation.row import message
from curation.sources.fetched import TOKENIZER as COUNTS
from curation.sources.fetched import fetched_sources
from train.data.encoding import Encoder
from train.model.families.table import FAMILIES, KNOWN
from train.model.sizes import (
    CONFIG,
    cached,
    check_commit,
    check_context,
    check_known,
    check_quantised,
    check_vocabulary,
    here,
    limits,
    read_config,
    with_targets,
)
from train.model.token_rows import check_learnt, token_ids, written_by

TOKENIZER = "tokenizer.json"
BASE = ("base_model", "id")
PLAIN: list[Mapping[str, Any]] = [message("user", "What is new?"), message("assistant", "Nothing at all.")]
# The names of layers are the same whatever their sizes.
ANY = next(iter(KNOWN.values()))


def foreseen(recipe: Recipe, base_model: Path | None = None) -> tuple[list[Fault], list[str]]:
    """What is wrong, and what else to say. base_model: its folder; default a local one or the hub's cache."""
    folder = base_model or folder_of(recipe)
    config: Mapping[str, Any] | None = KNOWN.get(recipe.base_model.id)
    faults = list(unmeasurable(recipe))
    if folder is not None:
        read = list(refused(BASE, partial(checked_config, recipe, folder)))
        if read:
            return [*faults, *read], []
        config = read_config(folder)
        if (folder / TOKENIZER).is_file():
            unfit = list(refused(("template",), partial(check_template, recipe, folder, config)))
            faults += unfit or refused(("tokenizer",), partial(check_counts, recipe, folder))
            faults += refused(("train", "tokens"), partial(token_ids, folder, recipe.train.tokens))
    if config is None:
        return [*faults, *unknown_targets(recipe)], []
    faults += refused(("train", "target_modules"), partial(with_targets, config, recipe.train))
    faults += refused(("train", "max_seq_length"), partial(check_context, config, recipe.train))
    faults += refused(("train", "load_in_4bit"), partial(check_quantised, config, recipe.train))
    if faults:
        return faults, []
    notes: list[str] = []
    if weights := here(recipe.base_model.id, base_model, recipe.base_model.revision):
        faults += refused(("template",), partial(check_tokens, recipe, weights, config, notes))
    return faults, [] if faults else [*notes, *limits(config, recipe.train)]


def folder_of(recipe: Recipe) -> Path | None:
    """The base model's folder on this machine, null where there is none."""
    try:
        folder = cached(recipe.base_model.id, recipe.base_model.revision)
    except CurationError:
        return None
    # A snapshot may hold a tokenizer alone.
    return folder if (folder / CONFIG).is_file() or Path(recipe.base_model.id).is_dir() else None


def refused(path: KeyPath, check: Callable[[], object]) -> Iterator[Fault]:
    """What a check raises, as a fault of the key."""
    try:
        check()
    except CurationError as error:
        yield Fault(path, str(error).removeprefix(f"{key_name(path)}: "))


def checked_config(recipe: Recipe, folder: Path) -> None:
    """Raise CurationError unless the folder holds the base model of the recipe, of a family known here."""
    base = recipe.base_model
    check_known(base.id, read_config(folder), folder)
    check_commit(base.id, folder, base.revision)


def check_template(recipe: Recipe, folder: Path, config: Mapping[str, Any]) -> None:
    """Raise CurationError unless template and tokenizer belong together, and the tokenizer to the model."""
    check_vocabulary(config, encoder_of(recipe, folder).largest_id, folder)


def encoder_of(recipe: Recipe, folder: Path) -> Encoder:
    """What will encode the rows. Raises CurationError when template and tokenizer do not fit."""
    places = (recipe.data_folder, Path(recipe.document.name).parent)
    root = next((place for place in places if (place / recipe.template).is_file()), recipe.data_folder)
    thinking = recipe.train.thinking
    return Encoder(folder, load_template(recipe.template, folder, root=root, thinking=thinking))


def check_counts(recipe: Recipe, folder: Path) -> None:
    """Raise CurationError when curation counts a plain conversation otherwise than training does.

    Training would refuse every row.
    """
    path = counting_tokenizer(recipe)
    if path is None or file_digest(path) == file_digest(folder / TOKENIZER):
        return
    encoder = encoder_of(recipe, folder)
    [counted] = ReferenceCounter(path).count([encoder.template.render(PLAIN, None)])
    [[example]] = encoder.examples([(PLAIN, None)])
    if counted != len(example.ids):
        raise CurationError(
            f"counts {counted} tokens of a plain conversation by {path}, training {len(example.ids)} by the "
            f"base model's; name the base model's own under `tokenizer`"
        )


def counting_tokenizer(recipe: Recipe) -> Path | None:
    """The tokenizer.json that curation counts with, null where it is not here or there is none."""
    asked = recipe.tokenizer
    if asked is None:
        return None
    if asked.path is None:
        found = fetched_sources(recipe).get(COUNTS)
        places = [found] if found else []
    else:
        places = [recipe.data_folder / asked.path, Path(recipe.document.name).parent / asked.path]
    files = [place / TOKENIZER if place.is_dir() else place for place in places]
    return next((file for file in files if file.is_file()), None)


def check_tokens(recipe: Recipe, folder: Path, config: Mapping[str, Any], notes: list[str]) -> None:
    """Refusal where the base model never learnt a token that every conversation has; notes of the rest."""
    encoder = encoder_of(recipe, folder)
    used = written_by(encoder, calls=False, thoughts=False)
    notes += check_learnt(folder, config, encoder, used, recipe.train)


def unmeasurable(recipe: Recipe) -> Iterator[Fault]:
    """Bounds on the trained model, and nothing held out to measure them on."""
    if recipe.evaluation and not recipe.split.eval and not recipe.split.at_least:
        yield Fault(
            ("evaluation",), "measured on held-out rows, and there will be none; set `split: {eval: 0.01}`"
        )


def unknown_targets(recipe: Recipe) -> Iterator[Fault]:
    """Layers that no family has, where the base model is not here."""
    asked = recipe.train.target_modules
    known = {name: None for family in FAMILIES.values() for name in family.layers(ANY)}
    for name in asked if isinstance(asked, list) else ():
        if name not in known:
            yield Fault(
                ("train", "target_modules"),
                f"no layer {name} in any model that can be trained here; they have {', '.join(known)}",
            )
