"""recipes/README.md, generated from the model and the three tables: all that a recipe may say.

`python -m curation.recipe.reference` writes it anew, and the schema with it: one command after any
change of the tables. Tests hold both to what is generated.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import msgspec.inspect as types

from curation.files import write_bytes
from curation.recipe.conform import plain, wanted
from curation.recipe.keys import KINDS
from curation.recipe.marks import MARKS
from curation.recipe.metrics import ASKED, EVALUATED, FIGURES, FILES, LOSSES, METRICS, RUN, MetricDeclaration
from curation.recipe.model import Expectation, Gate, RecipeModel, default_gates, default_stages
from curation.recipe.readers import READERS, ReaderDeclaration, users_of
from curation.recipe.schema_file import SCHEMA_FILE, schema_bytes, split_docstring
from curation.recipe.source import Source
from curation.recipe.stages import LAST_LOOK, MASKED, READING, STAGES, StageDeclaration, Step

REFERENCE_FILE = Path(__file__).resolve().parents[2] / "recipes" / "README.md"
# A default longer than this is put in words of its own.
LONGEST_DEFAULT = 70

# Values that have a part of the page to themselves.
LINKS: dict[tuple[type[msgspec.Struct], str], str] = {
    (RecipeModel, "stages"): "a list of [stages](#stages)",
    (Source, "reader"): "a [reader](#readers)",
    (Gate, "metric"): "a [metric](#metrics)",
    (Expectation, "metric"): "a [metric of the model](#metrics-of-the-trained-model)",
}

OPENING = """\
# Recipes

A recipe says what to mix, how much of it, which gates it must pass and how to train on it. This is the
reference: every [key](#keys), [reader](#readers), [stage](#stages), [metric](#metrics) and the [default
gates](#default-gates). It is made from the tables in `curation/recipe/`, where to change it, by
`python -m curation.recipe.reference`.

A recipe with nothing but what it must have:

```yaml
# aj curate first.yaml
# yaml-language-server: $schema=../schemas/recipe.schema.json
name: first
version: 1.0.0
seed: 17
base_model: {id: deepseek-ai/DeepSeek-R1-Distill-Qwen-32B, code: DeepSeekR1Qwen32B}
sources:
  chats: {uri: "chats/*.jsonl", reader: messages, group: conversational}
mixture:
  shares: {conversational: 1}
```

`aj init FOLDER` writes a first one for your files, `aj check RECIPE` says what is wrong with it, line by
line. An unknown key or a wrong type is an error; nothing is coerced.

**In editors.** The second line above is for editors that speak the YAML language server (VS Code with Red
Hat's YAML extension, Neovim, Helix, Emacs): they complete keys, show these meanings and underline what is
wrong. The path is that of `schemas/recipe.schema.json` from the recipe's folder. In VS Code you can leave the
line out and say once in `settings.json`: `"yaml.schemas": {"schemas/recipe.schema.json": "recipes/*.yaml"}`.
"""

SQL = """\
What no metric measures, a query does. It gives one number, over the tables `train`, `eval` and `ledger`:

```yaml
gates:
  - {sql: "select count(*) from train where tokens > 2048", max: 0, name: rows over the context}
```
"""


def reference() -> str:
    """The whole page."""
    parts = [OPENING, "## Keys\n", *keys(), "## Readers\n", *readers(), "## Stages\n", *stages()]
    return "\n".join(part for part in (*parts, *metrics()) if part)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown; nothing where there are no rows."""
    lines = [
        "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in row) + " |"
        for row in rows
    ]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines]) + "\n"


def words(names: Iterable[str]) -> str:
    """Names as code, in a list."""
    return ", ".join(map(code, names))


def code(name: str) -> str:
    """A name as code."""
    return f"`{name}`"


class Section(NamedTuple):
    """A part of a recipe with keys of its own: how its place is written, and its Struct."""

    place: str
    kind: type[msgspec.Struct]


def sections(kind: type[msgspec.Struct], place: str = "") -> Iterator[Section]:
    """A Struct and every Struct below it, in the order of the keys."""
    yield Section(place, kind)
    for field in msgspec.structs.fields(kind):
        inner, way = below(types.type_info(field.type))
        if inner is not None:
            yield from sections(inner, f"{place}.{field.name}{way}".lstrip("."))


def below(info: Any) -> tuple[type[msgspec.Struct] | None, str]:
    """The Struct inside a type, and how a key leads to it."""
    kind = plain(info)
    match kind:
        case types.StructType():
            return kind.cls, ""
        case types.DictType():
            return below(kind.value_type)[0], ".NAME"
        case types.ListType():
            return below(kind.item_type)[0], "[]"
        case types.UnionType():
            return next((found for option in kind.types if (found := below(option))[0]), (None, ""))
        case _:
            return None, ""


def keys() -> Iterator[str]:
    """A table for every section of a recipe."""
    for place, kind in sections(RecipeModel):
        text, meanings = split_docstring(kind.__doc__ or "")
        yield f"### `{place}`\n" if place else "### The recipe\n"
        yield text + "\n"
        yield settings_table(kind, meanings)


