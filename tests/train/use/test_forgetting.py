"""Base and model are asked the same questions, each in its own manner, and foretell the same texts."""

import json
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest
import yaml
from small_recipe import no_documents, write_jsonl
from tiny_adapter import tiny_adapter
from tiny_model import tiny_model

from curation.dataset.questions import question_of
from curation.errors import Refusal
from curation.files import file_digest
from curation.jobs.curate import curate
from curation.recipe.metrics import evaluated_meanings
from curation.recipe.rules import evaluated
from curation.release.approval import approve
from curation.release.freeze import freeze
from curation.release.frozen import read_frozen
from curation.rendering.template import built_in
from curation.row import message
from reports.pages.training import training_report
from train.data.encoding import Encoder
from train.data.gatekeeper import admit
from train.use.evaluate import as_text, evaluate
from train.use.forgetting import File, Manner, Said, answers, file_metrics, files_of, foretell, manner_of
from train.use.inference import TransformersInference, prompt_ids

R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}<\uff5cUser\uff5c>{{ m.content }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<\uff5cAssistant\uff5c><think>\n{% endif %}"
)
SUM = question_of({"question": "What is 6 times 7?", "answer": {"number": 42}})
WATER = question_of(
    {
        "question": "Water bed 3",
        "tools": [{"name": "water", "parameters": {"type": "object"}}],
        "answer": {"call": {"name": "water", "arguments": {"bed": 3}}},
    }
)


@dataclass
class Parrot:
    """A model that says what it is told to, and remembers what it was asked."""

    encoder: Encoder
    says: str = ""
    context: int | None = None
    asked: list[str] = field(default_factory=list)

    def answers(self, prompts, max_tokens, ends):
        self.asked += [self.encoder.whole.decode(ids, skip_special_tokens=False) for ids in prompts]
        said = self.encoder.whole.encode(self.says, add_special_tokens=False).ids
        return [said[:max_tokens] for _ in prompts]

    def losses(self, ids, places):
        self.asked.append(self.encoder.whole.decode(ids, skip_special_tokens=False))
        return np.ones(len(places))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tiny_model(tmp_path_factory.mktemp("base") / "base")
    (folder / "chat_template.jinja").write_text(R1)
    return folder


def answer(speaker, manner, max_tokens, question=SUM):
    (said,) = answers(speaker, [question], manner, max_tokens)
    return said


def parrot(base, says="", thinking="as_is", **more):
    return Parrot(Encoder(base, built_in("aj_r1", thinking)), says, **more)


def test_the_base_is_asked_by_its_own_template_and_the_model_by_the_one_it_was_trained_with(base):
    speaker = parrot(base, "six sevens\n</think>\n\n42")
    said = answer(speaker, manner_of(speaker.encoder, base, own=True), 50)
    assert said == Said("<think>\nsix sevens\n</think>\n\n42", right=True, thinks=True, ends=True)
    said = answer(speaker, manner_of(speaker.encoder, base, own=False), 50)
    assert (said.thinks, said.right) == (False, True)
    own, ours = speaker.asked
    assert own.endswith("6 times 7?<\uff5cAssistant\uff5c><think>\n")
    assert ours.endswith("6 times 7?<\uff5cAssistant\uff5c>")
    speaker = parrot(base, "six sevens\n</think>\n\n42", "empty")
    assert answer(speaker, manner_of(speaker.encoder, base, own=False), 50).thinks


def test_a_template_that_drops_the_tools_cannot_ask_for_a_call(base):
    spoken = '<tool_call>\n{"name": "water", "arguments": {"bed": 3}}\n</tool_call>'
    speaker = parrot(base, spoken)
    said = answer(speaker, manner_of(speaker.encoder, base, own=True), 90, WATER)
    assert (said.right, said.thinks) == (True, False)
    assert '"water"' in speaker.asked[0]


