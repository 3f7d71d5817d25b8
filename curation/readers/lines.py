"""Two text files side by side: line n of one asks, line n of the other answers."""

from collections.abc import Iterator
from itertools import zip_longest

from curation.calls.bash_call import bash_arguments
from curation.recipe.source import Source
from curation.turns.chat_api import ask, call, say
from curation.turns.shape import Row, Unfit


def rows(asked: list[str], answered: list[str], source: Source) -> Iterator[Row | Unfit]:
    """A row per pair of lines. With `action: bash` the answer is a call of `bash`.

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
        elif source.action == "bash":
            yield Row([say("user", question), ask([call("bash", bash_arguments(reply))])], None, [])
        else:
            yield Row([say("user", question), say("assistant", reply)], None, [])
