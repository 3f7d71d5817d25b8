"""Which rows may have a fault, seen in their JSON text: the regex engine tells without decoding them."""

import re
from collections.abc import Iterator

import polars as pl

from curation.row import encode, message
from curation.stages.answers import wordings
from curation.stages.answers.endings import ENDS, FENCE
from curation.stages.answers.faults import ECHO_SLACK, LOST, NOTHING
from curation.stages.answers.loops import TIMES

_ASSISTANT = '"role":"assistant"'
_ROLE = r'","name":(?:null|"[^"]*"),"role":'
_ENDS = rf'[^{re.escape(ENDS)}]{_ROLE}"assistant"'
_SHORT = rf'"content":"(?:[^"\\\w]|_|\\n){{1,{NOTHING}}}{_ROLE}"assistant"'
_ASKS = rf'(?:{"|".join(wordings.ASK_MARKS)})[^"\\]{{0,80}}{_ROLE}"user"'
# The parts of a row of one question and its answer that are the same in all such rows.
_OPENS, _BETWEEN, _CLOSES = (
    part.encode() for part in encode([message("user", "\0"), message("assistant", "\0")]).split("\\u0000")
)
_ONE_ANSWER = len(_CLOSES) - _CLOSES.index(_ASSISTANT.encode())
_PROBE = 16


def suspects(messages: pl.Series) -> pl.Series:
    """The rows whose one answer may have a fault that no words tell, and all those of several answers."""
    found = pl.repeat(False, len(messages), dtype=pl.Boolean, eager=True)
    for more in _looks(messages):
        found = found | more.fill_null(True)
    # The rest is looked for in what is left.
    rest = (~found).arg_true()
    return found.scatter(rest.filter(_may_loop(messages[rest])), True)


def _looks(messages: pl.Series) -> Iterator[pl.Series]:
    sizes = messages.str.len_bytes().cast(pl.Int64)
    yield messages.str.find(_ASSISTANT, literal=True).cast(pl.Int64) != sizes - _ONE_ANSWER
    yield messages.str.contains(_ENDS)
    yield messages.str.contains(_SHORT)
    yield messages.str.contains(_ASKS)
    yield messages.str.contains(LOST, literal=True)
    yield messages.str.contains(FENCE, literal=True)
    asked = messages.str.find(_BETWEEN.decode(), literal=True).cast(pl.Int64) - len(_OPENS)
    said = sizes - len(_OPENS) - len(_BETWEEN) - len(_CLOSES) - asked
    # Of the bytes of JSON; of the characters there are fewer.
    yield (asked - said).abs().fill_null(0) <= 4 * ECHO_SLACK


def _may_loop(messages: pl.Series) -> pl.Series:
    """Whether what stands at the end of a row, or in its middle, stands in many places."""
    text, size = pl.col("text").str, pl.col("size")
    probes = messages.to_frame("text").with_columns(size=text.len_chars().cast(pl.Int64))
    probes = probes.select(
        text.slice(size - len(_CLOSES.decode()) - _PROBE, _PROBE).alias("end"),
        text.slice(size // 2, _PROBE).alias("middle"),
    )
    counts = [messages.str.count_matches(probe, literal=True) >= TIMES for probe in probes]
    return counts[0] | counts[1]
