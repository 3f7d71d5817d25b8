"""How sets name their turns: who speaks, what is said, where one turn ends. What `map` may be, by that.

Who asks and who answers must be in a speaker's name; else a `map` is no more than a proposal.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from curation.readers.guessing.column_names import asks_or_heads, text_columns, words
from curation.readers.regrouping import WHOLE_FILE
from curation.readers.seam import LIKELY, POSSIBLE, Candidate, is_turns
from curation.turns.roles import ROLES, spellings

# Speaker that stands for all those that `roles` does not name.
ANYONE = "*"

# Names that published sets give the speaker, what is said, and those who ask.
_SPEAKERS = ("speaker", "role", "from", "agent", "author", "sender", "name", "NAMES", "id")
_SAID = ("text", "utterance", "content", "message", "value", "body", "UTTERANCES")
# Who asks and who answers, by a name that says so.
_KNOWN = {
    **{name: role for role in ROLES for name in spellings(role)},
    **dict.fromkeys(("customer", "client", "usr", "caller", "visitor", "guest", "seeker", "asker"), "user"),
    **dict.fromkeys(("agent", "operator", "support", "representative", "advisor", "answerer"), "assistant"),
}
# Lists that are one side of a conversation alone.
_HALVES = {"prompt", "completion", "chosen", "rejected", "input", "output", "inputs", "outputs"}
# Keys of an exchange, of which one asks and one answers.
_EXCHANGED = {
    **dict.fromkeys(("human", "user", "input", "question", "query", "prompt", "instruction"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "output", "answer", "response"), "assistant"),
    "system": "system",
}
# What records of one conversation have in common, and what numbers them.
_CONVERSATIONS = frozenset(
    ("conversation", "conv", "dialog", "dialogue", "thread", "session", "chat", "ticket")
)
_TALKS = _CONVERSATIONS | {"conversations", "dialogs", "turns", "exchanges", "rounds", "history", "messages"}
_NUMBERS = (
    "turn",
    "turn_id",
    "turn_index",
    "turn_number",
    "position",
    "order",
    "seq",
    "sequence",
    "message_index",
)
# Who may speak in a text besides, at the start of a line.
_OTHER_SPEAKER = re.compile(r"^(tool|function|observation|system|System|Tool|Observation):", re.MULTILINE)
# Markers of texts: those that open a user's and an assistant's turn, and others that may be there.
_MARKERS: tuple[tuple[dict[str, str], dict[str, str]], ...] = (
    ({"### Human:": "user", "### Assistant:": "assistant"}, {}),
    ({"###Instruction:": "user", "###Output:": "assistant"}, {}),
    ({"### Instruction:": "user", "### Response:": "assistant"}, {}),
    (
        {"<|im_start|>user": "user", "<|im_start|>assistant": "assistant"},
        {"<|im_start|>system": "system", "<|im_end|>": "skip"},
    ),
    (
        {"<|start_header_id|>user<|end_header_id|>": "user",
         "<|start_header_id|>assistant<|end_header_id|>": "assistant"},
        {"<|start_header_id|>system<|end_header_id|>": "system", "<|eot_id|>": "skip",
         "<|begin_of_text|>": "skip"},
    ),
    (
        {"<start_of_turn>user": "user", "<start_of_turn>model": "assistant"},
        {"<end_of_turn>": "skip", "<bos>": "skip"},
    ),
    (
        {"<|user|>": "user", "<|assistant|>": "assistant"},
        {"<|system|>": "system", "<|end|>": "skip", "</s>": "skip"},
    ),
    (
        {"[INST]": "user", "[/INST]": "assistant"},
        {"<<SYS>>": "system", "<</SYS>>": "user", "<s>": "skip", "</s>": "skip"},
    ),
    ({"user:": "user", "assistant:": "assistant"}, {"system:": "system"}),
    ({"User:": "user", "Assistant:": "assistant"}, {"System:": "system"}),
    ({"Human:": "user", "Assistant:": "assistant"}, {"System:": "system"}),
    ({"Human:": "user", "AI:": "assistant"}, {}),
)  # fmt: skip


def guess_records(path: Path, objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """FastChat's two files, then a list of turns of any names, then a text with markers."""
    first = objects[0]
    if "choices" in first and "question_id" in first and (path.parent / "question.jsonl").is_file():
        layout = {
            "turns": "choices.0.turns",
            "roles": {ANYONE: "assistant"},
            "join": "question_id",
            "prompts": "turns",
        }
        yield Candidate(LIKELY, {"answers": "question.jsonl", "map": layout})
    yield from _turns_of_any_name(objects)
    yield from _exchanges(objects)
    yield from _a_turn_a_record(objects)
    yield from _speakers_beside(objects)
    for key, value in first.items():
        for needed, more in _MARKERS:
            if isinstance(value, str) and key != "rejected" and all(mark in value for mark in needed):
                others = {m[1] for r in objects for m in _OTHER_SPEAKER.finditer(str(r.get(key)))}
                others -= {mark.rstrip(":") for mark in (*needed, *more)}
                asks = f"`{min(others)}:` speaks in `{key}` too, and no role is its" if others else ""
                there = {
                    mark: role for mark, role in more.items() if any(mark in str(r.get(key)) for r in objects)
                }
                yield Candidate(POSSIBLE, {"map": {"text": key, "roles": {**needed, **there}}}, asks=asks)


