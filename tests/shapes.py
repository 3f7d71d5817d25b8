"""Records read as a source's reader reads them, and what their rows say."""

import json
from pathlib import Path

import msgspec

from curation.readers.conversion import converted, converter
from curation.recipe.source import Source


def source(reader, **settings):
    return msgspec.convert({"uri": "data", "reader": reader, "group": "g", **settings}, Source)


def read(reader, record, **settings):
    """The row of one record, given as Python objects or as JSON text."""
    data = record if isinstance(record, bytes) else json.dumps(record).encode()
    return converter(source(reader, **settings), Path("data"))(data)


def found(reader, *records, **settings):
    """What becomes of records: rows, or why they are none."""
    data = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
    whole = source(reader, **settings)
    return list(converted([data], converter(whole, Path("data")), whole))


def said(row):
    """(role, content) of every message."""
    return [(message["role"], message["content"]) for message in row.messages]


def calls(row):
    return [(c["id"], c["name"], c["arguments"]) for m in row.messages for c in m["tool_calls"] or []]


HELLO = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
TALK = [{"role": "user", "content": "hi"}]
CALLED = {"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}
