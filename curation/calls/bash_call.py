"""Shell commands as calls of the `bash` tool (schemas/aj_tools.json)."""

import orjson


def bash_arguments(command: str) -> str:
    """The arguments of a call of `bash`, as a JSON string."""
    return orjson.dumps({"command": command}).decode()
