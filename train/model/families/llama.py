"""Llama 2 and 3, and what is built like them. Trained and merged, not exported."""

from train.model.families.family import Family

FAMILY = Family(architecture="LlamaForCausalLM", model_type="llama")
