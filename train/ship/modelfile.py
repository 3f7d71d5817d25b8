"""An Ollama Modelfile: the chat template in Go's template language, and where a turn ends.

What Ollama renders is what training rendered, token for token, but for one thing that is not in a
template's hands: Ollama writes tool schemas and call arguments as JSON of its own make (no spaces, its
own order of keys).
"""

import json

from curation.rendering.template import Template
from curation.rendering.template_parts import TOOLS_CLOSE, TOOLS_OPEN, Markup

NOTE = """\
# Ollama writes tool schemas and arguments as compact JSON with its own key order; everything else is
# rendered as in training.
"""


def modelfile(gguf: str, template: Template) -> str:
    """The Modelfile of a GGUF file that lies beside it."""
    lines = [f"# ollama create NAME -f {gguf.removesuffix('.gguf')}.Modelfile\n", f"FROM ./{gguf}\n"]
    if template.markup is not None:
        lines += [NOTE, f'TEMPLATE """{go_template(template.markup)}"""\n']
    else:
        lines.append(
            f"# The template {template.name} is in the GGUF file; Ollama cannot read that language.\n"
        )
    lines += [f"PARAMETER stop {quoted(stop)}\n" for stop in stops(template)]
    return "".join(lines)


def stops(template: Template) -> list[str]:
    """What ends an answer: the end token, and the opening of a user's turn should the model go on."""
    found = [template.end]
    if template.markup is not None:
        found.append(template.markup.user_open.strip())
    return list(dict.fromkeys(found))


def go_template(markup: Markup) -> str:
    """A built-in template in Go's language. A last assistant message is left open, to be gone on with."""
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
            '{{ range .Tools }}{{ .Function }}{{ "\\n" }}{{ end }}',
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
            f"{action(markup.assistant_open)}{{{{ .Content }}}}",
            '{{ if .ToolCalls }}{{ if .Content }}{{ "\\n" }}{{ end }}',
            '{{ range $n, $_ := .ToolCalls }}{{ if $n }}{{ "\\n" }}{{ end }}<tool_call>\n',
            '{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}\n</tool_call>',
            "{{ end }}{{ end }}{{ if not $last }}",
            f"{action(markup.end + markup.tail)}{{{{ end }}}}",
            "{{ end }}{{ $previous = .Role }}{{ end }}",
            f'{{{{ if eq $previous "tool" }}}}{action(markup.user_close)}{{{{ end }}}}',
            f'{{{{ if ne $previous "assistant" }}}}{action(markup.assistant_open)}{{{{ end }}}}',
        )
    )


def action(text: str) -> str:
    """A text that no trim marker and no white space around it can change."""
    return f"{{{{ {quoted(text)} }}}}" if text else ""


def quoted(text: str) -> str:
    """A text as a Go string."""
    return json.dumps(text, ensure_ascii=False)
