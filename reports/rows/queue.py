"""What of a dataset is worth a person's minute, most worth it first: the queue of `aj review`.

Looked at are written rows, and dropped ones of whose language the judge was unsure. Every sign that speaks
for a row is one line of a table; a row with several signs, or with one that is rare in its source, comes
first among those with the same sign, and the signs take turns, so that no frequent one hides the others.
"""

from pathlib import Path

import polars as pl

from curation.dataset.gate_sql import tables
from curation.recipe.load import Recipe, stage_plan
from curation.recipe.stages import NOTES, Length, NearDuplicates
from reports.facts.dataset_tables import ledger, samples

AT = ["source", "file", "row"]
TAIL = 10  # rows of one source that stand out in one way
FEWEST = 50  # rows of a source, from which some can stand out
FAR = 1.5  # times the middle half's width, from its edge, where a tail begins
RARE = 0.02  # of a source's rows open with a word that no other row opens with, where such a word is rare
NEAR = 0.97  # of the most tokens that a row may have
UNSURE = 0.8  # the probability of a language below which its judge was unsure

# Sign → what it says of a row. The flags of stages are the others.
SIGNS = {
    "near_pair": "nearly so like another row that one of the two would go",
    "near_length": "nearly as many tokens as a row may have",
    "unsure_language": "dropped for its language, of which the judge was unsure",
    "longest": "far longer than the other rows of its source",
    "shortest": "its answer is far shorter than the others of its source",
    "most_calls": "far more calls than the other rows of its source",
    "rare_opening": "its answer opens with a word with which no other of its source does",
}


def meaning(sign: str) -> str:
    """A sign in words."""
    return SIGNS.get(sign) or NOTES.get(sign) or sign


def queue(dataset: Path, recipe: Recipe) -> pl.DataFrame:
    """Rows (source, file, row, why: a list of signs) in their order.

    The order depends on the rows alone: of equals the lowest digest of what was read comes first.
    """
    lines = ledger(dataset).collect()
    signs = pl.concat(
        [flagged(lines), near_pairs(dataset, recipe), unsure(lines), *tails(dataset, recipe, lines)]
    )
    signs = signs.unique([*AT, "sign"]).join(lines.select(*AT, "input_id"), on=AT)
    of_source = lines.filter(written()).group_by("source").agg(of=pl.len())
    told = pl.len().over("source", "sign")
    # The rarer a sign is among the rows of its source, the more it says.
    worth = signs.join(of_source, on="source", how="left").with_columns(
        worth=((pl.col("of").fill_null(1) + 1) / told).log(2).clip(0)
    )
    worth = worth.with_columns(all=pl.col("worth").sum().over(AT))
    order = pl.struct(-pl.col("all").round(6), -pl.col("score"), "input_id", *AT)
    turn = order.rank("ordinal").over("sign")
    rows = (
        worth.with_columns(turn=turn)
        .sort("turn", "sign")
        .group_by(AT, maintain_order=True)
        .agg(pl.col("turn").first(), pl.col("all").first(), pl.col("input_id").first(), why="sign")
        .sort("turn", -pl.col("all").round(6), "input_id", *AT)
    )
    return rows.select(*AT, pl.col("why").list.sort())


def written() -> pl.Expr:
    """Lines of the ledger whose rows were written."""
    return pl.col("fate").is_in(["train", "eval"])


def signed(rows: pl.DataFrame, sign: str | pl.Expr, score: str | pl.Expr) -> pl.DataFrame:
    """source, file, row, sign and score of rows."""
    named = pl.lit(sign) if isinstance(sign, str) else sign
    value = pl.col(score) if isinstance(score, str) else score
    return rows.select(*AT, sign=named.cast(pl.String), score=value.cast(pl.Float64))


def flagged(lines: pl.DataFrame) -> pl.DataFrame:
    """Written rows that a stage flagged."""
    # Inside a text of the evidence the quotes would be escaped.
    found = lines.filter(written() & pl.col("detail").str.contains('"flag":"', literal=True))
    flags = pl.col("detail").str.extract_all(r'"flag":"\w+"').list.unique()
    found = found.select(*AT, flag=flags).explode("flag").with_columns(flag=pl.col("flag").str.slice(8))
    return signed(found, pl.col("flag").str.strip_suffix('"'), pl.lit(0))


