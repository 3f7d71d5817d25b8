"""What Ollama's own code makes of our Modelfile's template: asked once, kept in recorded/ollama.json.

To ask again, after a change of the Go template or for a later Ollama (with Go 1.26), from tests/:

    git clone https://github.com/ollama/ollama ../../ollama
    mkdir ../../ollama/cmd/check && cp recorded/ollama_check.go ../../ollama/cmd/check/main.go
    (cd ../../ollama && go build -o check ./cmd/check)
    VERSION=<commit> OLLAMA=../../ollama PYTHONPATH=.. python ollama_record.py

ollama_check.go calls Ollama's packages template, thinking and tools as its chat handler does. The record
holds, for every built-in template in both ways of thinking and every form of an answer, and for a few forms
in its first edition, what Ollama parses when the answer comes in pieces of 1, 3, 7 and 1,000 characters, and
what it renders when that is sent back.
"""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from clients_record import TEMPLATES, write_record

from curation.rendering.template import BUILT_IN, Template, built_in
from curation.turns.thoughts import has_thought
from train.ship.modelfile import go_template
from train.ship.round_trip import FORMS, answer, history

RECORD = Path(__file__).parent / "recorded/ollama.json"
STEPS = (1, 3, 7, 1000)
FIRST = {f"{name} first": built_in(name, first=True) for name in BUILT_IN}
FIRST_FORMS = ("words and call", "several calls", "thought and words")


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
    template, (turn, tools) = (TEMPLATES | FIRST)[name], FORMS[form]
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


if __name__ == "__main__":
    records = [record(name, form) for name in TEMPLATES for form in FORMS]
    records += [record(name, form) for name in FIRST for form in FIRST_FORMS]
    write_record(RECORD, {"Ollama": {"version": os.environ["VERSION"], "records": records}})
