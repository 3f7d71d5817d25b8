"""Every source shape on tiny records: what goes in, and the row that comes out."""

import inspect
import json
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import SourceError
from curation.readers import adventure, lines
from curation.readers.bfcl import answered
from curation.readers.conversion import converter
from curation.readers.map import mapped
from curation.recipe.readers import READERS
from curation.recipe.source import Source
from curation.row import decode, encode
from curation.turns.shape import Unfit


def source(reader, **settings):
    return msgspec.convert({"uri": "data", "reader": reader, "group": "g", **settings}, Source)


def read(reader, record, **settings):
    """The row of one record, given as Python objects or as JSON text."""
    data = record if isinstance(record, bytes) else json.dumps(record).encode()
    return converter(source(reader, **settings), Path("data"))(data)


def said(row):
    """(role, content) of every message."""
    return [(message["role"], message["content"]) for message in row.messages]


def calls(row):
    return [(c["id"], c["name"], c["arguments"]) for m in row.messages for c in m["tool_calls"] or []]


HELLO = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


XLAM = [{"name": "find", "description": "f", "parameters": {"n": {"type": "int"}}}]


@pytest.mark.parametrize("tools", [XLAM, json.dumps(XLAM)])
def test_an_answer_of_calls_beside_tools_is_these_calls(tools):
    answers = '[{"name": "find", "arguments": {"n":  1.0}}, {"name": "find", "arguments": {}}]'
    row = read("qa", {"query": "q", "answers": answers, "tools": tools})
    assert calls(row) == [(None, "find", '{"n":  1.0}'), (None, "find", "{}")]
    assert (said(row), json.loads(row.tools)) == ([("user", "q"), ("assistant", None)], XLAM)


def test_words_beside_tools_stay_words_and_tools_that_are_none_are_left():
    row = read("qa", {"query": "q", "answers": "I have no tool for that.", "tools": json.dumps(XLAM)})
    assert (said(row)[1][1], json.loads(row.tools)) == ("I have no tool for that.", XLAM)
    for tools in ("rake, hoe", ["rake"], {"rake": 1}, None, ""):
        row = read("qa", {"question": "q", "answer": '[{"name": "find"}]', "tools": tools})
        assert (said(row)[1][1], row.tools) == ('[{"name": "find"}]', None)


@pytest.mark.parametrize("key", ["messages", "conversation", "conversations", "traj", "history"])
def test_messages_are_found_under_their_usual_names(key):
    assert said(read("messages", {"id": 7, key: HELLO})) == [("user", "hi"), ("assistant", "hello")]


def test_messages_may_be_the_record_itself_or_a_json_string():
    assert said(read("messages", HELLO)) == said(read("messages", {"messages": json.dumps(HELLO)}))


def test_columns_name_other_keys():
    record = {"talk": HELLO, "functions_offered": [{"name": "f"}], "prompt": "be kind"}
    columns = {"messages": "talk", "tools": "functions_offered", "system": "prompt"}
    row = read("messages", record, columns=columns)
    assert said(row)[0] == ("system", "be kind")
    assert row.tools == '[{"name":"f"}]'


def test_wildchat_prefers_its_conversation():
    record = {"messages": [], "conversation": [{**m, "toxic": False, "language": "English"} for m in HELLO]}
    assert said(read("wildchat", record)) == [("user", "hi"), ("assistant", "hello")]


@pytest.mark.parametrize(
    "turn",
    [
        {
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
            ]
        },
        {"tool_calls": [{"id": "c1", "name": "f", "arguments": {"x": 1}}]},
        {"tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {"x": 1}}}]},
        {"tool_calls": [{"id": "c1", "name": "f", "parameters": {"x": 1}}]},
    ],
    ids=["openai", "flat", "nested object", "parameters"],
)
def test_tool_calls_of_every_spelling(turn):
    record = {"messages": [HELLO[0], {"role": "assistant", "content": None, **turn}]}
    assert calls(read("messages", record)) == [("c1", "f", '{"x": 1}')]


def test_legacy_function_calls_and_results():
    turns = [
        HELLO[0],
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "42"},
    ]
    row = read("messages", {"messages": turns, "functions": [{"name": "f"}]})
    assert calls(row) == [(None, "f", "{}")]
    assert (row.messages[2]["role"], row.messages[2]["name"], row.tools) == ("tool", "f", '[{"name":"f"}]')


