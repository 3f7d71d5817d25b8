"""Files of questions and texts: what stands in them, and what is answered to a wrong line."""

import json

import pytest
from recipe_texts import SMALLEST, fault
from small_recipe import no_documents, write_jsonl

from curation.dataset.manifest import read_manifest
from curation.dataset.questions import Number, Question, read_questions, read_texts
from curation.errors import CurationError
from curation.files import file_digest
from curation.jobs.check import check
from curation.jobs.curate import curate
from curation.recipe.load import load_recipe, parse_recipe
from curation.row import message

WATER = [{"name": "water", "parameters": {"type": "object", "properties": {"bed": {"type": "integer"}}}}]


def asking(**line):
    return {"question": "What is 6 times 7?", "answer": {"number": 42}, **line}


def test_a_question_is_one_message_or_a_conversation(tmp_path):
    spoken = [{"role": "system", "content": "Count."}, {"role": "user", "content": "6 * 7?"}]
    lines = [asking(), {"messages": spoken, "answer": {"number": 42, "tolerance": 0.5}}]
    (tmp_path / "q.jsonl").write_text("\n\n".join(json.dumps(line) for line in lines))
    assert read_questions(tmp_path / "q.jsonl") == [
        Question([message("user", "What is 6 times 7?")], None, Number(42, 0)),
        Question([message("system", "Count."), message("user", "6 * 7?")], None, Number(42, 0.5)),
    ]


def test_a_text_is_a_line(tmp_path):
    write_jsonl(tmp_path / "t.jsonl", [{"text": "one"}, {"text": "two"}])
    assert read_texts(tmp_path / "t.jsonl") == ["one", "two"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("42", "expected an object, got 42"),
        ("{", "not JSON: .*; expected one object a line"),
        ('{"question": NaN}', "NaN is no JSON"),
        (asking(anwser=1), "unknown key 'anwser'; known here: question, messages, tools, answer"),
        (asking(question=" "), 'question: expected a text, got " "'),
        ('{"question": "a\\ud800", "answer": {"number": 1}}', "half a character"),
        (
            asking(tools=WATER, answer={"call": {"name": "water", "arguments": {"bed": "x"}}}),
            "answer.call: not valid by the question's tools: ",
        ),
        (asking(messages=[]), "needs either a 'question' or 'messages'"),
        ({"messages": [], "answer": {"number": 1}}, "messages: expected a list"),
        ({"messages": [{"role": "tool", "content": "x"}], "answer": {"number": 1}}, "expected system, user"),
        ({"messages": [{"role": "system", "content": "x"}], "answer": {"number": 1}}, "the last is the sys"),
        (asking(answer=42), r'answer: expected one of \{"number": 42\}, .* got 42'),
        (asking(answer={"number": 1, "regex": "1"}), "answer: expected one of"),
        (asking(answer={"number": "42"}), 'answer.number: expected a number such as 42, got "42"'),
        (asking(answer={"number": True}), "expected a number"),
        (asking(answer={"number": 1, "tolerance": -1}), "answer.tolerance: expected at least 0, got -1"),
        (asking(answer={"choice": "A"}), 'answer.of: expected the choices, such as \\["A", "B"\\], got null'),
        (asking(answer={"choice": "D", "of": ["A", "B"]}), 'answer.choice: "D" is not among'),
        (asking(answer={"choice": "A", "of": ["A", "a"]}), "two of them are the same"),
        (asking(answer={"regex": "("}), 'answer.regex: no regular expression of JSON Schema: "\\("'),
        (asking(answer={"call": "water"}), "answer.call: expected"),
        (asking(answer={"call": {"name": "water"}}), "'water' is not among the question's tools: none"),
        (asking(answer={"call": {"name": "dig"}}, tools=WATER), "not among the question's tools: water"),
        (asking(answer={"call": {"name": "water", "arguments": "{}"}}, tools=WATER), "expected an object"),
        (asking(tools=[{"name": 3}]), "tools: not usable"),
        (asking(tools=[]), "tools: expected a list of function schemas"),
    ],
)
def test_a_wrong_line_is_told_with_its_number_and_what_would_be_right(tmp_path, line, said):
    text = line if isinstance(line, str) else json.dumps(line)
    (tmp_path / "q.jsonl").write_text(f"{json.dumps(asking())}\n{text}\n")
    with pytest.raises(CurationError, match=f"q.jsonl:2: .*{said}") as told:
        read_questions(tmp_path / "q.jsonl")
    assert told.value.exit_code == 2


