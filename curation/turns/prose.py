"""What people and models said in a row, without code: the text that a language is judged by."""

import re
from collections.abc import Sequence

import orjson

# A fenced block, closed or not; inline code; an address.
CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|<\|?[/\w]+\|?>", re.DOTALL)

TURN_CHARS = 400
ROW_CHARS = 1000


def prose(messages: str) -> str:
    """Up to 400 characters of each user and assistant turn, code and addresses left out, 1,000 in all.

    messages: the row's JSON text. The beginning of every turn counts, so that a long question does
    not hide the language of its answer.
    """
    found, size = [], 0
    for message in orjson.loads(messages):
        content = message["content"]
        if not content or message["role"] not in ("user", "assistant"):
            continue
        # Fences are looked for in more than is kept: what they hold is left out.
        said = content[: 4 * TURN_CHARS]
        if "`" in said or "://" in said or "<" in said:
            said = CODE.sub(" ", said)
        found.append(said[:TURN_CHARS])
        size += len(found[-1])
        if size >= ROW_CHARS:
            break
    return "\n".join(found)[:ROW_CHARS]


def proses(messages: Sequence[str]) -> list[str]:
    """`prose` of every row of a column."""
    return [prose(text) for text in messages]