def test_tool_results_carry_their_call():
    turns = [*HELLO, {"role": "tool", "content": "ok", "tool_call_id": "c1"}]
    turns += [{"role": "tool", "content": "ok", "tool_call_ids": ["c2"]}]
    assert [m["tool_call_id"] for m in read("messages", {"messages": turns}).messages] == [
        None,
        None,
        "c1",
        "c2",
    ]


def test_a_tool_result_that_is_an_object_keeps_its_text():
    data = b'{"messages": [{"role": "user", "content": "x"}, {"role": "tool", "content": {"a": 1.50}}]}'
    assert said(read("messages", data))[1] == ("tool", '{"a": 1.50}')


ARGUMENTS = [
    '{"x": 1.50}',
    '{"x":12345678901234567890123}',
    '{ "b":1, "a" : [ 1e400 ] }',
    '{"x": "\\u00e9\\/"}',
    "[]",
]


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_object_arguments_keep_their_bytes(arguments):
    call = f'{{"name": "f", "arguments": {arguments}}}'
    flat = f'{{"messages": [{{"role": "assistant", "tool_calls": [{call}]}}]}}'
    assert calls(read("messages", flat.encode())) == [(None, "f", arguments)]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_string_arguments_and_contents_stay_as_they_are(text):
    call = {"id": "1", "function": {"name": "f", "arguments": text}}
    record = {"messages": [{"role": "assistant", "content": text, "tool_calls": [call]}]}
    row = read("messages", record)
    assert decode(encode(row.messages)) == row.messages
    assert (row.messages[0]["content"], calls(row)[0][2]) == (text, text)


def test_parts_of_text_are_joined_and_other_parts_are_refused():
    parts = [{"type": "text", "text": "a"}, "b"]
    assert said(read("messages", {"messages": [{"role": "user", "content": parts}]})) == [("user", "a\nb")]
    image = [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {"url": "x"}}]
    with pytest.raises(Unfit, match="part of type image_url is no text"):
        read("messages", {"messages": [{"role": "user", "content": image}]})


def test_reasoning_beside_the_content_becomes_thinking_inside_it():
    row = read("messages", {"messages": [{"role": "assistant", "content": "4", "reasoning_content": "2+2"}]})
    assert said(row) == [("assistant", "<think>\n2+2\n</think>\n\n4")]
    assert row.notes == [{"stage": "read", "repair": "reasoning_content"}]


@pytest.mark.parametrize("tools", [[{"name": "f"}], '[{"name": "f"}]', {"name": "f"}, '[ {"name":"f"} ]'])
def test_tools_are_a_json_array(tools):
    assert read("messages", {"messages": HELLO, "tools": tools}).tools == '[{"name":"f"}]'


@pytest.mark.parametrize("tools", [None, [], "", "[]", {}])
def test_no_tools_are_none(tools):
    assert read("messages", {"messages": HELLO, "tools": tools}).tools is None


def test_tools_that_are_no_json_are_left_for_the_tools_stage():
    assert read("messages", {"messages": HELLO, "tools": "[{'name': 'f'}]"}).tools == "[{'name': 'f'}]"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"text": "hi"}, r"keys found: text; expected one of: messages, conversation"),
        ({"mesages": HELLO}, r"did you mean columns: \{messages: mesages\}\?"),
        ({"messages": []}, "the conversation has no turns"),
        ({"messages": [{"content": "x"}]}, r"missing required field `role` - at `\$\[0\]`"),
        ({"messages": [{"role": "user", "content": 5}]}, r"got `int` - at `\$\[0\].content`"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]}, "a tool call has no name"),
        ([1, 2], "got `int`"),
    ],
)
def test_what_is_no_conversation_says_what_was_found(record, message):
    with pytest.raises((Unfit, msgspec.ValidationError), match=message):
        read("messages", record)


@pytest.mark.parametrize("key", ["output", "response", "completion", "Output"])
def test_alpaca_joins_instruction_and_input(key):
    row = read("alpaca", {"instruction": "Add.", "input": "2 2", key: "4"})
    assert said(row) == [("user", "Add.\n\n2 2"), ("assistant", "4")]


