"""Questions and answers in two columns, whatever the set calls them."""

from curation.readers.columns import Columns
from curation.readers.commands import bash_arguments
from curation.readers.shape import Convert, Row, Unfit
from curation.readers.turns import ask, call, say
from curation.source import Source

WANTED = {
    "question": (
        "question",
        "questions",
        "query",
        "user_query",
        "prompt",
        "instruction",
        "problem",
        "user",
        "input",
    ),
    "answer": (
        "answer",
        "answers",
        "response",
        "chatgpt_response",
        "completion",
        "output",
        "solution",
        "assistant",
        "best_answer",
    ),
    "system": ("system", "system_prompt"),
    "context": (),
}


def converter(source: Source) -> Convert:
    """A user turn and an assistant turn a record.

    `columns` may name `question`, `answer`, `system` and `context` (a passage set before the
    question). With `action: bash` the answer is a command and becomes a call of `bash`.
    """
    columns = Columns(WANTED, source.columns, ("question", "answer"), source.reader)

    def convert(data: bytes) -> Row:
        found = columns(data)
        question, answer = found["question"] or "", found["answer"] or ""
        if not question.strip():
            raise Unfit("the question is empty")
        if context := found.get("context"):
            question = f"{context}\n\n{question}"
        messages = [say("system", system)] if (system := found.get("system")) else []
        messages.append(say("user", question))
        if source.action == "bash":
            messages.append(ask([call("bash", bash_arguments(answer))]))
        else:
            messages.append(say("assistant", answer))
        return Row(messages, None, [])

    return convert
