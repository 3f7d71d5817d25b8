"""The model with its adapter: plain peft, or Unsloth where a CUDA GPU and the package are there.

Loading is the one place that knows about devices. What was chosen is in `Loaded.how`, for the terminal
and the run record.
"""

import atexit
import contextlib
import functools
import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from peft import LoraConfig, get_peft_model
from peft.utils.other import ModulesToSaveWrapper
from transformers import AutoModelForCausalLM
from transformers.utils.import_utils import is_flash_attn_2_available

from curation.errors import CurationError, Refusal, to_install
from curation.recipe.load import TrainSettings
from train.model.adapter import VOCABULARY
from train.model.base import Base
from train.model.families.decoder import EMBEDDING, HEAD
from train.model.families.table import architecture
from train.model.sizes import CONFIG, with_targets
from train.model.tensors import Checkpoint

# How a full GPU is reported by what is not torch's allocator: the driver, cuBLAS and
# cuDNN, a kernel that Triton starts, and Unsloth, which also passes on torch's own error as a RuntimeError.
FULL_GPU = (
    "out of memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "gpu memory available",
)
FOUR_BIT = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}


@dataclass(frozen=True)
class Loaded:
    """A model ready to train. `how`: backend, device, dtype, attention and what was patched."""

    model: Any
    how: dict[str, Any]


def has_package(name: str) -> bool:
    """Whether a package is installed; it is not imported."""
    return importlib.util.find_spec(name) is not None


def backend_of(settings: TrainSettings) -> str:
    """`unsloth` where it can be used, else `peft`."""
    # It offloads matrices that are trained to the disk, and knows nothing of single rows.
    covered = not (settings.use_dora or settings.tokens or settings.modules_to_save)
    return "unsloth" if covered and torch.cuda.is_available() and has_package("unsloth") else "peft"


def lora_config(settings: TrainSettings, rows: Sequence[int] = (), *, tied: bool = False) -> LoraConfig:
    """The adapter as peft takes it. rows: ids of `train.tokens`. tied: embedding and output layer are one."""
    saved: list[str] = [*settings.modules_to_save]
    if tied and saved:
        saved = [EMBEDDING.removesuffix(".weight")]
    names = ["embed_tokens"] if tied else list(VOCABULARY)
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=list(settings.target_modules),
        use_rslora=settings.use_rslora,
        use_dora=settings.use_dora,
        bias="none",
        trainable_token_indices={name: list(rows) for name in names} if rows else None,
        modules_to_save=saved or None,
        ensure_weight_tying=tied and bool(saved),
    )


def load(base: Base, settings: TrainSettings, *, backend: str | None = None) -> Loaded:
    """The base model with a fresh adapter, on the GPU where there is one.

    Raises CurationError with one line when the weights cannot be loaded or the adapter does not fit.
    """
    settings = with_targets(base.config, settings)
    check_device(settings)
    with naming_full_memory(str(base.folder), settings):
        if (backend or backend_of(settings)) == "unsloth":
            return load_unsloth(base, settings)
        return load_peft(base, settings)


@contextlib.contextmanager
def naming_full_memory(what: str, settings: TrainSettings) -> Iterator[None]:
    """One line where the GPU's memory does not suffice for `what`."""
    try:
        yield
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise CurationError(f"{what}: does not fit the GPU's memory; {advice(settings)}") from error


def out_of_memory(error: BaseException) -> bool:
    """Whether something failed for want of GPU memory, whoever says so."""
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in FULL_GPU)


def check_weights(base: Base) -> None:
    """Raise Refusal unless the weights are those of the architecture that config.json describes.

    transformers would draw what is missing at random, and leave out what it does not know.
    """
    if base.config.get("quantization_config"):
        return
    automatic: Any = AutoModelForCausalLM
    try:
        config = transformers.AutoConfig.from_pretrained(str(base.folder), local_files_only=True)
        with torch.device("meta"):
            model = automatic.from_config(config)
    except (OSError, ValueError, KeyError, StrictDataclassError) as error:
        raise CurationError(f"{base.folder / CONFIG}: cannot be used: {first_line(error)}") from error
    named, asked = type(model).__name__, architecture(base.config)
    if named != asked:
        raise Refusal(f"{base.folder / CONFIG}: its architecture is {asked}, its model_type that of {named}")
    wanted = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    found = {name: entry.shape for name, entry in Checkpoint(base.folder).entries.items()}
    computed = {name for name in found if name.endswith("rotary_emb.inv_freq")}
    tied = {HEAD} if config.tie_word_embeddings else set()
    for name in sorted({*wanted, *found} - computed - tied):
        if wanted.get(name) != found.get(name):
            raise Refusal(
                f"{base.folder}: weights of another model than {CONFIG} describes: {name} is "
                f"{list(found[name]) if name in found else 'missing'}, not "
                f"{list(wanted[name]) if name in wanted else 'known'}"
            )