def test_alpaca_without_input_with_system_and_history():
    record = {"instruction": "And?", "input": " ", "output": "b", "system": "s", "history": [["x", "a"]]}
    expected = [("system", "s"), ("user", "x"), ("assistant", "a"), ("user", "And?"), ("assistant", "b")]
    assert said(read("alpaca", record)) == expected


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"instruction": "", "input": "", "output": "x"}, "both empty"),
        ({"instruction": "x", "out": "y"}, "expected one of: output, response, completion, answer"),
        ({"instruction": "x", "output": None}, "output is null"),
    ],
)
def test_alpaca_says_what_it_lacks(record, message):
    with pytest.raises(Unfit, match=message):
        read("alpaca", record)


@pytest.mark.parametrize(
    "record",
    [
        {"question": "q", "answers": "a"},
        {"": "0", "ANSWER": "a", "QUESTION.question": "q", "QUESTION.paragraph": "p"},
        {"prompt": "q", "response": "a"},
        {"ID": 3, "user_query": "q", "chatgpt_response": "a", "hallucination": "no"},
        {"question": "q", "answers": {"text": ["a", "b"], "answer_start": [3, 4]}},
        {"question": "q", "answers": ["a", "b"]},
    ],
)
def test_questions_and_answers_are_found_by_name(record):
    assert said(read("qa", record)) == [("user", "q"), ("assistant", "a")]


def test_a_number_as_an_answer_keeps_its_spelling():
    assert said(read("qa", b'{"question": "q", "answer": 1.50}'))[1] == ("assistant", "1.50")


def test_columns_reach_into_a_record():
    record = {"description": "Count files.", "evaluation": {"example": "ls | wc -l"}}
    row = read(
        "qa", record, columns={"question": "description", "answer": "evaluation.example"}, action="bash"
    )
    assert calls(row) == [(None, "bash", '{"command":"ls | wc -l"}')]


def test_context_stands_before_the_question():
    row = read("qa", {"question": "q", "answer": "a", "passage": "p"}, columns={"context": "passage"})
    assert said(row)[0] == ("user", "p\n\nq")


def test_columns_that_are_not_there_are_named():
    with pytest.raises(Unfit, match=r"keys found: Q, A; expected one of: question, "):
        read("qa", {"Q": "q", "A": "a"})
    with pytest.raises(Unfit, match=r"expected one of: anser; did you mean columns: \{answer: answer\}"):
        read("qa", {"question": "q", "answer": "a"}, columns={"answer": "anser"})


def test_sharegpt_with_calls_observations_and_tools():
    record = {
        "system": "be brief",
        "conversations": [
            {"from": "human", "value": "weather?"},
            {"from": "function_call", "value": '{"name": "get", "arguments": {"city": "Ulm", "days": 1.0}}'},
            {"from": "observation", "value": '{"t": 3}'},
            {"from": "gpt", "value": "3 degrees"},
        ],
        "tools": '[{"name": "get"}]',
    }
    row = read("sharegpt", record)
    assert [m["role"] for m in row.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert calls(row) == [(None, "get", '{"city": "Ulm", "days": 1.0}')]
    assert row.tools == '[{"name":"get"}]'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('[{"name": "f", "arguments": {}}, {"name": "g", "arguments": "{}"}]', [("f", "{}"), ("g", "{}")]),
        ("""{"name": "f", "arguments": '{"x": 1}'}""", [("f", """'{"x": 1}'""")]),
        ("""{'name': 'f', 'arguments': {'x': 1}}""", [("f", "{'x': 1}")]),
    ],
)
def test_function_call_turns_that_are_not_quite_json_keep_their_arguments(value, expected):
    turns = [{"from": "human", "value": "x"}, {"from": "function_call", "value": value}]
    assert [
        (name, arguments) for _, name, arguments in calls(read("sharegpt", {"conversations": turns}))
    ] == expected


def test_a_function_call_without_a_name_is_refused():
    with pytest.raises(Unfit, match="names no function"):
        read("sharegpt", {"conversations": [{"from": "function_call", "value": "do it"}]})


def test_sharegpt_turns_with_role_and_content_are_read_too():
    assert said(read("sharegpt", {"conversations": HELLO})) == [("user", "hi"), ("assistant", "hello")]
    with pytest.raises(Unfit, match="expected turns of `from` and `value`"):
        read("sharegpt", {"conversations": [{"who": "x"}]})


