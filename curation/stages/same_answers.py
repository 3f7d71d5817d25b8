"""What the rows of a source have in common and should not: one answer, or the words that all begin with.

Looked at are the first question and the last answer of every row that ends on words, in sources of twenty
such rows and more. `one_answer` is of the rows with an answer that at least `share` of the source's give;
`same_answer_beginning` and `same_question_beginning` are of those that begin with words that nearly all of
the source's begin with, such as a label that a template put there. Each is a flag, or a reason where the
recipe drops it; the note says with what words, and how large a share has them.
"""

import re
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from typing import Any

import orjson
import polars as pl

from curation.recipe.stages import SameAnswers, SameFault
from curation.row import NO_LOSS, note
from curation.stages.seam import DROPS_SCHEMA, FLAGS_SCHEMA, Context, Keyed, Outcome, PrepareFn, no_pairs

LEAST_ROWS = 20  # of a source
_WORD = re.compile(r"\w+")
_WHOLE_WORDS = re.compile(r"(?:.*\W)?", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)?", re.DOTALL)
NEARLY_ALL = 0.95
BEGINNING = 64  # characters of JSON that are looked at
LEAST_CHARS, LEAST_WORDS = 10, 2  # of words that all begin with
# How canonical JSON begins a message and parts what is said from the rest; inside a text quotes are escaped.
_OPENS, _CLOSES, _FIRST = '{"content":"', '","name":', '[{"content":"'
_UNCLOSED = r'^((?:[^"\\]|\\.)*)'
_SYSTEM, _USER, _ASSISTANT = ('"role":"system"', '"role":"user"', '"role":"assistant"')
_TAILS = ('"tool_calls":null}]', f'"tool_calls":null{NO_LOSS}}}]')
ROLE = 80  # characters behind what is said in which the role stands


def prepare(rows: pl.DataFrame) -> pl.DataFrame:
    """What is compared of every row, the source's digest as its key."""
    keys = {source: sha256(source.encode()).hexdigest()[:16] for source in rows["source"].unique()}
    messages = rows["messages"]
    ends = [last_said(text) for text in messages]
    prompted = messages.str.contains(_SYSTEM, literal=True).arg_true()
    asked = messages.str.slice(len(_FIRST), BEGINNING).str.extract(_UNCLOSED)
    return rows.select(
        "pos",
        "piece",
        "source",
        key=pl.col("source").replace_strict(keys, return_dtype=pl.String),
        answer=pl.Series([answer for answer, _ in ends], dtype=pl.String),
        asked=asked.scatter(prompted, [asked_behind(text) for text in messages[prompted]]),
        said=pl.Series([said for _, said in ends], dtype=pl.String),
    )


def last_said(messages: str) -> tuple[str | None, str | None]:
    """What tells a row's last answer from others, and how it begins; nothing where it ends on no words."""
    end = messages.rfind(_CLOSES)
    if not messages.endswith(_TAILS) or _ASSISTANT not in messages[end : end + ROLE]:
        return None, None
    start = messages.rfind(_OPENS, 0, end) + len(_OPENS)
    if end < start:
        return None, None
    said = messages[start : min(end, start + BEGINNING)]
    return f"{end - start} {said} {messages[max(start, end - BEGINNING) : end]}", said


def asked_behind(messages: str) -> str | None:
    """How the question behind a system prompt begins."""
    start = messages.find(_OPENS, messages.find(_SYSTEM)) + len(_OPENS)
    end = messages.find(_CLOSES, start)
    is_asked = start >= len(_OPENS) and _USER in messages[end : end + ROLE]
    return messages[start : min(end, start + BEGINNING)] if is_asked else None


def find_same(prepared: pl.DataFrame, *, share: float, drop: list[SameFault]) -> Outcome:
    """What is the same in the rows of whole sources."""
    flags: list[pl.DataFrame] = []
    drops: list[pl.DataFrame] = []
    counted = prepared.filter(pl.col("answer").is_not_null())
    for _, rows in sorted(counted.partition_by("source", as_dict=True).items()):
        if rows.height < LEAST_ROWS:
            continue
        for kind, same, what in _same_in(rows, share):
            told = {"share": round(same.height / rows.height, 4), "rows": same.height, "said": what}
            if kind in drop:
                drops.append(same.select("pos", "piece", reason=pl.lit(kind), detail=pl.lit(_json(told))))
            else:
                line = note(None, stage="same_answers", flag=kind, **told)
                flags.append(same.select("pos", "piece", note=pl.lit(line)))
    gone = pl.concat([pl.DataFrame(schema=DROPS_SCHEMA), *drops], how="diagonal").unique(
        ["pos", "piece"], keep="first", maintain_order=True
    )
    noted = pl.concat([pl.DataFrame(schema=FLAGS_SCHEMA), *flags], how="diagonal")
    same = pl.concat([gone.select("pos", "piece"), noted.select("pos", "piece")]).unique()
    return Outcome(gone, no_pairs(), counts={"rows": prepared.height, "same": same.height}, flags=noted)


def _same_in(rows: pl.DataFrame, share: float) -> Iterator[tuple[SameFault, pl.DataFrame, str]]:
    """(kind, rows, words) of what rows of one source have in common."""
    answer, given = rows["answer"].value_counts().sort("count", "answer", descending=True).row(0)
    one = rows.filter(pl.col("answer") == answer)
    is_one = given >= share * rows.height
    if is_one:
        yield "one_answer", one, _read(one["said"][0])
    beginnings: list[tuple[SameFault, str]] = [("same_question_beginning", "asked")]
    if not is_one:
        beginnings.insert(0, ("same_answer_beginning", "said"))
    for kind, column in beginnings:
        words = common_beginning(rows[column])
        if words:
            yield kind, rows.filter(pl.col(column).str.starts_with(words)), _read(words).strip()


def common_beginning(texts: pl.Series) -> str:
    """The words that nearly all of some JSON texts begin with; empty where they are too few."""
    least = NEARLY_ALL * len(texts)
    best = ""
    for size in range(LEAST_CHARS, BEGINNING + 1):  # the longer, the fewer share it
        commonest = texts.str.slice(0, size).mode().drop_nulls().sort().head(1)
        if not len(commonest) or texts.str.starts_with(commonest[0]).sum() < least:
            break
        best = commonest[0]
    words = _WHOLE_WORDS.match(_read(best))
    return best if words and len(_WORD.findall(words.group())) >= LEAST_WORDS else ""


def _read(text: str) -> str:
    """The beginning of a JSON text as it reads."""
    return _ESCAPE.sub(lambda match: {"n": "\n", "t": "\t"}.get(match[1], match[1]), text)


def _json(told: dict[str, Any]) -> str:
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode()


def _bind_prepare(settings: Any, context: Context) -> PrepareFn:
    return prepare


def _bind(settings: Any, context: Context) -> Any:
    assert isinstance(settings, SameAnswers)
    return partial(find_same, share=settings.share, drop=settings.drop)


STAGE = Keyed(key="key", prepare=_bind_prepare, bind=_bind)
