"""What a recipe may say: one Struct a section, with the defaults (DESIGN.md §5).

Importing this costs msgspec alone, so that a wrong recipe is answered at once. The lines
`key    meaning` of the docstrings become the descriptions in schemas/recipe.schema.json.
"""

import datetime
import math
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from curation.recipe.kinds import LATER, Count, DataPath, Positive, SavedModule, Share, Thinking
from curation.recipe.metrics import METRICS
from curation.recipe.source import Source

Name = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="a name of letters, digits, '_', '-' and '.'",
    ),
]
Text = Annotated[str, msgspec.Meta(min_length=1)]

VERSION = r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$"


def whole_version(text: str) -> str | None:
    """The version that `2`, `2.0` or `v2.0.0` was meant to be."""
    for ending in ("", ".0", ".0.0"):
        if re.match(VERSION, text.lstrip("vV") + ending):
            return text.lstrip("vV") + ending
    return None


Version = Annotated[
    str,
    msgspec.Meta(
        pattern=VERSION, description="major.minor.patch such as 2.0.0", extra={"mend": whole_version}
    ),
]
Code = Annotated[
    str,
    msgspec.Meta(pattern=r"^[A-Za-z0-9]+$", description="letters and digits such as DeepSeekR1Qwen32B"),
]
Unit = Literal["rows", "tokens"]
OnShortage = Literal["stop", "shrink", "redistribute", "repeat"]
Severity = Literal["error", "warn"]
Above0 = Annotated[float, msgspec.Meta(gt=0)]
From0 = Annotated[float, msgspec.Meta(ge=0)]

if TYPE_CHECKING:
    Metric = str
else:
    Metric = Literal[tuple(METRICS)]

