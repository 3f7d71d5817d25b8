"""The recipe: read strictly, resolved once, the same for everyone after (DESIGN.md §5).

`load_recipe` answers a wrong file with every fault, its line and its key. Nothing heavy is imported
here, so that the answer comes at once; files and the hub are looked at by `missing_files` and by
`aj fetch`, never while parsing.
"""

import glob
import hashlib
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from curation.errors import RecipeError, to_install
from curation.files import canonical
from curation.recipe.conform import Fault, conform, got, raise_faults, suggestion
from curation.recipe.kinds import (
    BUILT_IN_SCHEMAS,
    BUILT_IN_TEMPLATES,
    TEST_SETS,
    as_stored,
    named,
    to_install_set,
)
from curation.recipe.metrics import METRICS, SOURCE_METRICS
from curation.recipe.model import (
    MAX_STEPS,
    Approval,
    BaseModel,
    Expectation,
    Gate,
    Mixture,
    RecipeModel,
    Splitting,
    Tokenizer,
    TrainSettings,
    Waiver,
)
from curation.recipe.rules import (
    evaluation_faults,
    range_faults,
    rate_faults,
    rule_faults,
    stage_faults,
)
from curation.recipe.source import Source
from curation.recipe.stages import STAGES, StageSettings, Tools
from curation.recipe.yaml_lines import MAX_VALUES, Document, KeyPath, key_name, parse_yaml, read_yaml

__all__ = [
    "Approval",
    "BaseModel",
    "Expectation",
    "Gate",
    "Mixture",
    "Recipe",
    "Source",
    "Splitting",
    "Tokenizer",
    "TrainSettings",
    "Waiver",
    "cautions",
    "check_files",
    "is_commit",
    "is_https",
    "is_hub",
    "load_recipe",
    "local_sources",
    "missing_files",
    "offered_schemas",
    "parse_recipe",
    "recipe_digest",
    "recipe_from",
    "source_digest",
    "stage_plan",
]


class Recipe(RecipeModel, frozen=True, kw_only=True):
    """A recipe as it was read: every default filled in, and where each key stands in its file.

    `stages` holds one-key mappings with all settings, each gate has its name, `train` its seed and
    its duration. `document` and `data_folder` say where it came from; they are in no digest.
    """

    document: Document
    data_folder: Path

    def as_dict(self) -> dict[str, Any]:
        """The resolved recipe as JSON values, which `recipe_from` reads back. Free of the machine."""
        whole: dict[str, Any] = as_stored(model_of(self))
        return whole

    def at(self, *path: str | int) -> str:
        """Where a key stands, for messages: `recipes/demo.yaml:12: sources.wildchat.uri`."""
        line = self.document.line(path)
        return f"{self.document.name}{f':{line}' if line else ''}: {key_name(path)}"


def model_of(recipe: Recipe) -> RecipeModel:
    """What the recipe says, without where it stands."""
    return RecipeModel(**{name: getattr(recipe, name) for name in RecipeModel.__struct_fields__})


def load_recipe(path: Path, *, data_root: Path | None = None) -> Recipe:
    """Read a recipe file. `data_root` takes the place of the recipe's own.

    Raises RecipeError with every fault found, one a line, each with file, line, key and what would
    be right. Whether local files exist is for `check_files`.
    """
    return resolve(read_yaml(path), path.parent, data_root)


def parse_recipe(text: str, name: str = "recipe.yaml", *, folder: Path = Path()) -> Recipe:
    """A recipe from YAML text; `folder` is where its data root starts. Raises as `load_recipe`."""
    return resolve(parse_yaml(text, name, most_values=MAX_VALUES), folder, None)


def recipe_from(values: Mapping[str, Any], name: str, *, folder: Path = Path()) -> Recipe:
    """A recipe from JSON values, such as `recipe.json` of a dataset holds. Raises as `load_recipe`."""
    return resolve(Document(name, dict(values)), folder, None, stored=True)


def resolve(document: Document, folder: Path, data_root: Path | None, *, stored: bool = False) -> Recipe:
    """Check a document and fill in what it leaves out. `stored`: it was checked before it was written."""
    values = document.value
    if not isinstance(values, dict):
        raise RecipeError(
            f"{document.name}: expected a recipe (name: …, version: …, seed: …), got {got(values, None)};"
            " `aj init FOLDER` writes a first one"
        )
    raise_faults(
        document, chain(conform(document, RecipeModel), stage_faults(document, values.get("stages")))
    )
    model = completed(msgspec.convert(values, RecipeModel))
    # Some stored recipes are older than these rules.
    newer = () if stored else chain(rate_faults(model), evaluation_faults(model), range_faults(model))
    raise_faults(document, chain(rule_faults(model, stage_plan(model)), newer))
    kept = {name: getattr(model, name) for name in RecipeModel.__struct_fields__}
    return Recipe(**kept, document=document, data_folder=data_root or folder / model.data_root)


