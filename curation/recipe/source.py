"""One source of the recipe: where its rows are and how to read them."""

from typing import Annotated, Any, Literal

import msgspec

from curation.recipe.settings import Positive

Reader = Literal[
    "messages",
    "wildchat",
    "alpaca",
    "qa",
    "sharegpt",
    "adventure",
    "trajectory",
    "bfcl",
    "herbal",
    "map",
    "lines",
]

# What `columns` may name, by reader; the others find their texts otherwise.
COLUMNS: dict[str, tuple[str, ...]] = {
    "messages": ("messages", "tools", "system"),
    "wildchat": ("messages", "tools", "system"),
    "sharegpt": ("conversations", "tools", "system"),
    "alpaca": ("instruction", "input", "output", "system"),
    "qa": ("question", "answer", "system", "context", "tools"),
    "adventure": ("text",),
    "trajectory": ("steps", "task", "tools"),
}
ANSWER_READERS = ("bfcl", "lines", "map")
ACTION_READERS = ("trajectory", "lines", "qa")

SpokenRole = Literal["system", "user", "assistant", "tool", "skip"]


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`map`: where the turns of any JSON shape are. Paths are dotted keys: `choices.0.turns`.

    turns      path to the list of turns (objects, or plain texts)
    role       key of a turn that says who speaks; without it every turn is that of `roles: {"*": …}`
    content    key of a turn that holds what is said: a text, or a list of texts
    roles      speaker → system, user, assistant, tool or skip; "*" stands for any other speaker
    names      set the speaker's name before what a user says, for sets with many speakers
    join_with  what stands between neighbouring turns of one role, which become one turn
    text       instead of `turns`: path to one text with the whole conversation, in which each key
               of `roles` is the marker that opens a turn ("### Human:", "user:")
    system     path to a system prompt
    tools      path to the tools
    join       key that this file shares with the file named by the source's `answers`
    prompts    path, in that other file, to the user's turns, one before each turn of this file
    """

    turns: str | None = None
    role: str | None = None
    content: str = "content"
    roles: dict[str, SpokenRole] = {}
    names: bool = False
    join_with: str | None = None
    text: str | None = None
    system: str | None = None
    tools: str | None = None
    join: str | None = None
    prompts: str | None = None


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A source: `uri`, `reader` and `group` are mandatory, the rest have defaults.

    uri       hf://…, https://…, or a file, folder or glob below the data root
    files     which files of a folder or repository: a glob, or several
    take      this many records, chosen by digest; the rest are unselected
    where     column → value or values a record must have; others are filtered while reading
    encoding  of text that is neither UTF-8 nor cp1252, such as gb18030
    columns   the reader's column → the set's name for it, or a dotted path
    player    adventure: whose turns the commands are
    action    trajectory, lines, qa: an action is a call of `bash` or plain text; by default a call
              in a trajectory and text elsewhere
    system    a system prompt for rows that have none
    answers   bfcl, lines, map: the file (or folder of files of the same name) with the other half,
              relative to the source's file
    book      herbal: the title to cite
    """

    uri: str
    reader: Reader
    group: str
    files: str | list[str] | None = None
    revision: str | None = None
    subset: str | None = None
    split: str | None = None
    sha256: str | None = None
    licence: str | None = None
    take: Positive | None = None
    weight: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    where: dict[str, Any] | None = None
    encoding: str | None = None
    map: Mapping | None = None
    columns: dict[str, str] | None = None
    player: Literal["assistant", "user"] = "assistant"
    action: Literal["bash", "text"] | None = None
    system: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    answers: str | None = None
    book: str | None = None
