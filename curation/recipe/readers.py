"""The table of readers: what each takes, which keys it reads, which settings of a source are its own.

A reader is one entry here and one file in curation/readers/ of its name (or `reader.py` in a folder of its
name). The schema, `aj check`, `aj init` and recipes/README.md are made from this table.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from curation.recipe.keys import KINDS
from curation.recipe.marks import MARKS, ROW_MARKS

Form = Literal["records", "text", "either"]


class ReaderDeclaration(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader is. Of keys that it does not read, curation/recipe/keys.py says which change a row.

    meaning    what it reads, in a line
    form       records (JSON, CSV, Parquet), text (a plain file), or either
    no_text    what a plain file is said to be that it does not read
    columns    what `columns` of a source may name → the keys it goes by in published sets, best first
    loose      whether a name also matches another case of it, and the last part of `QUESTION.question`
    keys       further keys of a record that it reads
    turns      the column, or the key, under which turns stand
    turn_keys  keys of a turn that it reads
    other_turn_keys  the same of turns that have not the first of them
    narrow     whether it looks at no column of a wide file but these, and those that change what a row says
    settings   keys of a source that only some readers look at, and this one does
    required   those of them that it needs → what for
    group      the mixture group that `aj init` proposes whatever the file is called
    by_hand    how a recipe names the keys of a file that no reader fits, as lines of YAML
    example    of a source
    """

    meaning: str
    form: Form = "records"
    no_text: str = ""
    columns: Mapping[str, tuple[str, ...]] = {}
    loose: bool = False
    keys: tuple[str, ...] = ()
    turns: str = ""
    turn_keys: tuple[str, ...] = ()
    other_turn_keys: tuple[str, ...] = ()
    narrow: bool = False
    settings: tuple[str, ...] = ()
    required: Mapping[str, str] = {}
    group: str | None = None
    by_hand: tuple[str, ...] = ()
    example: str


_CONVERSATION = (
    "messages",
    "conversation",
    "conversations",
    "traj",
    "history",
    "dialogue",
    "dialog",
    "chat",
    "contents",
)
_TOOLS = (
    "tools",
    "functions",
    "function",
    "available_tools",
    "available_functions",
    "tool_schemas",
    "tools_schema",
    "tool_definitions",
    "function_schemas",
    "functions_schema",
    "function_definitions",
)
_SYSTEM = ("system", "system_prompt", "system_message", "system_instruction", "systemInstruction")
# Beside turns that an API was given: OpenAI's Responses.
_SYSTEM_OF_TURNS = (*_SYSTEM, "instructions")
_HISTORY = tuple(key for key in KINDS["history"].rows if key.endswith(("history", "turns", "messages")))
# Of what was thought before an answer; others that may be it are asked for.
_THOUGHT = (
    "reasoning_content",
    "reasoning",
    "thinking",
    "thought",
    "thoughts",
    "chain_of_thought",
    "cot",
    "complex_cot",
    "thought_process",
    "reasoning_trace",
)
_CONTEXT = ("context", "contexts", "passage", "passages", "paragraph", "paragraphs", "document", "documents")
# Those of curation/turns/chat_api.py (a test holds them together).
_TURN = (
    "role",
    "content",
    "name",
    "tool_calls",
    "tool_call_id",
    "tool_call_ids",
    "function_call",
    "reasoning_content",
    "parts",
    *MARKS,
    "reasoning",
    "thinking",
    "thought",
    "tools",
    "functions",
)

_TREE = (
    "mapping",
    "current_node",
    "prompt",
    "replies",
    "message_tree_id",
    "message_id",
    "parent_id",
    "text",
    "role",
    "rank",
    "deleted",
    "review_result",
)

