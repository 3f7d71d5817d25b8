"""One unit of work, as the plan writes it down and an executor runs it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from curation.files import canonical
from curation.versions import code_version


@dataclass(frozen=True)
class Task:
    """One unit of work.

    run     "module:function" of a function (task, work, out) → summary, a JSON object
    params  everything that decides the output, inputs named by digest or by task key
    paths   where the inputs lie now; no part of the identity
    size    bytes to do, for the order of work and the progress line
    """

    run: str
    params: Mapping[str, Any]
    paths: Mapping[str, str] = field(default_factory=dict)
    size: int = 0

    @cached_property
    def key(self) -> str:
        """The name of the output folder."""
        return hashlib.sha256(canonical([code_version(), self.run, self.params])).hexdigest()[:32]
