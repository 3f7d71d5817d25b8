"""Who speaks: the four roles of a row, and how other collections write them. The one table of both.

A reader names the roles of what it reads and leaves no note, since the shape has them so; the chat stage
names what is left, as a repair that it notes. Both spell them as they stand here, in lower case.
"""

ROLES = ("system", "user", "assistant", "tool")
ALIASES = {
    "human": "user",
    "prompter": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "ai": "assistant",
    "developer": "system",
    "function": "tool",
    "ipython": "tool",
    "observation": "tool",
    "environment": "tool",
    "tool_response": "tool",
    "tool-response": "tool",
    "tool_result": "tool",
    "tool-result": "tool",
    "tool_output": "tool",
    "function_response": "tool",
    "function-response": "tool",
    "function_result": "tool",
}
# Whose turn is a call, written as its text.
CALLERS = (
    "function_call",
    "function-call",
    "function_calls",
    "tool_call",
    "tool-call",
    "tool_calls",
    "tool_use",
)


def role_of(spelling: str) -> str:
    """The role that a spelling means; what means none stays as it is."""
    return ALIASES.get(spelling, spelling)


def spellings(role: str) -> frozenset[str]:
    """A role and its other names."""
    return frozenset({role, *(name for name, meant in ALIASES.items() if meant == role)})
