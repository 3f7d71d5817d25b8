"""Shapes in which sets are published and tools export: read right, or refused in words.

Of our own making: a record, and what its row must say or what the refusal must name.
"""

import json

import msgspec
import pytest

from curation.jobs.first.guess import guess
from curation.readers.conversion import converted, converter
from curation.readers.regrouping import gathered
from curation.readers.seam import reader_of
from curation.recipe.source import Source
from curation.turns.shape import Row

ASK, SAY = "How deep should garlic be planted?", "Plant it five centimetres deep, pointed end up."
USER, AI = {"role": "user", "content": ASK}, {"role": "assistant", "content": SAY}
NO = {"role": "assistant", "content": "No."}
TALK = [("user", ASK), ("assistant", SAY)]
TOLD = [("system", "Be brief."), *TALK]
NOBODY = "named as who answers"
UNNAMED = "none is named as a question"

SHAPES = {
    "hh-rlhf": ({"chosen": f"\n\nHuman: {ASK}\n\nAssistant: {SAY}", "rejected": f"\n\nHuman: {ASK}"}, TALK),
    "orca pairs": ({"system": "Be brief.", "question": ASK, "chosen": SAY, "rejected": SAY + SAY}, TOLD),
    "ultrafeedback": ({"instruction": ASK, "completions": [{"response": SAY, "score": 8}]}, UNNAMED),
    "binarised pairs": ({"prompt": ASK, "chosen": [USER, AI], "rejected": [USER, NO]}, TALK),
    "helpsteer": ({"prompt": ASK, "response": SAY, "helpfulness": 3, "verbosity": 2}, TALK),
    "openorca": ({"id": "flan.1", "system_prompt": "Be brief.", "question": ASK, "response": SAY}, TOLD),
    "capybara": ({"source": "c", "conversation": [{"input": ASK, "output": SAY}]}, TALK),
    "flan": ({"inputs": ASK, "targets": SAY, "task": "qa"}, UNNAMED),
    "lima": ({"conversations": [ASK, SAY], "source": "s"}, UNNAMED),
    "metamath": ({"query": ASK, "response": SAY, "type": "rephrased"}, TALK),
    "gsm8k": ({"question": ASK, "answer": SAY}, TALK),
    "arena": ({"winner": "model_b", "conversation_a": [USER, NO], "conversation_b": [USER, AI]}, "both hold"),
    "nemotron": ({"input": [USER], "output": SAY, "category": "chat", "reasoning": "off"}, TALK),
    "magpie": (
        {"instruction": ASK, "response": SAY, "conversations": [{"from": "human", "value": ASK},
                                                                {"from": "gpt", "value": SAY}]},
        TALK,
    ),
    "tulu": ({"id": "t", "messages": [USER, AI], "source": "s"}, TALK),
    "smoltalk 2": (
        {"messages": [USER, AI], "chat_template_kwargs": {"custom_instructions": "", "python_tools": []}},
        TALK,
    ),
    "oasst tree": (
        {"message_tree_id": "m", "prompt": {"text": ASK, "role": "prompter", "replies": [
            {"text": "No.", "role": "assistant", "rank": 1}, {"text": SAY, "role": "assistant", "rank": 0}]}},
        TALK,
    ),
    "chatgpt export": (
        {"mapping": {
            "u": {"parent": None, "message": {"author": {"role": "user"},
                                              "content": {"content_type": "text", "parts": [ASK]}}},
            "a": {"parent": "u", "message": {"author": {"role": "assistant"}, "recipient": "all",
                                             "content": {"content_type": "text", "parts": [SAY]}}}},
         "current_node": "a"},
        TALK,
    ),
    "claude export": (
        {"name": "n", "chat_messages": [{"text": ASK, "sender": "human"},
                                        {"text": SAY, "sender": "assistant"}]},
        TALK,
    ),
    "langfuse": ({"name": "trace", "input": {"messages": [USER]}, "output": AI}, TALK),
    "responses": (
        {"instructions": "Be brief.", "input": [USER], "output": [
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": SAY}]}]},
        TOLD,
    ),
    "vercel": (
        {"messages": [{"role": "user", "parts": [{"type": "text", "text": ASK}]},
                      {"role": "assistant", "parts": [{"type": "text", "text": SAY}]}]},
        TALK,
    ),
    "telegram": ({"messages": [{"from": "Tom", "text": ASK}, {"from": "Mara", "text": SAY}]}, NOBODY),
    "discord": ({"messages": [{"author": "tom", "content": ASK}, {"author": "mia", "content": SAY}]}, NOBODY),
    "slack": ({"type": "message", "user": "U1", "text": ASK, "ts": "1700000.1"}, UNNAMED),
    "stack exchange": ({"Title": "Depth", "Body": ASK, "Answers": [{"Score": 3, "Body": SAY}]}, UNNAMED),
    "coqa": ({"story": "s", "questions": [ASK, "Why?"], "answers": [SAY, "So."]}, UNNAMED),
    "batch output": ({"custom_id": "c", "response": {"body": {"choices": [{"message": AI}]}}}, UNNAMED),
    "batch input": ({"custom_id": "c", "url": "/v1", "body": {"messages": [USER]}}, UNNAMED),
    "label studio": ({"data": {"prompt": ASK}, "annotations": [{"result": [{"value": SAY}]}]}, UNNAMED),
    "prodigy": ({"text": ASK, "label": "GARDEN", "answer": "accept", "_task_hash": 2}, UNNAMED),
    "choices": ({"question": ASK, "choices": ["one", "two"], "answer": "two"}, "chooses among answers"),
    "classes": ({"text": ASK, "label": 1}, UNNAMED),
    "summaries": ({"document": ASK, "summary": SAY}, UNNAMED),
    "translation": ({"translation": {"en": ASK, "de": SAY}}, UNNAMED),
    "triplets": ({"query": ASK, "positive": SAY, "negative": "No."}, UNNAMED),
    "plain text": ({"text": ASK + SAY, "url": "https://example.org/1"}, UNNAMED),
    "token ids": ({"input_ids": [1, 2], "labels": [-100, 2]}, UNNAMED),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_a_published_shape_is_read_right_or_refused_in_words(tmp_path, name):
    record, expected = SHAPES[name]
    path = tmp_path / "data.jsonl"
    data = json.dumps(record).encode()
    path.write_bytes(b"".join(data + b"\n" for _ in range(8)))
    found = guess(path)
    if isinstance(expected, str):
        assert found.reader is None
        assert expected in f"{found.problem} {UNNAMED if not found.problem else ''}"
        return
    assert found.reader is not None
    read = {"uri": "data.jsonl", "reader": found.reader, "group": "g", **found.settings}
    source = msgspec.convert(read, Source)
    batches = [[data]]
    if (by := reader_of(found.reader).gather(source)) is not None:
        batches = list(gathered(batches, by))
    (row,) = converted(batches, converter(source, path), source)
    assert isinstance(row, Row)
    assert [(message["role"], message["content"]) for message in row.messages] == expected