def test_sharegpt_turns_under_the_wrong_reader_name_the_right_one():
    with pytest.raises(Unfit, match="are read by `reader: sharegpt`"):
        read("messages", {"conversations": [{"from": "human", "value": "x"}]})


TRANSCRIPT = "\nWelcome!\n\n> n\n\nA road.\n  A map\n\n> \nTime passes.\n\n> in\n\n>>Foof!<<\n"
WALKTHROUGH = """===========
==>STEP NUM: 0
==>ACT: Init
==>OBSERVATION: The phone rings.

===========
==>STEP NUM: 1
==>ACT: answer phone
==>OBSERVATION: "Hadley!"

===========
"""


def test_a_transcript_with_the_player_as_assistant():
    assert said(adventure.conversation(TRANSCRIPT, player="assistant")) == [
        ("user", "Welcome!"),
        ("assistant", "n"),
        ("user", "A road.\n  A map\n\nTime passes."),
        ("assistant", "in"),
        ("user", ">>Foof!<<"),
    ]


def test_a_transcript_with_the_player_as_user_opens_with_a_system_prompt():
    roles = [role for role, _ in said(adventure.conversation(TRANSCRIPT, player="user"))]
    assert roles == ["system", "user", "assistant", "user", "assistant"]


def test_a_walkthrough_of_acts_and_observations():
    row = adventure.conversation(WALKTHROUGH.replace("\n", "\r\n"), player="assistant")
    assert said(row) == [("user", "The phone rings."), ("assistant", "answer phone"), ("user", '"Hadley!"')]


def test_what_a_game_says_at_an_empty_prompt_goes_to_the_move_before():
    more = "==>STEP NUM: 2\n==>ACT: \n==>OBSERVATION: It rings again.\n"
    row = adventure.conversation(WALKTHROUGH + more, player="assistant")
    assert said(row)[-1] == ("user", '"Hadley!"\n\nIt rings again.')


def test_a_playthrough_in_a_text_column():
    assert said(read("adventure", {"text": TRANSCRIPT}))[1] == ("assistant", "n")


def test_a_text_without_commands_is_no_adventure():
    with pytest.raises(Unfit, match="no '> command' lines and no ==>ACT:"):
        adventure.conversation("Once upon a time.", player="user")


def test_a_trajectory_of_typed_steps():
    record = {
        "task": "Fix it",
        "context": {"error_message": "boom", "files": [{"path": "a.py", "content": "x"}]},
        "trajectory": [
            {"step_type": "thought", "content": "look"},
            {"step_type": "action", "tool": "read", "tool_input": {"n": 1}},
            {"step_type": "observation", "content": "x"},
            {"step_type": "final_answer", "content": "done"},
        ],
    }
    row = read("trajectory", record)
    assert said(row) == [
        ("user", "Fix it\n\nerror message: boom\n\na.py:\n```\nx\n```"),
        ("assistant", "look"),
        ("tool", "x"),
        ("assistant", "done"),
    ]
    assert calls(row) == [("call_1", "read", '{"n": 1}')]
    assert row.messages[2]["tool_call_id"] == "call_1"


INTERCODE = {"query": "count", "turn_history": {"actions": ["ls\n", "wc"], "observations": ["a", 3]}}


def test_a_trajectory_in_columns_as_calls_of_bash():
    row = read("trajectory", INTERCODE)
    assert calls(row) == [("call_0", "bash", '{"command":"ls"}'), ("call_2", "bash", '{"command":"wc"}')]
    assert said(row)[-1] == ("assistant", None)
    assert row.notes == [{"stage": "read", "repair": "last_observation", "characters": 1}]


def test_a_trajectory_as_text():
    expected = [("user", "count"), ("assistant", "ls\n"), ("user", "a"), ("assistant", "wc")]
    assert said(read("trajectory", INTERCODE, action="text")) == expected


def test_a_trajectory_opens_with_what_its_history_told():
    record = {
        "history": [{"role": "system", "content": "s"}, *HELLO],
        "trajectory": [{"action": "ls", "observation": "a", "thought": "look\n", "response": "…"}],
    }
    assert said(read("trajectory", record)) == [
        ("system", "s"),
        ("user", "hi"),
        ("assistant", "look"),
    ]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"query": "x"}, "expected one of: trajectory, turn_history, steps"),
        ({"trajectory": [{"action": "ls"}]}, "expected one of: query, task"),
        ({"query": "x", "trajectory": []}, "has no steps"),
        (
            {"query": "x", "turn_history": {"actions": ["a"], "observations": []}},
            "1 actions but 0 observations",
        ),
        ({"query": "x", "trajectory": [{"step_type": "nap"}]}, "unknown step_type 'nap'"),
    ],
)
def test_a_trajectory_says_what_it_lacks(record, message):
    with pytest.raises(Unfit, match=message):
        read("trajectory", record)