def check_device(settings: TrainSettings) -> None:
    """Raise CurationError when the settings ask for what this machine does not have."""
    cuda = torch.cuda.is_available()
    small = "8bit" in settings.optimizer
    if settings.load_in_4bit and not cuda:
        raise CurationError("load_in_4bit needs a CUDA GPU; on a CPU set `load_in_4bit: false`")
    if small and not cuda:
        raise CurationError(f"{settings.optimizer} needs a CUDA GPU; on a CPU set `optimizer: adamw_torch`")
    if (settings.load_in_4bit or small) and not has_package("bitsandbytes"):
        what = "load_in_4bit" if settings.load_in_4bit else settings.optimizer
        raise CurationError(f"{what} needs bitsandbytes: {to_install('gpu')}")
    if cuda and settings.bf16 and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise CurationError(f"{torch.cuda.get_device_name()} has no bfloat16; set `bf16: false`")


def load_peft(base: Base, settings: TrainSettings) -> Loaded:
    """transformers and peft alone."""
    cuda = torch.cuda.is_available()
    dtype = compute_dtype(settings)
    options: dict[str, Any] = {"dtype": dtype, "local_files_only": True}
    options["attn_implementation"] = attention(dtype)
    if cuda:
        options["device_map"] = {"": torch.cuda.current_device()}
    if settings.load_in_4bit:
        quantise: Any = transformers.BitsAndBytesConfig
        options["quantization_config"] = quantise(load_in_4bit=True, bnb_4bit_compute_dtype=dtype, **FOUR_BIT)
    try:
        model = AutoModelForCausalLM.from_pretrained(str(base.folder), **options)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        if out_of_memory(error):
            raise
        raise CurationError(f"{base.folder}: cannot be loaded: {first_line(error)}") from error
    model.config.use_cache = False
    # Not peft's preparation for 4-bit weights: it holds embedding, head and norms in float32, which are
    # two more gigabytes for a 7B and a residual stream of twice the size. The adapter itself is float32.
    # The adapter begins the same whatever was drawn before.
    transformers.set_seed(settings.seed or 0)
    tied = bool(base.config.get("tie_word_embeddings"))
    rows: Sequence[int] = ()
    if settings.tokens:
        from train.model.token_rows import token_ids  # templates and rows, which a benchmark has no need of

        rows = token_ids(base.folder, settings.tokens)
    if rows or settings.modules_to_save:
        # The token to pad with is often the end of a turn too, and torch would not train its row.
        embedding: Any = model.get_input_embeddings()
        embedding.padding_idx = None
    adapted = get_peft_model(model, lora_config(settings, rows, tied=tied))
    in_float32(adapted, dtype)
    if settings.gradient_checkpointing:
        adapted.enable_input_require_grads()
    return Loaded(adapted, loaded_facts("peft", adapted, dtype, settings))


def in_float32(adapted: Any, dtype: torch.dtype) -> None:
    """Hold matrices that are trained whole as the adapter is held: bfloat16 would round small updates away.

    dtype: of what the embedding gives out, as without.
    """
    for module in adapted.modules():
        if isinstance(module, ModulesToSaveWrapper):
            module.modules_to_save.float()
            if isinstance(module.original_module, torch.nn.Embedding):
                module.register_forward_hook(lambda _, __, states: states.to(dtype))


