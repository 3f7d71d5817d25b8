"""Recipes as text, and what is answered to a wrong one."""

import pytest

from curation.errors import RecipeError
from curation.recipe.load import parse_recipe

SMALLEST = """\
name: demo
version: 1.0.0
seed: 17
base_model: {id: acme/tiny, code: Tiny}
sources:
  chats: {uri: chats.jsonl, reader: messages, group: talk}
mixture:
  shares: {talk: 1}
"""

WHOLE = """\
name: demo
version: 1.0.0
seed: 17
base_model: {id: acme/tiny, code: Tiny}
tokenizer: {id: acme/tiny}
sources:
  chats: {uri: chats.jsonl, reader: messages, group: talk}
  books: {uri: books.txt, reader: herbal, group: herbs}
mixture:
  shares: {talk: 0.75, herbs: 0.25}
stages:
  - normalise
  - length: {max_tokens: 2048}
  - near_duplicates: {keep: [books]}
gates:
  - {metric: eval.leaked_rows, max: 0}
"""


def fault(text: str) -> str:
    with pytest.raises(RecipeError) as error:
        parse_recipe(text, "r.yaml")
    assert error.value.exit_code == 2
    return str(error.value)