FUNCTION = {"name": "play", "parameters": {"type": "dict", "properties": {"artist": {}, "minutes": {}}}}


def read_bfcl(record, truth=None, folder=None):
    answers = {} if truth is None else {"1": json.dumps({"id": "1", "ground_truth": truth}).encode()}
    return answered(answers.get, folder)(json.dumps(record).encode())


def test_bfcl_ground_truth_becomes_parallel_calls():
    truth = [
        {"play": {"artist": ["A", "B"], "minutes": [20.0], "shuffle": ["", True]}},
        {"play": {"artist": ["C"], "options": [{"loud": [True], "skip": ["", 1]}]}},
    ]
    row = read_bfcl({"id": "1", "question": [HELLO[:1]], "function": [FUNCTION]}, truth)
    assert calls(row) == [
        (None, "play", '{"artist": "A", "minutes": 20.0}'),
        (None, "play", '{"artist": "C", "options": {"loud": true}}'),
    ]
    assert '"type":"dict"' in row.tools


def test_bfcl_turns_answered_by_python_calls():
    questions = [HELLO[:1], [{"role": "user", "content": "again"}], []]
    truth = [["play('A', minutes=2)", "play(artist='B')"], [], ["play()"]]
    row = read_bfcl({"id": "1", "question": questions, "function": [FUNCTION]}, truth)
    assert [m["role"] for m in row.messages] == ["user", "assistant", "user", "assistant"]
    assert [c[2] for c in calls(row)] == ['{"artist":"A","minutes":2}', '{"artist":"B"}', "{}"]


def test_bfcl_takes_the_functions_of_its_classes_from_the_files_beside_it(tmp_path):
    (tmp_path / "multi_turn_func_doc").mkdir()
    docs = [{"name": "cd"}, {"name": "rm"}]
    text = "\n".join(map(json.dumps, docs))
    (tmp_path / "multi_turn_func_doc/gorilla_file_system.json").write_text(text)
    record = {"id": "1", "question": [HELLO[:1]], "involved_classes": ["GorillaFileSystem"]}
    assert read_bfcl({**record, "excluded_function": ["rm"]}, folder=tmp_path).tools == '[{"name":"cd"}]'


def test_bfcl_without_an_answer_ends_with_the_question():
    assert said(read_bfcl({"id": "1", "question": "q", "function": ""})) == [("user", "q")]


@pytest.mark.parametrize("answer", ["rm -rf /", "play(", "play(x)", "play(1, 2, 3)", "(" * 500])
def test_bfcl_answers_that_are_no_calls_are_refused(answer):
    with pytest.raises(Unfit, match="no call that can be read"):
        read_bfcl({"id": "1", "question": "q", "function": [FUNCTION]}, [answer])


def test_lines_are_paired_and_a_missing_half_is_named():
    pairs = list(lines.rows(["a", "", "b", "c"], ["1", "", " "], source("lines")))
    assert said(pairs[0]) == [("user", "a"), ("assistant", "1")]
    assert [str(pair) for pair in pairs[1:]] == [
        "the answer is blank",
        "only the file of questions has this line: c",
    ]


def read_map(layout, record, **settings):
    return read("map", record, map=layout, **settings)