def near_pairs(dataset: Path, recipe: Recipe) -> pl.DataFrame:
    """Written rows of the sampled pairs just under the threshold; a pair is worth one look."""
    thresholds = {
        name: settings.similarity
        for name, _, settings in stage_plan(recipe)
        if isinstance(settings, NearDuplicates)
    }
    pairs = (
        samples(dataset)
        .filter(pl.col("kind") == "near_pair", pl.col("fate").is_in(["train", "eval"]))
        .collect()
    )
    limit = pl.col("stage").replace_strict(thresholds, default=1.0, return_dtype=pl.Float64)
    found = pairs.filter(pl.col("similarity") < limit)
    return signed(found.sort("similarity").unique(AT, keep="last"), "near_pair", "similarity")


def unsure(lines: pl.DataFrame) -> pl.DataFrame:
    """Rows dropped for a language of which the judge was unsure."""
    probability = pl.col("detail").str.extract(r'"probability":([\d.e-]+)').cast(pl.Float64, strict=False)
    found = lines.filter(pl.col("reason") == "language").with_columns(probability=probability)
    return signed(found.filter(pl.col("probability") < UNSURE), "unsure_language", 1 - pl.col("probability"))


def tails(dataset: Path, recipe: Recipe, lines: pl.DataFrame) -> list[pl.DataFrame]:
    """Rows at the ends of what is usual in their source, and those with nearly too many tokens."""
    facts = [table_facts(rows) for name, rows in tables(dataset).items() if name != "ledger"]
    known = pl.concat(pl.collect_all(facts)).unique("id", keep="first", maintain_order=True)
    rows = lines.filter(written()).select(*AT, "id").join(known, on="id").unique("id", maintain_order=True)
    most = min((s.max_tokens for _, _, s in stage_plan(recipe) if isinstance(s, Length)), default=None)
    near = rows.filter(pl.col("tokens") >= NEAR * most) if most is not None else rows.clear()
    enough = rows.filter(pl.len().over("source") >= FEWEST)
    opening = enough.filter(pl.col("opening").is_not_null() & (pl.len().over("source", "opening") == 1))
    among = opening.join(enough.group_by("source").agg(of=pl.len()), on="source")
    rare = among.filter(pl.len().over("source") <= RARE * pl.col("of"))
    return [
        signed(near, "near_length", "tokens"),
        signed(*standing_out(enough, (pl.col("text") + 1).log(), "longest")),
        signed(*standing_out(enough.filter(pl.col("answer") > 0), -(pl.col("answer") + 1).log(), "shortest")),
        signed(*standing_out(enough, pl.col("calls").cast(pl.Float64), "most_calls")),
        signed(rare, "rare_opening", pl.lit(0)),
    ]


def table_facts(rows: pl.LazyFrame) -> pl.LazyFrame:
    """How long every row of a table is, how many calls it has, and how its last answer opens."""
    turn = pl.element().struct
    last = pl.col("messages").list.last().struct.field("content").fill_null("")
    return rows.select(
        "id",
        "tokens",
        text=pl.col("text").str.len_chars(),
        calls=pl.col("messages").list.eval(turn.field("tool_calls").list.len().fill_null(0)).list.sum(),
        answer=last.str.len_chars(),
        opening=last.str.extract(r"^\P{L}{0,20}(\p{L}+)").str.to_lowercase(),
    )


def standing_out(rows: pl.DataFrame, measure: pl.Expr, sign: str) -> tuple[pl.DataFrame, str, str]:
    """Rows whose measure lies far above the middle half of their source's, the farthest few of each."""
    measured = rows.with_columns(measure=measure)
    low, high = (pl.col("measure").quantile(part).over("source") for part in (0.25, 0.75))
    far = measured.with_columns(score=(pl.col("measure") - high) / (high - low).clip(0.25))
    farthest = far.filter(pl.col("score") > FAR).sort(pl.col("score"), "id", descending=[True, False])
    return farthest.group_by("source", maintain_order=True).head(TAIL), sign, "score"
