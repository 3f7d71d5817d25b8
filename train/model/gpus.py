"""GPUs to estimate for, and what one step costs on them, from the roofline.

Peaks are dense bf16 tensor-core figures of the makers' data sheets. Prices are what an hour on demand
roughly costs and change by the week: give your own with `--price`.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from curation.recipe.load import TrainSettings
from train.model.families.decoder import heads
from train.model.families.table import family_of

GIB = 2**30
# Share of the peak that training reaches: the best that dense matrix products allow, and what
# published single-GPU LoRA runs get.
BEST, USUAL = 0.80, 0.45
# CUDA context, cuBLAS workspaces, fragmentation.
OVERHEAD_BYTES = 1.5 * GIB
# NF4 with double quantisation: 4 bits, a scale of 8 bits per 64 weights, one of 32 bits per 256 scales.
NF4_BYTES = 4.127 / 8


class Gpu(NamedTuple):
    """A card: TFLOP/s in bf16, GB as sold, US dollars per hour."""

    tflops: float
    memory_gb: float
    price: float


GPUS: dict[str, Gpu] = {
    "H200": Gpu(989, 141, 3.5),
    "H100": Gpu(989, 80, 2.7),
    "B200": Gpu(2250, 180, 5.5),
    "A100": Gpu(312, 80, 1.6),
    "L40S": Gpu(362, 48, 1.0),
    "RTX 4090": Gpu(165, 24, 0.5),
    "RTX 5090": Gpu(209, 32, 0.8),
}


# What makers and drivers write around a card's name; PCIe, NVL and Laptop are other cards.
AROUND = re.compile(r"^(nvidia|geforce|rtx)+|sxm\d?$|^hbm\d?e?$")


def known_card(name: str) -> str | None:
    """The card of GPUS that a name means: `4090`, `H200-SXM`, `NVIDIA H100 80GB HBM3`; null for another."""
    short = short_name(name)
    return next(
        (k for k, gpu in GPUS.items() if short.removesuffix(f"{gpu.memory_gb:g}gb") == short_name(k)), None
    )


def short_name(name: str) -> str:
    """A card's name without case, spaces and what stands around it."""
    return "".join(AROUND.sub("", word) for word in re.split(r"[^a-z0-9]+", name.lower()))


class Parameters(NamedTuple):
    """Parameters of the layers, of the head (none where it is tied), of the embedding, of the adapter.

    vocabulary: of the rows and matrices of embedding and head that are trained beside the adapter.
    """

    layers: int
    head: int
    embedding: int
    adapter: int
    vocabulary: int = 0

    @property
    def trained(self) -> int:
        """Parameters that are trained."""
        return self.adapter + self.vocabulary

    @property
    def base(self) -> int:
        """Parameters without the adapter; norms and biases are a few in a hundred thousand."""
        return self.layers + self.head + self.embedding


def count_parameters(config: Mapping[str, Any], settings: TrainSettings) -> Parameters:
    """Parameters from the sizes alone."""
    family, layers = family_of(config), int(config["num_hidden_layers"])
    modules = family.layers(config)
    hidden, vocabulary = int(config["hidden_size"]), int(config["vocab_size"])
    per_layer = sum(inputs * outputs for inputs, outputs in modules.values())
    # DoRA has the length of every column besides.
    adapted = sum(
        sum(modules[name]) * settings.lora_r + (modules[name][1] if settings.use_dora else 0)
        for name in settings.target_modules
    )
    tied = bool(config.get("tie_word_embeddings"))
    return Parameters(
        layers=layers * (per_layer + family.vectors(config)) + hidden,
        head=0 if tied else hidden * vocabulary,
        embedding=hidden * vocabulary,
        adapter=layers * adapted,
        vocabulary=hidden * trained_rows(config, settings),
    )


def trained_rows(config: Mapping[str, Any], settings: TrainSettings) -> int:
    """Rows of embedding and head that are trained beside the adapter: each once where the two are tied."""
    tied = bool(config.get("tie_word_embeddings"))
    whole = min(len(settings.modules_to_save), 1) if tied else len(set(settings.modules_to_save))
    return whole * int(config["vocab_size"]) + len(set(settings.tokens)) * (1 if tied else 2)


