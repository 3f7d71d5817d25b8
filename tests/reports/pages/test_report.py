"""The report: right, escaped, bounded, and the same bytes whenever it is made."""

import re
from html.parser import HTMLParser

import polars as pl
import pytest

from curation.dataset.gates import read_gates
from curation.dataset.manifest import read_manifest
from curation.jobs.curate import curate
from curation.rendering.template import load_template
from curation.row import message
from reports.facts import shard_facts
from reports.pages import report as report_module
from reports.pages.documents import REPORT, documents
from reports.pages.report import environment
from tests.finished import HOSTILE, finished, hostile
from tests.small_recipe import small_recipe, write_jsonl
from tests.tiny_tokenizer import train_tokenizer
from train.data.encoding import Encoder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def hostile_dataset(tmp_path_factory):
    return hostile(tmp_path_factory.mktemp("hostile"))


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text, self.ids = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_data(self, data):
        self.text.append(data)

    @property
    def whole_text(self):
        return " ".join(" ".join(self.text).split())


def page_of(dataset):
    return Page((dataset / REPORT).read_text("utf-8"))


def test_the_report_tells_verdict_funnel_mixture_and_the_command_to_approve(dataset):
    manifest, text = read_manifest(dataset), page_of(dataset).whole_text
    assert "Its one gate passes" in text
    assert manifest.root in text
    assert f"{manifest.rows.read:,} input rows read" in text
    assert 'aj approve . --by "YOUR NAME"' in text
    assert "as much as its groups can give with every row once: " in text
    for reason in {reason for source in manifest.sources.values() for reason in source.dropped}:
        assert reason.replace("_", " ") in text
    for source in manifest.sources:
        assert source in text


def test_hostile_text_is_text(hostile_dataset):
    html = (hostile_dataset / REPORT).read_text("utf-8")
    page = Page(html)
    assert page.tags.count("script") == 1
    assert page.tags.count("style") == 1
    assert not {"img", "iframe", "object", "textarea", "i", "form"} & set(page.tags)
    assert not [entry for entry in page.attributes if entry[1].startswith("on") or entry[1] == "style"]
    for wanted in (HOSTILE[0], "{{ 7 * 7 }}", "<b>run</b>", "</style><style>"):
        assert wanted in "".join(page.text)
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", html)
    assert "\u27e8U+202E\u27e9" in html
    assert len(html.encode()) < 2_000_000


def test_a_page_may_load_and_run_nothing_but_its_own(dataset):
    page = page_of(dataset)
    (policy,) = [v for tag, name, v in page.attributes if name == "content" and v.startswith("default-src")]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    links = [v for _, name, v in page.attributes if name in ("src", "href")]
    assert all(link.startswith("#") or link == "data:," for link in links)
    assert {link[1:] for link in links if link.startswith("#")} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_tools_with_names_of_a_megabyte_make_no_large_page(tmp_path):
    recipe = small_recipe(tmp_path, stages=["chat", "tools"])
    rows = []
    for number in range(6):
        name = "n" * 1_000_000 + str(number)
        call = {"id": "c", "type": "function", "function": {"name": name, "arguments": "{}"}}
        offered = name if number % 2 else "another"
        messages = [
            {"role": "user", "content": f"call it {number}"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "done", "tool_call_id": "c", "name": name},
            {"role": "assistant", "content": f"done {number}"},
        ]
        tool = {"name": offered, "parameters": {"type": "object", "properties": {}}}
        rows.append({"messages": messages, "tools": [{"type": "function", "function": tool}]})
    write_jsonl(tmp_path / "data/two.jsonl", rows)
    curate(recipe, documents=documents, out=tmp_path / "out", workers=1)
    assert (tmp_path / "out" / REPORT).stat().st_size < 1_000_000
    assert "999,901 more characters" in page_of(tmp_path / "out").whole_text
    assert pl.read_parquet(tmp_path / "out" / "samples.parquet")["tools"].str.len_bytes().max() is None


def test_personal_data_in_samples_is_masked(hostile_dataset):
    html = (hostile_dataset / REPORT).read_text("utf-8")
    assert "mail.example.net" not in html
    assert "[HIDDEN_EMAIL_1]" in html


def test_every_chart_has_a_text_alternative(dataset):
    page = page_of(dataset)
    figures = [name for tag, name, _ in page.attributes if tag == "figure"]
    assert page.tags.count("figure") == page.tags.count("svg") >= 3
    assert figures.count("aria-label") == page.tags.count("figure")


def test_a_preview_says_that_it_cannot_be_approved(tmp_path):
    run = curate(small_recipe(tmp_path), documents=documents, out=tmp_path / "p", workers=1, sample=40)
    text = page_of(run.dataset).whole_text
    assert "A preview: it cannot be approved" in text
    assert "aj approve ." not in text


def test_trained_tokens_and_languages_are_those_of_every_written_row(tmp_path):
    tokenizer = train_tokenizer(tmp_path / "tokenizer")
    stages = ["chat", {"language": {"keep": ["en"]}}, "exact_duplicates"]
    dataset = finished(tmp_path, tokenizer={"path": str(tokenizer)}, template="chatml", stages=stages)
    written, text = read_manifest(dataset).written, page_of(dataset).whole_text
    encoder = Encoder(tokenizer, load_template("chatml", tokenizer))
    train = pl.read_parquet(dataset / "train" / "*.parquet")
    examples = encoder.examples(list(train.select("messages", "tools").iter_rows()))
    masked = sum(int(one.trained.sum()) for several in examples for one in several)
    assert f"{masked:,} of them trained" in text
    assert f"All {written.train + written.eval:,} written rows:" in text