@pytest.mark.parametrize(
    ("layout", "record"),
    [
        (
            {"turns": "talk", "role": "speaker", "content": "text", "roles": {"u": "user", "b": "assistant"}},
            {"talk": [{"speaker": "u", "text": "hi"}, {"speaker": "b", "text": "hello"}]},
        ),
        (
            {"turns": "said", "role": "by", "content": "text", "roles": {"a": "user", "b": "assistant"}},
            {"said": [{"by": "a", "text": "hi"}, {"by": "b", "text": "hello"}]},
        ),
        (
            {"turns": "TURNS", "role": "NAMES", "content": "SAID", "roles": {"DM": "assistant", "*": "user"}},
            {"TURNS": [{"NAMES": ["SAM"], "SAID": ["hi"]}, {"NAMES": ["DM"], "SAID": ["hello"]}]},
        ),
        (
            {"text": "text", "roles": {"### Human:": "user", "### Assistant:": "assistant"}},
            {"text": "### Human: hi### Assistant: hello"},
        ),
        (
            {"text": "log", "roles": {"user:": "user", "bot:": "assistant"}},
            {"log": "user: hi\nbot: hello"},
        ),
    ],
    ids=["taskmaster", "topical chat", "crd3", "guanaco", "log"],
)  # fmt: skip
def test_map_reads_other_shapes(layout, record):
    assert said(read_map(layout, record)) == [("user", "hi"), ("assistant", "hello")]


LAYOUT = {"turns": "t", "role": "r", "content": "c", "roles": {"a": "user", "b": "assistant", "x": "skip"}}


def turns(*pairs):
    return {"t": [{"r": role, "c": content} for role, content in pairs]}


def test_map_joins_neighbours_and_skips_speakers():
    record = turns(("a", "1"), ("a", "2"), ("x", "noise"), ("b", "3"))
    assert said(read_map(LAYOUT, record)) == [("user", "1\n2"), ("assistant", "3")]


def test_map_sets_names_before_what_users_say():
    assert said(read_map({**LAYOUT, "names": True}, turns(("a", "1"), ("b", "2")))) == [
        ("user", "a: 1"),
        ("assistant", "2"),
    ]


def test_map_interleaves_the_questions_of_another_file():
    settings = source(
        "map",
        answers="question.jsonl",
        map={"turns": "choices.0.turns", "roles": {"*": "assistant"}, "join": "id", "prompts": "turns"},
    )
    partner = {"7": b'{"id": 7, "turns": [{"content": "q1"}, "q2"]}'}.get
    convert = mapped(settings, partner)
    row = convert(b'{"id": 7, "choices": [{"turns": [{"content": "a1"}, {"content": "a2"}]}]}')
    assert said(row) == [("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2")]
    with pytest.raises(Unfit, match="no record with id 8"):
        convert(b'{"id": 8, "choices": [{"turns": []}]}')
    with pytest.raises(Unfit, match="2 prompts but 1 turns"):
        convert(b'{"id": 7, "choices": [{"turns": ["a"]}]}')


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (turns(("z", "1")), "speaker 'z' has no role; map.roles has: a, b, x"),
        ({"tt": []}, "expected one of: t"),
        ({"t": [{"r": "a"}]}, "expected one of: c"),
        ({"t": []}, "no turns"),
    ],
)
def test_map_says_what_it_did_not_find(record, message):
    with pytest.raises(Unfit, match=message):
        read_map(LAYOUT, record)


@pytest.mark.parametrize("layout", [None, {}, {"turns": "a", "text": "b"}, {"text": "b"}])
def test_a_map_that_does_not_say_where_the_turns_are_is_an_error_of_the_recipe(layout):
    with pytest.raises(SourceError, match="map"):
        read_map(layout, {"a": 1})


def test_the_columns_that_a_recipe_may_name_are_those_that_the_readers_look_for():
    for reader, told in READERS.items():
        if told.columns:
            text = inspect.getsource(sys.modules[converter(source(reader), Path("data")).__module__])
            assert all(f'"{column}"' in text for column in told.columns), reader


ARGUMENTS = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=3)
MADE = st.lists(st.tuples(st.sampled_from(["find", "math.add", "größe"]), ARGUMENTS), min_size=1, max_size=3)
TALK = [{"role": "user", "content": "hi"}]


