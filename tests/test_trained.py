"""Trained tokens are counted as the trainer masks them."""

import polars as pl
import pytest

from curation.rendering import Template, load_template
from curation.row import encode, message
from curation.tokens import load_counter
from curation.trained import trained_tokens
from tests.tiny_tokenizer import train_tokenizer
from train.encoding import Encoder

CALL = {"id": "c1", "name": "bash", "arguments": '{"command": "docker ps -a\\n"}'}
CONVERSATIONS = {
    "plain": [message("user", "What do herbs want?"), message("assistant", "Shade, in the morning.")],
    "white space": [
        message("system", "\n\n Be brief."),
        message("user", "\n\n"),
        message("assistant", "\n\n\n  Größe\n\n"),
        message("user", "你好"),
        message("assistant", "  你好，世界。\r\n"),  # noqa: RUF001
    ],
    "calls": [
        message("user", "Ask the server"),
        message("assistant", None, tool_calls=[CALL, CALL]),
        message("tool", "web\n", tool_call_id="c1"),
        message("tool", "db", tool_call_id="c1"),
        message("assistant", "<think>\nTwo.\n</think>\n\nTwo servers.", tool_calls=[CALL]),
    ],
    "no answer": [message("user", "Anyone?")],
}
TOOLS = '[{"name": "bash", "description": "runs a command", "parameters": {"type": "object"}}]'


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return train_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.mark.parametrize("name", ["aj_r1", "chatml"])
@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_as_many_tokens_are_counted_as_the_mask_leaves_open(tokenizer, name, conversation):
    template = load_template(name, tokenizer)
    messages = CONVERSATIONS[conversation]
    tools = TOOLS if conversation == "calls" else None
    rows = pl.DataFrame({"source": ["s"], "messages": [encode(messages)], "tools": [tools]})
    (examples,) = Encoder(tokenizer, template).examples([(messages, tools)])
    masked = sum(int(example.trained.sum()) for example in examples)
    found = trained_tokens(rows, load_counter(tokenizer), template)
    assert found == ({"s": masked} if masked else {})


def test_sources_are_counted_apart_and_copies_each(tokenizer):
    template, counter = load_template("aj_r1", tokenizer), load_counter(tokenizer)
    text = encode(CONVERSATIONS["plain"])
    rows = pl.DataFrame({"source": ["b", "a", "b"], "messages": [text] * 3, "tools": [None] * 3})
    once = trained_tokens(rows.head(1), counter, template)["b"]
    assert trained_tokens(rows, counter, template) == {"a": once, "b": 2 * once}


def test_a_foreign_template_is_not_guessed_at(tokenizer):
    foreign = Template(name="own", source="{{ messages }}", end="</s>")
    rows = pl.DataFrame({"source": ["s"], "messages": [encode(CONVERSATIONS["plain"])], "tools": [None]})
    assert trained_tokens(rows, load_counter(tokenizer), foreign) is None
