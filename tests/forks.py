"""Processes that begin with their libraries loaded: forks of one that has imported them and nothing more.

A fork after Polars or torch has started its threads can deadlock, so the process that forks runs nothing.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]


class Fork:
    """Code that runs in a process of its own group; `stdout` and `stderr` are there once it has ended."""

    def __init__(self, channel: socket.socket, code: str, environment: dict[str, str], folder: Path) -> None:
        self._files = [tempfile.TemporaryFile() for _ in ("stdout", "stderr")]  # noqa: SIM115
        told, tell = os.pipe()
        request = json.dumps({"code": code, "environment": environment, "folder": str(folder)})
        socket.send_fds(channel, [request.encode()], [tell, *(file.fileno() for file in self._files)])
        os.close(tell)
        self._told = os.fdopen(told, "rb", buffering=0)
        self.pid = int(self._told.readline())

    def wait(self, timeout: float = 300) -> int:
        """The exit code; minus the signal's number if one ended it."""
        if not select.select([self._told], [], [], timeout)[0]:
            os.killpg(self.pid, signal.SIGKILL)
        self.returncode = int(self._told.readline())
        self._told.close()
        self.stdout, self.stderr = (text_of(file) for file in self._files)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if the process still runs."""
        if not select.select([self._told], [], [], 0)[0]:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def text_of(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode()


@cache
def loaded(libraries: str) -> socket.socket:
    """The channel to a process that has run these imports, one of each for all tests of this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, __file__, str(theirs.fileno()), libraries],
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
            "PYTHONWARNINGS": "ignore",
            "OMP_NUM_THREADS": "1",
        },
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def fork(code: str, *, libraries: str, folder: Path = ROOT, **environment: str) -> Fork:
    """Start some code that needs these imports, in a folder and in the environment of now."""
    return Fork(loaded(libraries), code, {**os.environ, **environment}, folder)


def serve(channel: socket.socket, libraries: str) -> None:
    """Fork for every request, until the tests end. Each fork has a keeper, which tells pid and exit code."""
    names: dict[str, Any] = {"__name__": "fork"}
    exec(libraries, names)
    threads = {path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")}
    assert "polars-0" not in threads, "one of the imports ran Polars: a fork would wait for its threads"
    keepers: list[int] = []
    while True:
        message, files, _, _ = socket.recv_fds(channel, 1 << 20, 3)
        keepers = [keeper for keeper in keepers if os.waitpid(keeper, os.WNOHANG) == (0, 0)]
        if not message:
            return
        keeper = os.fork()
        if keeper == 0:
            channel.close()
            keep(json.loads(message), *files, names)
        keepers.append(keeper)
        for file in files:
            os.close(file)


def keep(request: dict[str, Any], tell: int, out: int, err: int, names: dict[str, Any]) -> None:
    """Run the code in a child of its own session, and wait for it."""
    child = os.fork()
    if child == 0:
        os.close(tell)
        os.setsid()
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        exec(request["code"], names)
        sys.exit()
    os.write(tell, f"{child}\n".encode())
    _, status = os.waitpid(child, 0)
    os.write(tell, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
