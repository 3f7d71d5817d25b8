"""Qwen3. Its norms of queries and keys are too few to count."""

from train.model.families.family import Family

FAMILY = Family(architecture="Qwen3ForCausalLM", model_type="qwen3", gguf="qwen3")