def in_openai(made):
    entries = [
        {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for n, (name, given) in enumerate(made)
    ]
    return "messages", {"messages": [*TALK, {"role": "assistant", "content": None, "tool_calls": entries}]}


def flat_as(key):
    def written(made):
        entries = [{"name": name, key: given} for name, given in made]
        return "messages", {"messages": [*TALK, {"role": "assistant", "tool_calls": entries}]}

    return written


def nested_as(key):
    def written(made):
        entries = [{"function": {"name": name, key: given}} for name, given in made]
        return "wildchat", {"conversation": [*TALK, {"role": "assistant", "tool_calls": entries}]}

    return written


def in_old_openai(made):
    turns = [{"role": "assistant", "function_call": {"name": n, "arguments": json.dumps(a)}} for n, a in made]
    return "messages", {"messages": [*TALK, *turns]}


def in_sharegpt(key):
    def written(made):
        said = json.dumps([{"name": name, key: given} for name, given in made])
        return "sharegpt", {
            "conversations": [{"from": "human", "value": "hi"}, {"from": "function_call", "value": said}]
        }

    return written


def in_steps(made):
    steps = [{"step_type": "action", "tool": name, "tool_input": given} for name, given in made]
    return "trajectory", {"task": "hi", "trajectory": steps}


@pytest.mark.parametrize(
    "written",
    [
        in_openai,
        in_old_openai,
        in_steps,
        *(form(key) for form in (flat_as, nested_as) for key in ("arguments", "parameters", "input", "args")),
        *(in_sharegpt(key) for key in ("arguments", "parameters")),
    ],
)
@given(made=MADE)
def test_no_call_and_no_argument_is_lost_in_any_shape(written, made):
    reader, record = written(made)
    found = [(name, json.loads(arguments)) for _, name, arguments in calls(read(reader, record))]
    assert found == made


CALLED = {"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}


@pytest.mark.parametrize(
    ("reader", "record", "settings"),
    [
        ("qa", {"question": "q", "answer": "a", **CALLED}, {}),
        ("alpaca", {"instruction": "q", "output": "a", **CALLED}, {}),
        ("adventure", {"text": "> look\nA road.", **CALLED}, {}),
        ("sharegpt", {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", **CALLED}]}, {}),
        (
            "map",
            {"turns": [{"who": "a", "content": "q"}, {"who": "b", "content": "a", **CALLED}]},
            {"map": {"turns": "turns", "role": "who", "roles": {"a": "user", "b": "assistant"}}},
        ),
    ],
)  # fmt: skip
def test_a_reader_that_has_no_place_for_calls_refuses_them(reader, record, settings):
    with pytest.raises(Unfit, match="calls"):
        read(reader, record, **settings)
    for nothing in (None, []):
        emptied = json.loads(
            json.dumps(record).replace(json.dumps(CALLED["tool_calls"]), json.dumps(nothing))
        )
        assert read(reader, emptied, **settings).messages


def test_tools_stand_under_the_first_key_that_holds_any():
    offered = [{"name": "f"}]
    for record in (
        {"functions": offered},
        {"tools": None, "functions": offered},
        {"tools": [], "function": offered},
    ):
        assert read("messages", {"messages": HELLO, **record}).tools == '[{"name":"f"}]'
    assert read("messages", {"messages": HELLO, "function": "planner"}).tools is None
    assert read("messages", {"messages": HELLO, "tools": "broken"}).tools == "broken"


def test_a_call_that_is_written_in_the_old_place_too_is_one_call():
    turn = {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}, **CALLED}
    assert calls(read("messages", {"messages": [*TALK, turn]})) == [("1", "f", "{}")]


def test_a_tool_result_may_be_a_list_of_any_json():
    turns = [*TALK, {"role": "tool", "content": [{"a": 1.50}, 2]}, {"role": "tool", "content": ["a", "b"]}]
    assert [content for _, content in said(read("messages", {"messages": turns}))[1:]] == [
        '[{"a": 1.5}, 2]',
        "a\nb",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        '{"name": "Alice"}',
        '[{"name": "find", "arguments": {"a": 1}, "score": 0.9}]',
        '[{"name": "find", "arguments": {"a": 1}, "parameters": {"a": 2}}]',
        '[{"name": "lose", "name": "find", "arguments": {}}]',
    ],
)
def test_json_that_says_more_than_calls_stays_an_answer(answer):
    row = read("qa", {"query": "q", "answers": answer, "tools": json.dumps([{"name": "find"}])})
    assert said(row)[1] == ("assistant", answer)


def test_an_answer_that_calls_a_tool_that_is_not_offered_is_a_call_for_the_tools_stage_to_judge():
    answer = '[{"name": "lose", "arguments": {"a": 1.50}}]'
    row = read("qa", {"query": "q", "answers": answer, "tools": json.dumps([{"name": "find"}])})
    [made] = row.messages[1]["tool_calls"]
    assert (made["name"], made["arguments"]) == ("lose", '{"a": 1.50}')
