"""The base model: a local folder or the hub's cache, never the network."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.errors import Refusal
from train.sizes import architecture, cached, check_known, read_config
from train.tensors import fingerprint


@dataclass(frozen=True)
class Base:
    """A base model that lies in `folder`. `config` is its config.json.

    fingerprint: of its weights, as `train.tensors.fingerprint` makes it.
    """

    id: str
    revision: str | None
    folder: Path
    config: Mapping[str, Any]
    fingerprint: str

    def as_dict(self) -> dict[str, Any]:
        """What a run record says of it, free of the machine."""
        return {
            "id": self.id,
            "revision": self.revision,
            "architecture": architecture(self.config),
            "fingerprint": self.fingerprint,
        }


def find_base(model_id: str, revision: str | None = None, folder: Path | None = None) -> Base:
    """The base model of a recipe, from `folder` or the hub's cache, with its weights.

    Raises CurationError with one line that says what is missing and how to get it.
    """
    place = folder if folder is not None else cached(model_id, revision)
    config = read_config(place)
    check_known(model_id, config, place)
    return Base(model_id, revision, place, config, fingerprint(place))


def check_vocabulary(config: Mapping[str, Any], largest_id: int, where: Path) -> None:
    """Raise Refusal when the tokenizer has ids that the model has no embedding for."""
    rows = int(config["vocab_size"])
    if largest_id >= rows:
        raise Refusal(
            f"{where}: the tokenizer's largest id is {largest_id}, the model has {rows} embeddings; this is "
            f"the tokenizer of another model"
        )
