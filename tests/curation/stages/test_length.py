"""Length: rows within the context, split at turn borders without losing anything."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from conversations import MESSAGES, TOOLS
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_tokenizer import train_tokenizer

from curation.errors import RecipeError
from curation.recipe.stages import Length
from curation.rendering.template import Template, built_in, load_template
from curation.rendering.tokens import load_counter
from curation.row import NO_LOSS, carried, decode, frame, is_trained, message, read_notes, without_loss
from curation.stages.length import STAGE, length
from curation.stages.seam import Context
from curation.turns.exchanges import exchanges, last_results, leading_system


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def run(folder):
    counter, template = load_counter(folder), load_template("aj_r1", folder)

    def run(rows, max_tokens, **settings):
        return length(rows, **{"counter": counter, "template": template, "max_tokens": max_tokens} | settings)

    return run


@pytest.fixture(scope="module")
def tokens(folder):
    counter, template = load_counter(folder), load_template("aj_r1", folder)
    return lambda messages, tools=None: counter.count([template.render(messages, tools)])[0]


def chat(turns: int, size: int = 30) -> list[dict]:
    said = [
        message("user" if i % 2 == 0 else "assistant", f"{i}: " + "water the garden " * size)
        for i in range(2 * turns)
    ]
    return [message("system", "Be brief."), *said]


def test_a_row_that_its_bytes_prove_short_is_not_counted(run):
    kept, dropped = run(frame([[message("user", "hi"), message("assistant", "ho")]]), 300)
    assert kept["tokens"].to_list() == [None]
    assert kept["tokens"].dtype == pl.UInt32
    assert dropped.height == 0


def test_a_row_that_may_be_long_is_counted(run, tokens):
    messages = chat(2)
    kept, _ = run(frame([messages]), 400)
    assert kept["tokens"].to_list() == [tokens(messages)]
    assert kept["piece"].to_list() == [0]


def test_later_pieces_open_with_the_first_request_and_each_turn_is_trained_once(run, tokens):
    messages = chat(9, size=8)
    kept, dropped = run(frame([messages]), 200)
    pieces = [decode(text) for text in kept["messages"]]
    assert dropped.height == 0
    assert kept["piece"].to_list() == [*range(1, len(pieces) + 1)]
    assert [m for p in pieces for m in p if is_trained(m)] == messages[2::2]
    assert all(p[:2] == messages[:2] and p[-1]["role"] == "assistant" for p in pieces)
    for piece, notes in zip(pieces, kept["notes"], strict=True):
        assert set(without_loss(notes).values()) <= {"context"}
        number = pieces.index(piece) + 1
        own = piece[carried(notes)[1] or 1 :]
        assert read_notes(notes)[-1]["split"] == [number, len(pieces)]
        assert own == messages[messages.index(own[0]) :][: len(own)]
        assert [is_trained(m) for m in own] == [False, True] * (len(own) // 2)
    assert any(without_loss(notes) for notes in kept["notes"][1:])
    assert kept["tokens"].to_list() == [tokens(p) for p in pieces]
    assert max(kept["tokens"]) <= 200


def test_pieces_together_cost_little_more_than_the_row(run, tokens):
    messages = chat(40, size=6)[1:]
    for max_tokens in (150, 300, 600):
        kept, _ = run(frame([messages]), max_tokens)
        again = kept["tokens"].sum() - tokens(messages)
        assert 0 < again <= 0.3 * tokens(messages) + kept.height


def booking(asked: str) -> list[dict]:
    """A row whose last exchange calls with what its third turn says."""
    said = chat(12, size=3)[1:]
    said[2] = message("user", f"I like\n {asked} best.")
    call = [{"id": "c1", "name": "book", "arguments": json.dumps({"town": asked, "sure": "True", "n": 2})}]
    return [
        *said,
        message("user", "Fine."),
        message("assistant", None, tool_calls=call),
        message("tool", "ok", tool_call_id="c1"),
        message("assistant", "Booked."),
    ]


def test_a_piece_carries_the_turn_that_holds_what_its_call_asks_for(run):
    messages = booking("Old  TRONDHEIM")
    split = run(frame([messages]), 150)
    last = decode(split.kept["messages"][-1])
    assert last[:2] == [messages[0], messages[2]]
    assert last[-4:] == messages[-4:]
    assert split.counts == {"unsourced": 0}


def test_a_call_whose_source_finds_no_room_is_masked_and_counted(run):
    messages = booking("Trondheim")
    messages[2] = message("user", "Trondheim " + "water the garden " * 25)
    split = run(frame([messages]), 150)
    last, notes = decode(split.kept["messages"][-1]), split.kept["notes"][-1]
    assert messages[2] not in last
    assert without_loss(notes)[len(last) - 3] == "unsourced_in_piece"
    assert [is_trained(m) for m in last[-4:]] == [False, False, False, True]
    assert split.counts == {"unsourced": 1}


def test_a_call_that_asks_for_what_nobody_said_stays_as_it_is(run):
    messages = booking("Trondheim")
    messages[2] = message("user", "Somewhere.")
    split = run(frame([messages]), 150)
    assert is_trained(decode(split.kept["messages"][-1])[-3])
    assert split.counts == {"unsourced": 0}


def test_a_template_that_wants_turns_to_alternate_gets_whole_exchanges(folder):
    refusing = Template(
        name="alternating",
        source="{% for m in messages %}{% if loop.index0 and m.role == loop.previtem.role %}"
        "{{ raise_exception('they must alternate') }}{% endif %}{{ m.role + m.content }}{% endfor %}",
        end="",
    )
    plain = replace(refusing, source="{% for m in messages %}{{ m.role + m.content }}{% endfor %}")
    messages, apart = chat(16, size=3)[1:], 0
    for max_tokens in range(100, 400, 20):
        bounds = {"counter": load_counter(folder), "max_tokens": max_tokens}
        kept, dropped = length(frame([messages]), template=refusing, **bounds)
        assert dropped.height == 0
        assert [m for t in kept["messages"] for m in decode(t) if is_trained(m)] == messages[1::2]
        pieces = [
            decode(text) for text in length(frame([messages]), template=plain, **bounds).kept["messages"]
        ]
        apart += sum([m["role"] for m in p[:2]] == ["user", "user"] for p in pieces)
    assert apart


def test_an_exchange_that_is_too_long_by_itself_is_dropped_as_its_piece(run):
    messages = [*chat(1), *chat(1, size=400)[1:], *chat(1)[1:]]
    kept, dropped = run(frame([messages]), 400)
    assert kept["piece"].to_list() == [1, 3]
    assert dropped["piece"].to_list() == [2]
    assert dropped["reason"].to_list() == ["too_long"]
    assert '"max_tokens":400,"tokens":2' in dropped["detail"][0]


def test_a_row_of_one_exchange_is_dropped_whole(run):
    kept, dropped = run(frame([chat(1, size=400)]), 400)
    assert kept.height == 0
    assert dropped.select("piece", "reason", "notes").rows() == [(0, "too_long", None)]


def test_a_call_and_its_results_stay_together(run):
    call = [{"id": "c1", "name": "bash", "arguments": '{"command": "ls"}'}]
    said = "water the garden " * 20
    messages = [
        message("user", said),
        message("assistant", said),
        message("user", said),
        message("assistant", None, tool_calls=call),
        message("user", said),
        message("assistant", said),
        message("user", said),
        message("tool", said, tool_call_id="c1"),
        message("assistant", said),
    ]
    assert exchanges(messages) == [(0, 2), (2, 9)]
    kept, dropped = run(frame([messages]), 250)
    assert [len(decode(t)) for t in [*kept["messages"], *dropped["messages"]]] == [2, 7]


def test_drop_drops_and_cut_keeps_the_first_exchanges(run, tokens):
    messages = chat(7)
    kept, dropped = run(frame([messages]), 400, too_long="drop")
    assert (kept.height, dropped["reason"].to_list()) == (0, ["too_long"])
    kept, dropped = run(frame([messages]), 400, too_long="cut")
    assert decode(kept["messages"][0]) == messages[:5]
    assert kept["tokens"].to_list() == [tokens(messages[:5])]
    assert read_notes(kept["notes"][0]) == [{"stage": "length", "repair": "cut", "turns": 10}]
    assert dropped.height == 0


def test_a_row_whose_first_exchange_is_too_long_cannot_be_cut(run):
    kept, dropped = run(frame([[*chat(1, size=400), *chat(1)[1:]]]), 400, too_long="cut")
    assert (kept.height, dropped["reason"].to_list()) == (0, ["too_long"])


def test_rows_under_min_tokens_are_too_short(run):
    rows = frame([[message("user", "hi"), message("assistant", "ho")], chat(1)])
    kept, dropped = run(rows, 400, min_tokens=20)
    assert kept["pos"].to_list() == [1]
    assert dropped["reason"].to_list() == ["too_short"]
    assert '"min_tokens":20' in dropped["detail"][0]


def test_a_row_that_cannot_be_rendered_is_data_not_an_error(run):
    kept, dropped = run(frame([chat(1)], ["{}"]), 400)
    assert kept.height == 0
    assert dropped["reason"].to_list() == ["unrenderable"]
    assert "expected a JSON array" in dropped["detail"][0]


def test_a_piece_that_is_split_again_gets_numbers_of_its_own(run):
    rows = frame([chat(7)]).with_columns(piece=pl.lit(3, dtype=pl.UInt32))
    kept, _ = run(rows, 400)
    assert kept["piece"].to_list() == [3 * 4096 + k for k in range(1, kept.height + 1)]
    assert kept.height > 1


def test_other_columns_stay_and_an_empty_frame_gains_the_column(run):
    rows = frame([chat(7), chat(1)]).with_columns(language=pl.lit("en"))
    kept, dropped = run(rows, 400)
    assert kept["language"].to_list() == ["en"] * kept.height
    assert kept.columns == [*rows.columns, "tokens"]
    assert dropped.columns == [*rows.columns, "tokens", "reason", "detail"]
    kept, dropped = run(rows.clear(), 400)
    assert kept.columns == [*rows.columns, "tokens"]
    assert dropped.columns == [*rows.columns, "tokens", "reason", "detail"]


def numbered(messages: list[dict]) -> list[dict]:
    """The messages, each with its place in its text."""
    return [m | {"content": f"{place} {m['content'] or ''}"} for place, m in enumerate(messages)]


def check_pieces(messages: list[dict], parts: pl.DataFrame) -> None:
    """Each turn is trained in one piece, the last it stands in; order stays, and calls with their results."""
    trained: list[int] = []
    lead = leading_system(messages)
    for text, notes in parts.select("messages", "notes").iter_rows():
        piece, reasons = decode(text), without_loss(notes)
        places = [int(m["content"].split(" ")[0]) for m in piece]
        assert places == sorted(set(places))
        assert places[:lead] == [*range(lead)]
        assert [{**m, "weight": None} for m in piece] == [{**messages[p], "weight": None} for p in places]
        for turn, last in last_results(messages).items():
            together = {*range(turn, last + 1)}
            assert together <= {*places} or not together & {*places}
        trained += [
            place
            for turn, place in enumerate(places)
            if piece[turn]["role"] == "assistant" and reasons.get(turn) != "context"
        ]
        if len(parts) > 1 and trained:
            assert places[-1] >= trained[-1]
    assert trained == [place for place, m in enumerate(messages) if m["role"] == "assistant"]


@pytest.mark.parametrize("name", ["aj_r1", "chatml", "own"])
@given(
    conversations=st.lists(st.tuples(MESSAGES, TOOLS), max_size=6),
    max_tokens=st.integers(20, 400),
    too_long=st.sampled_from(["split", "drop", "cut"]),
)
@settings(max_examples=40, deadline=None)
def test_every_row_is_accounted_for_and_nothing_kept_is_too_long(
    name, folder, conversations, max_tokens, too_long
):
    template = built_in("chatml") if name == "own" else load_template(name, folder)
    if name == "own":
        template = replace(template, markup=None)
    counter = load_counter(folder)
    rows = frame([numbered(m) for m, _ in conversations], [t for _, t in conversations])
    kept, dropped = length(rows, counter=counter, template=template, max_tokens=max_tokens, too_long=too_long)
    assert set(kept["pos"]) | set(dropped["pos"]) == set(rows["pos"])
    for frames in (kept, dropped):
        assert frames.select("pos", "piece").rows() == sorted(frames.select("pos", "piece").rows())
    exact = [
        counter.count([template.render(decode(m), t)])[0]
        for m, t in zip(kept["messages"], kept["tools"], strict=True)
    ]
    assert all(n <= max_tokens for n in exact)
    assert all(said is None or said == n for said, n in zip(kept["tokens"], exact, strict=True))
    if too_long == "split":
        for row in rows.iter_rows(named=True):
            parts = pl.concat([kept, dropped.select(kept.columns)]).filter(pos=row["pos"]).sort("piece")
            check_pieces(decode(row["messages"]), parts)
    again, gone = length(kept, counter=counter, template=template, max_tokens=max_tokens, too_long=too_long)
    assert gone.height == 0
    assert again.drop("tokens").equals(kept.drop("tokens"))


def test_the_real_agent_runs_split_between_exchanges(corpus, run):
    folder = corpus / "tokenizer_r1_distill"
    bound = STAGE.bind(Length(max_tokens=512), Context(tokenizer=folder))
    lines = (corpus / "aj_context_switching" / "context_switching.jsonl").read_text(encoding="utf-8-sig")
    turns = [
        message("user" if i % 2 == 0 else "assistant", text) for i, text in enumerate(lines.split("\n")[:80])
    ]
    kept, dropped = bound(frame([turns]))
    assert kept["tokens"].max() <= 512
    said = [
        m
        for t in pl.concat([kept, dropped.select(kept.columns)]).sort("piece")["messages"]
        for m in decode(t)
    ]
    assert [m for m in said if is_trained(m)] == turns[1::2]


def test_without_a_tokenizer_the_recipe_is_wrong():
    with pytest.raises(RecipeError, match="length needs a tokenizer"):
        STAGE.bind(Length(max_tokens=10), Context())


def test_the_tokenizers_files_count_as_inputs(folder, tmp_path):
    assert STAGE.files(Length(max_tokens=10), Context()) == ()
    found = STAGE.files(
        Length(max_tokens=10), Context(tokenizer=folder, template="t.jinja", data_root=tmp_path)
    )
    assert found == [folder / "tokenizer.json", tmp_path / "t.jinja"]


@pytest.mark.parametrize("too_long", ["split", "cut"])
def test_marks_stay_with_their_turns_in_pieces(run, too_long):
    said = chat(6)
    for place in (2, 6, 12):
        said[place] = said[place] | {"weight": 0}
    noted = '{"no_loss":[[2,"marked"],[6,"so"],[12,"marked"]]}'
    rows = frame([said]).with_columns(notes=pl.lit(noted))
    kept, _ = run(rows, 400, too_long=too_long)
    told = {}
    for text, notes in kept.select("messages", "notes").iter_rows():
        for turn, reason in without_loss(notes).items():
            assert decode(text)[turn]["weight"] == 0
            if reason != "context":
                told[decode(text)[turn]["content"]] = reason
        assert text.count(NO_LOSS) == len(without_loss(notes))
    expected = {said[2]["content"]: "marked", said[6]["content"]: "so", said[12]["content"]: "marked"}
    assert told == (expected if too_long == "split" else dict([*expected.items()][: len(told)]))
    assert told
