"""The base model: a local folder or the hub's cache, never the network."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.model.families.table import architecture
from train.model.sizes import cached, check_commit, check_known, model_settings, read_config
from train.model.tensors import fingerprint


@dataclass(frozen=True)
class Base:
    """A base model that lies in `folder`. `config` is its config.json.

    revision: as it was asked for. commit: the hub's commit that the folder holds, null where nothing in
    it tells. fingerprint: of its weights, as `train.model.tensors.fingerprint` makes it.
    """

    id: str
    revision: str | None
    commit: str | None
    folder: Path
    config: Mapping[str, Any]
    fingerprint: str

    def as_dict(self) -> dict[str, Any]:
        """What a run record says of it, free of the machine."""
        return {
            "id": self.id,
            "revision": self.revision,
            "commit": self.commit,
            "architecture": architecture(self.config),
            "fingerprint": self.fingerprint,
            "settings": model_settings(self.config),
        }


def find_base(model_id: str, revision: str | None = None, folder: Path | None = None) -> Base:
    """The base model of a recipe, from `folder` or the hub's cache, with its weights.

    Raises CurationError with one line that says what is missing and how to get it, and Refusal when
    `revision` is a commit and the folder holds another.
    """
    place = folder if folder is not None else cached(model_id, revision)
    config = read_config(place)
    check_known(model_id, config, place)
    commit = check_commit(model_id, place, revision)
    return Base(model_id, revision, commit, place, config, fingerprint(place))
