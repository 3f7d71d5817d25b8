"""What a file is taken for: by names that say so and rows that stand, or not at all and why."""

import json

import pytest

from curation.jobs.first.guess import guess

SAID = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
SHARED = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]
STEP = {"thought": "Look.", "action": "ls", "observation": "a"}


def taken(tmp_path, *records, name="data.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return guess(path)


def columns_of(*names):
    """A record with a text of its own under each name."""
    return {name: f"the {name} of it" for name in names}


READ = [
    # The names of a question and an answer, whole words of any case and in several languages.
    (columns_of("id", "Question", "Answer"), "qa", {"question": "Question", "answer": "Answer"}),
    (columns_of("questionText", "answer_text"), "qa", {"question": "questionText", "answer": "answer_text"}),
    (columns_of("Customer asks", "We say"), "qa", {"question": "Customer asks", "answer": "We say"}),
    (columns_of("Frage", "Antwort", "Datum"), "qa", {"question": "Frage", "answer": "Antwort"}),
    (columns_of("output", "input", "source"), "qa", {"question": "input", "answer": "output"}),
    ({"fields": columns_of("prompt", "response")}, "qa",
     {"question": "fields.prompt", "answer": "fields.response"}),
    # Of pairs what was chosen; a worked solution before the figure it ends in.
    (columns_of("prompt", "rejected", "chosen"), "qa", {"question": "prompt", "answer": "chosen"}),
    ({**columns_of("problem", "solution"), "answer": "3"}, "qa",
     {"question": "problem", "answer": "solution"}),
    # What belongs before the question comes before it.
    (columns_of("question", "context", "answer"), "qa",
     {"context": "context", "question": "question", "answer": "answer"}),
    (columns_of("question_id", "title", "body", "answer"), "qa",
     {"context": "title", "question": "body", "answer": "answer"}),
    ({**columns_of("query", "response"), "history": [["a", "b"]]}, "qa",
     {"question": "query", "answer": "response", "history": "history"}),
    (columns_of("instruction", "context", "response"), "alpaca",
     {"instruction": "instruction", "input": "context", "output": "response"}),
    (columns_of("instruction", "input", "chosen", "rejected"), "alpaca",
     {"instruction": "instruction", "input": "input", "output": "chosen"}),
    # Conversations, in a text too, and never the rejected one.
    ({"messages": SAID}, "messages", {"messages": "messages"}),
    ({"question": "hi", "messages": json.dumps(SAID)}, "messages", {"messages": "messages"}),
    ({"rejected": SAID[:1], "chosen": SAID}, "messages", {"messages": "chosen"}),
    ({"prompt": SAID[:1], "completion": SAID[1:]}, "messages",
     {"messages": "prompt", "completion": "completion"}),
    ({"prompt": SAID[:1], "chosen": SAID[1:], "rejected": SAID[1:]}, "messages",
     {"messages": "prompt", "completion": "chosen"}),
    ({"inputs": {"messages": SAID[:1]}, "outputs": {"choices": [{"message": SAID[1]}]}}, "messages",
     {"messages": "inputs.messages", "completion": "outputs.choices.0.message"}),
    ({"conversations": SHARED[:1], "chosen": SHARED[1], "rejected": SHARED[1]}, "sharegpt",
     {"conversations": "conversations", "completion": "chosen"}),
    ({"rejected": SHARED[:1], "chosen": SHARED}, "sharegpt", {"conversations": "chosen"}),
    ({"task": "Find it", "model": "gpt-4o", "steps": [STEP]}, "trajectory",
     {"steps": "steps", "task": "task"}),
]  # fmt: skip


@pytest.mark.parametrize(("record", "reader", "columns"), READ)
def test_names_that_say_so_are_enough(tmp_path, record, reader, columns):
    found = taken(tmp_path, record, record)
    assert (found.reader, found.settings.get("columns")) == (reader, columns), found.problem


OPEN = [
    # "ask" is in task and mask, a question's id is no question, a link no answer.
    columns_of("task", "category", "tag"),
    columns_of("mask", "sentence", "label"),
    columns_of("task_id", "test", "code"),
    columns_of("question_id", "answer"),
    columns_of("id", "question", "topic"),
    columns_of("question", "answer_url"),
    {"question": "Where?", "answer": "https://example.org/here"},
    columns_of("title", "url", "body"),
    columns_of("system", "response"),
    columns_of("prompt", "rejected"),
    columns_of("question", "input_output"),
]


@pytest.mark.parametrize("record", OPEN)
def test_without_such_names_nothing_is_chosen(tmp_path, record):
    found = taken(tmp_path, record, record)
    assert (found.reader, found.keys) == (None, tuple(record))


SPOKEN = [{"who": "x", "speaker": "customer", "text": "hi"}, {"speaker": "agent", "text": "hello"}]
MAPPED = [
    ({"talk": SPOKEN}, {"turns": "talk", "role": "speaker", "content": "text",
                        "roles": {"customer": "user", "agent": "assistant"}}),
    ({"rounds": [{"human": "hi", "assistant": "hello"}] * 2},
     {"turns": "rounds", "each": {"human": "user", "assistant": "assistant"}}),
    ({"chat": [{"output": "hello", "input": "hi", "system": "Be kind."}]},
     {"turns": "chat", "each": {"system": "system", "input": "user", "output": "assistant"}}),
    ({"texts": ["hi", "hello"], "roles": ["user", "assistant"]},
     {"turns": "texts", "speakers": "roles", "roles": {"user": "user", "assistant": "assistant"}}),
    ({"text": "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nhello<|im_end|>"},
     {"text": "text", "roles": {"<|im_start|>user": "user", "<|im_start|>assistant": "assistant",
                                "<|im_end|>": "skip"}}),
    # In sets of dialogue systems the system answers; where it opens it is the prompt.
    ({"turns": [{"speaker": "USER", "text": "hi"}, {"speaker": "SYSTEM", "text": "hello"}]},
     {"turns": "turns", "role": "speaker", "content": "text",
      "roles": {"USER": "user", "SYSTEM": "assistant"}}),
]  # fmt: skip


@pytest.mark.parametrize(("record", "layout"), MAPPED)
def test_turns_under_any_names_are_mapped_where_the_speakers_names_say_who_answers(tmp_path, record, layout):
    found = taken(tmp_path, record, record)
    assert (found.reader, found.settings) == ("map", {"map": layout}), found.problem


def test_turns_a_record_are_gathered_by_what_their_conversation_is_called(tmp_path):
    turns = [
        {"thread_id": n // 2, "turn": n % 2, "role": ("user", "ai")[n % 2], "text": "x"} for n in range(6)
    ]
    found = taken(tmp_path, *turns)
    assert (found.settings["map"]["by"], found.settings["map"]["order"]) == ("thread_id", "turn")
    assert [turn["role"] for turn in found.sample] == ["user", "assistant"]


TALK = [{"author": "customer", "body": "hello?"}, {"author": "agent", "body": "Yes."}]
ASKED = [
    (columns_of("prompt", "question", "answer"), "`prompt` and `question` could both ask"),
    (columns_of("question", "answer", "response"), "`answer` and `response` could both answer"),
    ({**columns_of("question", "answer"), "knowledge": "Two words."}, "`knowledge`: the question is about a"),
    ({**columns_of("question", "answer"), "image": "a.png"}, "it speaks of a picture"),
    ({"subject": "Rust", "comments": TALK}, "`subject` beside `comments` asks too, and would be left out"),
    ({"talk": [{"speaker": n, "text": n} for n in ("Tom", "Mara")]}, "nobody under `speaker` of `talk`"),
    ({**columns_of("question", "answer"), "choices": ["a", "b"]}, "the question chooses among answers"),
    ({"log": "user: hi\nassistant: None\ntool: 7\nassistant: Seven."}, "`tool:` speaks in `log` too"),
    ({"role": "user", "text": "hi"}, "a turn a record, and no key says which are of one conversation"),
    ({"left": TALK, "right": TALK}, "`left` and `right` both hold turns"),
    ({"messages": SAID[:1]}, "messages: 2 of 2 rows looked at fail: no_assistant, nobody answers"),
    ({"messages": [{"role": "narrator", "content": "x"}, *SAID]}, "fail: bad_role 'narrator', a role that"),
]


@pytest.mark.parametrize(("record", "said"), ASKED)
def test_what_names_leave_open_is_asked_and_what_no_row_survives_is_withdrawn(tmp_path, record, said):
    found = taken(tmp_path, record, record)
    assert found.reader is None
    assert said in found.problem


@pytest.mark.parametrize(
    ("record", "key"),
    [
        ({"prompt": "q", "completion": "a"}, "label"),
        ({"messages": SAID}, "label"),
        ({"conversations": SHARED}, "kto_tag"),
    ],
)
def test_of_answers_that_people_judged_those_they_liked_are_read_and_shown(tmp_path, record, key):
    bad = json.loads(json.dumps(record).replace('"a"', '"no"').replace("hello", "no"))
    found = taken(tmp_path, {**bad, key: False}, {**record, key: True})
    assert found.settings["where"] == {key: True}
    assert found.sample[-1]["content"] != "no"


def test_what_is_not_read_and_how_rows_came_out_is_told(tmp_path):
    row = {"query": "q?", "response": "a", "id": 1, "reward": 1.0}
    found = taken(tmp_path, row, {**row, "reward": 0.0}, row)
    assert found.ignored == ("id", "reward")
    assert found.outcomes == {"reward": "1.0, 0.0"}


def test_turns_in_pythons_spelling_are_taken_for_turns(tmp_path):
    found = taken(tmp_path, *[{"id": n, "messages": repr(SAID)} for n in range(2)])
    assert (found.settings, len(found.sample)) == ({"columns": {"messages": "messages"}}, 2)


def test_half_of_the_rows_may_fall_and_the_reason_is_told(tmp_path):
    good, bad = {"messages": SAID}, {"messages": SAID[:1]}
    assert taken(tmp_path, good, bad).caution == "1 of 2 rows looked at fail: no_assistant, nobody answers"
    assert taken(tmp_path, good, bad, bad).reader is None


def test_a_list_of_turns_a_line_is_read_as_it_stands(tmp_path):
    found = taken(tmp_path, SAID, SAID)
    assert (found.reader, found.settings, len(found.sample)) == ("messages", {}, 2)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_read_as_it_was_saved(tmp_path, encoding, delimiter):
    path = tmp_path / "faq.csv"
    rows = [["Nr", "Frage", "Antwort"], ["1", "Was kostet es?", "3 €, im Café."], ["2", "Wo?", "Schön hier."]]
    path.write_text("".join(delimiter.join(f'"{c}"' for c in row) + "\n" for row in rows), encoding=encoding)
    found = guess(path)
    assert found.settings == {"columns": {"question": "Frage", "answer": "Antwort"}}
    assert found.sample[-1]["content"] == "3 €, im Café."


def test_a_table_without_a_header_says_so(tmp_path):
    path = tmp_path / "faq.csv"
    path.write_text("0,How much is it?,Three a day.\n1,Where is it?,Here.\n")
    assert guess(path).problem.startswith("its first line names no columns but is data (0, How much is it?,")


def test_a_text_that_opens_with_a_bracket_is_a_text(tmp_path):
    path = tmp_path / "game.txt"
    path.write_text("[Typed by Mara.]\n\nA beach.\n\n> look\n\nSand.\n\n> dig\n\nA chest.\n")
    assert guess(path).reader == "adventure"
    path.write_text("[10:00] <tom> morning\n[10:01] <mara> hello\n")
    assert guess(path).problem.startswith("a chat export, a line a message")


QA = {"question": "Where?", "answer": "Here."}


@pytest.mark.parametrize("key", ["conversations", "data", "anything"])
def test_a_list_under_any_key_of_one_object_holds_the_records(tmp_path, key):
    found = taken(tmp_path, {"version": 1, key: [QA, QA]}, name="data.json")
    assert found.settings == {"columns": {"question": "question", "answer": "answer"}}
    assert [turn["content"] for turn in found.sample] == ["Where?", "Here."]


def test_records_inside_records_are_read_with_what_stands_around_them(tmp_path):
    paragraph = {"context": "A pond.", "qas": [{"question": "Where?", "answers": {"text": ["There."]}}]}
    found = taken(tmp_path, *[{"title": "Ponds", "paragraphs": [paragraph]}] * 2)
    assert found.settings["records"] == "paragraphs.qas"
    assert [turn["content"] for turn in found.sample] == ["A pond.\n\nWhere?", "There."]


def test_calls_that_stand_in_a_text_of_json_are_an_answer(tmp_path):
    row = {
        "query": "Get me a taxi.",
        "answers": '[{"name": "taxi", "arguments": {}}]',
        "tools": '[{"name": "taxi"}]',
    }
    found = taken(tmp_path, row)
    assert found.settings["columns"] == {"question": "query", "answer": "answers", "tools": "tools"}
    assert found.has_calls


@pytest.mark.parametrize(("name", "tools"), [("bash", "aj_tools"), ("book_taxi", None)])
def test_calls_of_our_own_tools_are_offered_them_where_nothing_is(tmp_path, name, tools):
    call = {"id": "1", "type": "function", "function": {"name": name, "arguments": "{}"}}
    asked = {"role": "assistant", "content": None, "tool_calls": [call]}
    found = taken(
        tmp_path,
        {"messages": [SAID[0], asked, {"role": "tool", "tool_call_id": "1", "content": "x"}, SAID[1]]},
    )
    assert found.settings.get("tools") == tools
