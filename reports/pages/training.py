"""report.html of an adapter: how its training went, beside what it was trained on and who approved that."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from markupsafe import Markup

from curation.files import write_bytes
from curation.recipe.metrics import evaluated_meanings
from curation.visible import visible
from reports.pages.charts import BLUE, VERMILION
from reports.pages.plot import Plot, axis, plain, room_for, scientific
from reports.pages.report import environment, render

METRICS, RUN, EVALUATED = "metrics.jsonl", "run.json", "evaluation.html"
# A curve of more points than this looks the same and weighs more.
MOST_POINTS = 400

Line = Mapping[str, Any]


def training_documents(folder: Path, record: Mapping[str, Any]) -> dict[str, bytes]:
    """What an adapter's folder holds for people beside its card: the training report."""
    return {"report.html": training_report(folder, record)}


def training_report(
    folder: Path, record: Mapping[str, Any], evaluation: Mapping[str, Any] | None = None
) -> bytes:
    """The report of a run record and the metrics.jsonl in `folder`: one file, readable without a script.

    evaluation: what `aj evaluate` measured (evaluation.json), where it did.
    """
    lines = [orjson.loads(line) for line in (folder / METRICS).read_bytes().splitlines()]
    steps = [line for line in lines if line["kind"] == "train"]
    held_out = [line for line in lines if line["kind"] == "eval"]
    return render(
        environment(),
        "training.html.jinja",
        run=record,
        evaluation=evaluation,
        meanings=evaluated_meanings(evaluation["metrics"] if evaluation else ()),
        figures=figures(record, held_out),
        charts=[(title, Markup(chart)) for title, chart in charts(steps, held_out)],
        rows=list(thinned(steps, 20)),
        breakable=breakable,
        rate=rate,
        setting=setting,
        speed=median([line["tokens_per_s"] for line in steps]),
    )


def write_evaluation(folder: Path, evaluation: Mapping[str, Any]) -> Path | None:
    """Write the training report again with an evaluation in it, as evaluation.html beside it.

    report.html itself belongs to what `aj train` sealed. Null when the folder has no training metrics.
    """
    if not (folder / METRICS).is_file():
        return None
    record = orjson.loads((folder / RUN).read_bytes())
    write_bytes(folder / EVALUATED, training_report(folder, record, evaluation))
    return folder / EVALUATED


def figures(record: Mapping[str, Any], held_out: Sequence[Line]) -> list[tuple[str, str]]:
    """(figure, what it is) for the head of the page."""
    losses = record["losses"]
    found = [
        (f"{record['steps']:,}", "steps"),
        (f"{record['tokens']:,}", "tokens trained on, padding left out"),
        (f"{record['epochs']:.2f}", "epochs"),
        (number(losses["first loss"]), "loss at first"),
        (number(losses["last loss"]), "loss at last"),
    ]
    if losses["last eval loss"] is not None:
        when = ", measured once, at the end" if len(held_out) == 1 else " at last"
        found.append((number(losses["last eval loss"]), f"loss on held-out rows{when}"))
    return found


def number(value: float | None) -> str:
    """A loss as people read it."""
    return "not measured" if value is None else f"{value:.3f}"


def breakable(name: str) -> Markup:
    """The name of a metric or source, which may go on in the next line after a dot or underscore."""
    return Markup("<wbr>").join(re.split(r"(?<=[._])", visible(name)))


def rate(value: float) -> str:
    """A learning rate as recipes write it: 2.00e-5."""
    digits, _, power = f"{value:.2e}".partition("e")
    return f"{digits}e{int(power)}" if value else "0"


def setting(value: Any) -> str:
    """A setting in words."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "not set"}[value]
    return f"{value:,}" if isinstance(value, int) else str(value)


def charts(steps: Sequence[Line], held_out: Sequence[Line]) -> list[tuple[str, str]]:
    """(title, curve) of a run: loss, gradient norm, throughput, learning rate."""
    points = list(thinned(steps, MOST_POINTS))
    drawn = [("Loss", loss_chart(points, held_out))]
    for key, title in (
        ("grad_norm", "Gradient norm"),
        ("tokens_per_s", "Tokens per second"),
        ("learning_rate", "Learning rate"),
    ):
        values = [{"step": p["step"], "value": p[key]} for p in points if p.get(key) is not None]
        if values:
            drawn.append((title, curve(values, title, key)))
    return drawn


def loss_chart(points: Sequence[Line], held_out: Sequence[Line]) -> str:
    """Loss on what is trained and on what is held out."""
    height = 200
    # A loss that is no number has no place.
    points, held_out = ([p for p in line if p["loss"] is not None] for line in (points, held_out))
    x = axis([p["step"] for p in (*points, *held_out)], plain, ticks=6, least_step=1)
    y = axis([p["loss"] for p in (*points, *held_out)], plain, ticks=6, zero=False).along(height, 0)
    legend = (("train", BLUE), ("held out", VERMILION))
    plot = Plot("Loss", height, left=room_for([label for _, label in y.ticks]) + 18, legend=legend)
    plot.beside(y, "nats per token")
    plot.below(x, "step")
    for line, colour in ((points, BLUE), (held_out, VERMILION)):
        plot.curve([(x(p["step"]), y(p["loss"])) for p in line], colour)
    for p in held_out:
        plot.dot(x(p["step"]), y(p["loss"]), VERMILION)
    return plot.svg()


def curve(values: Sequence[Line], title: str, key: str) -> str:
    """One value over the steps."""
    height = 120
    x = axis([v["step"] for v in values], plain, ticks=6, least_step=1)
    label = scientific if key == "learning_rate" else plain
    y = axis([v["value"] for v in values], label, ticks=4).along(height, 0)
    plot = Plot(title, height, left=room_for([label for _, label in y.ticks]))
    plot.beside(y)
    plot.below(x, "step")
    plot.curve([(x(v["step"]), y(v["value"])) for v in values], BLUE)
    return plot.svg()


def thinned(points: Sequence[Line], most: int) -> Sequence[Line]:
    """At most about `most` points, evenly, the last one among them."""
    stride = max(1, -(-len(points) // most))
    kept = list(points[::stride])
    if points and kept[-1] is not points[-1]:
        kept.append(points[-1])
    return kept


def median(values: Sequence[float]) -> float:
    """The middle value, 0 without any."""
    return sorted(values)[len(values) // 2] if values else 0.0
