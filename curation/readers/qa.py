"""Questions and answers in two columns, whatever the set calls them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from curation.calls.actions import run, tools_for
from curation.calls.json_calls import called, say_arguments
from curation.calls.listed_tools import definitions, offered_names
from curation.readers.beside import earlier, thought_first
from curation.readers.columns import Columns, found_under
from curation.readers.guessing.column_names import Asks, asked_and_answered
from curation.readers.seam import LAST, Candidate, Reader
from curation.recipe.readers import READERS
from curation.recipe.source import Source
from curation.turns.chat_api import ask, call, say
from curation.turns.shape import Convert, Row, Unfit


def converter(source: Source, path: Path) -> Convert:
    """A user turn and an assistant turn a record.

    `columns` may name `question`, `answer`, `system`, `tools`, `context` (a passage set before the question),
    `history` (earlier turns) and `thought` (set before the answer). With `action` the answer is a call of
    what runs it. Beside `tools`, as in xLAM's sets, an answer that is a JSON list of calls is these calls.
    """
    columns = Columns(source, required=("question", "answer"))

    def convert(data: bytes) -> Row:
        found = columns(data)
        question, answer = found["question"] or "", found["answer"] or ""
        if not question.strip():
            raise Unfit("the question is empty")
        if context := found.get("context"):
            question = f"{context}\n\n{question}"
        messages = [say("system", system)] if (system := found.get("system")) else []
        if history := found.get("history"):
            messages += earlier(history, columns.key("history"))
        messages.append(say("user", question))
        last, tools, notes = answered(answer, found, action=source.action)
        return Row([*messages, last], tools, notes)

    return convert


def answered(
    answer: str, found: Mapping[str, str | None], *, action: str | None = None
) -> tuple[dict[str, Any], str | None, list[dict[str, Any]]]:
    """The assistant's turn, the tools offered, and notes, of an answer and what the record has beside it."""
    said = thought_first(found.get("thought"), None)
    notes = [{"stage": "read", "repair": "reasoning_content"}] if said else []
    if action not in (None, "text"):
        return ask([call(*run(action, answer))], said), tools_for([action], ()), notes
    # A column of that name may also hold rakes and hoes.
    tools = definitions(listed) if (listed := found.get("tools")) else None
    if tools and (made := asked(answer, tools)):
        return ask(made, said), tools, notes
    return say("assistant", thought_first(found.get("thought"), answer)), tools, notes


def asked(answer: str, tools: str) -> list[dict[str, str | None]] | None:
    """The calls that an answer lists as JSON and nothing else; None where it is words.

    A call of a tool that is not offered is one, too, for the tools stage to judge, where it has arguments.
    """
    made = called(answer)
    if made is None:
        return None
    offered = {one["name"] for one in made} <= set(offered_names(tools))
    return made if offered or say_arguments(answer) else None


def guess_records(path: Path, objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """Columns whose names say that they ask and answer, and what stands beside them under known names."""
    try:
        chosen = asked_and_answered(objects)
    except Asks as question:
        yield Candidate(LAST, asks=str(question))
        return
    if chosen:
        keys = dict.fromkeys(key for record in objects for key in record)
        yield Candidate(LAST, {"columns": dict(found_under(READERS["qa"].columns, chosen, list(keys)))})


READER = Reader(converter=converter, guess_records=guess_records)
