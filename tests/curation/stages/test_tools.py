"""The tools stage: labelled conversations, what it promises, and what it makes of real sets."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import orjson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from curation import row
from curation.errors import CurationError
from curation.readers.reading import chunks, list_files, read
from curation.recipe.source import Source
from curation.recipe.stages import Tools
from curation.stages.seam import Context
from curation.stages.tools import STAGE, repaired, tools, with_calls

AJ = Path(schemas.__file__).with_name("aj_tools.json").read_text()
LABELLED = [
    orjson.loads(line)
    for path in sorted((Path(__file__).parents[2] / "data" / "tool_calls").glob("*.jsonl"))
    for line in path.read_bytes().splitlines()
]


def offered(case):
    found = case["tools"]
    return found if found is None or isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def frame_of(*cases):
    return row.frame([case["messages"] for case in cases], [offered(case) for case in cases])


def called(arguments, name="f"):
    """A conversation around one call."""
    call = {"id": "1", "name": name, "arguments": arguments}
    messages = [
        row.message("user", "x"),
        row.message("assistant", tool_calls=[call]),
        row.message("tool", "ok", tool_call_id="1"),
        row.message("assistant", "done"),
    ]
    return {"messages": messages, "tools": None}


def judged(case):
    """What the stage says of a labelled conversation, in the terms of its label."""
    kept, dropped = tools(frame_of(case), schema=AJ, **case.get("settings", {}))
    if dropped.height:
        return {"valid": False, "reason": dropped["reason"][0], "repaired": []}
    notes = row.read_notes(kept["notes"][0])
    found = {"valid": True, "reason": None, "repaired": [n["repair"] for n in notes if "repair" in n]}
    flags = sorted({n["flag"] for n in notes if "flag" in n})
    return {**found, "flags": flags} if flags else found


def test_the_labelled_set_is_large_and_holds_every_reason_and_repair():
    reasons = Counter(case["label"]["reason"] for case in LABELLED)
    repairs = Counter(kind for case in LABELLED for kind in case["label"]["repaired"])
    assert len(LABELLED) >= 200
    assert set(reasons) == {
        None,
        "schema_invalid",
        "unknown_tool",
        "arguments_not_json",
        "arguments_invalid",
        "bash_syntax",
        "orphan_result",
        "missing_result",
        "repeated_call_id",
    }
    assert set(repairs) == {"types", "json", "nesting", "ids", "order"}


def test_validity_is_decided_with_precision_and_recall_of_98_percent():
    verdicts = [(judged(case)["valid"], case["label"]["valid"]) for case in LABELLED]
    right = verdicts.count((True, True))
    assert right / (right + verdicts.count((True, False))) >= 0.98
    assert right / (right + verdicts.count((False, True))) >= 0.98


@pytest.mark.parametrize("case", LABELLED, ids=lambda case: case["id"])
def test_a_labelled_conversation_is_judged_as_by_hand(case):
    assert judged(case) == {key: value for key, value in case["label"].items() if key != "path"}


@pytest.mark.parametrize("case", [c for c in LABELLED if "path" in c["label"]], ids=lambda case: case["id"])
def test_the_detail_tells_the_path_of_the_violation(case):
    dropped = tools(frame_of(case), schema=AJ).dropped
    assert json.loads(dropped["detail"][0])["path"] == case["label"]["path"]


DEFAULTS = [case for case in LABELLED if "settings" not in case]


@pytest.mark.parametrize(
    ("arguments", "path", "key"),
    [
        ('{"command": "ls", "command": "rm -rf /"}', "$", "command"),
        ('{"command": "ls", "comm\\u0061nd": "pwd"}', "$", "command"),
        ('{"a": [{"b c": {"d": 1, "d": 2}}]}', "$.a[0]['b c']", "d"),
        ('{"n": 123456789012345678901234567890, "n": 1}', "$", "n"),
    ],
)
def test_a_key_written_twice_is_invalid_whichever_of_its_values_would_do(arguments, path, key):
    _, dropped = tools(frame_of(called(arguments)), schema="any")
    assert dropped["reason"].to_list() == ["arguments_invalid"]
    detail = orjson.loads(dropped["detail"][0])
    assert detail["path"] == path
    assert detail["error"].startswith(f"the key '{key}' is written twice")


@pytest.mark.parametrize(
    "arguments",
    [
        '{"a": {"x": 1}, "b": {"x": 1}}',
        r'{"a": "\u0022\"", "b": "\\"}',
        '{"n": 123456789012345678901234567890}',
        '{"a": ' * 100 + "1" + "}" * 100,
    ],
)
def test_keys_of_different_objects_may_be_equal(arguments):
    kept, _ = tools(frame_of(called(arguments)), schema="any")
    assert [call["arguments"] for m in row.decode(kept["messages"][0]) for call in m["tool_calls"] or []] == [
        arguments
    ]


@pytest.mark.parametrize(
    ("arguments", "kind"), [("[1]", "an array"), ("null", "null"), ("5", "a number"), ("true", "a boolean")]
)
def test_arguments_that_are_no_object_are_told_in_json_s_words(arguments, kind):
    _, dropped = tools(frame_of(called(arguments)), schema="any")
    assert orjson.loads(dropped["detail"][0])["error"] == f"not an object but {kind}"


def test_every_row_is_kept_or_dropped_in_order_with_its_other_columns():
    rows = frame_of(*DEFAULTS).with_columns(pl.int_range(pl.len()).alias("mine"))
    kept, dropped = tools(rows, schema=AJ)
    assert kept.columns == rows.columns
    assert dropped.columns == [*rows.columns, "reason", "detail"]
    assert sorted([*kept["mine"], *dropped["mine"]]) == list(rows["mine"])
    assert kept["mine"].is_sorted()
    assert dropped["mine"].is_sorted()
    assert dropped.drop("reason", "detail").equals(
        rows.filter(pl.col("mine").is_in(dropped["mine"].implode()))
    )


def test_what_was_repaired_needs_no_repair_again():
    kept = tools(frame_of(*DEFAULTS), schema=AJ).kept
    again = tools(kept.with_columns(notes=pl.lit(None, pl.String)), schema=AJ, repair=False)
    assert again.dropped.is_empty()
    assert again.kept.drop("notes").equals(kept.drop("notes"))


def test_what_needs_no_repair_keeps_every_byte():
    fine = [case for case in DEFAULTS if case["label"]["valid"] and not case["label"]["repaired"]]
    rows = frame_of(*fine)
    assert tools(rows, schema=AJ).kept.drop("notes").equals(rows.drop("notes"))


def test_only_what_was_wrong_is_rewritten():
    good, bad = '{ "command":"ls",  "timeout_s": 1.50 }', "{'command': 'pwd'}"
    calls = [{"id": "a", "name": "bash", "arguments": good}, {"id": "b", "name": "bash", "arguments": bad}]
    results = [{"role": "tool", "content": "", "tool_call_id": id} for id in "ab"]
    rows = row.frame([[{"role": "assistant", "tool_calls": calls}, *results]])
    message = row.decode(tools(rows, schema=AJ).kept["messages"][0])[0]
    assert [call["arguments"] for call in message["tool_calls"]] == [good, '{"command": "pwd"}']


def test_an_empty_frame_has_the_same_columns():
    kept, dropped = tools(row.frame([]), schema=AJ)
    assert kept.schema == row.frame([]).schema
    assert dropped.columns == [*kept.columns, "reason", "detail"]


def test_rows_without_calls_or_tools_pass_untouched():
    rows = row.frame([[{"role": "user", "content": '"role":"tool" "tool_calls":[{'}, {"role": "assistant"}]])
    assert tools(rows, schema=AJ).kept.equals(rows)


def test_the_verdict_does_not_depend_on_the_neighbours():
    together = tools(frame_of(*DEFAULTS), schema=AJ)
    alone = [tools(frame_of(case), schema=AJ) for case in DEFAULTS]
    assert list(together.kept["messages"]) == [m for split in alone for m in split.kept["messages"]]
    assert list(together.dropped["detail"]) == [d for split in alone for d in split.dropped["detail"]]


def test_threads_may_share_the_stage():
    rows = frame_of(*DEFAULTS)
    alone = tools(rows, schema=AJ)
    with ThreadPoolExecutor(4) as pool:
        for kept, dropped in pool.map(lambda _: tools(rows, schema=AJ), range(8)):
            assert kept.equals(alone.kept)
            assert dropped.equals(alone.dropped)


def validity_pairs():
    """(schema, arguments) of every labelled call whose arguments are an object."""
    for case in LABELLED:
        try:
            definitions = json.loads(offered(case) or AJ)
            functions = {(d.get("function") or d)["name"]: d.get("function") or d for d in definitions}
        except (ValueError, KeyError, AttributeError):
            continue
        for message in case["messages"]:
            for call in message.get("tool_calls") or ():
                schema = functions.get(call["name"], {}).get("parameters")
                if isinstance(schema, dict) and call["arguments"].startswith("{"):
                    yield case, call, schema


def test_the_compiled_validator_agrees_with_the_reference():
    checked = 0
    for case, call, schema in validity_pairs():
        draft = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        try:
            draft.check_schema(schema)
            arguments = orjson.loads(call["arguments"])
        except (jsonschema.SchemaError, ValueError):
            continue
        if case["label"]["reason"] == "schema_invalid":
            continue
        alone = [{"role": "assistant", "tool_calls": [{**call, "id": "a"}]}]
        definitions = [{"name": call["name"], "parameters": schema}]
        kept = tools(row.frame([alone]), schema=definitions, repair=False, bash_syntax="ignore").kept
        assert bool(kept.height) == draft(schema).is_valid(arguments), case["id"]
        checked += 1
    assert checked > 200


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.text(max_size=20) | json_values.map(json.dumps), max_size=4), st.none() | json_values)
def test_nothing_that_a_row_holds_makes_it_raise(texts, definitions):
    calls = [{"id": None, "name": "bash", "arguments": text} for text in texts]
    try:
        own = None if definitions is None else orjson.dumps(definitions).decode()
        rows = row.frame([[{"role": "assistant", "tool_calls": calls}]], [own])
    except TypeError:
        return  # Lone surrogates and endless integers never reach a stage.
    kept, dropped = tools(rows, schema=AJ)
    assert kept.height + dropped.height == 1


def test_one_source_may_have_tools_of_its_own():
    ask = [{"role": "assistant", "tool_calls": [{"id": "a", "name": "book", "arguments": '{"seat": 1}'}]}]
    flights, others = row.frame([ask], source="flights"), row.frame([ask], source="others")
    book = [{"name": "book", "parameters": {"properties": {"seat": {"type": "integer"}}}}]
    for given_tools in (book, json.dumps(book), "any"):
        kept, dropped = tools(pl.concat([flights, others]), schema=AJ, sources={"flights": given_tools})
        assert list(kept["source"]) == ["flights"]
        assert list(dropped["reason"]) == ["unknown_tool"]


def test_any_still_checks_form():
    ask = {"role": "assistant", "tool_calls": [{"id": "a", "name": "book", "arguments": "seat 1"}]}
    rows = row.frame(
        [[ask], [ask | {"tool_calls": [{"id": "a", "name": "book", "arguments": "{}"}]}, {"role": "user"}]]
    )
    assert list(tools(rows, schema="any").dropped["reason"]) == ["arguments_not_json", "missing_result"]


def test_a_tool_of_unknown_parameters_keeps_arguments_called_arguments():
    text = '{"name": "x", "arguments": {"a": 1}}'
    rows = row.frame([[{"role": "assistant", "tool_calls": [{"id": "a", "name": "x", "arguments": text}]}]])
    assert tools(rows, schema="any").kept.equals(rows)
    assert tools(rows, schema=[{"name": "x"}]).kept.equals(rows)


def test_the_stage_reads_its_files_when_it_is_bound(tmp_path):
    (tmp_path / "mine.json").write_text('[{"name": "mine"}]')
    settings = Tools(schema="aj_tools", sources={"a": "mine.json", "b": "any"})
    context = Context(sources=("a", "b"), data_root=tmp_path)
    assert [path.name for path in STAGE.files(settings, context)] == ["aj_tools.json", "mine.json"]
    ask = [{"role": "assistant", "tool_calls": [{"id": "x", "name": "mine", "arguments": "{}"}]}]
    assert STAGE.bind(settings, context)(row.frame([ask], source="a")).kept.height == 1


def test_tools_for_an_unknown_source_are_an_error(tmp_path):
    settings = Tools(sources={"tau": "any"})
    with pytest.raises(CurationError, match="no source is named 'tau'; the recipe has: tau_bench"):
        STAGE.bind(settings, Context(sources=("tau_bench",), data_root=tmp_path))


def from_corpus(corpus, **source):
    found = Source(group="custom", **source)
    frames = [
        frame.filter(pl.col("messages").is_not_null())
        for path in list_files(found, corpus, name="it")
        for chunk in chunks(path, found)
        for frame in read(chunk, found, file=path.name)
    ]
    rows = pl.concat(frames).drop("reason", "detail")
    return rows.with_columns(pl.lit("it").alias("source"))


@pytest.mark.corpus
def test_real_glaive_calls_survive_but_for_those_that_violate_their_schema(corpus):
    rows = from_corpus(corpus, uri="glaive_demo", reader="sharegpt")
    kept, dropped = tools(rows, schema=AJ)
    assert kept.height == 591
    assert Counter(dropped["reason"]) == {"arguments_invalid": 7, "orphan_result": 2}


@pytest.mark.corpus
def test_real_tau_bench_conversations_survive_with_their_repeated_ids_renumbered(corpus):
    rows = from_corpus(corpus, uri="tau_bench/gpt-4o-airline.json", reader="messages")
    kept, dropped = tools(rows, schema="any")
    assert dropped.is_empty()
    notes = [note for cell in kept["notes"] for note in row.read_notes(cell)]
    assert sum(note.get("repair") == "ids" for note in notes) == 49


@pytest.mark.corpus
def test_real_openai_tools_survive_whole(corpus):
    rows = from_corpus(corpus, uri="derived_openai_tools", reader="messages")
    kept = tools(rows, schema=AJ).kept
    assert kept.equals(rows)


def test_rows_with_calls_are_told_from_rows_that_speak_of_them():
    call = [{"id": "1", "name": "bash", "arguments": "{}"}]
    rows = [[row.message("assistant", None, tool_calls=call)], [row.message("assistant", '"tool_calls":[')]]
    assert with_calls(pl.DataFrame({"messages": [row.encode(one) for one in rows]})) == 1


def test_repairs_are_counted_by_this_stage_s_notes():
    notes = [
        row.note(row.note(None, stage="chat", repair="trimmed"), stage="tools", flag="bash_syntax"),
        row.note(None, stage="tools", repair="ids"),
        None,
    ]
    assert repaired(pl.DataFrame({"notes": notes})) == 1


def test_rows_with_calls_are_counted_with_those_that_stay_and_those_repaired():
    good, broken = frame_of(called('{"command": "ls"}')), frame_of(called("{'a': 1}"))
    refused = frame_of(called("no arguments"))
    rows = pl.concat([good, broken, refused, row.frame([[row.message("user", "hi")]])])
    assert tools(rows, schema="any").counts == {"rows": 3, "valid": 2, "without": 2, "repaired": 1}


def test_the_tools_of_a_source_are_written_into_its_rows_without_any_and_checked():
    book = [{"name": "book", "parameters": {"type": "object", "required": ["seat"]}}]
    own = '[{"name":"book"}]'
    bare = row.frame([[row.message("user", "q"), row.message("assistant", "a")]], source="trains")
    with_own = row.frame([[row.message("user", "q"), row.message("assistant", "a")]], [own], source="trains")
    elsewhere = bare.with_columns(source=pl.lit("planes"))
    rows = pl.concat([bare, with_own, elsewhere])
    kept, _ = tools(rows, schema="any", sources={"trains": book}, written=["trains"])
    assert kept["tools"].to_list() == [orjson.dumps(book).decode(), own, None]
    call = {"name": "book", "arguments": "{}"}
    calling = row.frame(
        [[row.message("user", "q"), row.message("assistant", tool_calls=[call])]], source="trains"
    )
    split = tools(calling, schema="any", sources={"trains": book}, written=["trains"])
    assert split.dropped["reason"].to_list() == ["arguments_invalid"]


def test_a_source_names_its_tools_and_the_stage_takes_them_from_there(tmp_path):
    (tmp_path / "mine.json").write_text('[{"name": "book"}]')
    context = Context(
        sources=("a",), data_root=tmp_path, offered={"": "any", "a": "mine.json"}, written=("a",)
    )
    assert STAGE.files(Tools(schema="any"), context) == [tmp_path / "mine.json"]
    rows = row.frame([[row.message("user", "q"), row.message("assistant", "a")]], source="a")
    assert STAGE.bind(Tools(schema="any"), context)(rows).kept["tools"].to_list() == ['[{"name":"book"}]']


WEATHER = json.dumps(
    [{"name": "f", "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}}}]
)


def tried_again(*calls):
    """A row whose calls are answered one by one, and that ends on words."""
    messages = [row.message("user", "x")]
    for number, (name, arguments) in enumerate(calls):
        made = {"id": str(number), "name": name, "arguments": arguments}
        messages.append(row.message("assistant", tool_calls=[made]))
        messages.append(row.message("tool", "no", tool_call_id=str(number)))
    return [*messages, row.message("assistant", "done")]


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("g", "{}", "unknown_tool"),
        ("f", "no arguments", "arguments_not_json"),
        ("f", '{"n": "two"}', "arguments_invalid"),
    ],
)
def test_an_invalid_call_may_be_masked_and_what_follows_it_stays(name, arguments, why):
    rows = row.frame([tried_again((name, arguments), ("f", '{"n": 2}'))], [WEATHER])
    assert tools(rows, schema="any").dropped["reason"].to_list() == [why]
    split = tools(rows, schema="any", invalid="mask")
    assert split.dropped.height == 0
    assert split.counts["valid"] == 0
    messages, notes = split.kept["messages"][0], split.kept["notes"][0]
    assert [turn for turn, m in enumerate(row.decode(messages)) if m.get("weight") == 0] == [1]
    assert row.without_loss(notes) == {1: "invalid_call"}
    (flag,) = [note for note in row.read_notes(notes) if note.get("flag")]
    assert (flag["flag"], flag["why"], flag["message"], flag["tool"]) == ("invalid_call", why, 1, name)


def test_a_command_that_is_no_bash_may_be_masked():
    messages = tried_again(("bash", '{"command": "def f(x):\\n    return x"}'), ("bash", '{"command": "ls"}'))
    split = tools(row.frame([messages]), schema=AJ, invalid="mask")
    assert row.without_loss(split.kept["notes"][0]) == {1: "invalid_call"}


def test_results_of_no_call_drop_a_row_however_its_invalid_calls_are_treated():
    messages = [*tried_again(("g", "{}")), row.message("tool", "lost", tool_call_id="z")]
    split = tools(row.frame([messages], [WEATHER]), schema="any", invalid="mask")
    assert split.dropped["reason"].to_list() == ["orphan_result"]


@pytest.mark.parametrize("draft", [None, "http://json-schema.org/draft-07/schema#"])
@pytest.mark.parametrize(("formats", "kept"), [(False, 1), (True, 0)])
def test_a_format_is_checked_where_the_recipe_asks_under_every_draft(draft, formats, kept):
    schema = {"type": "object", "properties": {"day": {"type": "string", "format": "date"}}}
    case = called('{"day": "tomorrow"}')
    case["tools"] = [{"name": "f", "parameters": {**schema, **({"$schema": draft} if draft else {})}}]
    assert tools(frame_of(case), schema="[]", formats=formats).kept.height == kept
