"""What Ollama's own code makes of our Modelfile's template: asked once, kept in recorded/ollama.json.

To ask again, after a change of the Go template or for a later Ollama (with Go 1.26), from tests/:

    git clone https://github.com/ollama/ollama ../../ollama
    mkdir ../../ollama/cmd/check && cp recorded/ollama_check.go ../../ollama/cmd/check/main.go
    (cd ../../ollama && go build -o check ./cmd/check)
    OLLAMA=../../ollama PYTHONPATH=.. python ollama_record.py

ollama_check.go calls Ollama's packages template, thinking and tools as its chat handler does. The record
holds, for every built-in template in both ways of thinking and every form of an answer, what Ollama parses
when the answer comes in pieces of 1, 3, 7 and 1,000 characters, and what it renders when that is sent back.
"""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from curation.rendering.template import BUILT_IN, Template, built_in, spans
from curation.row import Message, message
from curation.turns.thoughts import has_thought
from train.ship.modelfile import go_template

RECORD = Path(__file__).parent / "recorded/ollama.json"
STEPS = (1, 3, 7, 1000)
BASH = {
    "type": "function",
    "function": {
        "name": "bash",
        "description": "Run <it> & see.",
        "parameters": {
            "type": "object",
            "properties": {"command": {"type": "string"}},
            "required": ["command"],
        },
    },
}
LIST = {
    "type": "function",
    "function": {
        "name": "list_agents",
        "description": "All.",
        "parameters": {"type": "object", "properties": {}},
    },
}
TOOLS = json.dumps([BASH, LIST])


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"id": "call00001", "name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}


THOUGHT = '<think>\nhm, {"a": 1}\nyes\n</think>\n\n'
LS = call("bash", command="ls -la")
SHELL = call("bash", command='grep -c "<b>" a.html && echo \'{"x": [1]}\' > "b c"\n# größer')
# name: (an assistant's turn, offered tools)
FORMS: dict[str, tuple[Message, str | None]] = {
    "words": (message("assistant", "Four: {2, 2}.\n\n    indented"), TOOLS),
    "words without tools": (message("assistant", "Four."), None),
    "call": (message("assistant", None, tool_calls=[LS]), TOOLS),
    "call without arguments": (message("assistant", None, tool_calls=[call("list_agents")]), TOOLS),
    "words and call": (message("assistant", "I use { braces } first.", tool_calls=[LS]), TOOLS),
    "several calls": (message("assistant", None, tool_calls=[LS, SHELL, call("list_agents")]), TOOLS),
    "words and several calls": (message("assistant", "Both.", tool_calls=[SHELL, LS]), TOOLS),
    "thought and words": (message("assistant", THOUGHT + "Four."), TOOLS),
    "thought and call": (message("assistant", THOUGHT, tool_calls=[LS]), TOOLS),
    "thought, words and calls": (message("assistant", THOUGHT + "Look:", tool_calls=[LS, SHELL]), TOOLS),
    "numbers": (
        message(
            "assistant", None, tool_calls=[call("bash", command="x", n=1.0, m=2.5, deep={"a": [1, "é"]})]
        ),
        TOOLS,
    ),
    "order of keys": (message("assistant", None, tool_calls=[call("bash", command="x", all=True)]), TOOLS),
}
TEMPLATES: dict[str, Template] = {
    **{name: built_in(name) for name in BUILT_IN},
    **{f"{name} empty": built_in(name, "empty") for name in BUILT_IN},
}


def history(turn: Message) -> list[Message]:
    """A conversation with the turn in it, and its results."""
    results = [
        message("tool", f"out {n}", tool_call_id="call00001") for n, _ in enumerate(turn["tool_calls"] or ())
    ]
    opening = [message("system", "You are AJ."), message("user", "How many?")]
    return [*opening, turn, *results, message("user", "And now?")]


def answer(template: Template, turn: Message, tools: str | None) -> str:
    """What a model that was trained on the turn says."""
    text, ((start, end),) = spans(template, history(turn)[:3], tools)
    return text[start:end].removesuffix(template.end)


def digest(template: Template) -> str:
    """Of the Go template that a record was made with."""
    assert template.markup is not None
    return hashlib.sha256(go_template(template.markup).encode()).hexdigest()


def asked(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What Ollama makes of jobs."""
    done = subprocess.run(
        [f"{os.environ['OLLAMA']}/check"], input=json.dumps(jobs), capture_output=True, text=True, check=True
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def record(name: str, form: str) -> dict[str, Any]:
    """One answer, parsed in pieces, and what is rendered when it is sent back."""
    template, (turn, tools) = TEMPLATES[name], FORMS[form]
    assert template.markup is not None
    job: dict[str, Any] = {
        "template": go_template(template.markup),
        "tools": json.loads(tools) if tools else [],
    }
    if name.endswith("empty") and not has_thought(turn):
        job["think"] = False
    opening = [{k: v for k, v in m.items() if v is not None} for m in history(turn)]
    said = answer(template, turn, tools)
    parsed = [
        one["message"]
        for one in asked([job | {"messages": opening[:2], "answer": said, "step": n} for n in STEPS])
    ]
    (back,) = asked([job | {"messages": [*opening[:2], {"role": "assistant", **parsed[0]}, *opening[3:]]}])
    return {
        "template": name,
        "form": form,
        "digest": digest(template),
        "answer": said,
        "parsed": [one for n, one in enumerate(parsed) if one not in parsed[:n]],
        "tag": back["tag"],
        "thinks": back["thinks"],
        "back": back["prompt"],
    }


def commit() -> str:
    """Of the Ollama that is asked."""
    git = ["git", "-C", os.environ["OLLAMA"], "rev-parse", "HEAD"]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    records = [record(name, form) for name in TEMPLATES for form in FORMS]
    found = {"client": "Ollama", "commit": commit(), "records": records}
    RECORD.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
