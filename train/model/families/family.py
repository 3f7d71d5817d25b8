"""What this project has to know of a family of base models."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from train.model.families.decoder import Config, linear_layers


@dataclass(frozen=True)
class Family:
    """A family: decoders whose attention transformers masks by position ids.

    architecture: the class that config.json names. model_type: transformers' name of the family. gguf:
    llama.cpp's, null where `aj export` does not write it. has_biases: of queries, keys and values. slides:
    whether attention has a window unless config.json says otherwise. layers: the linear layers of one
    decoder layer. known: sizes of models that recipes name, by id on the hub: a dry run needs no files.
    """

    architecture: str
    model_type: str
    gguf: str | None = None
    has_biases: bool = False
    slides: bool = False
    layers: Callable[[Config], dict[str, tuple[int, int]]] = linear_layers
    known: Mapping[str, Config] = field(default_factory=dict)

    def vectors(self, config: Config) -> int:
        """Parameters of one decoder layer beside its linear layers: norms and biases."""
        layers = self.layers(config)
        biases = sum(layers[name][1] for name in ("q_proj", "k_proj", "v_proj")) if self.has_biases else 0
        return 2 * int(config["hidden_size"]) + biases
