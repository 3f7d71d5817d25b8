"""One source of the recipe: where its rows are and how to read them."""

from typing import Annotated, Any, Literal

import msgspec

from curation.settings import Positive

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


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`map`: where the turns of any JSON shape are. Paths are dotted keys, `turns.0.text`.

    turns    path to the list of turns, or a list of one-turn paths for column shapes
    role     key of a turn that says who speaks
    content  key of a turn that holds what is said
    roles    speaker → system, user, assistant, tool or skip
    """

    turns: str
    role: str
    content: str
    roles: dict[str, Literal["system", "user", "assistant", "tool", "skip"]]
    system: str | None = None
    tools: str | None = None


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A source: `uri`, `reader` and `group` are mandatory, the rest have defaults."""

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
    system: str | None = None
    answers: str | None = None
    book: str | None = None
