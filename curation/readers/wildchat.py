"""WildChat: chat messages under `conversation`, beside the language that they are in."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from curation.readers.messages.quick import quick
from curation.readers.messages.reader import converter, turns_key
from curation.readers.seam import EXACT, Candidate, Reader


def guess_records(path: Path, objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """Conversations whose language is stated beside them."""
    if turns_key(objects) == "conversation" and "language" in {key.lower() for key in objects[0]}:
        yield Candidate(EXACT, {"columns": {"messages": "conversation"}})


READER = Reader(converter=converter, quick=quick, guess_records=guess_records)
