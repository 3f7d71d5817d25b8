"""contamination: rows that hold reference texts go, others stay, whatever stands between the words."""

import orjson
import polars as pl

from curation.recipe.stages import Contamination
from curation.row import frame, message
from curation.stages.contamination.references import Reference
from curation.stages.contamination.stage import STAGE, searching
from curation.stages.seam import Context, Split

QUESTION = (
    "A farmer has seventeen sheep and all but nine of them run away how many sheep are left on the farm"
)


def rows_of(*contents: str) -> pl.DataFrame:
    return frame([[message("user", content), message("assistant", "An answer.")] for content in contents])


def reference(*texts: str, file="test.jsonl", record=0) -> Reference:
    return Reference(file, record, texts)


def search(rows: pl.DataFrame, against, **settings_) -> Split:
    settings = Contamination(against=[], **settings_)
    return searching(against, settings.ngram, settings.min_share)(rows)


def gone(rows: pl.DataFrame, *references: Reference, **settings_) -> list[int]:
    return search(rows, references, **settings_).dropped["pos"].to_list()


def test_a_copy_goes_with_file_record_and_share():
    rows = rows_of("What is soil?", f"Please solve: {QUESTION}?")
    kept, dropped = search(rows, [reference("other " * 20), reference(QUESTION, record=7)])
    assert kept["pos"].to_list() == [0]
    assert dropped["reason"].to_list() == ["contaminated"]
    assert orjson.loads(dropped["detail"][0]) == {"file": "test.jsonl", "record": 7, "share": 1.0}


def test_case_punctuation_and_line_breaks_do_not_hide_a_copy():
    assert gone(rows_of(QUESTION.upper().replace(" ", ",\n  ")), reference(QUESTION)) == [0]


def test_the_share_decides():
    half = " ".join(QUESTION.split()[:16])
    share = 4 / 9
    assert gone(rows_of(half), reference(QUESTION), min_share=share) == [0]
    assert gone(rows_of(half), reference(QUESTION), min_share=share + 0.01) == []
    assert gone(rows_of(half), reference(QUESTION), min_share=0) == [0]
    assert gone(rows_of("nothing in common"), reference(QUESTION), min_share=0) == []


def test_every_long_text_of_a_record_counts_for_itself():
    answer = "the answer goes on and on with words that no row of ours has ever said before " * 3
    assert gone(rows_of(QUESTION), reference(QUESTION, answer, "id-17")) == [0]


def test_a_short_text_must_occur_whole():
    short = "what is the capital of france"
    rows = rows_of(
        "Tell me: what is the capital of France?", "What is the capital of Spain?", "the capital of france"
    )
    assert gone(rows, reference(short, "Paris")) == [0]


def test_a_very_short_text_must_be_a_whole_message():
    rows = rows_of("Name three fruits!", "Can you name three fruits that keep?", "Paris")
    assert gone(rows, reference("name three fruits")) == [0]
    assert gone(rows, reference("Paris")) == []


def test_text_is_not_joined_across_messages():
    first, second = QUESTION[:50], QUESTION[50:]
    rows = frame([[message("user", first), message("assistant", second)]])
    assert gone(rows, reference(QUESTION), min_share=0.9) == []


def test_calls_results_and_system_prompts_are_searched():
    call = {"id": "1", "name": "f", "arguments": orjson.dumps({"q": QUESTION}).decode()}
    rows = frame(
        [
            [message("system", QUESTION), message("user", "x")],
            [message("user", "x"), message("assistant", tool_calls=[call])],
            [message("tool", QUESTION)],
        ]
    )
    assert gone(rows, reference(QUESTION)) == [0, 1, 2]


def test_scripts_without_spaces_and_accents():
    chinese = "\u4e2d\u56fd\u7684\u9996\u90fd\u662f\u54ea\u91cc\u8bf7\u56de\u7b54\u8fd9\u4e2a\u95ee\u9898"
    greek = "\u039f\u0394\u039f\u03a3 " * 5 + "stra\u00dfe " * 9
    rows = rows_of(f"\u95ee\uff1a{chinese}\uff1f", greek.upper(), "\u4e2d\u56fd")
    assert gone(rows, reference(chinese), reference(greek)) == [0, 1]


def test_the_reference_of_which_most_is_held_is_named():
    rows = rows_of(QUESTION)
    longer = f"{QUESTION} and then some more words come that no row has"
    _, dropped = search(
        rows, [reference(longer, file="a"), reference(QUESTION, file="b"), reference(QUESTION, file="c")]
    )
    assert orjson.loads(dropped["detail"][0])["file"] == "b"


def test_nothing_to_compare_with_passes_everything():
    rows = rows_of(QUESTION)
    for against in ((), [reference("")], [reference("yes")]):
        kept, dropped = search(rows, against)
        assert kept.equals(rows)
        assert dropped.columns == [*rows.columns, "reason", "detail"]
    assert search(rows.clear(), [reference(QUESTION)]).kept.height == 0


def test_the_stage_names_its_files_and_reads_them(tmp_path):
    (tmp_path / "held.jsonl").write_bytes(orjson.dumps({"id": "17", "question": QUESTION}))
    settings_, context = Contamination(against=["held.jsonl"]), Context(data_root=tmp_path)
    assert STAGE.files(settings_, context) == [tmp_path / "held.jsonl"]
    dropped = STAGE.bind(settings_, context)(rows_of(QUESTION)).dropped
    assert orjson.loads(dropped["detail"][0])["file"] == "held.jsonl"
    assert STAGE.files(Contamination(against=[]), context) == []