def test_without_a_language_stage_the_languages_are_called_an_estimate(dataset, monkeypatch):
    assert "Estimated from" not in page_of(dataset).whole_text
    monkeypatch.setattr(shard_facts, "LANGUAGE_ROWS", 20)
    page = report_module.report(dataset, read_manifest(dataset), read_gates(dataset)).decode()
    assert "Estimated from 20 rows of train" in page


def test_a_gate_that_passes_by_the_bound_of_one_source_names_source_and_bound(tmp_path):
    gate = {"metric": "source.duplicate_share", "max": 0.02, "bounds": {"one": 0.03}}
    text = page_of(finished(tmp_path, gates=[gate])).whole_text
    assert "one is nearest to its bound, which is its own: at most 0.03" in text


def test_a_pair_stands_with_the_drops_only_if_it_is_similar_enough():
    told = [
        (0.9, "dropped", "train"),
        (0.7, "dropped", "train"),
        (0.75, "eval", "train"),
        (0.95, "train", "train"),
    ]
    pairs = pl.DataFrame(
        [("near_pair", "near", s, "s", "f", n, a, b) for n, (s, a, b) in enumerate(told)],
        schema=["kind", "stage", "similarity", "source", "file", "row", "fate", "other_fate"],
        orient="row",
    ).with_columns(messages=pl.lit(None, pl.String), other_messages=pl.lit(None, pl.String))
    views = report_module.pair_views(pairs, {"near": 0.8}, lambda pair, *_: str(pair["similarity"]))
    assert views == {"gone": ["0.9"], "stayed": ["0.95", "0.75"]}


def test_failed_and_waived_gates_are_told_with_their_reasons(tmp_path):
    gates = [{"metric": "rows.train", "min": 10_000}, {"metric": "rows.eval", "min": 5_000}]
    waiver = {"gate": "rows.eval", "reason": "a trial", "by": "R. Reader", "until": "2099-01-01"}
    text = page_of(finished(tmp_path, gates=gates, waivers=[waiver])).whole_text
    assert "1 gate failed: it must not be trained on" in text
    assert "less than 5,000. Waived until 2099-01-01 by R. Reader: a trial" in text
    assert "aj approve ." not in text


def test_a_shortage_is_told_with_the_ways_out(tmp_path):
    mixture = {
        "shares": {"first": 0.1, "second": 0.9},
        "total": 2000,
        "max_repeat": 2,
        "on_shortage": "shrink",
    }
    text = page_of(finished(tmp_path, mixture=mixture)).whole_text
    assert "The mixture could not be had as asked" in text
    assert "on_shortage: shrink" in text


def test_training_on_a_row_again_and_again_is_pointed_out(tmp_path):
    told = page_of(finished(tmp_path / "steps")).whole_text
    assert re.search(
        r"5,000 steps train on the most repeated row at least [\d,]+ times; a recipe may say train.epochs",
        told,
    )
    few = finished(tmp_path / "epochs", train={"epochs": 3})
    assert "the most repeated row" not in page_of(few).whole_text
    many = finished(tmp_path / "many", train={"epochs": 17})
    assert "17 epochs train on the most repeated row about 17 times" in page_of(many).whole_text


def test_an_empty_split_and_no_drops_are_no_trouble(tmp_path):
    dataset = finished(tmp_path, split={"eval": 0}, stages=[], gates=[])
    text = page_of(dataset).whole_text
    assert "Nothing is held out" in text
    assert "No gates were set" in text


def test_templates_escape_by_default():
    page = environment().from_string("{{ a }}|{{ b }}")
    assert page.render(a="<b>", b="x\u202ey") == "&lt;b&gt;|x\u27e8U+202E\u27e9y"


def test_what_thinks_is_told_by_group_and_what_a_mixture_without_thoughts_teaches(tmp_path):
    thought = "<think>\nIt is dry.\n</think>\n\nWater it."
    for folder, answers, thinking in (("few", 1, "as_is"), ("many", 5, "as_is"), ("left", 1, "empty")):
        (tmp_path / folder).mkdir()
        rows = [
            [message("user", f"Bed {n}?"), message("assistant", thought if n < answers else "Dry.")]
            for n in range(8)
        ]
        write_jsonl(tmp_path / folder / "web.jsonl", [{"messages": row} for row in rows])
        recipe = small_recipe(
            tmp_path / folder,
            sources={"web": {"uri": "web.jsonl", "reader": "messages", "group": "general"}},
            mixture={"shares": {"general": 1.0}, "max_repeat": 1},
            split={"eval": 0},
            train={"thinking": thinking},
        )
        dataset = curate(recipe, documents=documents, out=tmp_path / folder / "d", workers=1).dataset
        text = page_of(dataset).whole_text
        warned = f"{answers} of 8 rows (12.5 %) and 1 of 8 trained turns think before they speak: a base"
        assert (warned in text) == (folder == "few")
        assert ("62.5 %" if folder == "many" else "12.5 %") in text
