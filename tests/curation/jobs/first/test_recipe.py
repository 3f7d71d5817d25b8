"""`aj init`: the recipe it writes parses, and names reader, settings and group of each source."""

import json
from itertools import product
from pathlib import Path

import polars as pl
import pytest

import aj
from curation.errors import SourceError
from curation.jobs.first.look import first_look
from curation.jobs.first.recipe import recipe_text
from curation.readers.reading import chunks, list_files, read
from curation.recipe.load import load_recipe

TALK = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "name": "f", "arguments": {}}]}
SHARED = [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}]
CAMP = [{"id": "mturk_agent_2", "text": "x"}, {"id": "mturk_agent_1", "text": "y"}]
TABLE = [{"NAMES": [name], "UTTERANCES": ["x"]} for name in ("DM", "SAM", "DM", "LIAM")]


def first_recipe(folder, out=Path("recipe.yaml")):
    return recipe_text(first_look(folder), out)


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


FILES = {
    "chat/a.jsonl": lines({"messages": TALK}),
    "chat/b.jsonl": lines({"messages": TALK}),
    "calls/run.jsonl": lines({"messages": [TALK[0], CALL]}),
    "wild/w.jsonl": lines({"conversation": TALK, "language": "English"}),
    "shared/s.json": json.dumps([{"conversations": SHARED}]),
    "gardening/qa.csv": "question,answers\nwhen?,now\n",
    "gardening/more.json": json.dumps([{"instruction": "x", "input": "", "response": "y"}]),
    "games/one.txt": "Hello\n\n> look\n\nA road.\n",
    "games/two.txt": "Hello\n\n> wait\n\nTime passes.\n",
    "camp/c.json": json.dumps([{"chat_logs": CAMP}]),
    "table/t.jsonl": lines({"TURNS": TABLE}),
    "guanaco/g.jsonl": lines({"text": "### Human: hi### Assistant: hello"}),
    "shell/all.nl": "list\ncount\n",
    "shell/all.cm": "ls\nwc\n",
    "hermes/h.jsonl": lines(
        {
            "conversations": [
                {"from": "human", "value": "q"},
                {"from": "gpt", "value": '<tool_call>{"name": "f", "arguments": {}}</tool_call>'},
            ]
        }
    ),
    "runs/r.jsonl": lines({"query": "q", "turn_history": {"actions": ["ls"], "observations": ["a"]}}),
    "odd/o.jsonl": lines({"vector": [1, 2], "label": 3}),
    "README.md": "# not data",
    ".git/config.json": "{}",
}
EXPECTED = {
    "calls": ("messages", "custom"),
    "chat": ("messages", "conversational"),
    "games": ("adventure", "strategic"),
    "gardening": ("qa", "plants"),
    "gardening_more": ("alpaca", "plants"),
    "guanaco": ("map", "conversational"),
    "hermes": ("sharegpt", "custom"),
    "runs": ("trajectory", "custom"),
    "shared": ("sharegpt", "conversational"),
    "shell": ("lines", "custom"),
    "wild": ("wildchat", "conversational"),
}


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "data"


def written(folder):
    out = folder.parent / "recipe.yaml"
    out.write_text(first_recipe(folder, out))
    return load_recipe(out)


def test_every_shape_gets_its_reader_and_group(folder):
    found = {name: (source.reader, source.group) for name, source in written(folder).sources.items()}
    assert found == EXPECTED


def test_every_source_of_a_first_recipe_reads(folder):
    for name, source in written(folder).sources.items():
        for path in list_files(source, folder, name=name):
            frames = [
                frame for chunk in chunks(path, source) for frame in read(chunk, source, file=path.name)
            ]
            assert pl.concat(frames)["reason"].null_count() > 0, name


def test_a_first_recipe_counts_passes_not_steps(folder):
    assert (written(folder).train.epochs, written(folder).train.max_steps) == (3, None)


def test_who_answers_is_asked_where_no_name_says_it(folder):
    text = first_recipe(folder, folder.parent / "recipe.yaml")
    assert "nobody under `id` of `chat_logs` is named as who answers: mturk_agent_2, mturk_agent_1" in text
    proposed = "map: {turns: TURNS, role: NAMES, content: UTTERANCES, names: true, roles: {DM: assistant, "
    assert f"  #   {{uri: table/t.jsonl, reader: map, {proposed}" in text
    assert written(folder).sources["guanaco"].map.text == "text"


