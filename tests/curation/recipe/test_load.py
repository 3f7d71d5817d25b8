"""The recipe: what is read, what is filled in, and what is answered to a wrong one."""

# Messages stand here whole, as users see them.
# ruff: noqa: E501

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recipe_texts import SMALLEST, WHOLE, fault

from curation.errors import RecipeError
from curation.recipe.load import (
    Recipe,
    TrainSettings,
    cautions,
    check_files,
    is_https,
    is_hub,
    load_recipe,
    local_sources,
    parse_recipe,
    recipe_digest,
    recipe_from,
    source_digest,
    stage_plan,
)
from curation.recipe.readers import READERS
from curation.recipe.stages import STAGES, Length, NearDuplicates

RECIPES = Path(__file__).resolve().parents[3] / "recipes"


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        # Single values.
        ("seed: 17", "seed: many", "r.yaml:3: seed: expected a whole number of at least 0, got 'many'"),
        (
            "seed: 17",
            "seed: '17'",
            "r.yaml:3: seed: expected a whole number of at least 0, got '17'; write 17 without quotes",
        ),
        (
            "seed: 17",
            "seed: 17.0",
            "r.yaml:3: seed: expected a whole number of at least 0, got the number 17.0; write 17",
        ),
        ("seed: 17", "seed: -1", "r.yaml:3: seed: expected a whole number of at least 0, got the number -1"),
        ("seed: 17", "seed:", "r.yaml:3: seed: expected a whole number of at least 0, got nothing"),
        (
            "version: 1.0.0",
            "version: 2.0",
            "r.yaml:2: version: expected major.minor.patch such as 2.0.0, got the number 2.0; write 2.0.0",
        ),
        (
            "version: 1.0.0",
            "version: v2.0",
            "r.yaml:2: version: expected major.minor.patch such as 2.0.0, got 'v2.0'; write 2.0.0",
        ),
        (
            "name: demo",
            "name: ../demo",
            "r.yaml:1: name: expected a name of letters, digits, '_', '-' and '.', got '../demo'",
        ),
        (
            "code: Tiny",
            "code: DeepSeek-R1",
            "r.yaml:4: base_model.code: expected letters and digits such as DeepSeekR1Qwen32B, got 'DeepSeek-R1'",
        ),
        (
            "{id: acme/tiny, code: Tiny}",
            "acme/tiny",
            "r.yaml:4: base_model: expected a mapping with id, code, revision, got 'acme/tiny';"
            " write {id: acme/tiny, code: …}",
        ),
        (
            "gates:",
            "split: 0.01\ngates:",
            "r.yaml:15: split: expected a mapping with eval, at_least, got the number 0.01; write {eval: 0.01}",
        ),
        # Keys.
        ("seed: 17\n", "", "r.yaml:1: seed: missing; expected a whole number of at least 0"),
        ("reader: messages", "raeder: messages", "r.yaml:7: sources.chats.raeder: unknown key; did you mean 'reader'?"),
        (
            "uri: books.txt, ",
            "uri: books.txt, tak: 5, wieght: 2, ",
            "r.yaml: 2 faults\n"
            "  r.yaml:8: sources.books.tak: unknown key; did you mean 'take'?\n"
            "  r.yaml:8: sources.books.wieght: unknown key; did you mean 'weight'?",
        ),
        (
            "gates:",
            "learning_rate: 2e-5\nmax_repeat: 3\ngates:",
            "r.yaml: 2 faults\n"
            "  r.yaml:15: learning_rate: unknown key; it belongs under 'train:'\n"
            "  r.yaml:16: max_repeat: unknown key; it belongs under 'mixture:'",
        ),
        (
            "gates:",
            "split: {evil: 0.1, train: 0.9}\ngates:",
            "r.yaml: 2 faults\n"
            "  r.yaml:15: split.evil: unknown key; did you mean 'eval'?\n"
            "  r.yaml:15: split.train: unknown key; known here: eval, at_least",
        ),
        (
            "seed: 17",
            "seed: 17\nseed: 18",
            "r.yaml:4: key 'seed' is written twice (first on line 3); remove one of the two",
        ),
        # Sources.
        (
            "reader: herbal",
            "reader: herbals",
            "r.yaml:8: sources.books.reader: unknown value 'herbals'; did you mean 'herbal'?",
        ),
        (
            "reader: herbal",
            "reader: pdf",
            f"r.yaml:8: sources.books.reader: expected one of {', '.join(sorted(READERS))}, got 'pdf'",
        ),
        (
            "uri: chats.jsonl",
            "uri: /etc/passwd",
            "r.yaml:7: sources.chats.uri: '/etc/passwd' is absolute; write it from the data root"
            " (data_root, or --data-root)",
        ),
        (
            "uri: chats.jsonl",
            "uri: a/../../secret.jsonl",
            "r.yaml:7: sources.chats.uri: 'a/../../secret.jsonl' leaves the data root; set data_root, or"
            " --data-root, to a folder above",
        ),
        (
            "uri: chats.jsonl",
            "uri: chats, files: ../*.jsonl",
            "r.yaml:7: sources.chats.files: '../*.jsonl' leaves the data root; set data_root, or --data-root,"
            " to a folder above",
        ),
        (
            "uri: chats.jsonl",
            "uri: 's3://bucket/x'",
            "r.yaml:7: sources.chats.uri: unknown scheme 's3://'; expected hf://datasets/<owner>/<name>,"
            " https:// or a path",
        ),
        (
            "uri: chats.jsonl",
            "uri: 'http://x.org/a'",
            "r.yaml:7: sources.chats.uri: plain http can be changed on the way; write https:// and a sha256",
        ),
        (
            "uri: chats.jsonl",
            "uri: hf://allenai/WildChat-1M",
            "r.yaml:7: sources.chats.uri: expected hf://datasets/<owner>/<name>, got 'hf://allenai/WildChat-1M'",
        ),
        (
            "uri: chats.jsonl",
            "uri: hf://datasets/a/b@main/data/x.parquet",
            "r.yaml:7: sources.chats.uri: expected hf://datasets/<owner>/<name>, got"
            " 'hf://datasets/a/b@main/data/x.parquet'; write {uri: hf://datasets/a/b, revision: main, files:"
            " data/x.parquet}",
        ),
        (
            "uri: chats.jsonl",
            "uri: chats.jsonl, revision: main",
            "r.yaml:7: sources.chats.revision: only for hf://datasets/<owner>/<name>; 'chats.jsonl' is not on"
            " the hub",
        ),
        (
            "uri: chats.jsonl",
            "uri: hf://datasets/a/b, revision: 1234567",
            'r.yaml:7: sources.chats.revision: expected text, got the number 1234567; quote it: "1234567"',
        ),
        (
            "uri: chats.jsonl",
            "uri: chats.jsonl, sha256: abc",
            "r.yaml:7: sources.chats.sha256: expected 64 hexadecimal digits, got 'abc'",
        ),
        (
            "reader: messages",
            "reader: map",
            "r.yaml:7: sources.chats.map: missing; 'reader: map' needs {turns: …, role: …, content: …, roles: …}",
        ),
        (
            "uri: chats.jsonl",
            "uri: chats.jsonl, take: 82_000",
            "r.yaml:7: sources.chats.take: expected a whole number of at least 1, got '82_000'; write 82000",
        ),
        (
            "uri: chats.jsonl",
            "uri: chats.jsonl, where: {language: {not: English}}",
            "r.yaml:7: sources.chats.where.language: expected a value or a list of values to keep, or {min: number, max: number}",
        ),
        (
            "uri: chats.jsonl",
            "uri: chats.jsonl, where: {language: []}",
            "r.yaml:7: sources.chats.where.language: expected a value or a list of values to keep, or {min: number, max: number}",
        ),
        (
            "uri: chats.jsonl",
            "uri: 'https://x.org'",
            "r.yaml:7: sources.chats.uri: 'https://x.org' names no file; expected https://<host>/<path>",
        ),
        (
            "uri: chats.jsonl",
            "uri: chats, files: []",
            "r.yaml:7: sources.chats.files: expected a glob, or several, got an empty list",
        ),
        (
            "uri: chats.jsonl",
            "uri: chats.jsonl, encoding: base64",
            "r.yaml:7: sources.chats.encoding: unknown encoding 'base64'; for example cp1252, gb18030, utf-16",
        ),
        ("uri: chats.jsonl", "uri: chats.jsonl, system: ''", "r.yaml:7: sources.chats.system: expected text, got ''"),
        (
            "reader: messages",
            "reader: qa, columns: {questoin: q}",
            "r.yaml:7: sources.chats.columns.questoin: unknown column of 'reader: qa'; did you mean 'question'?",
        ),
        (
            "reader: messages",
            "reader: messages, columns: {question: q}",
            "r.yaml:7: sources.chats.columns.question: unknown column of 'reader: messages'; known: messages,"
            " tools, system, completion, key",
        ),
        (
            "reader: herbal",
            "reader: herbal, columns: {text: t}",
            "r.yaml:8: sources.books.columns: 'reader: herbal' takes no columns",
        ),
        (
            "reader: messages",
            "reader: messages, player: user, book: Culpeper, action: bash",
            "r.yaml: 3 faults\n"
            "  r.yaml:7: sources.chats.action: 'reader: messages' does not use it; only trajectory, lines, qa\n"
            "  r.yaml:7: sources.chats.book: 'reader: messages' does not use it; only herbal\n"
            "  r.yaml:7: sources.chats.player: 'reader: messages' does not use it; only adventure",
        ),
        (
            "reader: messages",
            "reader: lines",
            "r.yaml:7: sources.chats.answers: missing; 'reader: lines' needs the file with the other line of each"
            " pair",
        ),
        (
            "reader: messages",
            "reader: map, map: {roles: {a: user}}",
            "r.yaml:7: sources.chats.map: needs one of 'turns:', a list in each record, 'text:', one text with"
            " markers, and 'by:', the key of a conversation of which each record is a turn",
        ),
        (
            "reader: messages",
            "reader: map, map: {turns: a, role: who}",
            "r.yaml:7: sources.chats.map.roles: missing; from each speaker, or '*' for any, to user, assistant,"
            " system, tool or skip",
        ),
        (
            "reader: messages",
            "reader: map, map: {turns: a, roles: {'*': assistant}, prompts: turns, join: id}",
            "r.yaml:7: sources.chats.map.join: the user's turns of another file need all of 'prompts:', 'join:',"
            " the key that both files share, and the source's 'answers:'",
        ),
        (
            "reader: messages",
            "reader: map, map: {turns: a, each: {q: user, a: assistant}, role: who}",
            "r.yaml:7: sources.chats.map.each: says who speaks by itself; leave out 'role:', 'speakers:' and"
            " 'prompts:'",
        ),
        (
            "reader: messages",
            "reader: map, map: {text: a, roles: {'Q:': user}, order: n}",
            "r.yaml:7: sources.chats.map.order: only with 'by:', where each record is a turn",
        ),
        # The mixture.
        (
            "herbs: 0.25",
            "herbs: 0.20",
            "r.yaml:10: mixture.shares: the shares add up to 0.95, not 1; 0.05 is missing",
        ),
        (
            "herbs: 0.25",
            "herbs: 0.5",
            "r.yaml:10: mixture.shares: the shares add up to 1.25, not 1; 0.25 is too much",
        ),
        (
            "herbs: 0.25",
            "herbs: 25%",
            "r.yaml:10: mixture.shares.herbs: expected a number from 0 to 1, got '25%'; write 0.25",
        ),
        (
            "herbs: 0.25",
            "herb: 0.25",
            "r.yaml:8: sources.books.group: group 'herbs' has no share under mixture.shares; did you mean 'herb'?",
        ),
        (
            "herbs: 0.25",
            "code: 0.25",
            "r.yaml: 2 faults\n"
            "  r.yaml:8: sources.books.group: group 'herbs' has no share under mixture.shares; the groups there:"
            " talk, code\n"
            "  r.yaml:10: mixture.shares.code: no source has the group 'code'; give it one or remove the share",
        ),
        (
            "  shares:",
            "  total: 127,366\n  shares:",
            "r.yaml:10: mixture.total: expected a whole number of at least 1 or max, got '127,366'; write 127366",
        ),
        (
            "  shares:",
            "  on_shortage: shrnk\n  shares:",
            "r.yaml:10: mixture.on_shortage: expected one of redistribute, repeat, shrink, stop, got 'shrnk';"
            " did you mean 'shrink'?",
        ),
        (
            "  shares:",
            "  max_repeat: 40\n  shares:",
            "r.yaml:10: mixture.max_repeat: 40 is more than 16 repeats, which teach little (arXiv 2305.16264);"
            " add a waiver with 'gate: mixture.max_repeat' if it must be",
        ),
        # Stages.
        ("  - normalise", "  - normalize", "r.yaml:12: stages[0]: unknown stage 'normalize'; did you mean 'normalise'?"),
        (
            "  - normalise",
            "  - shuffle",
            f"r.yaml:12: stages[0]: unknown stage 'shuffle'; the stages are: {', '.join(STAGES)}",
        ),
        (
            "  - normalise",
            "  - length",
            "r.yaml:12: stages[0]: needs settings; write '- length: {max_tokens: …}'",
        ),
        (
            "  - normalise",
            "  - chat:",
            "r.yaml:12: stages[0]: no settings after 'chat:'; write '- chat' or '- chat: {key: value}'",
        ),
        (
            "  - normalise",
            "  - {chat: {}, tools: {}}",
            "r.yaml:12: stages[0]: expected one stage, got 2 keys; write '- name: {key: value}'",
        ),
        (
            "  - normalise",
            "  - chat: {repair: yes}",
            "r.yaml:12: stages[0].chat.repair: expected true or false, got 'yes'; write true",
        ),
        (
            "  - normalise",
            "  - language: {keep: [English, en-US, zh_cn, xx]}",
            "r.yaml: 4 faults\n"
            "  r.yaml:12: stages[0].language.keep: unknown language 'English'; write en\n"
            "  r.yaml:12: stages[0].language.keep: unknown language 'en-US'; write en\n"
            "  r.yaml:12: stages[0].language.keep: unknown language 'zh_cn'; write zh\n"
            "  r.yaml:12: stages[0].language.keep: unknown language 'xx'; a language is an ISO 639-1 code such as en",
        ),
        (
            "  - normalise",
            "  - language: {keep: []}",
            "r.yaml:12: stages[0].language.keep: keeps no language; write [en], or remove the stage",
        ),
        (
            "  - normalise",
            "  - pii: {keep: ['*', hello, firma.example, 0800 111 222, 2001:db8::/32, support@*]}",
            "r.yaml: 2 faults\n"
            "  r.yaml:12: stages[0].pii.keep[0]: '*' would keep nearly everything; name what is public\n"
            "  r.yaml:12: stages[0].pii.keep[1]: pii never finds 'hello'; write an address, a number, a domain "
            "such as example.com, or a pattern such as support@*",
        ),
        (
            "max_tokens: 2048",
            "max_token: 2048",
            "r.yaml:13: stages[1].length.max_token: unknown key; did you mean 'max_tokens'?",
        ),
        (
            "[books]",
            "[book]",
            "r.yaml:14: stages[2].near_duplicates.keep: unknown source 'book'; did you mean 'books'?",
        ),
        (
            "[books]",
            "books",
            "r.yaml:14: stages[2].near_duplicates.keep: expected a list, got 'books'; write [books]",
        ),
        (
            "  - normalise",
            "  - tools: {schema: /etc/passwd}",
            "r.yaml:12: stages[0].tools.schema: '/etc/passwd' is absolute; write it from the data root"
            " (data_root, or --data-root)",
        ),
        (
            "tokenizer: {id: acme/tiny}\n",
            "",
            "r.yaml:12: stages[1]: length counts tokens; add 'tokenizer: {id: …}' or '{path: …}'",
        ),
        (
            "tokenizer: {id: acme/tiny}",
            "tokenizer: acme/tiny",
            "r.yaml:5: tokenizer: expected a mapping with id, path, got 'acme/tiny'; write {id: acme/tiny}",
        ),
        ("tokenizer: {id: acme/tiny}", "tokenizer: {}", "r.yaml:5: tokenizer: needs either an 'id:' or a 'path:'"),
        # Gates and waivers.
        (
            "metric: eval.leaked_rows",
            "metric: eval.leaked",
            "r.yaml:16: gates[0].metric: unknown value 'eval.leaked'; did you mean 'eval.leaked_rows'?",
        ),
        ("rows, max: 0", "rows", "r.yaml:16: gates[0]: needs a 'max:' or a 'min:'"),
        ("metric: eval.leaked_rows, ", "", "r.yaml:16: gates[0]: needs a 'metric:' or a 'sql:'"),
        ("max: 0", "max: 0, sql: select 1", "r.yaml:16: gates[0]: needs either a 'metric:' or a 'sql:'"),
        (
            "metric: eval.leaked_rows",
            "sql: select count(*) from train",
            "r.yaml:16: gates[0]: a sql gate needs a 'name:', for reports and waivers",
        ),
        ("max: 0", "max: 0, min: 1", "r.yaml:16: gates[0].min: 1 is more than max 0; nothing can pass"),
        (
            "max: 0",
            "max: 0, per: source",
            "r.yaml:16: gates[0].per: only conflicts.* and source.* metrics are measured per source, 'eval.leaked_rows' is not",
        ),
        (
            "eval.leaked_rows, max: 0",
            "source.read, min: 1, bounds: {chat: 3}",
            "r.yaml:16: gates[0].bounds.chat: unknown source; did you mean 'chats'?",
        ),
        (
            "gates:\n",
            "gates:\n  - {metric: eval.leaked_rows, max: 3}\n",
            "r.yaml:17: gates[1]: gates[0] is called 'eval.leaked_rows' too; give one a 'name:'",
        ),
        (
            "gates:",
            "waivers: [{gate: eval.leaked, reason: small, by: Ada, until: 2027-02-28}]\ngates:",
            "r.yaml:15: waivers[0].gate: no gate is called 'eval.leaked'; did you mean 'eval.leaked_rows'?",
        ),
        (
            "gates:",
            "waivers: [{gate: eval.leaked_rows, reason: small, by: Ada, until: 2027-02-30}]\ngates:",
            "r.yaml:15: waivers[0].until: expected a day such as 2027-01-31, got '2027-02-30'",
        ),
        (
            "gates:",
            "split: {eval: 1}\ngates:",
            "r.yaml:15: split.eval: expected a number of at least 0 and below 1, got the number 1",
        ),
        ("gates:", "approval: {people: 3}\ngates:", "r.yaml:15: approval.people: expected one of 1, 2, got the number 3"),
        # Training.
        (
            "gates:",
            "train: {max_steps: 10, epochs: 2}\ngates:",
            "r.yaml:15: train.epochs: max_steps is set too; give one of the two",
        ),
        (
            "gates:",
            "train: {effective_batch_size: 32}\ngates:",
            "r.yaml:15: train.effective_batch_size: expected 16 (batch_size 2 times gradient_accumulation_steps"
            " 8), got 32",
        ),
        (
            "gates:",
            "train: {max_steps: 60}\ngates:",
            "r.yaml:15: train.warmup_steps: the learning rate rises for 100 of the run's 60 updates and never reaches"
            " its peak; expected fewer than 60, such as 6",
        ),
        (
            "gates:",
            "train: {max_steps: 60, warmup_steps: 60}\ngates:",
            "r.yaml:15: train.warmup_steps: the learning rate rises for 60 of the run's 60 updates and never reaches"
            " its peak; expected fewer than 60, such as 6",
        ),
        (
            "gates:",
            "train: {warmup_steps: 6000}\ngates:",
            "r.yaml:15: train.warmup_steps: the learning rate rises for 6000 of the run's 5000 updates and never"
            " reaches its peak; expected fewer than 5000, such as 500",
        ),
        (
            "gates:",
            "train: {lora_dropout: 5%}\ngates:",
            "r.yaml:15: train.lora_dropout: expected a number of at least 0 and below 1, got '5%'; write 0.05",
        ),
        # The evaluation.
        (
            "gates:",
            "evaluation:\n  - {metric: los, max: 2}\n  - {metric: loss_change.source.book, max: 0}\ngates:",
            "r.yaml: 2 faults\n"
            "  r.yaml:16: evaluation[0].metric: unknown metric 'los'; did you mean 'loss'?\n"
            "  r.yaml:17: evaluation[1].metric: unknown metric 'loss_change.source.book'; did you mean"
            " 'loss_change.source.books'?",
        ),
        (
            "gates:",
            "evaluation: [{metric: bleu, min: 0.3}]\ngates:",
            "r.yaml:15: evaluation[0].metric: unknown metric 'bleu'; measured are: loss, loss_change,"
            " loss_change.worst_group, tools.parsed_share, tools.valid_share, tools.name_share,"
            " tools.arguments_share, tools.quiet_share, loss.group.talk, loss.group.herbs, loss.source.chats,"
            " loss.source.books, loss_change.group.talk, loss_change.group.herbs, loss_change.source.chats,"
            " loss_change.source.books",
        ),
        # Not a recipe at all.
        (
            WHOLE,
            "- a\n",
            "r.yaml: expected a recipe (name: …, version: …, seed: …), got a list; `aj init FOLDER` writes a"
            " first one",
        ),
        (WHOLE, "", "r.yaml: empty; run `aj init FOLDER` for a first recipe"),
    ],
)  # fmt: skip
def test_a_broken_recipe_is_told_where_and_what_would_be_right(right, wrong, message):
    assert right in WHOLE
    assert fault(WHOLE.replace(right, wrong, 1)) == message