def step_flops(config: Mapping[str, Any], settings: TrainSettings) -> float:
    """Floating-point operations of one update of full sequences.

    Frozen weights need 2 per parameter and token forward and 2 for the gradient of their input; the
    adapter 6; causal attention half of 4 * length * width forward and twice that backward;
    checkpointing repeats the forward pass of the layers.
    """
    found = count_parameters(config, settings)
    length = settings.max_seq_length
    tokens = settings.batch_size * settings.gradient_accumulation_steps * length
    queries, _, width = heads(config)
    attention = int(config["num_hidden_layers"]) * 4 * tokens * (length / 2) * queries * width
    head = int(config["hidden_size"]) * int(config["vocab_size"])
    forward = 2 * tokens * found.layers + 2 * tokens * found.adapter + attention
    whole = 4 * tokens * (found.layers + head) + 6 * tokens * found.adapter + 3 * attention
    # The gradient of the head is that of the whole matrix, however few of its rows are kept.
    if settings.tokens or "lm_head" in settings.modules_to_save:
        whole += 2 * tokens * head
    return whole + (forward if settings.gradient_checkpointing else 0)


def memory_bytes(config: Mapping[str, Any], settings: TrainSettings) -> dict[str, float]:
    """GPU memory by use. An estimate: activations depend on the attention and on fused kernels."""
    found = count_parameters(config, settings)
    tokens = settings.batch_size * settings.max_seq_length
    hidden, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    layers = int(config["num_hidden_layers"])
    _, keys, head = heads(config)
    width = 2 if settings.bf16 else 4
    # What one layer keeps for its backward pass: norms, projections, attention, MLP; and what the
    # adapter keeps, a copy of each input after dropout and the dropout's mask.
    kept = width * (8 * hidden + 2 * keys * head + 4 * inner)
    adapter_kept = (width + 1 if settings.lora_dropout else 0) * (6 * hidden + inner)
    layer = tokens * (kept + adapter_kept)
    checkpointed = layers * tokens * width * hidden + layer
    optimiser = 2 if "8bit" in settings.optimizer else 8
    return {
        "weights": found.layers * (NF4_BYTES if settings.load_in_4bit else width)
        + width * (found.head + found.embedding),
        "adapter": 4 * found.trained,
        "gradients": 4 * found.trained,
        "optimiser": optimiser * found.trained,
        "activations": checkpointed if settings.gradient_checkpointing else layers * layer,
        # In bf16, in float32, its log-softmax and its gradient.
        "logits": tokens * int(config["vocab_size"]) * 14.0,
        "overhead": OVERHEAD_BYTES,
        **vocabulary_bytes(config, settings, width),
    }


def vocabulary_bytes(config: Mapping[str, Any], settings: TrainSettings, width: int) -> dict[str, float]:
    """What training the vocabulary takes besides: peft copies both matrices to set single rows in them, and
    their gradients are whole; matrices in float32 are copied to compute with.
    """
    matrix = width * int(config["hidden_size"]) * int(config["vocab_size"])
    copies = 4 if settings.tokens else len(set(settings.modules_to_save))
    return {"vocabulary": float(copies * matrix)} if copies else {}


class Estimate(NamedTuple):
    """One card: whether it fits, seconds per step (best, usual), hours and dollars for the run (usual)."""

    gpu: str
    fits: bool
    step_s: tuple[float, float]
    hours: float
    dollars: float


def estimate(
    config: Mapping[str, Any],
    settings: TrainSettings,
    steps: int,
    *,
    gpus: Mapping[str, Gpu] = GPUS,
) -> list[Estimate]:
    """Time and cost on each card."""
    # TensorFloat-32 has half the peak of bfloat16.
    flops = step_flops(config, settings) * (1 if settings.bf16 else 2)
    needed = sum(memory_bytes(config, settings).values())
    found = []
    for name, gpu in gpus.items():
        best, usual = (flops / (gpu.tflops * 1e12 * share) for share in (BEST, USUAL))
        hours = steps * usual / 3600
        fits = needed <= gpu.memory_gb * 1e9
        found.append(Estimate(name, fits, (best, usual), hours, hours * gpu.price))
    return found
