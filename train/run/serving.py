"""How a model is served so that clients read what training wrote: the lines that its README has.

They are run in the folder of what they serve. Sources of the options: vLLM,
docs/features/lora.md, tool_calling.md and reasoning_outputs.md; llama.cpp, tools/server/README.md; peft,
`LoraConfig`.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from curation.rendering.template import BUILT_IN
from train.model.sizes import furthest_command

# The ranks that vLLM keeps room for. Source: vllm/config/lora.py, MaxLoRARanks.
VLLM_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)

SNIPPET = """\
```python
{imports}

tokenizer = AutoTokenizer.from_pretrained(".")
{loading}

prompt = tokenizer.apply_chat_template(
    [{{"role": "user", "content": "What grows in the shade?"}}],
    add_generation_prompt=True,
    return_dict=True,
    return_tensors="pt",
)
answer = model.generate(**prompt.to(model.device), max_new_tokens=512)
print(tokenizer.decode(answer[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True))
```
"""


def adapter_serving(run: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """For an adapter. run: its record. config: of its adapter_config.json."""
    base, revision = run["base"]["id"], run["base"].get("commit") or run["base"].get("revision")
    at = f", revision={json.dumps(revision)}" if revision else ""
    imports = (
        "from peft import PeftModel\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig"
    )
    loading = (
        f"base = {json.dumps(base, ensure_ascii=False)}\n"
        f'model = AutoModelForCausalLM.from_pretrained(base, dtype="auto", device_map="auto"{at})\n'
        'model = PeftModel.from_pretrained(model, ".")\n'
        'model.generation_config = GenerationConfig.from_pretrained(".")'
    )
    sections = [
        "## Serving\n",
        f"In this folder, with transformers, and peft {least_peft(config)} or later:\n",
        SNIPPET.format(imports=imports, loading=loading),
    ]
    following = furthest_command(run)
    if following == "try":
        sections.append("Nothing else serves it as it stands: `aj merge` and `aj export` refuse it.\n")
    elif reason := merged_only(config):
        sections.append(f"vLLM takes no adapter with {reason}: `aj merge` first, and serve what it makes.\n")
    else:
        rank = next(size for size in VLLM_RANKS if size >= config["r"])
        words = ["vllm", "serve", base, *(["--revision", revision] if revision else [])]
        words += ["--tokenizer", ".", "--enable-lora", "--max-lora-rank", str(rank)]
        words += ["--lora-modules", f"{run['model']}=.", "--generation-config", "."]
        words += ["--chat-template", "chat_template.jinja"]
        sections.append(vllm(words, run))
    if following == "export":
        sections.append(
            "For llama.cpp and Ollama: `aj export` writes GGUF files, each with its own lines beside it.\n"
        )
    return "\n".join(sections)


def merged_serving(run: Mapping[str, Any], name: str) -> str:
    """For a merged model's folder. name: under which vLLM serves it."""
    imports = "from transformers import AutoModelForCausalLM, AutoTokenizer"
    loading = 'model = AutoModelForCausalLM.from_pretrained(".", dtype="auto", device_map="auto")'
    snippet = SNIPPET.format(imports=imports, loading=loading)
    words = ["vllm", "serve", ".", "--served-model-name", name]
    return "\n".join(["## Serving\n", "In this folder, with transformers:\n", snippet, vllm(words, run)])


def gguf_serving(run: Mapping[str, Any], file: str) -> str:
    """For a GGUF file."""
    built_in, _, context = facts(run)
    sections = ["## Serving\n", "With llama.cpp:\n", block(llama_server(file, context))]
    if built_in:
        sections += ["With Ollama:\n", block(ollama_create(file))]
    else:
        sections.append("Not with Ollama, which cannot run its chat template.\n")
    return "\n".join(sections)


def gguf_commands(run: Mapping[str, Any], file: str, *, llama: bool) -> list[str]:
    """The commands that take a GGUF file. llama: whether the `export` extra is here."""
    built_in, _, context = facts(run)
    found = [["aj", "try", file]] if llama else []
    found.append(ollama_create(file) if built_in else llama_server(file, context))
    return [shlex.join(words) for words in found]


def llama_server(file: str, context: int | None) -> list[str]:
    """llama.cpp's server with the template of the file."""
    return ["llama-server", "-m", file, "--jinja", *(["-c", str(context)] if context else [])]


def ollama_create(file: str) -> list[str]:
    """Ollama, by the Modelfile beside the file."""
    return ["ollama", "create", "aj", "-f", f"{file.removesuffix('.gguf')}.Modelfile"]


def vllm(words: Sequence[str], run: Mapping[str, Any]) -> str:
    """vLLM's server, and what finds thoughts and calls in an answer."""
    built_in, thinking, context = facts(run)
    words = [*words, *(["--max-model-len", str(context)] if context else [])]
    notes = ""
    if built_in:
        words += ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
    else:
        notes = "\nWhich `--tool-call-parser` fits is for its chat template to say: it is not one of ours.\n"
    if built_in and thinking == "empty":
        words += ["--reasoning-parser", "qwen3"]
        off = '`"chat_template_kwargs": {"enable_thinking": false}`'
        notes = f"\nA request with {off} is answered without a thought.\n"
    elif built_in:
        notes = "\nNo `--reasoning-parser`: the prompt opens no thought, and it would take words for one.\n"
    return f"With vLLM:\n\n{block(words)}{notes}"


def block(words: Sequence[str]) -> str:
    """A command as a block, an option a line where it is long."""
    lines, line = [], ""
    for word in map(shlex.quote, words):
        if word.startswith("--") and len(line) > 60:
            lines.append(line)
            line = " "
        line += f" {word}" if line else word
    return "```bash\n" + " \\\n".join([*lines, line]) + "\n```\n"


def facts(run: Mapping[str, Any]) -> tuple[bool, str, int | None]:
    """Whether the template is built in, how it treats a row without a thought, tokens of a sequence."""
    settings = run.get("settings") or {}
    built_in = (run.get("template") or {}).get("name") in BUILT_IN
    return built_in, settings.get("thinking", "as_is"), settings.get("max_seq_length")


def merged_only(config: Mapping[str, Any]) -> str | None:
    """Why vLLM does not take an adapter; null when it does."""
    if config.get("use_dora"):
        return "DoRA"
    if config.get("modules_to_save") or config.get("trainable_token_indices"):
        return "rows of the vocabulary in it"
    return f"rank {config['r']}" if config["r"] > VLLM_RANKS[-1] else None


def least_peft(config: Mapping[str, Any]) -> str:
    """The first peft that reads an adapter right."""
    rows = config.get("trainable_token_indices") or {}
    if config.get("ensure_weight_tying") or len(rows) > 1:
        return "0.18"
    return "0.15" if rows else "0.10"