def completed(model: RecipeModel) -> RecipeModel:
    """The model with all that other keys imply: settings of stages, names of gates, seed, duration."""
    stages: list[str | dict[str, Any]] = []
    for _, stage, settings in stage_plan(model):
        filled: dict[str, Any] = as_stored(settled(settings))
        for one in named(settings):
            if one.kind == "source order":
                order = filled[str(one.path[0])]
                order += [name for name in model.sources if name not in order]
        stages.append({stage: filled})
    gates = [
        msgspec.structs.replace(
            gate,
            name=gate.name or gate.metric,
            per="source" if gate.metric in SOURCE_METRICS else gate.per,
        )
        for gate in model.gates
    ]
    train = model.train
    if train.max_steps is None and train.epochs is None:
        train = msgspec.structs.replace(train, max_steps=MAX_STEPS)
    if train.seed is None:
        train = msgspec.structs.replace(train, seed=model.seed)
    return settled(msgspec.structs.replace(model, stages=stages, gates=gates, train=train))


Settled = TypeVar("Settled", bound=msgspec.Struct)


def settled(value: Settled) -> Settled:
    """The value as it would be read back: a default of 0 for a number with a point becomes 0.0."""
    return msgspec.convert(msgspec.to_builtins(value), type(value))


def stage_plan(recipe: RecipeModel) -> list[tuple[str, str, StageSettings]]:
    """(name, stage, settings) in order. A stage that comes twice is called `length`, then `length-2`."""
    plan = []
    seen: dict[str, int] = {}
    for entry in recipe.stages:
        stage, settings = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
        seen[stage] = seen.get(stage, 0) + 1
        name = stage if seen[stage] == 1 else f"{stage}-{seen[stage]}"
        plan.append((name, stage, msgspec.convert(settings, STAGES[stage].settings)))
    return plan


def offered_schemas(recipe: RecipeModel) -> dict[str, str]:
    """Source → the tools of its rows without their own, by the first tools stage or the source itself.

    "" stands for all other sources; nothing is offered where the recipe has no such stage.
    """
    first = next((settings for _, _, settings in stage_plan(recipe) if isinstance(settings, Tools)), None)
    if first is None:
        return {}
    written = {name: source.tools for name, source in recipe.sources.items() if source.tools is not None}
    return {"": first.schema, **first.sources, **written}


def recipe_digest(recipe: Recipe) -> str:
    """sha256 of `as_dict` in canonical JSON: comments, order of keys and spelt-out defaults do not count.

    The order of sources counts where it decides which of two duplicates stays: it is in `keep`.
    """
    return hashlib.sha256(canonical(recipe.as_dict())).hexdigest()


def source_digest(recipe: Recipe, name: str) -> str:
    """sha256 of one source as the recipe has it, defaults filled in, in canonical JSON."""
    return hashlib.sha256(canonical(as_stored(recipe.sources[name]))).hexdigest()


def is_hub(uri: str) -> bool:
    """Whether a source lies on the Hugging Face hub."""
    return uri.startswith("hf://")


def is_https(uri: str) -> bool:
    """Whether a source is a file on the web."""
    return uri.startswith("https://")


def local_sources(recipe: RecipeModel) -> dict[str, Source]:
    """The sources that need no fetching, in the recipe's order."""
    return {name: s for name, s in recipe.sources.items() if not is_hub(s.uri) and not is_https(s.uri)}


def check_files(recipe: Recipe) -> None:
    """Raise RecipeError with every local file or package that the recipe names and that is not there."""
    raise_faults(recipe.document, [*missing_files(recipe), *missing_packages(recipe)])


def missing_files(recipe: Recipe) -> list[Fault]:
    """Local files of sources and stages that are absent, match nothing, or leave the data root."""
    root = recipe.data_folder
    if not root.is_dir():
        return [Fault(("data_root",), f"the data root {root} is no folder; set data_root or --data-root")]
    faults: list[Fault] = []
    for name, source in local_sources(recipe).items():
        faults += missing_of_source(name, source, root)
    for name, source in recipe.sources.items():
        if source.tools is not None and source.tools not in BUILT_IN_SCHEMAS:
            faults += missing(source.tools, [root], ("sources", name, "tools"))
    for index, (_, stage, settings) in enumerate(stage_plan(recipe)):
        for key, path in stage_files(settings):
            faults += missing(path, [root], ("stages", index, stage, key))
        for one in named(settings):
            if one.kind == "test set":
                faults += missing_set(one.value, root, ("stages", index, stage, *one.path))
    folder = Path(recipe.document.name).parent
    if recipe.tokenizer and recipe.tokenizer.path:
        faults += missing(recipe.tokenizer.path, [root, folder], ("tokenizer", "path"))
    for index, asked in enumerate(recipe.evaluation):
        if asked.file is not None:
            faults += missing(asked.file, [root], ("evaluation", index, asked.kind))
    if recipe.template not in (*BUILT_IN_TEMPLATES, "model"):
        faults += missing(recipe.template, [root, folder], ("template",))
    return faults