def settings_table(kind: type[msgspec.Struct], meanings: Mapping[str, str]) -> str:
    """Key, type, default and meaning of every field."""
    return table(
        ("key", "value", "default", "meaning"),
        (
            (
                f"`{field.encode_name}`",
                LINKS.get((kind, field.name)) or value(field.type),
                default(field),
                meanings[field.name] + (only(field.name) if kind is Source else ""),
            )
            for field in msgspec.structs.fields(kind)
        ),
    )


def value(kind: Any) -> str:
    """A type in words; of a section, that it is one."""
    inner, way = below(types.type_info(kind))
    if inner is not None:
        return {"": "a section", ".NAME": "a section each by name", "[]": "a list of sections"}[way]
    return wanted(types.type_info(kind)).replace("a list of one of", "a list of")


def default(field: msgspec.structs.FieldInfo) -> str:
    """The default as a recipe would write it."""
    if field.required:
        return "mandatory"
    made = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    if made is None:
        return "none"
    if isinstance(made, msgspec.Struct):
        return "its defaults"
    if isinstance(made, list | dict) and not made:
        return "empty"
    text = flow(msgspec.to_builtins(made))
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "[see below](#default-" + f"{field.name})"


def flow(made: Any) -> str:
    """A value in a line of YAML."""
    if isinstance(made, list):
        return f"[{', '.join(map(flow, made))}]"
    if isinstance(made, dict):
        return "{" + ", ".join(f"{key}: {flow(inner)}" for key, inner in made.items()) + "}"
    return made if isinstance(made, str) else json.dumps(made)


def only(key: str) -> str:
    """Which readers look at a key of a source, where not all do."""
    users = users_of(key)
    return f" (only {words(users)})" if users else ""


def readers() -> Iterator[str]:
    """Every reader: what it takes, under which names, and an example."""
    forms = {"records": "records", "text": "text", "either": "records or text"}
    yield (
        "A reader knows one shape of records (JSON lines, a JSON document, CSV, TSV, Parquet, Arrow) or\n"
        "of text. Files may be compressed (`.gz`, `.zst`, `.xz`, `.bz2`), and an archive (`.tar`,\n"
        "compressed too, and `.zip`) is its files one after the other: read as a stream, one level deep,\n"
        "hidden files passed over as in a folder, and what must not or cannot be read one `unreadable`\n"
        "row with its name. Any other kind of file is named with what it is and what to do. A JSON\n"
        "document's records may stand under any one key. A key that the set calls otherwise is named by\n"
        "`columns`, as a name or a dotted path.\n"
    )
    yield table(
        ("reader", "takes", "reads"),
        ((f"[`{name}`](#reader-{name})", forms[r.form], r.meaning) for name, r in READERS.items()),
    )
    for name, reader in READERS.items():
        yield f"### Reader `{name}`\n"
        yield f"{capital(reader.meaning)}.\n\n```yaml\nNAME: {reader.example}\n```\n"
        yield from reader_keys(reader)
    yield from telling_keys()


def telling_keys() -> Iterator[str]:
    """Which keys change what a row says."""
    yield "### Keys that are not read\n"
    yield (
        "What a reader does not read is metadata: counted, told by `aj check`, manifest and report, and\n"
        "left out. These keys change what a row says, in any case and with or without `_`: where they hold\n"
        "something and the reader does not read them, the row is dropped as `unsupported_key`, and a source\n"
        "all of whose rows have one is refused. `ignore` of a source names those that change nothing in it.\n"
    )
    yield table(
        ("what it says", "keys of a record", "keys of a turn"),
        ((kind.meaning, words(kind.rows), words(kind.turns)) for kind in KINDS.values()),
    )


def reader_keys(reader: ReaderDeclaration) -> Iterator[str]:
    """Which keys it reads, and under which names."""
    yield table(
        ("column", "found under"),
        ((f"`{column}`", words(names) or "the name given") for column, names in reader.columns.items()),
    )
    lists = (
        ("Further keys of a record" if reader.columns else "Keys of a record", reader.keys),
        ("Keys of a turn", reader.turn_keys),
        ("Keys of other turns", reader.other_turn_keys),
        ("Its own keys of the source", reader.settings),
    )
    if lines := [f"- {what}: {words(names)}" for what, names in lists if names]:
        yield "\n".join(lines) + "\n"


def stages() -> Iterator[str]:
    """Every stage: its settings, why it drops rows, and what it repairs or flags."""
    listed = ", ".join(str(name) for name in default_stages())
    yield (
        "Stages run in the order in which the recipe lists them, each a bare name or `name: {key: value}`;\n"
        "one may come twice. Every dropped row has its reason in the ledger.\n"
    )
    yield f"Without `stages:` they are `[{listed}]`.\n"
    yield table(
        ("stage", "what it does"),
        ((f"[`{name}`](#stage-{name})", stage.meaning) for name, stage in STAGES.items()),
    )
    yield "### Before the stages: reading\n"
    yield from step(READING)
    for name, stage in STAGES.items():
        yield f"### Stage `{name}`\n"
        yield f"{capital(stage.meaning)}.{needs(stage)}\n\n```yaml\n{stage.example}\n```\n"
        _, meanings = split_docstring(stage.settings.__doc__ or "")
        yield settings_table(stage.settings, meanings)
        yield from step(stage)
    yield "### After the stages: the last look\n"
    yield from step(LAST_LOOK)
    yield from marks()


