"""One source of the recipe: where its rows are and how to read them."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from curation.recipe.kinds import LATER, Positive, ToolSchema
from curation.recipe.readers import READERS

if TYPE_CHECKING:
    Reader = str
else:
    Reader = Literal[tuple(READERS)]

SpokenRole = Literal["system", "user", "assistant", "tool", "skip"]


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`map`: where the turns of any JSON shape are. Paths are dotted keys: `choices.0.turns`.

    turns      path to the list of turns (objects, or plain texts)
    by         instead of `turns`, where each record is a turn: path to what the records of a conversation
               have in common; "*" for a file that is one conversation
    order      with `by`: path to a number by which the turns are sorted; else they come as they stand
    role       key of a turn that says who speaks; without it every turn is that of `roles: {"*": …}`
    speakers   instead of `role`: path to a list beside `turns` that says who speaks
    each       instead of `role` and `content`, where each of `turns` is an exchange: its keys in the order
               in which they are said → who says it, such as {human: user, assistant: assistant}; of a
               pair {"0": user, "1": assistant}
    content    key of a turn that holds what is said: a text, or a list of texts
    roles      speaker → system, user, assistant, tool or skip; "*" stands for any other speaker
    names      set the speaker's name before what a user says, for sets with many speakers
    join_with  what stands between neighbouring turns of one role, which become one turn
    text       instead of `turns`: path to one text with the whole conversation, in which each key
               of `roles` is the marker that opens a turn ("### Human:", "user:")
    system     path to a system prompt
    tools      path to the tools
    prompts    path to the user's turns, one before each of `turns`
    join       key that this file shares with the file named by the source's `answers`, where `prompts` are
    """

    turns: str | None = None
    by: Annotated[str | None, LATER] = None
    order: Annotated[str | None, LATER] = None
    role: str | None = None
    speakers: Annotated[str | None, LATER] = None
    each: Annotated[dict[str, SpokenRole], LATER] = {}
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
    reader    which shape its records have
    group     the part of the mixture that its rows belong to
    files     which files of a folder or repository: a glob, or several
    revision  of a hub source: a commit; a branch is resolved and recorded
    subset    of a hub source: which of its subsets (configurations)
    split     of a hub source: which of its splits, such as train
    sha256    of a file on the web, which is refused where it differs
    licence   under which its rows are used; the card and the report show it
    take      this many records, chosen by digest; the rest are unselected
    weight    its part of the group's quota, times the rows that it has
    records   path to a list in each record whose elements are the records, such as `paragraphs.qas`; the
              keys around it stand in each of them
    where     column or dotted path → value or values a record must have, or {min, max} of a number;
              others are filtered while reading
    failed    column or dotted path → value, values or {min, max} of a number that say that a run failed; the
              row is flagged, and the `trajectories` stage may drop it. A record without the column did not
    encoding  of text that is neither UTF-8 nor cp1252, such as gb18030
    map       where the turns are, in a shape that no other reader knows
    ignore    keys that change nothing here, though they do elsewhere, as `aj check` tells them: `label`, or
              `messages[].channel` for one of turns
    columns   the reader's column → the set's name for it, or a dotted path
    player    whose turns the commands are
    action    what an action or answer is: a command, a statement or code, which become calls of the
              tool of that name, or text; by default text, in a trajectory what it evidently is
    system    a system prompt for rows that have none
    tools     for rows that have none, written into them and what their calls are checked against: aj_tools,
              or a path from the data root
    answers   the file (or folder of files of the same name) with the other half, relative to the
              source's file
    book      the title to cite, "TITLE by AUTHOR"
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
    records: Annotated[str | None, LATER] = None
    where: dict[str, Any] | None = None
    failed: Annotated[dict[str, Any], LATER] = {}
    encoding: str | None = None
    map: Mapping | None = None
    ignore: Annotated[list[str], LATER] = []
    columns: dict[str, str] | None = None
    player: Literal["assistant", "user"] = "assistant"
    action: Literal["bash", "sql", "python", "powershell", "text"] | None = None
    system: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    answers: str | None = None
    book: str | None = None
    tools: Annotated[ToolSchema | None, LATER] = None
