"""Which languages stay. The language of a row is judged by what its user and assistant say, code left out."""

from collections.abc import Sequence
from functools import partial

import polars as pl

from curation.recipe.stages import Language, Undetermined
from curation.row import drop
from curation.stages.language.models import UNDETERMINED
from curation.stages.language.tiers import languages
from curation.stages.seam import Context, Rows, RowsFn, Split
from curation.turns.prose import proses


def language(
    rows: pl.DataFrame, *, keep: Sequence[str] = ("en",), undetermined: Undetermined = "keep"
) -> Split:
    """Keep rows in the languages `keep` (ISO 639-1); code-heavy and very short ones are `undetermined`.

    Adds `language: str`. Reason `language`, with detail `language`, `probability` (null where script
    or words decided) and `by`, the judge. Counts `rows`, and those `kept`.
    """
    verdicts = languages(proses(rows["messages"].to_list()))
    rows = rows.with_columns(language=pl.Series([v.language for v in verdicts], dtype=pl.String))
    wanted = {*keep, UNDETERMINED} if undetermined == "keep" else {*keep} - {UNDETERMINED}
    stays = rows["language"].is_in(sorted(wanted))
    gone = [verdict for verdict in verdicts if verdict.language not in wanted]
    details = [{"language": v.language, "probability": v.probability, "by": v.by} for v in gone]
    kept, dropped = rows.filter(stays), drop(rows.filter(~stays), ["language"] * len(gone), details)
    return Split(kept, dropped, {"rows": rows.height, "kept": kept.height})


def bind(settings: Language, context: Context) -> RowsFn:
    """`language` with the recipe's settings."""
    return partial(language, keep=settings.keep, undetermined=settings.undetermined)


STAGE = Rows(bind=bind)