def load_unsloth(base: Base, settings: TrainSettings) -> Loaded:
    """Unsloth's loading and patching, with the number of patched layers and the 4 bits asserted.

    Raises CurationError when it cannot load the model, or did not do what was asked.
    """
    # What it prints is no result of ours, and the code that it generates belongs in no folder of the user.
    os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", scratch())
    with contextlib.redirect_stdout(sys.stderr):
        try:
            return patched_by_unsloth(base, settings)
        except CurationError:
            raise
        except Exception as error:
            if out_of_memory(error):
                raise
            raise CurationError(
                f"unsloth cannot load {base.id}: {first_line(error)}; without that package plain peft trains"
            ) from error


@functools.cache
def scratch() -> str:
    """A folder of this process alone, gone when it ends."""
    folder = tempfile.mkdtemp(prefix="aj-unsloth-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def patched_by_unsloth(base: Base, settings: TrainSettings) -> Loaded:
    """As `load_unsloth`."""
    FastLanguageModel = importlib.import_module("unsloth").FastLanguageModel
    dtype = compute_dtype(settings)
    checkpointing = "unsloth" if settings.gradient_checkpointing else False
    model, _ = FastLanguageModel.from_pretrained(
        model_name=str(base.folder),
        max_seq_length=settings.max_seq_length,
        dtype=dtype,
        load_in_4bit=settings.load_in_4bit,
        local_files_only=True,
        use_gradient_checkpointing=checkpointing,
        use_exact_model_name=True,
    )
    # Where it finds bitsandbytes broken it loads in 16 bits and says so in a line among many.
    if settings.load_in_4bit and not getattr(model, "is_loaded_in_4bit", False):
        raise CurationError(f"unsloth loaded {base.id} in 16 bits, not 4; bitsandbytes does not work here")
    adapted = FastLanguageModel.get_peft_model(
        model,
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=list(settings.target_modules),
        use_rslora=settings.use_rslora,
        bias="none",
        use_gradient_checkpointing=checkpointing,
        random_state=settings.seed or 0,
        max_seq_length=settings.max_seq_length,
    )
    adapted.config.use_cache = False
    layers = adapted.base_model.model.model.layers
    patched = sum("unsloth" in type(layer.self_attn).forward.__module__ for layer in layers) or sum(
        "unsloth" in getattr(layer.self_attn.forward, "__module__", "") for layer in layers
    )
    if patched != len(layers):
        raise CurationError(
            f"unsloth patched {patched} of {len(layers)} layers of {base.id}; uninstall it, or its version "
            f"does not know this transformers"
        )
    return Loaded(adapted, {**loaded_facts("unsloth", adapted, dtype, settings), "patched_layers": patched})


def compute_dtype(settings: TrainSettings) -> torch.dtype:
    """bfloat16 on a GPU when asked for; a CPU computes in float32."""
    return torch.bfloat16 if settings.bf16 and torch.cuda.is_available() else torch.float32


def attention(dtype: torch.dtype) -> str:
    """Flash attention where it can be used, which skips what packed examples may not see; else sdpa.

    Its kernels take 16 bits alone, and another package (version 4) has its name and not its functions.
    """
    half = dtype in {torch.bfloat16, torch.float16}
    usable = torch.cuda.is_available() and half and is_flash_attn_2_available()
    return "flash_attention_2" if usable else "sdpa"


def loaded_facts(backend: str, model: Any, dtype: torch.dtype, settings: TrainSettings) -> dict[str, Any]:
    """What a run record says about how the model was loaded."""
    trainable, total = parameters(model)
    return {
        "backend": backend,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "dtype": "nf4" if settings.load_in_4bit else str(dtype).removeprefix("torch."),
        "attention": str(model.config._attn_implementation),
        "trainable_parameters": trainable,
        "parameters": total,
    }


def parameters(model: Any) -> tuple[int, int]:
    """(trainable, all) parameters; a 4-bit weight counts as the weights it holds."""
    return tuple(int(n) for n in model.get_nb_trainable_parameters())  # type: ignore[return-value]


def advice(settings: TrainSettings) -> str:
    """What makes a run smaller, in the order of least harm."""
    ways = [] if settings.gradient_checkpointing else ["gradient_checkpointing: true"]
    ways += [] if settings.load_in_4bit else ["load_in_4bit: true"]
    return "set " + " or ".join([*ways, "a shorter max_seq_length", "a smaller base model"])


def first_line(error: BaseException) -> str:
    """The first line of an error that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
