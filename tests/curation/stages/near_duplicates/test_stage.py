"""The near_duplicates stage: DESIGN.md §7."""

import orjson
import polars as pl
import pytest
from over_all import split_by

from curation.arrow import write_frame
from curation.recipe.stages import NearDuplicates
from curation.row import frame, note
from curation.stages.near_duplicates import stage
from curation.stages.near_duplicates.shingles import jaccard, shingles
from curation.stages.near_duplicates.stage import STAGE, prepare
from curation.stages.seam import DROPS_SCHEMA, PAIRS_SCHEMA, Context

STORY = " ".join(f"word{k}" for k in range(50))


def chat(question, answer=STORY, system=None):
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return [{"role": "system", "content": system}, *turns] if system else turns


def near_duplicates(rows, *, sources=(), **settings):
    return split_by(STAGE, NearDuplicates(**settings), rows, sources=sources)


def test_a_row_goes_if_it_is_similar_enough_to_a_row_that_stays():
    rows = frame([chat("Tell me a story"), chat("Tell me the story"), chat("Another", "answer to it")])
    kept, dropped = near_duplicates(rows)
    assert kept.height == 2
    assert dropped["reason"].to_list() == ["near_duplicate"]
    detail = orjson.loads(dropped["detail"][0])
    assert detail["similarity"] == pytest.approx(47 / 53, abs=1e-4)
    assert detail["duplicate_of"] in STAGE.prepare(NearDuplicates(), Context())(kept)["id"]
    assert near_duplicates(rows, similarity=0.95).dropped.height == 0


def test_the_declared_source_stays_then_the_lower_id():
    one, other = chat("Tell me a story"), chat("Tell me the story")
    rows = pl.concat(
        [frame([one], source="a"), frame([other], source="b").with_columns(pos=pl.lit(9, pl.UInt64))]
    )
    assert near_duplicates(rows, keep=["b", "a"]).kept["source"].to_list() == ["b"]
    assert near_duplicates(rows, keep=["a"]).kept["source"].to_list() == ["a"]
    assert near_duplicates(rows, sources=["b", "a"]).kept["source"].to_list() == ["b"]
    assert near_duplicates(rows, keep=["a"], sources=["b", "a"]).kept["source"].to_list() == ["a"]
    ids = prepare(NearDuplicates(), Context())(rows)["id"]
    assert near_duplicates(rows).kept["pos"].to_list() == [[0, 9][ids.arg_min()]]


def test_rows_under_different_system_prompts_stay_unless_told_otherwise():
    rows = frame(
        [chat("Hello", system="You are a gardener"), chat("Hello", system="You are a doctor"), chat("Hello")]
    )
    assert near_duplicates(rows).kept.height == 3
    assert near_duplicates(rows, system="ignore").kept.height == 1