def missing_set(name: str, root: Path, path: KeyPath) -> Iterator[Fault]:
    """A fault where a test set is neither a file, or files, nor comes with a package that is installed."""
    if name in TEST_SETS and not (root / name).is_file():
        if find_spec(TEST_SETS[name].replace("-", "_")) is None:
            yield Fault(path, f"the set '{name}' comes with a package: {to_install_set(name)}")
    elif Path(name).name != name or Path(name).suffix or glob.has_magic(name) or (root / name).exists():
        yield from missing(name, [root], path)
    else:
        near = suggestion(name, TEST_SETS)
        known = f"did you mean '{near}'?" if near else f"by name there are {', '.join(TEST_SETS)}"
        yield Fault(path, f"no small package holds a set '{name}': name a file that does; {known}")


def missing_packages(recipe: RecipeModel) -> Iterator[Fault]:
    """Packages that a stage's settings name and that a plain installation has not."""
    for index, (_, stage, settings) in enumerate(stage_plan(recipe)):
        for one in named(settings):
            if one.kind == "package" and one.value != "native" and find_spec(one.value) is None:
                at: KeyPath = ("stages", index, stage, *one.path)
                yield Fault(at, f"{one.value} is not installed: {to_install(one.value)}")


def stage_files(settings: StageSettings) -> Iterator[tuple[str, str]]:
    """(key, path) of the files that a stage's settings name, each path once."""
    found: dict[str, str] = {}
    for one in named(settings):
        if one.kind == "path" or (one.kind == "tool schema" and one.value not in BUILT_IN_SCHEMAS):
            found.setdefault(one.value, str(one.path[0]))
    return ((key, path) for path, key in found.items())


def missing_of_source(name: str, source: Source, root: Path) -> Iterator[Fault]:
    """What one local source names and the data root does not have."""
    patterns = [source.files] if isinstance(source.files, str) else source.files
    if not patterns:
        yield from missing(source.uri, [root], ("sources", name, "uri"))
        return
    yield from missing(source.uri, [root], ("sources", name, "uri"))
    if (root / source.uri).is_dir():
        for pattern in patterns:
            yield from missing(pattern, [root / source.uri], ("sources", name, "files"))


def missing(pattern: str, places: list[Path], path: KeyPath) -> Iterator[Fault]:
    """A fault when a path or glob matches nothing in any of the places, or only what lies outside."""
    for place in places:
        if (place / pattern).exists():
            found = [place / pattern]
        elif glob.has_magic(pattern):
            found = list(place.glob(pattern))
        else:
            continue
        outside = [file for file in found if not file.resolve().is_relative_to(places[0].resolve())]
        if outside and path[0] in {"sources", "stages", "evaluation"}:
            yield Fault(path, f"{outside[0]} is a link that leaves the data root; copy the file into it")
        if found:
            return
    looked = " or ".join(dict.fromkeys(str(place) for place in places))
    verb = "no file matches" if glob.has_magic(pattern) else "no such file or folder:"
    yield Fault(path, f"{verb} '{pattern}' in {looked}{neighbour(pattern, places[0])}")


def neighbour(pattern: str, root: Path) -> str:
    """A name beside the missing one that was probably meant, or what is there."""
    folder = (root / pattern).parent
    if not folder.is_dir():
        return f"; {folder} is no folder"
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    near = suggestion(Path(pattern).name, names)
    if near:
        return f"; did you mean '{(Path(pattern).parent / near).as_posix()}'?"
    shown = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
    return f"; it holds {shown}" if names else "; it is empty"


def cautions(recipe: Recipe) -> list[str]:
    """What is allowed and perhaps not meant, one line each, for `aj check` to show."""
    found = []
    for name, source in recipe.sources.items():
        if is_hub(source.uri) and not is_commit(source.revision):
            pinned = f"'{source.revision}' is a branch" if source.revision else "no revision"
            found.append(
                f"{recipe.at('sources', name)}: {pinned}; `aj fetch` resolves and records the commit"
            )
        if is_https(source.uri) and source.sha256 is None:
            found.append(f"{recipe.at('sources', name)}: no sha256; `aj fetch` records it, pin it then")
    stages = stage_plan(recipe)
    context = recipe.train.max_seq_length
    for index, (name, _, settings) in enumerate(stages):
        for one in named(settings):
            if one.kind == "context" and one.value > context:
                where = recipe.at("stages", index)
                found.append(
                    f"{where}: {name} lets {one.value} tokens pass, train.max_seq_length is {context}"
                )
    present = {stage for _, stage, _ in stages}
    for stage, declared in STAGES.items():
        if recipe.stages and declared.missed and stage not in present:
            found.append(f"{recipe.at('stages')}: {stage} is not among the stages; {declared.missed}")
    for index, gate in enumerate(recipe.gates):
        stage = METRICS[gate.metric].by if gate.metric is not None else ""
        if stage in STAGES and stage not in present:
            found.append(
                f"{recipe.at('gates', index)}: {gate.metric} is measured by the stage {stage}, which is not"
                " among the stages; the gate will fail as not measured"
            )
    return found


def is_commit(revision: str | None) -> bool:
    """Whether a revision is a whole git commit, which cannot move."""
    return revision is not None and len(revision) == 40 and all(c in "0123456789abcdef" for c in revision)