def test_many_wrong_lines_are_told_in_a_few(tmp_path):
    (tmp_path / "t.jsonl").write_text("{}\n" * 8)
    with pytest.raises(CurationError, match=r"(?s)t.jsonl:1: .*t.jsonl:5: .*and 3 more$"):
        read_texts(tmp_path / "t.jsonl")
    (tmp_path / "t.jsonl").write_text("\n")
    with pytest.raises(CurationError, match="is empty"):
        read_texts(tmp_path / "t.jsonl")


EVALUATION = """\
evaluation:
  - {questions: sums.jsonl, name: sums}
  - {texts: wiki.jsonl, name: wiki}
  - {metric: questions.sums.thinks_change, min: -0.1}
  - {metric: texts.wiki.loss_change, max: 0.1}
"""


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{questions: q.jsonl}", "needs a 'name:', for metrics such as questions.NAME.right_change"),
        ("{texts: q.jsonl, name: w, max: 1}", "a file has no bound; write it as '- {metric: texts.w.loss_ch"),
        ("{texts: q.jsonl, name: w, max_tokens: 9}", "is for the answers to 'questions:'"),
        (
            "{questions: q.jsonl, texts: t.jsonl, name: w}",
            "needs one of 'metric:', 'questions:' and 'texts:'",
        ),
        ("{max: 1}", "needs one of 'metric:', 'questions:' and 'texts:'"),
        ("{metric: loss, max: 1, name: x}", "a bound has its metric's name"),
        ("{questions: ../q.jsonl, name: q}", "leaves the data root"),
        ("{metric: questions.sums.right_share, min: 1}", "unknown metric"),
        ("{questions: q.jsonl, name: q}, {questions: r.jsonl, name: q}", "has the name 'q' too"),
        ("{questions: q.jsonl, name: q}, {metric: questions.q.right_share, min: 95}", "for 95 % write 0.95"),
        (
            "{questions: q.jsonl, name: q}, {metric: questions.q.right_change, min: -5}",
            "expected the change of a share, from -1 to 1, got -5; for -5 % write -0.05",
        ),
    ],
)
def test_a_wrong_entry_of_evaluation_is_told(entry, said):
    assert said in fault(f"{SMALLEST}evaluation: [{entry}]\n")


def test_bounds_stay_in_the_recipe_as_they_were_and_files_are_stored_beside():
    before = parse_recipe(f"{SMALLEST}evaluation: [{{metric: loss, max: 2}}]\n").as_dict()
    assert before["evaluation"] == [{"metric": "loss", "max": 2.0, "min": None}]
    after = parse_recipe(SMALLEST + EVALUATION).as_dict()["evaluation"]
    files = [{key: value for key, value in one.items() if value is not None} for one in after[:2]]
    assert files == [{"questions": "sums.jsonl", "name": "sums"}, {"texts": "wiki.jsonl", "name": "wiki"}]


def test_a_dataset_keeps_the_files_and_their_digests_and_is_made_anew_for_others(tmp_path):
    rows = [{"messages": [message("user", f"Say {n}"), message("assistant", f"{n}")]} for n in range(4)]
    write_jsonl(tmp_path / "chats.jsonl", rows)
    (tmp_path / "r.yaml").write_text(SMALLEST + EVALUATION)
    write_jsonl(tmp_path / "sums.jsonl", [asking()])
    with pytest.raises(CurationError, match=r"evaluation\[1\].texts: .*'wiki.jsonl'"):
        check(tmp_path / "r.yaml")
    write_jsonl(tmp_path / "wiki.jsonl", [{"txt": "one"}])
    for verb in (check, lambda path: curate(path, documents=no_documents, out=tmp_path / "d", workers=1)):
        with pytest.raises(CurationError, match=r"wiki.jsonl:1: unknown key 'txt'"):
            verb(tmp_path / "r.yaml")
    write_jsonl(tmp_path / "wiki.jsonl", [{"text": "one"}])

    def make():
        return curate(tmp_path / "r.yaml", documents=no_documents, out=tmp_path / "d", workers=1)

    made = make()
    digests = {file.path: file.sha256 for file in read_manifest(made.dataset).files}
    assert digests["evaluation/questions-sums.jsonl"] == file_digest(tmp_path / "sums.jsonl")
    assert made.manifest.versions["evaluation:texts-wiki.jsonl"] == file_digest(tmp_path / "wiki.jsonl")
    assert make().unchanged
    write_jsonl(tmp_path / "wiki.jsonl", [{"text": "two"}])
    with pytest.raises(
        CurationError, match="other files of a stage, the template, the tokenizer or the eval"
    ):
        make()
    assert load_recipe(tmp_path / "r.yaml").asked[0].max_tokens == 2048
