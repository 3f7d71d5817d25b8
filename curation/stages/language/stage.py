"""Which languages stay. What the assistant says and what the user says is judged apart, code left out."""

from collections.abc import Sequence
from functools import partial

import polars as pl

from curation.recipe.stages import Language, LanguageSides, Undetermined
from curation.row import drop
from curation.stages.language.judges import Verdict
from curation.stages.language.models import UNDETERMINED
from curation.stages.language.shares import languages_by_share
from curation.stages.pii.personal_data import find
from curation.stages.seam import Context, Rows, RowsFn, Split
from curation.turns.prose import sides_of

SHOWN = 80  # characters of a side that went


def language(
    rows: pl.DataFrame,
    *,
    keep: Sequence[str] = ("en",),
    undetermined: Undetermined = "keep",
    judge: LanguageSides = "both",
) -> Split:
    """Keep rows in which the assistant, and with `both` the user, speaks languages of `keep` (ISO 639-1).

    A side that is mostly code or very short is undetermined and goes with the other; `undetermined` is
    about rows of which no judged side is told.

    Adds `language: str`, the assistant's, or else the user's. Reason `language`, with detail `side` that is
    the cause, its `language`, `probability` (null where script or words decided), `by`, the judge, and
    `text`, its beginning. Counts `rows`, and those `kept`.
    """
    users, assistants = sides_of(rows["messages"].to_list())
    told = [("assistant", assistants), ("user", users)][: 2 if judge == "both" else 1]
    verdicts = languages_by_share([text for _, texts in told for text in texts], keep)
    by_side = [verdicts[at : at + rows.height] for at in range(0, len(verdicts), max(1, rows.height))]
    wanted = {*keep, UNDETERMINED}
    names: list[str] = []
    details: list[dict[str, str | float | None] | None] = []
    for row, judged in enumerate(zip(*by_side, strict=True)):
        first = next((v for v in judged if v.language != UNDETERMINED), judged[0])
        names.append(first.language)
        cause = next((n for n, v in enumerate(judged) if v.language not in wanted), None)
        if cause is None and first.language == UNDETERMINED and undetermined == "drop":
            cause = 0
        if cause is None:
            details.append(None)
        else:
            side, texts = told[cause]
            details.append(evidence(side, judged[cause], texts[row]))
    rows = rows.with_columns(language=pl.Series(names, dtype=pl.String))
    stays = pl.Series([detail is None for detail in details], dtype=pl.Boolean)
    gone = [detail for detail in details if detail is not None]
    kept, dropped = rows.filter(stays), drop(rows.filter(~stays), ["language"] * len(gone), gone)
    return Split(kept, dropped, {"rows": rows.height, "kept": kept.height})


def evidence(side: str, verdict: Verdict, text: str) -> dict[str, str | float | None]:
    """Why a row goes. Personal data in the text shown is left out: the ledger is there for all to read."""
    shown = " ".join(text.split())[:SHOWN]
    for finding in reversed(find(shown)):
        shown = f"{shown[: finding.start]}…{shown[finding.end :]}"
    return {"side": side, **verdict._asdict(), "text": shown}


def bind(settings: Language, context: Context) -> RowsFn:
    """`language` with the recipe's settings."""
    return partial(language, keep=settings.keep, undetermined=settings.undetermined, judge=settings.judge)


STAGE = Rows(bind=bind)
