"""The training report: one file that shows how it went and on whose word."""

import re

import orjson
import pytest

from reports.pages.training import curve, loss_chart, thinned, training_documents, write_evaluation

RECORD = {
    "model": "AJ-Tiny-v1.0.0-lora",
    "trial": False,
    "base": {"id": "example/tiny", "revision": None, "commit": None},
    "finished": "2026-01-02T03:04:05+00:00",
    "frozen": {"name": "tiny", "version": "1.0.0", "root": "a" * 64, "recipe_sha256": "b" * 64,
               "self_sha256": "c" * 64},
    "approvals": [{"by": "A <b>Person</b>", "at": "2026-01-01", "note": None, "mode": "attended",
                   "signed": True}],
    "steps": 40,
    "tokens": 80_304,
    "epochs": 2.22,
    "losses": {"first loss": 8.4, "last loss": 6.7, "last eval loss": None},
    "events": [{"step": 7, "message": "loss 9.000, 3.0 times its median"}],
    "sources": {"web": {"group": "general", "licence": None, "rows": 6, "tokens": 600,
                        "trained_share": 0.5, "exposure": 4.44}},
    "packing": {"sequences": 72, "fill": 0.98},
    "settings": {"lora_r": 4, "target_modules": ["q_proj", "v_proj"], "epochs": None},
    "batches": [{"step": 0, "batch": 2}, {"step": 7, "batch": 1}],
    "loaded": {"backend": "peft"},
    "versions": {"torch": "2.13.0"},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    lines = [
        {"kind": "train", "step": step, "loss": 8 - step / 40, "learning_rate": 1e-4, "grad_norm": None,
         "tokens_per_s": 900.0, "step_s": 1.0}
        for step in range(1, 41)
    ]  # fmt: skip
    lines.append({"kind": "eval", "step": 40, "loss": 7.1})
    (tmp_path / "metrics.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return tmp_path


def page(folder, **changes) -> str:
    return training_documents(folder, {**RECORD, **changes})["report.html"].decode()


def test_curves_stand_beside_root_approval_and_settings(folder):
    html = page(folder)
    assert html.count("<svg") == 3
    for said in ("a" * 64, "A &lt;b&gt;Person&lt;/b&gt;", "q_proj, v_proj", "loss 9.000, 3.0 times", "4.44"):
        assert said in html


def test_settings_and_rates_are_written_for_people(folder):
    html = page(folder, settings={"epochs": None, "packing": True, "max_steps": 5000})
    for name, told in (("epochs", "not set"), ("packing", "yes"), ("max_steps", "5,000")):
        assert f"<td>{name}</td><td>{told}</td>" in html
    assert "1.00e-4" in html
    assert "e-04" not in html


def ticks(svg: str) -> list[str]:
    """The labels of both axes of a drawn curve."""
    return re.findall(r">([^<>]+)</text>", svg)


@pytest.mark.parametrize(
    ("key", "low", "high", "label"),
    [
        ("tokens_per_s", 7_600, 8_900, "8,000"),
        ("tokens_per_s", 90, 2_400, "2,000"),
        ("tokens_per_s", 0.4, 1.6, "1.5"),
        ("grad_norm", 0.2, 3_100, "3,000"),
        ("grad_norm", 0.01, 0.04, "0.02"),
        ("learning_rate", 0, 2e-5, "2e-5"),
        ("learning_rate", 0, 1e-3, "1e-3"),
    ],
)
def test_axes_read_as_people_write_numbers(key, low, high, label):
    values = [{"step": step, "value": value} for step, value in ((1, low), (50, high))]
    told = ticks(curve(values, "Title", key))
    assert label in told
    assert not any("e+" in text for text in told)


def test_the_page_loads_nothing(folder):
    html = page(folder)
    assert "default-src 'none'" in html
    assert not re.search(r'(?:src|href)="(?!data:|#)', html)
    assert len(html) < 120_000


def test_held_out_rows_that_were_measured_once_are_told_so(folder):
    losses = {**RECORD["losses"], "last eval loss": 7.1}
    assert "7.100</b><span>loss on held-out rows, measured once, at the end<" in page(folder, losses=losses)
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(orjson.dumps({"kind": "eval", "step": 20, "loss": 7.4}) + b"\n")
    assert "loss on held-out rows at last<" in page(folder, losses=losses)


def test_a_trial_says_so_first(folder):
    assert "A trial: not for use." in page(folder, trial=True)


def test_the_same_run_gives_the_same_bytes(folder):
    assert page(folder) == page(folder)


def test_long_curves_are_thinned_and_keep_their_end():
    points = [{"step": step} for step in range(5_000)]
    kept = thinned(points, 400)
    assert len(kept) <= 402
    assert kept[-1] == points[-1]


def test_an_evaluation_is_a_section_of_the_same_report(folder):
    (folder / "run.json").write_bytes(orjson.dumps(RECORD))
    measured = {"value": 2.5, "low": 2.25, "high": 2.75, "rows": 40}
    evaluation = {
        "rows": 40,
        "tool_turns": 9,
        "metrics": {"loss": measured, "tools.valid_share": {**measured, "value": 0.875}},
        "base": {"loss": {**measured, "value": 3.125}},
        "verdicts": [
            {"metric": "loss", "max": 3.0, "min": None, "value": 2.5, "passed": True},
            {"metric": "tools.x", "max": None, "min": 0.5, "value": None, "passed": False},
        ],
        "examples": [
            {"id": "r1", "message": 3, "expected": ['bash {"x": "<b>"}'], "got": [], "said": "I cannot."}
        ],
    }
    path = write_evaluation(folder, evaluation)
    assert path == folder / "evaluation.html"
    html = path.read_text()
    for said in (
        "3.1250",
        "0.8750",
        "at most 3<",
        "failed: tools.x not measured",
        "the tools stage would keep",
        "&lt;b&gt;",
        "I cannot.",
    ):
        assert said in html
    assert "A &lt;b&gt;Person&lt;/b&gt;" in html
    assert "How good it is" not in page(folder)


def test_an_adapter_without_metrics_gets_no_report(tmp_path):
    assert write_evaluation(tmp_path, {}) is None


def test_a_loss_that_is_no_number_leaves_a_gap():
    points = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": None}, {"step": 3, "loss": 1.0}]
    (line,) = re.findall(r'points="([^"]+)"', loss_chart(points, []))
    assert len(line.split()) == 2
