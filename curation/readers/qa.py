"""Questions and answers in two columns, whatever the set calls them."""

from curation.calls.bash_call import bash_arguments
from curation.calls.function_calls import calls
from curation.calls.python_calls import offered_names
from curation.calls.text_calls import definitions, say_arguments, says_no_more
from curation.readers.columns import Columns
from curation.recipe.source import Source
from curation.turns.chat_api import ask, call, say
from curation.turns.shape import Convert, Row, Unfit

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
    "tools": ("tools", "functions"),
}


def converter(source: Source) -> Convert:
    """A user turn and an assistant turn a record.

    `columns` may name `question`, `answer`, `system`, `tools` and `context` (a passage set before the
    question). With `action: bash` the answer is a command and becomes a call of `bash`. Beside
    `tools`, as in xLAM's sets, an answer that is a JSON list of calls is these calls.
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
            return Row(messages, None, [])
        # A column of that name may also hold rakes and hoes.
        tools = definitions(listed) if (listed := found.get("tools")) else None
        made = asked(answer, tools) if tools else None
        messages.append(ask(made) if made else say("assistant", answer))
        return Row(messages, tools, [])

    return convert


def asked(answer: str, tools: str) -> list[dict[str, str | None]] | None:
    """The calls that an answer lists as JSON and nothing else; None where it is words.

    A call of a tool that is not offered is one, too, for the tools stage to judge, where it has arguments.
    """
    if answer.lstrip()[:1] not in ("[", "{") or not says_no_more(answer):
        return None
    try:
        made = calls(answer)
    except Unfit:
        return None
    offered = {one["name"] for one in made} <= set(offered_names(tools))
    return made if offered or say_arguments(answer) else None