def test_keep_ends_with_the_sources_that_it_leaves_out():
    settings_of = {name: settings for name, _, settings in stage_plan(parse_recipe(WHOLE))}
    assert settings_of["near_duplicates"] == NearDuplicates(keep=["books", "chats"])


def test_a_stage_may_come_twice_and_has_two_names():
    recipe = parse_recipe(WHOLE.replace("- normalise", "- length: {max_tokens: 9000}"))
    assert stage_plan(recipe)[:2] == [
        ("length", "length", Length(max_tokens=9000)),
        ("length-2", "length", Length(max_tokens=2048)),
    ]


def test_a_recipe_survives_its_own_dictionary():
    for text in (SMALLEST, WHOLE):
        recipe = parse_recipe(text)
        again = recipe_from(recipe.as_dict(), "recipe.json")
        assert again.as_dict() == recipe.as_dict()
        assert recipe_digest(again) == recipe_digest(recipe)


def test_what_is_wrong_in_a_dictionary_is_told_without_a_line():
    values = parse_recipe(SMALLEST).as_dict() | {"seed": "x"}
    with pytest.raises(RecipeError) as error:
        recipe_from(values, "recipe.json")
    assert str(error.value) == "recipe.json: seed: expected a whole number of at least 0, got 'x'"


def test_the_digest_ignores_comments_order_and_defaults_spelt_out():
    first = recipe_digest(parse_recipe(SMALLEST))
    lines = SMALLEST.replace("reader: messages, group: talk", "group: talk, reader: messages").splitlines()
    other = "\n".join(
        ["# a comment", *lines[2:], *lines[:2], "split: {eval: 0.01}", "stages:", "- normalise"]
    )
    other += "\n- chat: {repair: true}\n- tools\n- exact_duplicates\n- near_duplicates: {similarity: 0.8}\n"
    assert recipe_digest(parse_recipe(other, "other.yaml")) == first
    assert recipe_digest(parse_recipe(SMALLEST.replace("seed: 17", "seed: 18"))) != first


