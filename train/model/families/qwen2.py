"""Qwen2 and Qwen2.5, and what was distilled into them: DeepSeek-R1-Distill-Qwen."""

from typing import Any

from train.model.families.family import Family

ARCHITECTURE = "Qwen2ForCausalLM"


def sizes(
    hidden: int, inner: int, layers: int, heads: int, kv: int, vocab: int, tied: bool, context: int
) -> dict[str, Any]:
    """The part of a config that sizes depend on."""
    return {
        "architectures": [ARCHITECTURE],
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "vocab_size": vocab,
        "tie_word_embeddings": tied,
        "max_position_embeddings": context,
    }


FAMILY = Family(
    architecture=ARCHITECTURE,
    model_type="qwen2",
    gguf="qwen2",
    has_biases=True,
    # From the config.json of each on the hub.
    known={
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B": sizes(5120, 27648, 64, 40, 8, 152064, False, 131072),
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B": sizes(5120, 13824, 48, 40, 8, 152064, False, 131072),
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": sizes(3584, 18944, 28, 28, 4, 152064, False, 131072),
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": sizes(1536, 8960, 28, 12, 2, 151936, False, 131072),
        "Qwen/Qwen2.5-32B-Instruct": sizes(5120, 27648, 64, 40, 8, 152064, False, 32768),
        "Qwen/Qwen2.5-7B-Instruct": sizes(3584, 18944, 28, 28, 4, 152064, False, 32768),
    },
)
