"""The Go template of the Modelfile renders as training does; Go itself is the judge where it is installed."""

import json
import shutil
import subprocess

import pytest

from curation.rendering.template import built_in
from curation.row import message
from train.ship.modelfile import go_template, modelfile

TOOLS = [
    {
        "type": "function",
        "function": {"name": "bash", "description": "Run <it> & see.", "parameters": {"type": "object"}},
    }
]
CALL = {"id": "c1", "name": "bash", "arguments": '{"command":"ls -la"}'}
CONVERSATIONS = {
    "plain": [message("user", "Hello\n")],
    "system and turns": [
        message("system", "You are AJ."),
        message("user", "  two  "),
        message("assistant", "<think>\nhm\n</think>\n\nfour"),
        message("user", "more"),
    ],
    "late system": [
        message("user", "a"),
        message("assistant", "b"),
        message("system", "be brief"),
        message("user", "c"),
    ],
    "one call": [
        message("user", "list"),
        message("assistant", None, tool_calls=[CALL]),
        message("tool", "a.txt"),
    ],
    "calls and words": [
        message("system", "You are AJ."),
        message("user", "list"),
        message("assistant", "Sure.", tool_calls=[CALL, CALL]),
        message("tool", "a.txt"),
        message("tool", ""),
        message("assistant", "done"),
        message("user", "thanks"),
    ],
}
# Messages as Ollama hands them to a template; functions and arguments print themselves as JSON.
PROGRAM = """
package main

import (
    "encoding/json"
    "os"
    "text/template"
)

type Function struct { Name string; Description string; Parameters json.RawMessage }
func (f Function) String() string {
    head := `{"name":"` + f.Name + `","description":"` + f.Description
    return head + `","parameters":` + string(f.Parameters) + `}`
}
type Tool struct { Function Function }
type Arguments json.RawMessage
func (a Arguments) String() string { return string(a) }
type Call struct { Function struct { Name string; Arguments Arguments } }
type Message struct { Role string; Content string; ToolCalls []Call }
type Values struct { Messages []Message; Tools []Tool }
func (a *Arguments) UnmarshalJSON(b []byte) error { *a = append((*a)[0:0], b...); return nil }

func main() {
    var jobs []struct { Template string; Values Values }
    if err := json.NewDecoder(os.Stdin).Decode(&jobs); err != nil { panic(err) }
    var out []string
    for _, job := range jobs {
        var b = &writer{}
        t := template.Must(template.New("").Parse(job.Template))
        if err := t.Execute(b, job.Values); err != nil { panic(err) }
        out = append(out, string(b.data))
    }
    json.NewEncoder(os.Stdout).Encode(out)
}
type writer struct { data []byte }
func (w *writer) Write(p []byte) (int, error) { w.data = append(w.data, p...); return len(p), nil }
"""


def values(messages, tools):
    """A conversation in Ollama's shape."""
    shaped = []
    for said in messages:
        calls = [
            {"Function": {"Name": c["name"], "Arguments": json.loads(c["arguments"])}}
            for c in said["tool_calls"] or ()
        ]
        shaped.append({"Role": said["role"], "Content": said["content"] or "", "ToolCalls": calls})
    functions = [{"Function": {k.title(): v for k, v in tool["function"].items()}} for tool in tools or ()]
    return {"Messages": shaped, "Tools": functions}


def compact(text: str) -> str:
    """A rendering with the tool schemas' JSON as Ollama spells it."""
    spelled = json.dumps(TOOLS[0]["function"], ensure_ascii=False)
    return text.replace(spelled, json.dumps(TOOLS[0]["function"], ensure_ascii=False, separators=(",", ":")))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """What Go renders: (template, conversation, with tools) -> text."""
    if shutil.which("go") is None:
        pytest.skip("Go is not installed: its template engine cannot be asked")
    folder = tmp_path_factory.mktemp("go")
    (folder / "main.go").write_text(PROGRAM)
    cases = [
        (t, name, tools) for t in ("aj_r1", "chatml") for name in CONVERSATIONS for tools in (False, True)
    ]
    jobs = [
        {
            "Template": go_template(built_in(t).markup),
            "Values": values(CONVERSATIONS[name], TOOLS if tools else None),
        }
        for t, name, tools in cases
    ]
    done = subprocess.run(
        ["go", "run", "main.go"],
        cwd=folder,
        input=json.dumps(jobs, separators=(",", ":")),
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin:/usr/local/go/bin", "HOME": str(folder), "GOFLAGS": "-mod=mod"},
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(cases, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("tools", [False, True])
@pytest.mark.parametrize("template", ["aj_r1", "chatml"])
def test_go_renders_what_training_rendered(rendered, template, name, tools):
    said = json.dumps(TOOLS) if tools else None
    expected = built_in(template).render(CONVERSATIONS[name], said, add_generation_prompt=True)
    assert rendered[template, name, tools] == compact(expected)


def test_the_modelfile_names_the_file_and_the_stops():
    text = modelfile("AJ-Tiny-v1.0.0-q8.gguf", built_in("aj_r1"))
    assert "\nFROM ./AJ-Tiny-v1.0.0-q8.gguf\n" in text
    assert 'PARAMETER stop "<｜end▁of▁sentence｜>"' in text  # noqa: RUF001
    assert 'PARAMETER stop "<｜User｜>"' in text  # noqa: RUF001
    assert "-f AJ-Tiny-v1.0.0-q8.Modelfile" in text


def test_the_tag_of_a_tool_call_is_plain_text_where_ollama_looks_for_it():
    inside = go_template(built_in("aj_r1").markup).partition("{{ if .ToolCalls }}")[2]
    assert "}}<tool_call>\n{" in inside
