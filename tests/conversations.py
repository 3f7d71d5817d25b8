"""Conversations in the row's shape: Hypothesis strategies, and one of an agent that calls tools."""

import json

from hypothesis import strategies as st

from curation.row import Message, message

TEXT = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(
    [
        "",
        "<think>\nwhy\n</think>\n\nso",
        '{"a": 1}',
        "two\n\nlines  ",
        " ",
        "你好",
        "None",
        "it's 'quoted' & <b>",
    ]
)
CALL = st.fixed_dictionaries(
    {
        "id": st.none() | st.sampled_from(["c1", "c2", "c3"]),
        "name": st.sampled_from(["bash", 'we"ird', "größe"]),
        "arguments": st.dictionaries(st.sampled_from("ab"), st.integers() | TEXT, max_size=2).map(json.dumps),
    }
)


def turn(role: str) -> st.SearchStrategy[Message]:
    """A message of a role; contents may be null, assistants may call."""
    content = st.none() | TEXT
    if role == "assistant":
        calls = st.none() | st.lists(CALL, min_size=1, max_size=3)
        return st.builds(message, st.just(role), content, tool_calls=calls)
    if role == "tool":
        return st.builds(message, st.just(role), content, tool_call_id=st.sampled_from(["c1", "c2", "zz"]))
    return st.builds(message, st.just(role), content)


MESSAGES = st.lists(st.sampled_from(["system", "user", "assistant", "tool"]).flatmap(turn), max_size=8)
TOOL = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["bash", "list_agents"]),
        "description": TEXT,
        "parameters": st.just({"type": "object", "properties": {"ü": {"type": "number", "default": 1e20}}}),
    }
)
TOOLS = st.none() | st.lists(TOOL | TOOL.map(lambda f: {"type": "function", "function": f}), max_size=2).map(
    lambda tools: json.dumps(tools, ensure_ascii=False)
)

SCHEMA = {
    "name": "bash",
    "description": "Run it's <command>",
    "parameters": {"type": "object", "properties": {"command": {"type": "string"}}},
}
TOOLS_TEXT = json.dumps([{"type": "function", "function": SCHEMA}])
CALLS = [
    {"id": "a", "name": "bash", "arguments": '{"command":"docker ps"}'},
    {"id": "b", "name": "bash", "arguments": '{"n": 1.0, "big": 123456789012345678901234567890}'},
]
AGENT = [
    message("system", "You keep house."),
    message("user", "What runs?"),
    message("assistant", None, tool_calls=CALLS),
    message("tool", "web", tool_call_id="a"),
    message("tool", "db", tool_call_id="b"),
    message("assistant", "<think>\ntwo\n</think>\n\nweb and db"),
]