READERS: dict[str, ReaderDeclaration] = {
    "messages": ReaderDeclaration(
        meaning="chat messages of role and content with their tool calls: OpenAI's shape and its relatives",
        columns={
            "messages": _CONVERSATION,
            "tools": _TOOLS,
            "system": _SYSTEM_OF_TURNS,
            "completion": (),
            "key": ("custom_id",),
        },
        keys=ROW_MARKS,
        turns="messages",
        turn_keys=_TURN,
        narrow=True,
        settings=("answers",),
        example='{uri: "chats/*.jsonl", reader: messages, group: conversational}',
    ),
    "wildchat": ReaderDeclaration(
        meaning="messages that stand under `conversation`, as in WildChat",
        columns={
            "messages": ("conversation", *(key for key in _CONVERSATION if key != "conversation")),
            "tools": _TOOLS,
            "system": _SYSTEM_OF_TURNS,
        },
        keys=ROW_MARKS,
        turns="messages",
        turn_keys=_TURN,
        narrow=True,
        example='{uri: "hf://datasets/allenai/WildChat-1M", reader: wildchat, group: conversational}',
    ),
    "sharegpt": ReaderDeclaration(
        meaning="turns of from and value, with function_call and observation turns",
        columns={
            "conversations": ("conversations", "conversation"),
            "tools": _TOOLS,
            "system": _SYSTEM,
            "completion": (),
        },
        keys=ROW_MARKS,
        turns="conversations",
        turn_keys=("from", "value", "reasoning_content", "reasoning", "thinking", "thought", *MARKS),
        other_turn_keys=_TURN,
        narrow=True,
        example="{uri: agent.json, reader: sharegpt, group: custom}",
    ),
    "alpaca": ReaderDeclaration(
        meaning="instruction, input and output, with a system prompt and a history where there are any",
        columns={
            "instruction": ("instruction", "prompt"),
            "input": ("input", "context"),
            "output": ("output", "response", "completion", "answer"),
            "system": _SYSTEM,
            "history": _HISTORY,
            "thought": _THOUGHT,
            "tools": _TOOLS,
        },
        loose=True,
        example="{uri: instructions.json, reader: alpaca, group: conversational}",
    ),
    "bfcl": ReaderDeclaration(
        meaning="questions and functions of the Berkeley Function Calling Leaderboard, answers beside them",
        keys=("question", "id", "function", "involved_classes", "excluded_function", "ground_truth"),
        turns="question",
        turn_keys=_TURN,
        settings=("answers",),
        example="{uri: BFCL_v3_simple.json, reader: bfcl, answers: possible_answer, group: custom}",
    ),
    "trajectory": ReaderDeclaration(
        meaning="agents at work: thoughts, actions and observations as calls of tools and their results",
        columns={
            "steps": ("trajectory", "turn_history", "steps", "intermediate_steps"),
            "task": ("query", "task", "instruction", "question", "problem_statement", "goal", "input"),
            "final": ("final_answer", "output"),
            "tools": ("tools",),
        },
        keys=("history", "context", "environment"),
        turns="steps",
        turn_keys=(
            "step_type",
            "type",
            "content",
            "tool",
            "tool_input",
            "thought",
            "action",
            "action_input",
            "args",
            "observation",
            "result",
            "actions",
            "observations",
            "thoughts",
        ),
        settings=("action",),
        example="{uri: runs.jsonl, reader: trajectory, action: bash, group: custom}",
    ),
    "herbal": ReaderDeclaration(
        meaning="a public-domain herbal as questions and the book's own answers",
        form="text",
        no_text="no herbal",
        settings=("book",),
        group="apothecary",
        example='{uri: culpeper.txt, reader: herbal, book: "The Complete Herbal by Nicholas Culpeper",'
        " group: apothecary}",
    ),
    "adventure": ReaderDeclaration(
        meaning="transcripts and walkthroughs of text adventures as turns of player and game",
        form="either",
        no_text="no playthrough",
        columns={"text": ("text", "transcript", "content", "story")},
        loose=True,
        settings=("player",),
        group="strategic",
        example='{uri: "adventures/*.txt", reader: adventure, player: assistant, group: strategic}',
    ),
    "lines": ReaderDeclaration(
        meaning="two text files side by side: line n of one asks, line n of the other answers",
        form="text",
        no_text="not one of two files of lines",
        settings=("answers", "action"),
        required={"answers": "the file with the other line of each pair"},
        example="{uri: train.nl, reader: lines, answers: train.cm, action: bash, group: custom}",
    ),
    "qa": ReaderDeclaration(
        meaning="questions and answers in two columns, whatever the set calls them",
        columns={
            "question": (
                "question",
                "questions",
                "query",
                "user_query",
                "prompt",
                "instruction",
                "problem",
                "user",
                "input",
            ),
            # Where both stand, `answer` is often no more than the number that `solution` comes to.
            "answer": (
                "solution",
                "answer",
                "answers",
                "response",
                "chatgpt_response",
                "completion",
                "output",
                "assistant",
                "best_answer",
            ),
            "system": _SYSTEM,
            "context": _CONTEXT,
            "history": _HISTORY,
            "thought": _THOUGHT,
            "tools": _TOOLS,
        },
        loose=True,
        settings=("action",),
        by_hand=("{reader: qa, columns: {question: KEY, answer: KEY}}",),
        example="{uri: faq.csv, reader: qa, columns: {question: Asked, answer: Said}, group: plants}",
    ),
    "tree": ReaderDeclaration(
        meaning="conversations that branch, of which the best path is read: OASST's trees, ChatGPT's export",
        keys=_TREE,
        turns="replies",
        turn_keys=_TREE,
        example="{uri: conversations.json, reader: tree, group: conversational}",
    ),
    "map": ReaderDeclaration(
        meaning="any other JSON shape, which the recipe's `map` describes",
        settings=("answers", "map"),
        required={"map": "{turns: …, role: …, content: …, roles: …}"},
        by_hand=(
            "{reader: map, map: {turns: KEY, role: KEY, content: KEY,",
            "                     roles: {SPEAKER: user, '*': assistant}}}",
        ),
        example="{uri: talks.jsonl, reader: map, map: {turns: talk, role: who, content: said,"
        " roles: {me: user, you: assistant}}, group: conversational}",
    ),
}


def users_of(setting: str) -> tuple[str, ...]:
    """The readers that look at a key of a source; none where all do."""
    return tuple(name for name, reader in READERS.items() if setting in reader.settings)
