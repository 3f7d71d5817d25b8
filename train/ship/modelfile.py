"""An Ollama Modelfile: the chat template in Go's template language, and where a turn ends.

What Ollama renders is what training rendered, token for token, but for what is not in a template's hands: it
holds call arguments and the parameters of schemas in maps, so that their keys come in alphabetical order,
what is nested in them without spaces, and numbers as floats (train/ship/clients.py has its rules).
"""

import json

from curation.rendering.template import Template
from curation.rendering.template_parts import TOOLS_CLOSE, TOOLS_OPEN, Markup
from curation.turns.thoughts import CLOSES, NO_THOUGHT, OPENS

# A schema: the name and the description are texts, the parameters print themselves as JSON.
TOOL = (
    '{"name": {{ printf "%q" .Function.Name }}, "description": {{ printf "%q" .Function.Description }}, '
    '"parameters": {{ json .Function.Parameters }}}'
)
# A call. Of the ways to write a text only %q leaves <, > and & alone, which shell commands are full of.
CALL = (
    '<tool_call>\n{"name": "{{ .Function.Name }}", "arguments": {{ "{" }}{{ $rest := false }}'
    "{{ range $key, $value := .Function.Arguments }}{{ if $rest }}, {{ end }}{{ $rest = true }}"
    '{{ printf "%q" $key }}: {{ if eq (printf "%T" $value) "string" }}{{ printf "%q" $value }}'
    "{{ else }}{{ json $value }}{{ end }}{{ end }}}}\n</tool_call>"
)
WITHOUT_LINE_END = (
    "{{ if $words }}{{ $n := len (slice $words 1) }}{{ if eq (index $words $n) 10 }}"
    "{{ $words = slice $words 0 $n }}{{ end }}{{ end }}"
)

NOTE = """\
# Ollama sorts the keys of call arguments, holds their numbers as floats, and writes what is nested in them,
# and the parameters of tool schemas, without spaces; the card beside shows it. All else reads as in training.
"""


def modelfile(gguf: str, template: Template, context: int | None) -> str:
    """The Modelfile of a GGUF file that lies beside it.

    context: tokens that the model was trained on at once; Ollama's own default may cut a conversation without
    a word.
    """
    lines = [f"# ollama create NAME -f {gguf.removesuffix('.gguf')}.Modelfile\n", f"FROM ./{gguf}\n"]
    if template.markup is not None:
        lines += [NOTE, f'TEMPLATE """{go_template(template.markup)}"""\n']
    else:
        lines.append(
            f"# The template {template.name} is in the GGUF file; Ollama cannot read that language.\n"
        )
    lines += [f"PARAMETER stop {quoted(stop)}\n" for stop in stops(template)]
    lines += [f"PARAMETER num_ctx {context}\n"] if context is not None else []
    return "".join(lines)


def stops(template: Template) -> list[str]:
    """What ends an answer: the end token, and the opening of a user's turn should the model go on."""
    found = [template.end]
    if template.markup is not None:
        found.append(template.markup.user_open.strip())
    return list(dict.fromkeys(found))


def go_template(markup: Markup) -> str:
    """A built-in template in Go's language. A last assistant message is left open, to be gone on with.

    Ollama reads a template as well as it executes it: the literal text that stands first after
    `{{ if .ToolCalls }}` marks a call, and what stands around `{{ .Thinking }}` a thought. Source:
    tools/template.go and thinking/template.go of https://github.com/ollama/ollama
    """
    late, close = action(markup.late_system_open), action(markup.system_close)
    return "".join(
        (
            '{{- $system := "" }}{{ $has := false }}{{ range $i, $_ := .Messages }}',
            '{{ if and (eq $i 0) (eq .Role "system") }}',
            "{{ $system = .Content }}{{ $has = true }}{{ end }}{{ end }}",
            action(markup.head),
            "{{ if or .Tools $has }}",
            action(markup.system_open),
            '{{ $system }}{{ if .Tools }}{{ if $system }}{{ "\\n\\n" }}{{ end }}',
            action(TOOLS_OPEN),
            f'{{{{ range .Tools }}}}{TOOL}{{{{ "\\n" }}}}{{{{ end }}}}',
            action(TOOLS_CLOSE),
            "{{ end }}",
            close,
            '{{ end }}{{ $previous := "" }}{{ range $i, $_ := .Messages }}',
            "{{ $last := eq (len (slice $.Messages $i)) 1 }}",
            '{{ if and (eq $previous "tool") (ne .Role "tool") }}',
            f"{action(markup.user_close)}{{{{ end }}}}",
            '{{ if eq .Role "system" }}{{ if $i }}',
            f"{late}{{{{ .Content }}}}{close}",
            '{{ end }}{{ else if eq .Role "user" }}',
            f"{action(markup.user_open)}{{{{ .Content }}}}{action(markup.user_close)}",
            '{{ else if eq .Role "tool" }}{{ if eq $previous "tool" }}{{ "\\n" }}{{ else }}',
            f'{action(markup.user_open)}{{{{ end }}}}{{{{ "<tool_response>\\n" }}}}{{{{ .Content }}}}',
            '{{ "\\n</tool_response>" }}{{ else if eq .Role "assistant" }}',
            action(markup.assistant_open),
            "{{ $words := .Content }}{{ $calls := .ToolCalls }}",
            "" if markup.verbatim else thought(markup),
            '{{ $words }}{{ if $words }}{{ if $calls }}{{ "\\n" }}{{ end }}{{ end }}',
            f"{{{{ if .ToolCalls }}}}{{{{ range $n, $_ := .ToolCalls }}}}{CALL}",
            '{{ if ne (len (slice $calls $n)) 1 }}{{ "\\n" }}{{ end }}{{ end }}{{ end }}',
            f"{{{{ if not $last }}}}{action(markup.end + markup.tail)}{{{{ end }}}}",
            "{{ end }}{{ $previous = .Role }}{{ end }}",
            f'{{{{ if eq $previous "tool" }}}}{action(markup.user_close)}{{{{ end }}}}',
            f'{{{{ if ne $previous "assistant" }}}}{prompt(markup)}{{{{ end }}}}',
        )
    )


def thought(markup: Markup) -> str:
    """The thought of a turn, then its words, in `$words`, without the line's end that Ollama leaves them."""
    empty = (
        f'{{{{ else if ne (printf "%.7s" $words) "{OPENS}" }}}}{action(NO_THOUGHT)}'
        if markup.thinking == "empty"
        else ""
    )
    return (
        "{{ $size := len .Thinking }}{{ if .Thinking }}{{ $n := len (slice .Thinking 1) }}"
        "{{ if eq (index .Thinking $n) 10 }}{{ $size = $n }}{{ end }}{{ end }}"
        f"{{{{ if .Thinking }}}}{OPENS}\n{{{{ slice .Thinking 0 $size }}}}\n{CLOSES}\n\n{empty}{{{{ end }}}}"
        f"{WITHOUT_LINE_END * 2}"
    )


def prompt(markup: Markup) -> str:
    """What asks for an answer; where it opens a thought, `think: false` closes it."""
    if markup.thinking == "as_is":
        return action(markup.assistant_open)
    closed, opened = action(markup.prompt(enable_thinking=False)), action(markup.prompt())
    return f"{{{{ if and .IsThinkSet (not .Think) }}}}{closed}{{{{ else }}}}{opened}{{{{ end }}}}"


def action(text: str) -> str:
    """A text that no trim marker and no white space around it can change."""
    return f"{{{{ {quoted(text)} }}}}" if text else ""


def quoted(text: str) -> str:
    """A text as a Go string."""
    return json.dumps(text, ensure_ascii=False)
