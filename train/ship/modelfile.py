"""An Ollama Modelfile: the chat template in Go's template language, and where a turn ends.

What Ollama renders is what training rendered, token for token, but for what is not in a template's hands: it
holds call arguments and the properties of schemas in maps, so that their keys come in alphabetical order,
numbers as floats, and of a schema only the keys that it knows (train/ship/clients.py has its rules).
"""

import json

from curation.rendering.template_parts import TOOLS_CLOSE, TOOLS_OPEN, Markup
from curation.turns.thoughts import CLOSES, NO_THOUGHT, OPENS, SPACE

# Go's JSON in the form that training writes: `, ` and `: `, and as they are <, > and &, which Go escapes.
# Templates have no function for it: 32 characters of a string at once where none is escaped, else one.
ESCAPED = {f"\\u{ord(character):04x}": character for character in "<>&"}
SPACED = "".join(
    (
        '{{ define "spaced" }}{{ $rest := . }}{{ $quoted := false }}{{ range len . }}',
        '{{ if not $rest }}{{ break }}{{ end }}{{ $part := printf "%.32s" $rest }}',
        '{{ if and $quoted (eq (printf "%q" $part) (printf `"%s"` $part)) }}{{ $part }}',
        r'{{ else if eq (index $rest 0) 92 }}{{ $part = printf "%.6s" $rest }}',
        *(
            f"{{{{ {'else ' * bool(n)}if eq $part `{escape}` }}}}{character}"
            for n, (escape, character) in enumerate(ESCAPED.items())
        ),
        '{{ else }}{{ $part = printf "%.2s" $rest }}{{ $part }}{{ end }}',
        '{{ else }}{{ $part = printf "%.1s" $rest }}{{ $part }}',
        '{{ if eq $part `"` }}{{ $quoted = not $quoted }}{{ else if $quoted }}',
        '{{ else if eq $part "," ":" }} {{ end }}{{ end }}',
        "{{ $rest = slice $rest (len $part) }}{{ end }}{{ end }}",
    )
)
# A schema, its parameters in the usual order of their keys; where Ollama holds more than these, in its own.
SCHEMA = "".join(
    (
        '{"name": {{ template "spaced" (json .Function.Name) }}{{ if .Function.Description }}, ',
        '"description": {{ template "spaced" (json .Function.Description) }}{{ end }}',
        '{{ with .Function.Parameters }}{{ if .Type }}, "parameters": ',
        '{{ $type := printf `{"type":%s` (json .Type) }}',
        '{{ $required := printf `"required":%s` (json .Required) }}',
        '{{ $properties := printf `"properties":%s` (json .Properties) }}',
        "{{ if eq (json .) (printf `%s,%s,%s}` $type $required $properties) }}",
        '{{ template "spaced" (printf `%s,%s,%s}` $type $properties $required) }}',
        '{{ else }}{{ template "spaced" (json .) }}{{ end }}{{ end }}{{ end }}}',
    )
)
# Most texts are the same as Go's %q writes them, which is quick: those that need no escape, and those whose
# escapes are JSON's.
CALL = (
    '<tool_call>\n{"name": {{ json .Function.Name }}, "arguments": {{ "{" }}{{ $rest := false }}'
    "{{ range $key, $value := .Function.Arguments }}{{ if $rest }}, {{ end }}{{ $rest = true }}"
    '{{ template "spaced" (json $key) }}: {{ $json := json $value }}{{ $go := printf "%q" $value }}'
    '{{ if ne (printf "%T" $value) "string" }}{{ template "spaced" $json }}'
    '{{ else if eq $go $json (printf `"%s"` $value) }}{{ $go }}'
    '{{ else }}{{ template "spaced" $json }}{{ end }}{{ end }}}}\n</tool_call>'
)
LINE_END = (
    "{{ if $words }}{{ $n := len (slice $words 1) }}{{ if eq (index $words $n) 10 }}"
    "{{ $words = slice $words 0 $n }}{{ end }}{{ end }}"
)

NOTE = """\
# Ollama sorts the keys of call arguments and of a schema's properties, holds numbers as floats, escapes
# U+2028 and U+2029, and drops what it does not know of a schema; the card beside shows it. All else reads
# as in training.
"""


def modelfile(gguf: str, markup: Markup, context: int | None) -> str:
    """The Modelfile of a GGUF file that lies beside it; Ollama runs the built-in templates alone.

    context: tokens that the model was trained on at once; Ollama's own default may cut a conversation without
    a word.
    """
    lines = [f"# ollama create NAME -f {gguf.removesuffix('.gguf')}.Modelfile\n", f"FROM ./{gguf}\n"]
    lines += [NOTE, f'TEMPLATE """{go_template(markup)}"""\n']
    lines += [f"PARAMETER stop {quoted(stop)}\n" for stop in stops(markup)]
    lines += [f"PARAMETER num_ctx {context}\n"] if context is not None else []
    return "".join(lines)


def stops(markup: Markup) -> list[str]:
    """What ends an answer: the end token, and the opening of a user's turn should the model go on."""
    return list(dict.fromkeys([markup.end, markup.user_open.strip()]))


def go_template(markup: Markup) -> str:
    """A built-in template in Go's language. A last assistant message is left open, to be gone on with.

    Ollama reads a template as well as it executes it: the literal text that stands first after
    `{{ if .ToolCalls }}` marks a call, and what stands around `{{ .Thinking }}` a thought. Source:
    tools/template.go and thinking/template.go of https://github.com/ollama/ollama
    """
    late, close = action(markup.late_system_open), action(markup.system_close)
    return "".join(
        (
            SPACED,
            '{{- $system := "" }}{{ $has := false }}{{ range $i, $_ := .Messages }}',
            '{{ if and (eq $i 0) (eq .Role "system") }}',
            "{{ $system = .Content }}{{ $has = true }}{{ end }}{{ end }}",
            action(markup.head),
            "{{ if or .Tools $has }}",
            action(markup.system_open),
            '{{ $system }}{{ if .Tools }}{{ if $system }}{{ "\\n\\n" }}{{ end }}',
            action(TOOLS_OPEN),
            f'{{{{ range .Tools }}}}{SCHEMA}{{{{ "\\n" }}}}{{{{ end }}}}',
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
            f"{{{{ if $calls }}}}{LINE_END}{{{{ end }}}}" if markup.verbatim else thought(markup),
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
    """The thought of a turn, then its words, in `$words`, both without the white space that Ollama leaves."""
    empty = (
        f'{{{{ else if ne (printf "%.7s" $words) "{OPENS}" }}}}{action(NO_THOUGHT)}'
        if markup.thinking == "empty"
        else ""
    )
    return (
        f"{trimmed('$words')}{{{{ if .Thinking }}}}{OPENS}\n{{{{ $thought := .Thinking }}}}"
        f"{trimmed('$thought')}{{{{ $thought }}}}\n{CLOSES}\n\n{empty}{{{{ end }}}}"
    )


def trimmed(name: str) -> str:
    """What takes the white space off the end of the text in a variable."""
    return (
        f"{{{{ range len {name} }}}}{{{{ $n := len (slice {name} 1) }}}}"
        f"{{{{ if eq (index {name} $n) {' '.join(str(ord(space)) for space in SPACE)} }}}}"
        f"{{{{ {name} = slice {name} 0 $n }}}}{{{{ else }}}}{{{{ break }}}}{{{{ end }}}}{{{{ end }}}}"
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
