"""Which tokens are trained, on the real control tokens, for both built-in templates and others."""

# ruff: noqa: RUF001 - DeepSeek spells its role tokens with fullwidth bars.

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import made

from curation.errors import Refusal
from curation.rendering.template import Template, built_in, load_template
from curation.row import message
from train.data.encoding import Encoder, MaskError, check_text

TOOLS = json.dumps([{"name": "bash", "parameters": {"type": "object"}}])
CALL = {"id": "c1", "name": "bash", "arguments": '{"command": "ls -l", "n": 1.0}'}
TURNS = [
    message("system", "You are AJ."),
    message("user", "List the files"),
    message("assistant", "<think>\nlook\n</think>\n\nOne moment.", tool_calls=[CALL]),
    message("tool", "a.txt", tool_call_id="c1"),
    message("assistant", "There is a.txt."),
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(made(), load_template("aj_r1", made()))


def trained_text(encoder: Encoder, messages, tools=None) -> list[str]:
    """The trained runs of a row, decoded from its ids."""
    [[example]] = encoder.examples([(messages, tools)])
    runs, current = [], []
    for token, is_trained in zip(example.ids.tolist(), example.trained.tolist(), strict=True):
        if is_trained:
            current.append(token)
        elif current:
            runs.append(current)
            current = []
    runs += [current] if current else []
    return [encoder.whole.decode(run, skip_special_tokens=False) for run in runs]


def test_answers_calls_and_thinking_are_trained_and_nothing_else(encoder):
    assert trained_text(encoder, TURNS, TOOLS) == [
        "<think>\nlook\n</think>\n\nOne moment.\n<tool_call>\n"
        '{"name": "bash", "arguments": {"command": "ls -l", "n": 1}}\n</tool_call><｜end▁of▁sentence｜>',
        "There is a.txt.<｜end▁of▁sentence｜>",
    ]


def test_ids_are_those_of_the_rendered_text_encoded_once(encoder):
    [[example]] = encoder.examples([(TURNS, TOOLS)])
    text = encoder.template.render(TURNS, TOOLS)
    assert example.ids.tolist() == encoder.whole.encode(text, add_special_tokens=False).ids


def test_a_turn_ends_with_its_end_token(encoder):
    [[example]] = encoder.examples([(TURNS, TOOLS)])
    ends = example.ids[example.trained][-1]
    assert ends == encoder.end_id == encoder.added["<｜end▁of▁sentence｜>"]


@pytest.mark.parametrize("role", ["user", "tool", "system", "arguments", "tools", "answer"])
def test_a_control_token_that_is_only_spelled_stays_text(encoder, role):
    spelled = "so <｜Assistant｜>sure<｜end▁of▁sentence｜> and <tool_call>"
    turns, tools = [dict(turn) for turn in TURNS], TOOLS
    if role == "arguments":
        turns[2]["tool_calls"] = [{**CALL, "arguments": json.dumps({"command": spelled}, ensure_ascii=False)}]
    elif role == "tools":
        tools = json.dumps([{"name": "bash", "description": spelled}], ensure_ascii=False)
    else:
        place = {"system": 0, "user": 1, "tool": 3, "answer": 4}[role]
        turns[place]["content"] = spelled
    [[plain]] = encoder.examples([(TURNS, TOOLS)])
    [[example]] = encoder.examples([(turns, tools)])
    assistant, call = encoder.added["<｜Assistant｜>"], encoder.added["<tool_call>"]
    for token in (assistant, call, encoder.end_id):
        assert (example.ids == token).sum() == (plain.ids == token).sum()
    text = encoder.template.render(turns, tools)
    assert encoder.whole.decode(example.ids.tolist(), skip_special_tokens=False) == text


def test_thinking_in_a_question_stays_text_and_in_an_answer_does_not(encoder):
    think = encoder.added["<think>"]
    asked = [message("user", "what is <think>?"), message("assistant", "<think>\nhm\n</think>\n\na mark")]
    [[example]] = encoder.examples([(asked, None)])
    assert (example.ids == think).sum() == 1


PIECES = [*"abc <>｜\n_", "é", "<｜User｜>", "<think>", "</tool_call>"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@given(asked=TEXTS, answered=TEXTS, result=TEXTS, arguments=st.dictionaries(TEXTS, TEXTS, max_size=2))
def test_whatever_is_said_the_mask_covers_exactly_the_assistant(encoder, asked, answered, result, arguments):
    call = {"id": "c", "name": "bash", "arguments": json.dumps(arguments, ensure_ascii=False)}
    turns = [
        message("user", asked),
        message("assistant", answered, tool_calls=[call]),
        message("tool", result, tool_call_id="c"),
        message("assistant", answered),
    ]
    [[example]] = encoder.examples([(turns, None)])
    users = encoder.added["<｜User｜>"], encoder.added["<｜Assistant｜>"]
    assert [int((example.ids == token).sum()) for token in users] == [2, 2]
    said = "".join(trained_text(encoder, turns))
    assert said.count("<｜end▁of▁sentence｜>") == 2
    words = answered.rstrip()
    gap = "\n" if words else ""
    block = f'<tool_call>\n{{"name": "bash", "arguments": {call["arguments"]}}}\n</tool_call>'
    end = "<｜end▁of▁sentence｜>"
    assert said == f"{words}{gap}{block}{end}{words}{end}"


def test_a_control_token_that_an_escape_spells_stays_text(encoder):
    escaped = '{"a":"\\u003c｜User｜>"}'
    call = {"id": "c", "name": "bash", "arguments": escaped}
    turns = [message("user", "q"), message("assistant", None, tool_calls=[call])]
    tools = f'[{{"name": "bash", "description": {json.dumps("<｜User｜>").replace("<", chr(92) + "u003c")}}}]'
    [[example]] = encoder.examples([(turns, tools)])
    assert int((example.ids == encoder.added["<｜User｜>"]).sum()) == 1
    assert "<｜User｜>" in trained_text(encoder, turns)[0]


@pytest.mark.parametrize("answer", ["web", "<think>\nhm\n</think>\n\nweb"])
def test_an_empty_thought_carries_no_loss(encoder, answer):
    template = built_in("aj_r1", "empty")
    empty = Encoder(made(), template)
    [[example]] = empty.examples([([message("user", "q"), message("assistant", answer)], None)])
    prompt = template.render(
        [message("user", "q")], None, add_generation_prompt=True, enable_thinking="hm" in answer
    )
    given = empty.whole.encode(prompt, add_special_tokens=False).ids
    assert example.ids[: len(given)].tolist() == given
    assert example.trained.tolist() == [False] * len(given) + [True] * (len(example.ids) - len(given))


FORGETFUL = (
    "{% for m in messages %}{% if m.role == 'user' %}<｜User｜>{{ m.content }}"
    "{% elif m.role == 'assistant' %}<｜Assistant｜>"
    "{{ m.content if loop.last else m.content.split('</think>')[-1] }}<｜end▁of▁sentence｜>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<｜Assistant｜>{% endif %}"
)


def test_a_template_that_forgets_thinking_gives_one_example_per_turn():
    template = Template(name="forgetful", source=FORGETFUL, end="<｜end▁of▁sentence｜>")
    encoder = Encoder(made(), template)
    turns = [
        message("user", "one"),
        message("assistant", "<think>first</think>1"),
        message("user", "two"),
        message("assistant", "<think>second</think>2"),
    ]
    [examples] = encoder.examples([(turns, None)])
    texts = [encoder.whole.decode(e.ids[e.trained].tolist(), skip_special_tokens=False) for e in examples]
    assert texts == [
        "<think>first</think>1<｜end▁of▁sentence｜>",
        "<think>second</think>2<｜end▁of▁sentence｜>",
    ]


def test_a_template_that_drops_a_call_is_refused_before_it_trains():
    source = FORGETFUL.replace(
        "m.content if loop.last else m.content.split('</think>')[-1]", "m.content or ''"
    )
    encoder = Encoder(made(), Template(name="dropping", source=source, end="<｜end▁of▁sentence｜>"))
    with pytest.raises(MaskError, match="the call of bash at message 1 is not within what is trained"):
        encoder.examples([([message("user", "q"), message("assistant", None, tool_calls=[CALL])], None)])


def test_user_text_within_a_span_is_refused():
    turns = [message("user", "secret"), message("assistant", "fine")]
    with pytest.raises(MaskError, match="text of the user message 0 is not outside what is trained"):
        check_text("<u>secret<a>fine<e>", [(3, 19)], turns)


def test_an_end_that_is_no_single_token_is_refused():
    chatml = built_in("chatml")
    with pytest.raises(Refusal, match=r"ends a turn with '<\|im_end\|>', which is \d+ tokens"):
        Encoder(made(), chatml)


def test_the_real_vocabulary_gives_the_real_ids(corpus):
    folder = corpus / "tokenizer_r1_distill"
    encoder = Encoder(folder, load_template("aj_r1", folder))
    [[example]] = encoder.examples([(TURNS, TOOLS)])
    assert example.ids[0] == 151646
    assert [int((example.ids == token).sum()) for token in (151644, 151645, 151643)] == [2, 2, 2]
    assert [int((example.ids[example.trained] == t).sum()) for t in (151648, 151649, 151657, 151658)] == [
        1
    ] * 4
    assert trained_text(encoder, TURNS, TOOLS)[1] == "There is a.txt.<｜end▁of▁sentence｜>"


@given(masked=st.sets(st.sampled_from([2, 4])))
def test_a_masked_turn_has_no_trained_token_and_every_other_token_is_as_before(encoder, masked):
    turns = [said | {"weight": 0 if place in masked else None} for place, said in enumerate(TURNS)]
    [[before]], [[after]] = encoder.examples([(TURNS, TOOLS)]), encoder.examples([(turns, TOOLS)])
    assert after.ids.tolist() == before.ids.tolist()
    runs = trained_text(encoder, TURNS, TOOLS)
    assert trained_text(encoder, turns, TOOLS) == [
        text for place, text in zip((2, 4), runs, strict=True) if place not in masked
    ]
    assert not (after.trained & ~before.trained).any()


def test_a_masked_turn_is_no_example_where_each_turn_is_one():
    encoder = Encoder(made(), Template(name="forgetful", source=FORGETFUL, end="<｜end▁of▁sentence｜>"))
    turns = [message("user", "one"), message("assistant", "<think>a</think>1") | {"weight": 0}]
    turns += [message("user", "two"), message("assistant", "<think>b</think>2")]
    [[example]] = encoder.examples([(turns, None)])
    text = encoder.whole.decode(example.ids[example.trained].tolist(), skip_special_tokens=False)
    assert text == "<think>b</think>2<｜end▁of▁sentence｜>"
