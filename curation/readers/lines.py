"""Two text files side by side: line n of one asks, line n of the other answers."""

import glob
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from curation.calls.actions import run, tools_for
from curation.errors import SourceError
from curation.readers.answers import answer_file, text_lines
from curation.readers.seam import POSSIBLE, Candidate, Reader
from curation.recipe.source import Source
from curation.sources.decoding import Stored
from curation.sources.records import Bad, is_structured
from curation.turns.chat_api import ask, call, say
from curation.turns.shape import Row, Unfit

# How files of answers end.
_ANSWERS = {".cm", ".sh", ".tgt", ".target", ".out", ".answer", ".answers"}


def pairs(path: Stored, source: Source, *, file: str) -> Iterator[Row | Bad]:
    """The rows of a file of questions and the one that `answers` names."""
    if not isinstance(path, Path):
        raise SourceError(f"reader lines takes two files beside each other, none in an archive: {path.name}")
    answers = answer_file(path, source)
    if answers is None:
        raise SourceError("reader lines needs `answers`: the file with the other line of each pair")
    asked, broken = text_lines(path, source.encoding)
    answered, broken_too = text_lines(answers, source.encoding)
    fault = broken or broken_too
    if fault is not None:
        # What lies behind the break is one unreadable record, not one a line of the whole file.
        asked, answered = asked[: len(answered)], answered[: len(asked)]
    for found in rows(asked, answered, source):
        if isinstance(found, Unfit):
            yield Bad(str(found))
            continue
        if source.system is not None:
            found.messages.insert(0, say("system", source.system))
        yield found
    if fault is not None:
        yield Bad(str(fault))


def rows(asked: list[str], answered: list[str], source: Source) -> Iterator[Row | Unfit]:
    """A row per pair of lines. With `action` the answer is a call of what runs it.

    A pair without a question or an answer is Unfit, and so is each line beyond the shorter file's
    end. Pairs of two blank lines are skipped.
    """
    for question, reply in zip_longest(asked, answered):
        if question is None or reply is None:
            longer = "questions" if reply is None else "answers"
            yield Unfit(f"only the file of {longer} has this line: {(question or reply or '')[:80]}")
        elif not question.strip() and not reply.strip():
            continue
        elif not question.strip() or not reply.strip():
            yield Unfit(f"{'the question' if not question.strip() else 'the answer'} is blank")
        elif source.action not in (None, "text"):
            made = call(*run(source.action, reply))
            yield Row([say("user", question), ask([made])], tools_for([source.action], ()), [])
        else:
            yield Row([say("user", question), say("assistant", reply)], None, [])


def guess_text(path: Path) -> Iterator[Candidate]:
    """One of two files of the same stem and as many lines."""
    partner = _partner(path)
    if partner is not None:
        yield Candidate(POSSIBLE, {"answers": partner.name}, is_sure=True)


def _partner(path: Path) -> Path | None:
    """The file of the same stem and as many lines that holds the answers."""
    others = [p for p in path.parent.glob(f"{glob.escape(path.stem)}.*") if p != path and p.is_file()]
    if len(others) != 1 or is_structured(others[0]):
        return None
    named = [p for p in (path, others[0]) if p.suffix in _ANSWERS]
    answers = named[0] if len(named) == 1 else max(path, others[0])
    return answers if path != answers and 1 < _line_count(path) == _line_count(answers) else None


def _line_count(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


READER = Reader(rows=pairs, guess_text=guess_text)
