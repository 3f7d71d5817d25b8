"""A command that runs with a terminal before it."""

import os
import pty
import subprocess
from collections.abc import Sequence


def on_a_terminal(command: Sequence[str]) -> str:
    """What a command writes to its terminal, results and diagnostics."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        seen = b""
        # A terminal that nobody writes to any more answers with an error, not with an end.
        while part := _read(ours):
            seen += part
    os.close(ours)
    return seen.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
