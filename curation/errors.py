"""The errors a user can mend. Anything else that is raised is a bug.

CurationError            exit 2: the request is wrong or cannot be served
├── RecipeError          the recipe, at a line and a key
├── SourceError          a source that cannot be opened or understood at all
└── Refusal              exit 1: the request is right and the honest answer is no
"""

import errno
from typing import Any, NoReturn

# How the system says that no more can be written: a full disk, a quota, a limit on a file's size.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Terminated(KeyboardInterrupt):
    """SIGTERM ends a command as Ctrl-C does, but for its exit code."""


def terminate(*_: object) -> NoReturn:
    """A handler of SIGTERM."""
    raise Terminated


def to_install(extra: str) -> str:
    """How to get an extra. The project is on no package index: a package of its name there is another."""
    return f"pip install '.[{extra}]' in the project's folder"


class CurationError(Exception):
    """A problem that the user can mend; the command line prints it as one line."""

    exit_code = 2

    def __reduce__(self) -> tuple[Any, ...]:
        # By what it holds, so that a worker can send home an error that takes more than its text.
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[CurationError], args: tuple[Any, ...], state: dict[str, Any]) -> CurationError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class RecipeError(CurationError):
    """The recipe is wrong. The message names file, line and key and says what would be right."""


class SourceError(CurationError):
    """A source cannot be opened or understood at all. A single bad row is data, not this."""


class Refusal(CurationError):
    """The answer is no: a gate failed, an approval is missing, a digest differs."""

    exit_code = 1