def test_the_digest_is_free_of_the_machine(tmp_path: Path):
    here, there = tmp_path / "a" / "r.yaml", tmp_path / "b.yaml"
    here.parent.mkdir()
    here.write_text(SMALLEST)
    there.write_text(SMALLEST)
    moved = load_recipe(there, data_root=tmp_path / "data")
    assert moved.data_folder == tmp_path / "data"
    assert recipe_digest(load_recipe(here)) == recipe_digest(moved)


def test_a_sources_digest_is_its_own():
    one, other = parse_recipe(WHOLE), parse_recipe(WHOLE.replace("books.txt", "book.txt"))
    assert source_digest(one, "chats") == source_digest(other, "chats")
    assert source_digest(one, "books") != source_digest(other, "books")


def test_a_key_can_be_named_in_messages():
    recipe = parse_recipe(WHOLE, "r.yaml")
    assert recipe.at("sources", "books", "uri") == "r.yaml:8: sources.books.uri"
    assert recipe.at("sources", "books", "licence") == "r.yaml:8: sources.books.licence"


def test_where_sources_lie():
    assert is_hub("hf://datasets/a/b")
    assert is_https("https://x.org/a")
    recipe = parse_recipe(WHOLE.replace("chats.jsonl", "hf://datasets/a/b"))
    assert list(local_sources(recipe)) == ["books"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data root that holds what WHOLE names."""
    (tmp_path / "chats.jsonl").write_text("{}\n")
    (tmp_path / "books.txt").write_text("ALOE\n")
    return tmp_path


def loaded(folder: Path, text: str) -> Recipe:
    path = folder / "r.yaml"
    path.write_text(text)
    return load_recipe(path)


def test_present_files_pass(folder):
    check_files(loaded(folder, WHOLE))
    check_files(loaded(folder, WHOLE.replace("chats.jsonl", "'*.jsonl'")))
    check_files(loaded(folder, WHOLE.replace("chats.jsonl", "., files: '*.jsonl'")))


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (
            "chats.jsonl",
            "chat.jsonl",
            "7: sources.chats.uri: no such file or folder: 'chat.jsonl' in {root}; did you mean 'chats.jsonl'?",
        ),
        (
            "chats.jsonl",
            "'*.parquet'",
            "7: sources.chats.uri: no file matches '*.parquet' in {root}; it holds books.txt, chats.jsonl, r.yaml",
        ),
        (
            "chats.jsonl",
            "data/x.jsonl",
            "7: sources.chats.uri: no such file or folder: 'data/x.jsonl' in {root}; {root}/data is no folder",
        ),
        (
            "chats.jsonl",
            "., files: ['*.jsonl', '*.csv']",
            "7: sources.chats.files: no file matches '*.csv' in {root}; it holds books.txt, chats.jsonl, r.yaml",
        ),
        (
            "- normalise",
            "- contamination: {against: [heldout/b.json]}",
            "12: stages[0].contamination.against: no such file or folder: 'heldout/b.json' in {root};"
            " {root}/heldout is no folder",
        ),
        (
            "- normalise",
            "- contamination: {against: [gsm8k]}",
            "12: stages[0].contamination.against: no small package holds a set 'gsm8k': name a file that does;"
            " by name there are bfcl, humaneval",
        ),
        (
            "- normalise",
            "- contamination: {against: [Human-Eval]}",
            "12: stages[0].contamination.against: no small package holds a set 'Human-Eval': name a file that"
            " does; did you mean 'humaneval'?",
        ),
        (
            "{id: acme/tiny}\n",
            "{path: tokenizer}\n",
            "5: tokenizer.path: no such file or folder: 'tokenizer' in {root}; it holds books.txt, chats.jsonl,"
            " r.yaml",
        ),
        (
            "seed: 17",
            "seed: 17\ndata_root: elsewhere",
            "4: data_root: the data root {root}/elsewhere is no folder; set data_root or --data-root",
        ),
    ],
)
def test_a_missing_file_is_told_with_what_is_there(folder, right, wrong, message):
    recipe = loaded(folder, WHOLE.replace(right, wrong, 1))
    with pytest.raises(RecipeError) as error:
        check_files(recipe)
    assert str(error.value) == f"{folder}/r.yaml:{message.format(root=folder)}"


def test_a_link_out_of_the_data_root_is_refused(folder):
    inner = folder / "inner"
    inner.mkdir()
    (inner / "books.txt").write_text("ALOE\n")
    (inner / "chats.jsonl").symlink_to(folder / "chats.jsonl")
    with pytest.raises(RecipeError, match="is a link that leaves the data root; copy the file into it"):
        check_files(loaded(folder, WHOLE.replace("seed: 17", "seed: 17\ndata_root: inner")))


def test_cautions_name_what_may_not_be_meant():
    text = WHOLE.replace("chats.jsonl", "hf://datasets/a/b, revision: main").replace("2048", "4096")
    assert cautions(parse_recipe(text, "r.yaml")) == [
        "r.yaml:7: sources.chats: 'main' is a branch; `aj fetch` resolves and records the commit",
        "r.yaml:13: stages[1]: length lets 4096 tokens pass, train.max_seq_length is 2048",
        "r.yaml:11: stages: exact_duplicates is not among the stages; copies stay",
    ]


def test_a_gate_whose_stage_the_recipe_leaves_out_is_cautioned_against():
    text = SMALLEST + "stages: [tools, exact_duplicates]\ngates:\n  - {metric: tools.valid_share, min: 0.9}\n"
    assert cautions(parse_recipe(text, "r.yaml")) == []
    assert cautions(parse_recipe(text.replace("tools.valid_share", "language.kept_share"), "r.yaml")) == [
        "r.yaml:11: gates[0]: language.kept_share is measured by the stage language, which is not among the"
        " stages; the gate will fail as not measured"
    ]


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_recipe_of_the_project_is_right(path):
    recipe = load_recipe(path)
    assert path.read_text().startswith(f"# aj curate recipes/{path.name}")
    assert recipe.name == path.stem


def test_the_real_recipe_asks_for_what_the_original_did():
    recipe = load_recipe(RECIPES / "mixed_v1.yaml")
    check_files(recipe)
    assert recipe.version == "2.0.0"
    assert recipe.mixture.total == 127366
    assert recipe.mixture.shares == {
        "conversational": 0.5, "plants": 0.15, "strategic": 0.1, "apothecary": 0.1, "custom": 0.15,
    }  # fmt: skip
    assert (recipe.sources["wildchat"].take, recipe.sources["ultrachat"].take) == (82000, 45000)
    # The original had no word for a turn without a thought.
    ours = {"effective_batch_size": None, "seed": None, "max_steps": None, "thinking": "as_is"}
    assert msgspec.structs.replace(recipe.train, **ours) == TrainSettings()


def test_reading_a_recipe_loads_nothing_heavy():
    code = (
        "import sys; from pathlib import Path; from curation.recipe.load import load_recipe;"
        f"load_recipe(Path({str(RECIPES / 'mixed_v1.yaml')!r}));"
        "print(sorted({'polars', 'pyarrow', 'numpy', 'numba', 'tokenizers', 'torch', 'jsonschema'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=RECIPES.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


LINES = WHOLE.splitlines()


@given(
    st.integers(0, len(LINES) - 1),
    st.integers(0, 60),
    st.sampled_from([*"{}[]:,'\"-&*!|>%@` \t#0", "- ", ": "]),
)
@settings(max_examples=300)
def test_one_typing_error_is_a_recipe_or_one_clear_error(line, column, typed):
    mistyped = [*LINES]
    mistyped[line] = mistyped[line][:column] + typed + mistyped[line][column:]
    assert outcome("\n".join(mistyped)).startswith(("read", "r.yaml"))


@given(st.integers(0, len(LINES) - 1))
def test_a_line_left_out_is_a_recipe_or_one_clear_error(line):
    assert outcome("\n".join(LINES[:line] + LINES[line + 1 :])).startswith(("read", "r.yaml"))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(0, 2)
    | st.sampled_from(["max", "chats", "talk", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["uri", "a", "chat"]), inner, max_size=3)
    ),
    max_leaves=5,
)
KEYS = sorted(parse_recipe(WHOLE).as_dict())


@given(st.sampled_from(KEYS), JSON)
@settings(max_examples=300)
def test_any_value_under_any_key_is_a_recipe_or_one_clear_error(key, value):
    values = parse_recipe(WHOLE).as_dict() | {key: value}
    try:
        recipe_from(values, "r.yaml")
    except RecipeError as error:
        assert str(error)  # noqa: PT017


def outcome(text: str) -> str:
    try:
        parse_recipe(text, "r.yaml")
    except RecipeError as error:
        return str(error)
    return "read"