TARGET_MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
MAX_STEPS = 5000


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the sections of a recipe."""


class BaseModel(Section, frozen=True, kw_only=True):
    """The model that is fine-tuned.

    id        on the hub, or a folder
    code      how versions spell it: AJ-<code>-v2.0.0-lora
    revision  a commit; a branch is resolved and recorded
    """

    id: Text
    code: Code
    revision: Text | None = None


class Tokenizer(Section, frozen=True, kw_only=True):
    """What counts tokens: an id on the hub, or a path to a folder or tokenizer.json.

    id    on the hub
    path  from the data root, or from the recipe's folder
    """

    id: Text | None = None
    path: Text | None = None


class Mixture(Section, frozen=True, kw_only=True):
    """How much of what: the training rows as they are written, repeats included.

    shares       group → its share; they add up to 1. Or natural: all that each group has, once
    unit         what shares and total count
    total        how many, or max: as many as max_repeat allows
    max_repeat   how often one row may be written
    on_shortage  what to do when a group cannot reach its quota
    """

    shares: dict[Name, Share] | Literal["natural"]
    unit: Unit = "rows"
    total: Positive | Literal["max"] = "max"
    max_repeat: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 4
    on_shortage: OnShortage = "stop"


class Splitting(Section, frozen=True, kw_only=True):
    """What is held out.

    eval      share of every group's rows, taken first and never repeated
    at_least  rows of every group of 20 and more, where its share comes to fewer
    """

    eval: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.01
    at_least: Annotated[int, msgspec.Meta(ge=0, le=10), LATER] = 0


class Gate(Section, frozen=True, kw_only=True):
    """One thing that must hold before anyone trains on the data: a metric or a SQL query with a bound.

    metric    a measured value by name
    sql       a query over train, eval and ledger that gives one number
    max       fails above it
    min       fails below it
    per       source: measured for every source by itself
    bounds    source → its own bound, in place of the one for all
    severity  error stops the approval, warn does not
    name      how reports and waivers call it; the metric's name where it is left out
    """

    metric: Metric | None = None
    sql: Text | None = None
    max: float | None = None
    min: float | None = None
    per: Literal["source"] | None = None
    bounds: dict[str, float] = {}
    severity: Severity = "error"
    name: Text | None = None

    @property
    def title(self) -> str:
        """How reports and waivers call it."""
        return self.name or self.metric or self.sql or ""


class Waiver(Section, frozen=True, kw_only=True):
    """A gate that may fail, why, and who answers for it.

    gate    the gate's name
    reason  why its failure is acceptable
    by      the person who answers for it
    until   the last day on which it counts
    """

    gate: Text
    reason: Text
    by: Text
    until: datetime.date


class Approval(Section, frozen=True, kw_only=True):
    """How the dataset is approved.

    signed      only with an SSH signature
    unattended  `aj run --approve-by` may approve without a person reading
    people      how many different people must approve
    """

    signed: bool = False
    unattended: bool = True
    people: Literal[1, 2] = 1


class Expectation(Section, frozen=True, kw_only=True):
    """A bound on what `aj evaluate` measures on the trained model, or a file with more to measure.

    metric      name of the measured value
    max         fails above it
    min         fails below it
    questions   file of questions with checkable answers that base and model are asked, one JSON a line
    texts       file of texts that were not trained on, one {"text": …} a line
    name        what the metrics of a file are called by: questions.NAME.right_share
    max_tokens  that an answer may have, its thought included
    """

    metric: Text | None = None
    max: float | None = None
    min: float | None = None
    questions: Annotated[DataPath | None, LATER] = None
    texts: Annotated[DataPath | None, LATER] = None
    name: Annotated[Name | None, LATER] = None
    max_tokens: Annotated[Positive, LATER] = 2048

    @property
    def kind(self) -> Literal["metric", "questions", "texts"]:
        """Which of its keys makes it what it is."""
        return "questions" if self.questions is not None else "texts" if self.texts is not None else "metric"

    @property
    def file(self) -> str | None:
        """The file that it names, from the data root; null for a bound."""
        return self.questions if self.questions is not None else self.texts


class TrainSettings(Section, frozen=True, kw_only=True):
    """LoRA and its training. The defaults are those of AJ-DeepSeekR1Qwen32B-v2.0.0.

    lora_r                       rank of the adapter
    lora_alpha                   its scale: alpha / r, or alpha / sqrt(r) with use_rslora
    lora_dropout                 dropout before the adapter
    target_modules               linear layers that get one; all-linear: every one but the output layer
    tokens                       tokens whose rows of embedding and output layer are trained besides
    modules_to_save              embedding and output layer to train whole
    use_rslora                   rank-stabilised scale (arXiv 2312.03732)
    use_dora                     weight-decomposed adapter (arXiv 2402.09353)
    loraplus_ratio               learning rate of B over that of A (arXiv 2402.12354)
    load_in_4bit                 quantise the base model, for cards of 24 GB
    batch_size                   sequences per device and step
    gradient_accumulation_steps  steps per update
    effective_batch_size         checked against the product of the two, when given
    max_steps                    updates in all; 5000 where neither this nor epochs is given
    epochs                       passes over the data, in place of max_steps
    max_seq_length               tokens per sequence
    thinking                     turns without a thought: as_is, or empty: behind an empty one without loss
    packing                      several rows per sequence, without seeing each other
    learning_rate                its peak
    weight_decay                 of the optimiser
    warmup_steps                 updates until the peak; 100 where neither this nor warmup_ratio is given
    warmup_ratio                 share of the updates until the peak, in place of warmup_steps
    lr_scheduler                 how the rate falls
    optimizer                    as transformers names it
    max_grad_norm                gradients are clipped to it
    bf16                         compute in bfloat16
    tf32                         allow TensorFloat-32 for the rest
    gradient_checkpointing       recompute activations, to save memory
    seed                         the recipe's, where it is left out
    save_steps                   updates between checkpoints
    eval_steps                   updates between evaluations
    logging_steps                updates between lines of the log
    stop_on                      what ends the run by itself; the rest only warns
    """

    lora_r: Positive = 64
    lora_alpha: Positive = 128
    lora_dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.05
    target_modules: Annotated[list[Text], msgspec.Meta(min_length=1)] | Literal["all-linear"] = msgspec.field(
        default_factory=lambda: list(TARGET_MODULES)
    )
    tokens: Annotated[list[Text], LATER] = msgspec.field(default_factory=list)
    modules_to_save: Annotated[list[SavedModule], LATER] = msgspec.field(default_factory=list)
    use_rslora: bool = False
    use_dora: bool = False
    loraplus_ratio: Annotated[float, msgspec.Meta(ge=1)] | None = None
    load_in_4bit: bool = False
    batch_size: Positive = 2
    gradient_accumulation_steps: Positive = 8
    effective_batch_size: Positive | None = None
    max_steps: Positive | None = None
    epochs: Above0 | None = None
    max_seq_length: Positive = 2048
    thinking: Annotated[Thinking, LATER] = "as_is"
    packing: bool = True
    learning_rate: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 2e-5
    weight_decay: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.01
    warmup_steps: Count = 100
    warmup_ratio: Annotated[Annotated[float, msgspec.Meta(ge=0, lt=1)] | None, LATER] = None
    lr_scheduler: Literal["cosine", "linear", "constant", "constant_with_warmup", "polynomial"] = "cosine"
    optimizer: Literal["adamw_torch", "adamw_torch_fused", "adamw_8bit", "paged_adamw_8bit", "adafactor"] = (
        "adamw_torch"
    )
    max_grad_norm: From0 = 1.0
    bf16: bool = True
    tf32: bool = True
    gradient_checkpointing: bool = True
    seed: Count | None = None
    save_steps: Positive = 500
    eval_steps: Positive = 500
    logging_steps: Positive = 10
    stop_on: list[Literal["nan", "spike", "plateau", "grad_norm", "stall"]] = msgspec.field(
        default_factory=lambda: ["nan"]
    )

    def warm_up(self, steps: int) -> int:
        """Updates until the peak of the learning rate in a run of so many; of a share, fewer than all."""
        if self.warmup_ratio is None:
            return self.warmup_steps
        return min(math.ceil(self.warmup_ratio * steps), max(steps - 1, 0))

    def reaches_peak(self, steps: int) -> bool:
        """Whether the learning rate reaches its peak in a run of so many updates."""
        return self.lr_scheduler == "constant" or self.warm_up(steps) < steps


def default_gates() -> list[Gate]:
    """The gates of a recipe that names none; `gates: []` switches them off."""
    return [
        Gate(metric="mixture.max_share_error", max=0.01),
        Gate(metric="source.invalid_share", max=0.05, per="source"),
        Gate(metric="source.duplicate_share", max=0.2, per="source"),
        Gate(metric="eval.leaked_rows", max=0),
    ]


def default_stages() -> list[str | dict[str, Any]]:
    """The stages of a recipe that names none: those that need no tokenizer and change no text."""
    return ["normalise", "chat", "tools", "exact_duplicates", "near_duplicates"]


class RecipeModel(Section, frozen=True, kw_only=True):
    """What to mix, how much of it, which gates it must pass, and how to train on it.

    name        of the dataset
    version     major: base model, minor: dataset mix, patch: settings
    seed        decides every choice among rows
    base_model  the model that is fine-tuned
    sources     name → where its rows are and how to read them
    mixture     how much of what
    tokenizer   needed by whatever counts tokens
    template    aj_r1, chatml, model (the tokenizer's own) or a path to a Jinja file
    data_root   where relative paths start, from the recipe's folder
    split       what is held out
    stages      in order, a bare name or {name: settings}
    gates       what must hold before an approval
    waivers     gates that may fail
    approval    how the dataset is approved
    evaluation  bounds on the trained model, and what it is asked
    baseline    dataset or frozen recipe that the report compares with
    train       LoRA and its training
    """

    name: Name
    version: Version
    seed: Count
    base_model: BaseModel
    sources: Annotated[dict[Name, Source], msgspec.Meta(min_length=1)]
    mixture: Mixture
    tokenizer: Tokenizer | None = None
    template: Text = "aj_r1"
    data_root: Text = "."
    split: Splitting = Splitting()
    stages: list[str | dict[str, Any]] = msgspec.field(default_factory=default_stages)
    gates: list[Gate] = msgspec.field(default_factory=default_gates)
    waivers: list[Waiver] = []
    approval: Approval = Approval()
    evaluation: list[Expectation] = []
    baseline: Text | None = None
    train: TrainSettings = TrainSettings()

    @property
    def bounds(self) -> list[Expectation]:
        """The bounds of `evaluation`."""
        return [one for one in self.evaluation if one.kind == "metric"]

    @property
    def asked(self) -> list[Expectation]:
        """The files of `evaluation`."""
        return [one for one in self.evaluation if one.kind != "metric"]

    @property
    def groups(self) -> list[str]:
        """The groups of the mixture, in the order of the shares or of the sources."""
        shares = self.mixture.shares
        return list(
            dict.fromkeys(one.group for one in self.sources.values()) if isinstance(shares, str) else shares
        )
