"""Trained tokens are counted as the trainer masks them."""

import polars as pl
import pytest

from curation.rendering.template import Template, load_template
from curation.rendering.tokens import count_rows, load_counter
from curation.rendering.trained import trained_tokens
from curation.row import encode, message
from tests.tiny_tokenizer import train_tokenizer
from train.data.encoding import Encoder

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
    "masked turns": [
        message("user", "Ask the server"),
        message("assistant", "Which one, and what for?", tool_calls=[CALL]) | {"weight": 0},
        message("tool", "web", tool_call_id="c1"),
        message("assistant", "One server."),
    ],
    "no answer": [message("user", "Anyone?")],
}
TOOLS = '[{"name": "bash", "description": "runs a command", "parameters": {"type": "object"}}]'


def frame(sources, messages, tools):
    """Rows whose tokens are not counted yet."""
    return pl.DataFrame(
        {"source": sources, "messages": messages, "tools": tools, "tokens": None},
        schema={"source": pl.String, "messages": pl.String, "tools": pl.String, "tokens": pl.UInt32},
    )


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return train_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.mark.parametrize("name", ["aj_r1", "chatml"])
@pytest.mark.parametrize("conversation", CONVERSATIONS)
@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("thinking", ["as_is", "empty"])
def test_as_many_tokens_are_counted_as_the_mask_leaves_open(tokenizer, name, conversation, counted, thinking):
    template = load_template(name, tokenizer, thinking=thinking)
    messages = CONVERSATIONS[conversation]
    tools = TOOLS if conversation == "calls" else None
    rows = frame(["s"], [encode(messages)], [tools])
    counter = load_counter(tokenizer)
    rows = rows.with_columns(tokens=count_rows(rows, counter, template)) if counted else rows
    (examples,) = Encoder(tokenizer, template).examples([(messages, tools)])
    masked = sum(int(example.trained.sum()) for example in examples)
    assert trained_tokens(rows, counter, template) == {"s": masked}


def test_sources_are_counted_apart_and_copies_each(tokenizer):
    template, counter = load_template("aj_r1", tokenizer), load_counter(tokenizer)
    text = encode(CONVERSATIONS["plain"])
    rows = frame(["b", "a", "b"], [text] * 3, [None] * 3)
    once = trained_tokens(rows.head(1), counter, template)["b"]
    assert trained_tokens(rows, counter, template) == {"a": once, "b": 2 * once}


def test_a_foreign_template_is_not_guessed_at(tokenizer):
    foreign = Template(name="own", source="{{ messages }}", end="</s>")
    rows = frame(["s"], [encode(CONVERSATIONS["plain"])], [None])
    assert trained_tokens(rows, load_counter(tokenizer), foreign) is None