def marks() -> Iterator[str]:
    """The keys that say what carries loss, and why a turn carries none."""
    yield "### Turns without loss\n"
    yield (
        "A turn is trained unless its makers say otherwise, by one of these keys of the turn:\n"
        f"{words(key for key, no_loss in MARKS.items() if no_loss == 0)} is 0 or false, or\n"
        f"{words(key for key, no_loss in MARKS.items() if no_loss == 1)} is 1 or true. With any value of\n"
        f"{words(key for key, no_loss in MARKS.items() if no_loss is None)}, which speak of parts of a turn\n"
        "or mean one thing here and another there, the row goes. `weight` of a row is read as that of all\n"
        "its turns, and `mask` of a row names the role that carries no loss. In the shards such a turn has\n"
        "`weight` 0, and the ledger's `detail.masked` lists them as [turn, reason].\n"
    )
    yield table(("reason", "it carries no loss because"), ((f"`{n}`", why) for n, why in MASKED.items()))


def needs(stage: StageDeclaration) -> str:
    """What it needs, and what its drops count as."""
    tokens = " Needs a tokenizer." if stage.counts_tokens else ""
    counted = f" Its drops count in `source.{stage.counts_as}_share`." if stage.counts_as else ""
    return tokens + counted


def step(entry: Step) -> Iterator[str]:
    """Why rows go, and what is noted of those that stay."""
    yield table(("dropped as", "because"), ((f"`{n}`", meaning) for n, meaning in entry.reasons.items()))
    yield table(("repair or flag", "what it is"), ((f"`{n}`", meaning) for n, meaning in entry.notes.items()))


def metrics() -> Iterator[str]:
    """What gates may bound, the default gates, and what the trained model may be held to."""
    yield "## Metrics\n"
    yield (
        "A gate bounds one of these by `max` or `min`. A share goes from 0 to 1, a count from 0. What was\n"
        "not measured fails.\n"
    )
    yield table(
        ("metric", "is", "measured", "meaning"),
        ((f"`{n}`", metric.kind, measured(metric), metric.meaning) for n, metric in METRICS.items()),
    )
    yield "Also in `gates.json`, for the report:\n"
    yield table(("figures", "what they are"), ((f"`{n}…`", meaning) for n, meaning in FIGURES.items()))
    yield SQL
    yield "## Default gates\n\nWithout `gates:` these hold; `gates: []` switches them off.\n\n```yaml\ngates:"
    for gate in default_gates():
        said = {"metric": gate.metric, "min": gate.min, "max": gate.max, "per": gate.per}
        yield f"  - {flow({key: bound for key, bound in said.items() if bound is not None})}"
    yield "```\n\n## Metrics of the trained model\n"
    yield (
        "`evaluation:` bounds what `aj evaluate` measures on the rows held out,\n"
        f"{' and '.join(map(code, LOSSES))} also for each group and source, as `loss.group.NAME`. It also\n"
        "names files of questions and texts; what is measured on these has the entry's `name` in it:\n\n"
        "```yaml\nevaluation:\n"
        "  - {questions: tests/arithmetic.jsonl, name: arithmetic, max_tokens: 4096}\n"
        "  - {texts: tests/wiki.jsonl, name: wiki}\n"
        "  - {metric: questions.arithmetic.thinks_change, min: -0.05}\n"
        "  - {metric: texts.wiki.loss_change, max: 0.05}\n```\n\n"
        'A question is a line such as `{"question": "What is 6 times 7?", "answer": {"number": 42}}`; in\n'
        "place of `question` there may be `messages`, and `tools` beside it. An answer is one of\n"
        '`{"number": 42, "tolerance": 0.5}`, `{"choice": "B", "of": ["A", "B", "C"]}`, '
        '`{"regex": "^Paris"}`\nand `{"call": {"name": "water", "arguments": {"bed": 3}}}`. A text is a line '
        '`{"text": "…"}`. The\n'
        "dataset keeps a copy of each file, and its digest is approved with the rest.\n"
    )
    yield table(
        ("metric", "is", "meaning"),
        ((f"`{n}`", metric.kind, metric.meaning) for n, metric in (EVALUATED | ASKED).items()),
    )


def measured(metric: MetricDeclaration) -> str:
    """By whom it is measured, and what that needs."""
    by = {RUN: "by the run", FILES: "on the files"}.get(metric.by, f"by the stage `{metric.by}`")
    return (
        by
        + (", per source" if metric.per_source else "")
        + (", needs a tokenizer" if metric.needs_tokenizer else "")
    )


def capital(text: str) -> str:
    """A line as a sentence begins."""
    return text[:1].upper() + text[1:]


def reference_bytes() -> bytes:
    """The page as it is stored."""
    return reference().encode()


if __name__ == "__main__":
    write_bytes(SCHEMA_FILE, schema_bytes())
    write_bytes(REFERENCE_FILE, reference_bytes())