def test_files_alike_become_one_glob_and_the_second_column_an_answer(folder):
    sources = written(folder).sources
    assert sources["chat"].uri == "chat/*.jsonl"
    assert (sources["shell"].uri, sources["shell"].answers) == ("shell/all.nl", "all.cm")


def test_files_of_one_shape_under_unlike_names_are_called_after_their_reader(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("mine.jsonl", "yours.jsonl", "ours.json"):
        (folder / name).write_text(lines({"messages": TALK}))
    (folder / "faq.csv").write_text("question,answer\nwhen?,now\n")
    assert set(written(folder).sources) == {"messages", "faq"}


def test_of_answers_that_people_judged_those_that_they_liked_are_read(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    judged = [{"prompt": "q", "completion": f"a{n}", "label": n % 3 == 0} for n in range(9)]
    (folder / "kto.jsonl").write_text(lines(*judged))
    (folder / "classes.jsonl").write_text(lines({"question": "q", "answer": "a", "label": True}))
    sources = written(folder).sources
    assert sources["kto"].where == {"label": True}
    assert sources["classes"].where is None
    (frame,) = [
        frame
        for chunk in chunks(folder / "kto.jsonl", sources["kto"])
        for frame in read(chunk, sources["kto"], file="kto.jsonl")
    ]
    assert frame["reason"].to_list().count(None) == 3


def test_every_file_that_no_reader_fits_is_named_with_what_is_wrong(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "good.jsonl").write_text(lines({"messages": TALK}))
    (folder / "empty.jsonl").touch()
    (folder / "cut.jsonl").write_text('{"messages": [\n')
    (folder / "words.json").write_text('["a", "b"]')
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text("Milk, bread.\n")
    said = [line for line in first_recipe(folder).splitlines() if line.startswith("  # - ")]
    text = "text that is no playthrough, no herbal and not one of two files of lines"
    assert sorted(said) == [
        f"  # - a.txt: {text}",
        f"  # - b.txt: {text}",
        "  # - cut.jsonl: no record is a readable JSON object",
        "  # - empty.jsonl: empty",
        "  # - words.json: no record is a readable JSON object",
    ]


def test_the_terminal_shows_a_row_of_each_source_and_what_is_left_open(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    folder.mkdir()
    talk = [*TALK, {"role": "user", "content": "one\n\ntwo\nthree\nfour"}, CALL, *TALK]
    (folder / "good.jsonl").write_text(lines({"messages": talk, "id": 7, "success": True}))
    for number in range(10):
        (folder / f"{number}.jsonl").touch()
    assert aj.main(["init", "data"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "wrote   recipe.yaml",
        "",
        "good: good.jsonl, 1 file, reader messages",
        "  columns    {messages: messages}",
        "  ignored    id, success",
        "  outcome    success: true; `where` can choose by it",
        "  user       hi",
        "  assistant  hello",
        "  user       one",
        "             two",
        "             three …",
        "  assistant  calls f {}",
        "             and 2 turns more",
        "",
        *(f"unread  {number}.jsonl: empty" for number in range(8)),
        "unread  and 2 more, named in the recipe",
        "next    look it over, then: aj check recipe.yaml",
    ]


def test_columns_of_any_name_are_told_by_their_words(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "faq.csv").write_text("id;Question Text;Answer Text\n1;When?;Now.\n2;Where?;Here.\n")
    (folder / "fragen.csv").write_text(
        "Nr,Frage,Antwort,Ort\n1,Wann?,Am besten jetzt.,Ulm\n2,Wo?,Hier.,Ulm\n"
    )
    (folder / "none.csv").write_text("place,weather\nUlm,rain\n")
    sources = written(folder).sources
    assert sources["faq"].columns == {"question": "Question Text", "answer": "Answer Text"}
    assert sources["fragen"].columns == {"question": "Frage", "answer": "Antwort"}
    assert "none" not in sources


def test_a_short_herbal_is_one(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    entry = "{}.\n\n_Place._] It grows in meadows.\n\n_Virtues._] A herb of the Sun; it helps sleep.\n\n\n"
    names = ("ANGELICA", "BETONY", "CHAMOMILE", "DILL", "ELDER", "FENNEL", "GARLIC", "HYSSOP", "IVY", "MINT")
    book = "".join(entry.format(f"{kind} {name}") for kind in ("WILD", "COMMON", "GREAT") for name in names)
    (folder / "herbs.txt").write_text(book)
    assert written(folder).sources["herbs"].reader == "herbal"


def test_the_recipe_suits_a_small_team(folder):
    recipe = written(folder)
    assert (recipe.mixture.shares, recipe.split.at_least, recipe.train.warmup_ratio) == ("natural", 1, 0.03)
    assert {"pii": {"action": "mask"}}.items() <= {
        name: {"action": settings.get("action")}
        for stage in recipe.stages
        for name, settings in stage.items()
    }.items()


def test_the_recipe_opens_with_its_command_and_lists_what_nothing_fits(folder):
    text = first_recipe(folder, Path("first.yaml"))
    assert text.startswith("# aj curate first.yaml\n")
    assert "# - odd/o.jsonl: keys found: vector, label" in text


def test_names_that_yaml_would_misread_are_quoted(tmp_path):
    folder = tmp_path / "no: such #name"
    folder.mkdir()
    (folder / "007.jsonl").write_text(lines({"messages": TALK}))
    (folder / "[x] y.jsonl").write_text(lines({"question": "q", "answer": "a"}))
    sources = written(folder).sources
    assert {source.uri for source in sources.values()} == {"007.jsonl", "[x] y.jsonl"}
    assert all(list_files(source, folder, name=name) for name, source in sources.items())


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "no such folder"),
        ({}, "no data files there"),
        ({"README.md": "x", "model.bin": "x"}, "no data files there"),
        ({"a.jsonl": '{"vector": 1}\n'}, "no reader fits its files: a.jsonl: keys found: vector"),
        ({"a.txt": "Once upon a time."}, "no reader fits its files: a.txt: text that is no playthrough"),
    ],
)
def test_a_folder_without_data_says_so(tmp_path, files, message):
    folder = tmp_path / "data"
    for name, text in (files or {}).items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    if files == {}:
        folder.mkdir()
    with pytest.raises(SourceError, match=message):
        first_recipe(folder)


@pytest.mark.slow
@pytest.mark.corpus
def test_a_first_recipe_for_the_real_corpus(corpus, tmp_path):
    out = tmp_path / "recipe.yaml"
    out.write_text(first_recipe(corpus, out))
    sources = load_recipe(out).sources
    folders = {source.uri.split("/")[0] for source in sources.values()}
    # Peers at a table and evaluation files are for a person to decide.
    assert len(folders) >= 27
    assert not folders & {"casino", "crd3", "apibench"}
    assert {source.group for source in sources.values()} == {
        "conversational", "plants", "strategic", "apothecary", "custom"
    }  # fmt: skip


def test_a_first_recipe_passes_check_and_curate_as_it_is_and_writes_every_row_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    things = ("Rad", "Boot", "Zelt", "Brett", "Auto")
    faq = [f"{n};Was kostet {one} mit {two}?;Es sind {n} Euro.\n"
           for n, (one, two) in enumerate(product(things, things))]  # fmt: skip
    (tmp_path / "data/faq.csv").write_text("Nr;Frage;Antwort\n" + "".join(faq), encoding="cp1252")
    (tmp_path / "data/faq_test.csv").write_text("Nr;Frage;Antwort\n1;Wann?;Jetzt gleich.\n")
    talk = [{"role": "user", "content": "Run it."}, CALL | {"content": "I shall."}]
    (tmp_path / "data/agent.jsonl").write_text(lines({"messages": talk, "tools": [{"name": "f"}]}))
    assert aj.main(["init", "data"]) == 0
    assert aj.main(["check", "recipe.yaml"]) == 0
    aj.main(["curate", "recipe.yaml", "--workers", "1"])
    manifest = json.loads((tmp_path / "build/data-v1.0.0/manifest.json").read_text())
    rows = manifest["rows"]
    assert (rows["read"], rows["unselected"], manifest["written"]["eval"]) == (26, 0, 1)
    assert rows["train"] == manifest["written"]["train"] == 25
