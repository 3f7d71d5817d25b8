"""What people and models said in a row, without code: the texts that a language is judged by."""

import re
from collections.abc import Sequence

import orjson

# A fenced block, closed or not; inline code; an address.
CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|<\|?[/\w]+\|?>", re.DOTALL)

TURN_CHARS = 400
SIDE_CHARS = 1000


def sides(messages: str) -> tuple[str, str]:
    """What the user says and what the assistant says: up to 400 characters of each turn, 1,000 of each side.

    messages: the row's JSON text. Code and addresses are left out. The beginning of every turn counts, so
    that a long one does not hide the language of the next.
    """
    user: list[str] = []
    assistant: list[str] = []
    user_size = assistant_size = 0
    for message in orjson.loads(messages):
        content, role = message["content"], message["role"]
        if not content:
            continue
        if role == "user":
            if user_size < SIDE_CHARS:
                user.append(prose(content))
                user_size += len(user[-1])
        elif role == "assistant" and assistant_size < SIDE_CHARS:
            assistant.append(prose(content))
            assistant_size += len(assistant[-1])
        if user_size >= SIDE_CHARS and assistant_size >= SIDE_CHARS:
            break
    return "\n".join(user)[:SIDE_CHARS], "\n".join(assistant)[:SIDE_CHARS]


def prose(content: str) -> str:
    """The beginning of a turn, code and addresses left out."""
    # Fences are looked for in more than is kept: what they hold is left out.
    said = content[: 4 * TURN_CHARS]
    if "`" in said or "://" in said or "<" in said:
        said = CODE.sub(" ", said)
    return said[:TURN_CHARS]


def sides_of(messages: Sequence[str]) -> tuple[list[str], list[str]]:
    """`sides` of every row of a column: the users' texts and the assistants'."""
    both = [sides(text) for text in messages]
    return [user for user, _ in both], [assistant for _, assistant in both]
