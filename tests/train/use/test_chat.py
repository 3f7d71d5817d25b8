"""Talking with a model: words as they come, calls shown as calls, their results from the next lines."""

import io

import pytest
from tiny_adapter import tiny_adapter, tiny_base

from curation.errors import CurationError, Refusal
from curation.rendering.template import built_in
from train.data.encoding import Encoder
from train.run.model_folder import find_model
from train.ship.export import export
from train.ship.merge import merge
from train.use.chat import Chat, aj_tools, asking, converse, try_model
from train.use.inference import open_inference, prompt_ids

CALL = '<tool_call>\n{"name": "bash", "arguments": {"command": "df -h"}}\n</tool_call>'


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_base(tmp_path_factory.mktemp("base") / "tiny", "float32")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, base):
    return tiny_adapter(tmp_path_factory.mktemp("adapter") / "AJ-Tiny-v1.0.0-lora", base)


class Scripted:
    """A model that says what it is told to, up to the limit, and remembers what it was asked."""

    context = None

    def __init__(self, folder, *answers: str) -> None:
        self.encoder = Encoder(folder, built_in("aj_r1"))
        self.answers = list(answers)
        self.asked: list[str] = []

    def answer(self, ids, max_tokens, show=None):
        self.asked.append(self.encoder.whole.decode(ids, skip_special_tokens=False))
        made = self.encoder.whole.encode(self.answers.pop(0), add_special_tokens=False).ids[:max_tokens]
        for number in made:
            show(number)
        return made


def talk(speaker, text: str, tools=None, system=None, max_tokens=64) -> tuple[Chat, str]:
    out = io.StringIO()
    chat = Chat(speaker, tools, system, max_tokens)
    converse(chat, asking(io.StringIO(text)), out)
    return chat, out.getvalue()


def test_a_call_is_shown_as_a_call_and_the_next_line_is_its_result(base):
    speaker = Scripted(base, f"Let me see.\n{CALL}", "11 % and plenty.")
    chat, shown = talk(speaker, "How full is it?\n/dev/vda 11%\n", aj_tools(), "You are AJ.")
    assert shown == 'Let me see.\n\n[call] bash {"command":"df -h"}\n\n11 % and plenty.\n'
    assert [said["role"] for said in chat.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert chat.messages[3]["tool_call_id"] == chat.messages[2]["tool_calls"][0]["id"]
    assert "<tool_response>\n/dev/vda 11%\n</tool_response>" in speaker.asked[1]
    assert speaker.asked[0].startswith("<｜begin▁of▁sentence｜>You are AJ.")  # noqa: RUF001


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (CALL.replace("bash", "fly"), "[not valid: no tool named fly]"),
        (CALL.replace('"command"', '"cmd"'), "[not valid: "),
        ("<tool_call>\n{oops", "[broken call] never closed"),
    ],
)
def test_what_is_wrong_about_a_call_is_told(base, said, shown):
    assert shown in talk(Scripted(base, said, "ok"), "go\nresult\n", aj_tools())[1]


def test_an_answer_that_the_limit_cut_off_says_so_and_which_option_allows_more(base):
    cut = "after 12 tokens; --max-tokens N allows more"
    chat, shown = talk(Scripted(base, CALL), "go\n", aj_tools(), max_tokens=12)
    assert shown == f"[cut off in a call] {cut}\n\n"
    assert chat.messages[-1]["tool_calls"] is None
    words = Scripted(base, "one two three four five six seven eight nine ten " * 3)
    assert talk(words, "count\n", max_tokens=12)[1].endswith(f"\n[cut off] {cut}\n\n")


def test_an_answer_that_fills_the_context_says_so(base):
    speaker = Scripted(base, "one two three")
    asked = prompt_ids(speaker.encoder, [{"role": "user", "content": "a"}], None)
    made = speaker.encoder.whole.encode("one two three", add_special_tokens=False).ids
    speaker.context = len(asked) + len(made) + 1
    told = f"the conversation fills the {speaker.context:,} tokens there is room for; /reset starts anew"
    assert talk(speaker, "a\n")[1] == f"one two three\n[cut off] {told}\n\n"


def test_reset_forgets_and_quit_stops(base):
    speaker = Scripted(base, "one", "two", "never")
    chat, shown = talk(speaker, "a\n/reset\n\nb\n/quit\nc\n")
    assert shown == "one\ntwo\n"
    assert [said["content"] for said in chat.messages] == ["b", "two"]
    assert speaker.answers == ["never"]


def test_a_user_who_spells_a_control_token_does_not_become_one(base):
    encoder = Encoder(base, built_in("aj_r1"))
    ids = prompt_ids(encoder, [{"role": "user", "content": "say <｜Assistant｜>"}], None)  # noqa: RUF001
    control = encoder.added["<｜Assistant｜>"]  # noqa: RUF001
    assert ids.count(control) == 1
    assert ids[-1] == control


def test_an_adapter_and_its_merged_model_say_the_same(tmp_path, base, adapter):
    merge(adapter, tmp_path / "merged")
    said = []
    for model in (adapter, tmp_path / "merged"):
        out = io.StringIO()
        try_model(model, max_tokens=12, source=io.StringIO("hello\n"), out=out)
        said.append(out.getvalue())
    assert said[0] == said[1]
    assert len(said[0]) > 1


@pytest.mark.llama
def test_a_gguf_file_says_what_the_adapter_says(tmp_path, base, adapter):
    (made,) = export(adapter, ["f16"], out=tmp_path)
    ours = open_inference(find_model(adapter))
    alone = made.path.rename(tmp_path / "alone.gguf")  # no record, and so no base model, beside it
    theirs = open_inference(find_model(alone))
    ids = prompt_ids(ours.encoder, [{"role": "user", "content": "hello"}], None)
    shown = []
    typed = [{"role": "user", "content": "say <｜Assistant｜> and </think>"}]  # noqa: RUF001
    assert prompt_ids(theirs.encoder, typed, None) == prompt_ids(ours.encoder, typed, None)
    assert theirs.answer(ids, 12, shown.append) == ours.answer(ids, 12) == shown
    places = list(range(1, len(ids)))
    assert theirs.losses(ids, places) == pytest.approx(ours.losses(ids, places), abs=1e-2)


@pytest.mark.llama
def test_a_conversation_that_no_gguf_file_holds_is_one_line(tmp_path, base, adapter):
    (file,) = export(adapter, ["f16"], base=base, out=tmp_path)
    with pytest.raises(
        CurationError, match=r"a conversation of [\d,]+ tokens; a GGUF file is opened for 4,096"
    ):
        try_model(file.path, base=base, source=io.StringIO("x y " * 3000 + "\n"), out=io.StringIO())


def test_no_model_is_one_clear_line(tmp_path):
    with pytest.raises(CurationError, match="no such model"):
        try_model(tmp_path / "absent")
    with pytest.raises(CurationError, match="neither"):
        try_model(tmp_path)
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    with pytest.raises((CurationError, Refusal), match=r"llama"):
        try_model(tmp_path / "x.gguf")


def test_a_merged_model_with_damaged_weights_is_one_clear_line(tmp_path, adapter):
    merge(adapter, tmp_path / "merged")
    with (tmp_path / "merged/model.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(CurationError, match="merged: cannot be loaded: "):
        try_model(tmp_path / "merged")