def test_an_answer_that_reaches_the_limit_does_not_end(base):
    speaker = parrot(base, "42 is the answer")
    assert answer(speaker, Manner(None, frozenset(), ()), 100).ends
    assert not answer(speaker, Manner(None, frozenset(), ()), 2).ends
    asked = len(prompt_ids(speaker.encoder, SUM.messages, None))
    short = parrot(base, "42 is the answer and more", context=asked + 4)
    assert not answer(short, Manner(None, frozenset(), ()), 100).ends


def test_what_ends_an_answer_is_the_templates_token_and_the_bases_own(base, tmp_path):
    for file in base.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    encoder = Encoder(base, built_in("aj_r1"))
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [7, 8]}))
    assert manner_of(encoder, tmp_path, own=False).ends == {7, 8, encoder.end_id}


def test_a_text_is_foretold_in_windows_each_behind_the_start_of_a_text(base):
    speaker = parrot(base)
    bos = speaker.encoder.added["<\uff5cbegin\u2581of\u2581sentence\uff5c>"]
    ids = speaker.encoder.plain.encode("one two <\uff5cUser\uff5c>", add_special_tokens=False).ids
    found = foretell(speaker, "one two <\uff5cUser\uff5c>", Manner(None, frozenset(), (bos,)), 5)
    assert found.nats == found.tokens == len(ids)
    assert len(speaker.asked) == -(-len(ids) // 4)
    assert foretell(speaker, "one", Manner(None, frozenset(), ()), 5).tokens < len(ids)


def test_changes_are_paired_over_the_questions():
    file = File("questions", "sums", "", [SUM] * 40, [], 9)
    before = {"questions.sums": [Said("", True, True, True)] * 40}
    after = {"questions.sums": [Said("", place % 2 == 0, False, True) for place in range(40)]}
    found = file_metrics([file], after, before, 17)
    assert found["questions.sums.thinks_change"].high == -1.0
    assert found["questions.sums.right_change"].value == -0.5
    assert -0.7 < found["questions.sums.right_change"].low < -0.5
    assert found["questions.sums.ends_change"].value == 0
    assert not any(name.endswith("_change") for name in file_metrics([file], after, None, 17))


EVALUATION = [
    {"questions": "sums.jsonl", "name": "sums", "max_tokens": 6},
    {"texts": "wiki.jsonl", "name": "wiki"},
    {"metric": "questions.sums.thinks_change", "min": -0.5},
    {"metric": "texts.wiki.loss_change", "max": -5.0},
]


@pytest.fixture(scope="module")
def made(base, tmp_path_factory):
    """A frozen dataset with questions and texts, and an adapter that says it was trained on it."""
    folder = tmp_path_factory.mktemp("made")
    rows = [[message("user", f"Say {n}"), message("assistant", f"It is {n}")] for n in range(6)]
    write_jsonl(folder / "rows.jsonl", [{"messages": row} for row in rows])
    asked = ("What is 6 times 7?", "say  2", "Say 99")
    write_jsonl(folder / "sums.jsonl", [{"question": one, "answer": {"number": 2}} for one in asked])
    write_jsonl(folder / "wiki.jsonl", [{"text": "The garden wants water."}, {"text": "It is 4"}])
    recipe = {
        "name": "kept",
        "version": "1.0.0",
        "seed": 17,
        "base_model": {"id": "example/tiny", "code": "Tiny"},
        "sources": {"rows": {"uri": "rows.jsonl", "reader": "messages", "group": "talk"}},
        "mixture": {"shares": {"talk": 1.0}},
        "split": {"eval": 0},
        "stages": ["chat"],
        "gates": [],
        "evaluation": EVALUATION,
    }
    (folder / "r.yaml").write_text(yaml.safe_dump(recipe))
    data = curate(folder / "r.yaml", documents=no_documents, out=folder / "data", workers=1).dataset
    approve(data, "Test Person")
    frozen = freeze(data, folder / "recipes" / "frozen" / "kept.yaml")
    read = read_frozen(frozen)
    named = {"name": read.name, "version": read.version, "self_sha256": read.as_dict()["self_sha256"]}
    adapter = tiny_adapter(folder / "adapter", base, run={"frozen": named})
    return {"path": adapter, "frozen": frozen, "data": data, "base": base}


def test_files_are_measured_without_rows_held_out_and_their_bounds_judged(made):
    found = evaluate(**made)
    assert set(found.metrics) <= set(evaluated(admit(made["frozen"], made["data"]).recipe))
    assert found.metrics["questions.sums.ends_share"].rows == 3
    assert found.base["texts.wiki.loss"].value > 0
    assert [one.passed for one in found.verdicts] == [True, False]
    assert {name: (one.rows, one.in_train) for name, one in found.files.items()} == {
        "questions.sums": (3, 1),
        "texts.wiki": (2, 1),
    }
    assert found.files["questions.sums"].sha256 == file_digest(made["data"].parent / "sums.jsonl")
    told = as_text(found, made["path"], meanings=evaluated_meanings(found.metrics))
    assert "asked      sums: 3 questions, 1 of them also in the train split" in told
    assert "questions.NAME.thinks_change: that share less the base model's" in told
    assert "FAILED     texts.wiki.loss_change" in told
    preview = evaluate(**made, rows=1)
    assert (preview.files["questions.sums"].rows, preview.sample) == (1, True)


def test_the_training_report_shows_them(made):
    record = json.loads((made["path"] / "run.json").read_text())
    record |= {"finished": "", "events": [], "steps": 1, "tokens": 1, "epochs": 1.0, "approvals": []}
    record |= {"batches": [], "sources": {}, "loaded": {}, "versions": {}, "settings": {}}
    record |= {"packing": {"sequences": 1, "fill": 1.0}}
    record |= {"losses": {"first loss": 1.0, "last loss": 1.0, "last eval loss": None}}
    record["base"] |= {"commit": None, "revision": None}
    record["frozen"] |= {"root": "", "recipe_sha256": ""}
    line = {"kind": "train", "step": 1, "loss": 1.0, "grad_norm": 1.0, "learning_rate": 1e-3}
    line |= {"tokens_per_s": 1.0, "step_s": 1.0}
    (made["data"].parent / "metrics.jsonl").write_text(json.dumps(line))
    found = evaluate(**made, force=True)
    lost = [{"file": "sums", "question": "6 times 7?", "base": "it is 42", "said": "it is 24"}]
    shown = msgspec.structs.replace(found, lost=lost).as_dict()
    page = training_report(made["data"].parent, record, shown).decode()
    assert "asked: questions.sums, 3 of them; 1 also in the train split" in page
    assert "Answers that the base gives right and the adapter does not" in page
    assert "it is 24" in page


def test_a_file_that_changed_since_the_approval_is_refused(made):
    path = made["data"] / "evaluation" / "questions-sums.jsonl"
    before = path.read_bytes()
    try:
        path.write_bytes(before.replace(b"42", b"43").replace(b"times", b"by"))
        with pytest.raises(Refusal, match=r"questions-sums.jsonl: not the file that was approved"):
            files_of(admit(made["frozen"], made["data"]))
        path.unlink()
        with pytest.raises(Refusal, match="cannot be read"):
            evaluate(**made, force=True)
    finally:
        path.write_bytes(before)


def test_answers_in_one_batch_are_those_given_alone(base):
    encoder = Encoder(base, built_in("aj_r1"))
    speaker = TransformersInference(base, encoder)
    words = ("one", "two three", "the garden wants water in the morning") * 4
    prompts = [prompt_ids(encoder, [message("user", text)], None) for text in words]
    alone = [speaker.answer(ids, 12) for ids in prompts]
    assert speaker.answers(prompts, 12) == alone
    last = alone[0][5]
    assert speaker.answers(prompts, 12, frozenset({last}))[0] == alone[0][: alone[0].index(last)]
