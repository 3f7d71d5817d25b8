"""A LoRA adapter with random factors on the tiny model, as the trainer leaves it."""

import json
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tiny_model import tiny_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from curation.recipe.model import TARGET_MODULES
from curation.rendering.template import built_in
from train.model.families.table import architecture
from train.model.sizes import model_settings, read_config
from train.model.tensors import fingerprint
from train.run.output import listed, sealed


def tiny_base(folder: Path, dtype: str = "bfloat16") -> Path:
    """The tiny model in a dtype."""
    tiny_model(folder)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: weight.to(getattr(torch, dtype)) for name, weight in weights.items()},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": dtype}))
    return folder


def tiny_adapter(folder: Path, base: Path, *, scale: float = 0.02, run: Any = None, **settings: Any) -> Path:
    """Random factors for every linear layer; `settings` are those of LoraConfig."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
    settings = {"r": 8, "lora_alpha": 16, "target_modules": list(TARGET_MODULES), **settings}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **settings))
        for name, weight in adapted.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(weight, std=scale)
    adapted.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(built_in("aj_r1").source)
    record = {
        "model": "AJ-Tiny-v1.0.0-lora",
        "trial": False,
        "base": {
            "id": str(base),
            "architecture": architecture(read_config(base)),
            "fingerprint": fingerprint(base),
            "settings": model_settings(read_config(base)),
        },
        "template": {"name": "aj_r1"},
        "settings": {"use_dora": settings.get("use_dora", False)},
        "evaluation": [],
    }
    return seal(folder, {**record, **(run or {})})


def seal(folder: Path, record: Any = None) -> Path:
    """Write run.json over whatever the folder holds now; without a record, its old one again."""
    record = record or json.loads((folder / "run.json").read_text())
    (folder / "run.json").unlink(missing_ok=True)
    (folder / "run.json").write_text(json.dumps(sealed({**record, "files": listed(folder)})))
    return folder


def edited(adapter: Path, folder: Path, **changes) -> Path:
    """A copy of an adapter with other settings."""
    folder.mkdir()
    for file in adapter.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, **changes}))
    return seal(folder)
