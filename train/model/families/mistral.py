"""Mistral 7B and what is built like it. Trained and merged, not exported."""

from train.model.families.family import Family

FAMILY = Family(architecture="MistralForCausalLM", model_type="mistral", slides=True)