def test_what_is_said_leaves_out_system_prompts_schemas_and_tool_results():
    call = {"id": "1", "name": "bash", "arguments": '{"command":"docker ps"}'}
    conversation = [
        {"role": "system", "content": "secret prompt"},
        {"role": "user", "content": "What runs?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "CONTAINER", "tool_call_id": "1"},
        {"role": "assistant", "content": "Nothing."},
    ]
    prepared = prepare(NearDuplicates(), Context())(frame([conversation], tools=['[{"name":"bash"}]']))
    assert prepared["said"].to_list() == ['What runs?\nbash\n{"command":"docker ps"}\nNothing.']


def test_short_questions_that_share_their_words_stay_apart():
    rows = frame([chat("what causes hunger?", "poverty"), chat("what causes blight?", "blight")])
    assert near_duplicates(rows).dropped.height == 0


def test_rows_without_a_word_are_never_near_duplicates():
    rows = frame([chat("?", "!"), chat("?", "!"), chat("...", "\U0001f44d")])
    assert near_duplicates(rows).dropped.height == 0


@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize("backend", ["native", "datasketch"])
def test_kept_and_dropped_are_the_input_in_order(backend, small, monkeypatch):
    monkeypatch.setattr(stage, "SMALL_ROWS", 10**6 if small else -1)
    rows = frame([chat(f"Question number {k % 7}", f"{STORY} {k % 11}") for k in range(40)])
    rows = rows.with_columns(extra=pl.lit("x"))
    kept, dropped = near_duplicates(rows, backend=backend)
    assert kept.columns == rows.columns
    assert dropped.columns == [*rows.columns, "reason", "detail"]
    assert pl.concat([kept, dropped.select(rows.columns)]).sort("pos").equals(rows)
    assert kept["pos"].is_sorted()
    assert dropped["pos"].is_sorted()
    again = near_duplicates(kept, backend=backend)
    assert again.dropped.height == 0


@pytest.mark.parametrize("small", [True, False])
def test_an_empty_frame_has_the_columns(small, monkeypatch):
    monkeypatch.setattr(stage, "SMALL_ROWS", 10**6 if small else -1)
    rows = frame([])
    kept, dropped = near_duplicates(rows)
    assert kept.schema == rows.schema
    assert dropped.height == 0
    assert prepare(NearDuplicates(), Context())(rows).schema == pl.Schema(
        {
            "pos": pl.UInt64,
            "piece": pl.UInt32,
            "rank": pl.UInt32,
            "id": pl.String,
            "said": pl.String,
            "context_key": pl.UInt64,
        }
    )


def outcome(rows, path, files=1, **settings):
    bound = NearDuplicates(**settings)
    prepared = prepare(bound, Context())(rows)
    paths = []
    for part in range(files):
        paths.append(path / f"{part}.arrow")
        write_frame(paths[-1], prepared[part::files])
    return STAGE.bind(bound, Context(seed=1))(paths)


@pytest.mark.parametrize("small", [True, False])
def test_the_outcome_is_the_same_however_rows_are_spread_over_files(small, monkeypatch, tmp_path):
    monkeypatch.setattr(stage, "SMALL_ROWS", 10**6 if small else -1)
    rows = frame(
        [chat(f"Question number {k % 9}", f"{STORY} {k % 13}", system=f"s{k % 2}") for k in range(60)]
    )
    expected = outcome(rows, tmp_path)
    assert expected.drops.schema == pl.Schema(DROPS_SCHEMA)
    assert expected.pairs.schema == pl.Schema(PAIRS_SCHEMA)
    assert expected.drops.height > 40
    assert set(expected.counts) >= {"capped", "pairs", "candidates"}
    for files in (2, 7):
        found = outcome(rows, tmp_path, files)
        assert found.drops.equals(expected.drops)
        assert found.pairs.equals(expected.pairs)
    empty = outcome(rows.clear(), tmp_path)
    assert empty.drops.schema == expected.drops.schema
    assert set(empty.counts) >= {"capped", "pairs", "candidates"}


def test_equal_ids_stay_by_position_and_piece(tmp_path):
    rows = frame([chat("Hello there")] * 3).with_columns(
        pos=pl.Series([5, 5, 2], dtype=pl.UInt64), piece=pl.Series([2, 1, 1], dtype=pl.UInt32)
    )
    drops = outcome(rows, tmp_path).drops
    assert drops.select("pos", "piece").rows() == [(5, 1), (5, 2)]
    assert drops.select("survivor_pos", "survivor_piece").rows() == [(2, 1)] * 2


def test_survivors_stay_and_pairs_name_real_rows(tmp_path):
    rows = frame([chat(f"Question {k % 9}", f"{STORY} {k % 13} {k}") for k in range(60)])
    drops, pairs, *_ = outcome(rows, tmp_path, similarity=0.9)
    dropped = set(drops["pos"])
    assert not dropped & set(drops["survivor_pos"])
    texts = prepare(NearDuplicates(), Context())(rows)["said"]
    for one, _, other, _, similarity, _ in pairs.iter_rows():
        assert similarity == jaccard(shingles(texts[one]), shingles(texts[other]))


def test_pairs_under_the_threshold_are_bounded_and_seeded(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "REPORTED_PAIRS", 5)
    rows = frame([chat(f"Question {k}", f"{STORY} {k} of its own") for k in range(100)])
    found = outcome(rows, tmp_path, similarity=0.85).pairs
    assert found.height == 5
    assert found.equals(outcome(rows, tmp_path, similarity=0.85).pairs)


def test_of_a_piece_only_its_own_turns_are_compared():
    first = chat("Tell me a story")
    second = [*first, *chat("Thanks", "Any time")]
    rows = frame([first, second]).with_columns(piece=pl.Series([1, 2], dtype=pl.UInt32))
    assert near_duplicates(rows).kept.height == 1
    carrying = note(None, stage="length", split=[2, 2], carried=[0, 2])
    rows = rows.with_columns(notes=pl.Series([None, carrying], dtype=pl.String))
    assert near_duplicates(rows).kept.height == 2
