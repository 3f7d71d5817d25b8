"""Actions as agents' logs write them: what is to be run, a word of the environment, or the end.

A log's action is a text: a command, a statement, some code. Around it stand what its environment and its
model put there: `execute[…]`, a fence, labels (`Action 2:`), and output that the model made up. LANGUAGES
says what a text in each language is a call of, so that the next language is a line and a test.
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from curation.calls.action_language import FENCES, is_complete
from curation.calls.tool_schemas import read_tools, tools_file


class Language(NamedTuple):
    """The tool that runs texts of a language: its name, its argument, what it does."""

    tool: str
    argument: str
    meaning: str


# `bash` is the tool of schemas/aj_tools.json; the others come with a schema of their own.
LANGUAGES = {
    "bash": Language("bash", "command", ""),
    "sql": Language("sql", "query", "Run an SQL statement on the database and return its rows."),
    "python": Language("python", "code", "Run Python code and return what it prints."),
    "powershell": Language("powershell", "command", "Run a PowerShell command and return its output."),
}
# Words of environments that run what stands in their brackets.
_RUNS = {
    "execute": None,
    "run": None,
    "bash": "bash",
    "shell": "bash",
    "sql": "sql",
    "python": "python",
    "powershell": "powershell",
}
# Words that end an episode; what they are given is the agent's answer.
CLOSING = frozenset({"submit", "finish", "answer", "final_answer", "final answer", "done", "skip"})
_INPUT = "input"

_FENCED = re.compile(r"(?P<before>[^`]*)```(?P<body>.*?)```(?P<after>[^`]*)", re.DOTALL)
_FENCE_WORD = re.compile(r"(\w+)(?:\s+|\Z)")
_REACT = re.compile(
    r"\s*(?:Thought(?: \d+)?:(?P<thought>.*?)\n\s*)?Action(?: \d+)?:\s*(?P<action>.*)", re.DOTALL
)
_BRACKETS = re.compile(r"([A-Za-z_]\w*)\[(.*)\]\s*(\n.*)?", re.DOTALL)
_CUT_OFF = re.compile(r"(execute|search|click|lookup|finish|submit)\[", re.IGNORECASE)
_BARE = re.compile(
    r"(submit|skip|finish|final[_ ]answer|done|scroll_up|scroll_down)(?:\s*\(\s*\))?", re.IGNORECASE
)
_GIVEN = re.compile(
    r"(submit(?=[ \t])|(?:finish|final[_ ]answer)(?=:)):?\s*(\S.*)", re.IGNORECASE | re.DOTALL
)
# SWE-agent's own commands, which are no programs: its container defines them.
_SWE_AGENT = re.compile(
    r"(?:(open|create)[ \t]+([\w~./-]*[./][\w./-]*(?:[ \t]+\d+)?)|(goto)[ \t]+(\d+)"
    r"|(search_dir|search_file|find_file)[ \t]+([^\n]+)|(edit)\s+(\d+:\d+\s*\n.*)\nend_of_edit)",
    re.DOTALL,
)
_LABELS = r"(?:Output|Observation|Reward|Result|Action|Thought)(?: \d+)?:"
_OUTPUT = re.compile(rf"\n\s*{_LABELS}|\s(?:Output|Observation|Reward|Action|Thought)(?: \d+)?:(?=\s)")
_STARTS_AS_OUTPUT = re.compile(r"\s*(?:Output|Observation|Reward|Result)(?: \d+)?:")
_SPEAKS = re.compile(r"\b(?:echo|printf|logger|grep|git)\b[^\n|;&]*\Z")


class Action(NamedTuple):
    """An action taken apart.

    text       what is to be run, or what the word is given
    word       of the environment, in lower case; none for a text in a language
    language   that a fence or a word names
    thought    what stood before it
    after      characters of what stood behind it, which was never run
    is_whole   False where it breaks off inside the brackets of a word, or is output alone
    """

    text: str
    word: str | None = None
    language: str | None = None
    thought: str = ""
    after: int = 0
    is_whole: bool = True

    @property
    def is_closing(self) -> bool:
        """Whether it ends the episode."""
        return self.word in CLOSING


def taken_apart(text: str, language: str | None = None) -> Action:
    """What an action says, without what its environment and its model put around it.

    language: of the source, if known, which decides where a command may end.
    """
    bare = text.strip("\n")
    inner, thoughts = bare.strip(), []
    if found := _REACT.fullmatch(inner):
        inner, thoughts = found["action"].strip(), [found["thought"]]
    if _STARTS_AS_OUTPUT.match(inner):
        return Action(inner, is_whole=False)
    named, after = None, 0
    fenced = _FENCED.fullmatch(inner)
    if fenced and fenced["body"].strip():
        thoughts.append(fenced["before"])
        after = len(fenced["after"].strip())
        named, inner = _fenced(fenced["body"])
    inner, cut = _without_output(inner, named or language)
    thought = "\n".join(part.strip() for part in thoughts if part and part.strip())
    return _read(bare if inner == bare.strip() else inner, named, language)._replace(
        thought=thought, after=after + cut
    )


def _fenced(body: str) -> tuple[str | None, str]:
    """The language that a fence names, and what stands in it."""
    word = _FENCE_WORD.match(body)
    if word and (word[1].lower() in FENCES or body[word.end(1)] == "\n"):
        return FENCES.get(word[1].lower()), body[word.end() :].strip()
    return None, body.strip()


def _read(text: str, named: str | None, language: str | None) -> Action:
    """A word of the environment, or a text in a language; `named` by a fence, `language` by the source."""
    inner = text.strip()
    if found := _BRACKETS.fullmatch(inner):
        word, given = found[1].lower(), found[2].strip()
        if word in _RUNS:
            return Action(given, language=_RUNS[word] or named)
        # In Python, brackets behind a name take something out of it.
        if (named or language) != "python" or word in CLOSING:
            return Action(given, word)
    if _CUT_OFF.match(inner):
        return Action(inner, is_whole=False)
    if found := _BARE.fullmatch(inner):
        return Action("", found[1].lower())
    if found := _GIVEN.fullmatch(inner):
        return Action(found[2].strip(), found[1].lower())
    if (named or language) in (None, "bash") and (found := _SWE_AGENT.fullmatch(inner)):
        word, given = (part for part in found.groups() if part)
        return Action(given.strip(), word)
    return Action(text, language=named)


def _without_output(text: str, language: str | None) -> tuple[str, int]:
    """A command without the output behind it, and how many characters that was.

    It is cut where it is complete: quoted text and here-documents may hold such labels.
    """
    for found in _OUTPUT.finditer(text):
        before = text[: found.start()].rstrip()
        on_its_line = found[0][0] == "\n" or "\n" in found[0]
        if not on_its_line and language != "sql" and _SPEAKS.search(before):
            continue
        if before and is_complete(before, language):
            return before, len(text) - len(before)
    return text, 0


def run(language: str, text: str) -> tuple[str, str]:
    """The tool that runs a text of a language, and its arguments as a JSON string."""
    tool = LANGUAGES[language]
    return tool.tool, orjson.dumps({tool.argument: text}).decode()


def told(word: str, text: str) -> tuple[str, str]:
    """A word of the environment as a tool of that name, and its arguments as a JSON string."""
    return word.replace(" ", "_"), orjson.dumps({_INPUT: text} if text else {}).decode()


def tools_for(languages: Iterable[str], words: Iterable[str]) -> str | None:
    """The tools that calls of `run` and `told` need, as a JSON array; None for `bash` alone.

    Rows of `bash` alone are checked against the recipe's tools, as are those that name theirs.
    """
    languages, words = sorted(set(languages)), sorted({word.replace(" ", "_") for word in words})
    if not words and languages in ([], ["bash"]):
        return None
    listed = [_aj_bash() if name == "bash" else _of_language(LANGUAGES[name]) for name in languages]
    return orjson.dumps(listed + [_of_word(word) for word in words]).decode()


def _of_language(language: Language) -> dict[str, Any]:
    return _tool(language.tool, language.meaning, language.argument, required=True)


def _of_word(word: str) -> dict[str, Any]:
    return _tool(word, f"The environment's action `{word}`.", _INPUT, required=False)


def _tool(name: str, meaning: str, argument: str, *, required: bool) -> dict[str, Any]:
    parameters: dict[str, Any] = {"type": "object", "properties": {argument: {"type": "string"}}}
    if required:
        parameters["required"] = [argument]
    return {
        "type": "function",
        "function": {"name": name, "description": meaning, "parameters": parameters},
    }


@cache
def _aj_bash() -> dict[str, Any]:
    listed: list[dict[str, Any]] = orjson.loads(read_tools(tools_file("aj_tools", Path())))
    return next(one for one in listed if one["function"]["name"] == LANGUAGES["bash"].tool)
