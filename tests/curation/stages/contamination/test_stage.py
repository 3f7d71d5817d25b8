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


def test_the_share_of_words_decides():
    sixteen_of_21 = " ".join(QUESTION.split()[:16])
    share = 16 / 21
    assert gone(rows_of(sixteen_of_21), reference(QUESTION), min_share=share) == [0]
    assert gone(rows_of(sixteen_of_21), reference(QUESTION), min_share=share + 0.01) == []
    assert gone(rows_of(sixteen_of_21), reference(QUESTION), min_share=0) == [0]
    assert gone(rows_of("nothing in common"), reference(QUESTION), min_share=0) == []


def test_a_quotation_of_three_fifths_goes_and_one_of_a_third_stays():
    found = QUESTION.split()
    rows = rows_of(f"Once: {' '.join(found[:13])}!", f"Once: {' '.join(found[:7])}!")
    assert gone(rows, reference(QUESTION)) == [0]


def test_halves_in_two_messages_go():
    found = QUESTION.split()
    halves = [message("user", " ".join(found[:10])), message("assistant", " ".join(found[10:]))]
    dropped = search(frame([halves]), [reference(QUESTION)]).dropped
    assert orjson.loads(dropped["detail"][0])["share"] == 1.0


def test_changed_numbers_and_names_hide_nothing():
    told = "Jane sold 48 clips to her friends in {0}, and then Jane sold half as many clips in May. How many?"
    rows = rows_of(
        told.format("April").replace("48", "1,250.5"), told.format("Ulm").replace("Jane", "Anna Maria")
    )
    assert gone(rows, reference(told.format("April"))) == [0, 1]


def test_renamed_variables_in_code_hide_nothing():
    code = (
        "def rolling_max(numbers):\n    running, result = None, []\n    for n in numbers:\n"
        "        running = n if running is None else max(running, n)\n        result.append(running)\n"
        "    return result\n"
    )
    renamed = code.replace("rolling_max", "top").replace("result", "out")
    assert gone(rows_of(f"Sure:\n```python\n{renamed}```"), reference(code)) == [0]


def test_loops_over_variables_are_no_proof_of_code():
    loop = "{0}\nfor i in range(2, n):\n  if n % i == 0:\n    return {1}\n{2}\n"
    code = loop.format("if n == 1:\n  return y", "y\n    break", "else:\n  return x")
    prime = loop.format("if n <= 1:\n  return False", "False", "return True")
    assert gone(rows_of(prime, f"So:\n{code}"), reference(code)) == [1]


def test_what_many_texts_have_in_common_is_no_proof_of_one():
    form = "Read the question with care and answer it in one word that you are sure of if you can: "
    own = [
        " ".join(f"{letter}{first}{second}" for letter in "hijklmnopqrs")
        for first in "abcdef"
        for second in "abcdef"
    ]
    asked = [reference(form + words, record=n) for n, words in enumerate(own)]
    rows = rows_of(f"{form} which", form + own[3], own[4])
    assert gone(rows, *asked) == [1, 2]
    assert gone(rows, asked[0]) == [0, 1]


def test_every_long_text_of_a_record_counts_for_itself():
    answer = "the answer goes on and on with words that no row of ours has ever said before " * 3
    assert gone(rows_of(QUESTION), reference(QUESTION, answer, "id-17")) == [0]


def test_a_short_text_must_be_there_whole():
    short = "name the largest city in the south of france"
    rows = rows_of(
        "Now, name the largest city in the south of France!",
        "Name the largest city in the north of France!",
        "the largest city in the south of France",
    )
    assert gone(rows, reference(short, "Paris")) == [0]


def test_a_text_of_few_words_must_be_most_of_a_message():
    rows = rows_of(
        "Tell me: what is the capital of France?",
        "So what is the capital of France, and is it larger than that of Spain?",
        "What is the capital of Spain?",
    )
    assert gone(rows, reference("what is the capital of france", "Paris")) == [0]


def test_fewer_than_five_words_prove_nothing():
    assert (
        gone(rows_of("Name three fruits!", "Paris"), reference("name three fruits"), reference("Paris")) == []
    )


def test_a_text_of_hardly_more_than_numbers_must_be_there_with_them():
    summed = "Compute 12 + 7 * 31 - 64 / 4 + 105 - 9 * 2."
    rows = rows_of(f"Please: {summed} Thanks to all of you!", summed.replace("31", "32"))
    assert gone(rows, reference(summed)) == [0]


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


def test_escapes_in_arguments_hide_nothing():
    code = "\n".join(f"let {name} = caf\u00e9({name});" for name in ("one", "two", "three", "four", "five"))
    arguments = orjson.dumps({"path": "a.js", "text": code}).decode().replace("\u00e9", "\\u00e9")
    call = {"id": "1", "name": "write", "arguments": arguments}
    rows = frame([[message("user", "x"), message("assistant", tool_calls=[call])]])
    dropped = search(rows, [reference(code)]).dropped
    assert orjson.loads(dropped["detail"][0])["share"] == 1.0


def test_scripts_without_spaces_and_accents():
    chinese = "\u4e2d\u56fd\u7684\u9996\u90fd\u662f\u54ea\u91cc\u8bf7\u56de\u7b54\u8fd9\u4e2a\u95ee\u9898"
    greek = "\u039f\u0394\u039f\u03a3 " * 5 + "stra\u00dfe " * 9
    rows = rows_of(f"\u95ee\uff1a{chinese}\uff1f", greek.upper(), "\u4e2d\u56fd")
    assert gone(rows, reference(chinese), reference(greek)) == [0, 1]


def test_ten_characters_prove_less_than_ten_words():
    half = "\u5b66\u4e60\u4e00\u95e8\u5916\u8bed\u662f\u4e00\u9879\u5b9d"
    wanted = half + "\u8d35\u7684\u6280\u80fd\u53ef\u4ee5\u6253\u5f00\u8bb8\u591a"
    assert gone(rows_of(half), reference(wanted)) == []
    assert gone(rows_of(f"\u95ee\uff1a{wanted[:16]}"), reference(wanted)) == [0]


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