def _turns_of_any_name(objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """Any list of turns with a speaker and what is said. Who answers must be in the speakers' names."""
    for key in dict.fromkeys(key for record in objects for key in record if key not in _HALVES):
        found = [record[key] for record in objects if is_turns(record.get(key))]
        talks = [
            [turn for turn in turns if isinstance(turn, dict)] for turns in found if isinstance(turns, list)
        ]
        first = talks[0][0] if talks else {}
        speaker = next((name for name in _SPEAKERS if name in first), None)
        said = next((name for name in _SAID if name in first and name != speaker), None)
        if not speaker or not said:
            continue
        layout: dict[str, Any] = {"turns": key, "role": speaker, "content": said}
        spoken = [[(_name(turn.get(speaker)), turn) for turn in turns] for turns in talks]
        roles = _roles([[name for name, _ in turns] for turns in spoken])
        if silent := {name for turns in spoken for name, turn in turns if turn.get(said) is None}:
            prompt = _prompt_of(spoken, silent, roles)
            roles |= dict.fromkeys(silent, "skip")
            layout |= {"system": f"{key}.{prompt}"} if prompt else {}
        unknown = [name for name, role in roles.items() if role is None]
        asks = ""
        if {"user", "assistant"} <= {*roles.values()} and not unknown:
            others = [
                other for other in objects[0] if other != key and is_turns(objects[0][other], speaker, said)
            ]
            if others:
                asks = f"`{key}` and `{others[0]}` both hold turns, and no name says which are to be trained"
            elif beside := _asking_beside(objects, key):
                asks = f"`{beside}` beside `{key}` asks too, and would be left out"
        else:
            asks = f"nobody under `{speaker}` of `{key}` is named as who answers: {_listed(list(roles))}"
            roles, layout["names"] = (
                _proposed([name for turns in spoken for name, _ in turns]),
                len(roles) > 2,
            )
        yield Candidate(LIKELY, {"map": {**layout, "roles": roles}}, asks=asks)


def _exchanges(objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """A list of exchanges, each an object with what is asked and what is answered."""
    for key in dict.fromkeys(key for record in objects for key in record):
        exchanges = [one for record in objects if is_turns(record.get(key)) for one in record[key]]
        names = dict.fromkeys(name for one in exchanges if isinstance(one, dict) for name in one)
        each = {name: role for name in names if (role := _EXCHANGED.get(name.lower()))}
        # A system prompt is said first.
        each = dict(sorted(each.items(), key=lambda entry: ("system", "user", "assistant").index(entry[1])))
        if sorted(each.values()) not in (["assistant", "user"], ["assistant", "system", "user"]):
            continue
        talks = not {"human", "assistant"}.isdisjoint(each) or _TALKS & {*words(key)}
        if talks and not (len(objects) == 1 and "answer" in each):
            yield Candidate(LIKELY, {"map": {"turns": key, "each": each}})


def _a_turn_a_record(objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """Records that are turns, with what those of one conversation have in common."""
    first = objects[0]
    speaker = next((name for name in _SPEAKERS if isinstance(first.get(name), str)), None)
    said = next((name for name in _SAID if isinstance(first.get(name), str) and name != speaker), None)
    if speaker is None or said is None or speaker == "id":
        return
    names = [str(one.get(speaker)) for one in objects]
    roles = _roles([names])
    if not {"user", "assistant"} & {*roles.values()}:
        return
    by = next((key for key in first if _CONVERSATIONS & {*words(key)} and "id" in words(key)), None)
    order = next((key for key in _NUMBERS if isinstance(first.get(key), int)), None)
    layout: dict[str, Any] = {"by": by or WHOLE_FILE, **({"order": order} if order else {})}
    asks = "" if by else "a turn a record, and no key says which are of one conversation"
    if {*roles.values()} != {"user", "assistant"} | {*roles.values()} or None in roles.values():
        asks = asks or f"nobody under `{speaker}` is named as who answers: {_listed(list(roles))}"
        roles = _proposed(names)
    yield Candidate(LIKELY, {"map": {**layout, "role": speaker, "content": said, "roles": roles}}, asks=asks)


def _speakers_beside(objects: Sequence[Mapping[str, Any]]) -> Iterator[Candidate]:
    """A list of texts, and beside it a list that says who speaks."""
    lists = {
        key: value
        for key, value in objects[0].items()
        if isinstance(value, list) and value and all(isinstance(one, str) for one in value)
    }
    speakers = next((key for key in lists if {"speakers", "roles", "speaker", "role"} & {*words(key)}), None)
    turns = next(
        (key for key in lists if key != speakers and len(lists[key]) == len(lists[speakers or key])), None
    )
    if speakers is None or turns is None:
        return
    named = [[str(name) for name in one[speakers]] for one in objects if isinstance(one.get(speakers), list)]
    roles, asks = _roles(named), ""
    if not {"user", "assistant"} <= {*roles.values()} or None in roles.values():
        asks = f"nobody under `{speakers}` is named as who answers: {_listed(list(roles))}"
        roles = _proposed([name for names in named for name in names])
    yield Candidate(LIKELY, {"map": {"turns": turns, "speakers": speakers, "roles": roles}}, asks=asks)


def _name(speaker: Any) -> str:
    return " ".join(map(str, speaker)) if isinstance(speaker, list) else str(speaker)


def _roles(talks: Sequence[Sequence[str]]) -> dict[str, Any]:
    """The role of every speaker; null for one whose name does not say it."""
    names = dict.fromkeys(name for speakers in talks for name in speakers)
    roles: dict[str, Any] = {name: _KNOWN.get(name.lower()) for name in names}
    # In sets of dialogue systems the system answers; elsewhere it opens.
    systems = [name for name, role in roles.items() if role == "system"]
    if systems and "assistant" not in roles.values():
        roles |= {name: "assistant" for name in systems if not any(speakers[0] == name for speakers in talks)}
    return roles


def _prompt_of(
    spoken: Sequence[Sequence[tuple[str, Mapping[str, Any]]]], silent: set[str], roles: Mapping[str, Any]
) -> str | None:
    """Where the system prompt stands whose turn comes first and says nothing itself: `0.system_prompt`."""
    if {roles[name] for name in silent} == {"system"} and all(turns[0][0] in silent for turns in spoken):
        first = spoken[0][0][1]
        return next((f"0.{key}" for key, value in first.items() if "prompt" in words(key) and value), None)
    return None


def _proposed(names: Sequence[str]) -> dict[str, Any]:
    """Of two speakers the second answers, of more the one who speaks most: for a person to put right."""
    order = list(dict.fromkeys(names))
    if len(order) > 2:
        return {Counter(names).most_common(1)[0][0]: "assistant", ANYONE: "user"}
    return dict(zip(order, ("user", "assistant"), strict=False))


def _asking_beside(objects: Sequence[Mapping[str, Any]], turns: str) -> str | None:
    """A text beside the turns whose name says that it asks, and that the turns do not repeat."""
    said = [str(record.get(turns)) for record in objects]
    for key, texts in text_columns([{k: v for k, v in one.items() if k != turns} for one in objects]).items():
        if asks_or_heads(key) and any(text not in turn for text, turn in zip(texts, said, strict=False)):
            return key
    return None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
