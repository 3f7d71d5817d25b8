"""Keys that published sets and export formats carry and that change what a row says, by kind.

A reader reads what its entry in curation/recipe/readers.py names. Of all other keys those here change
what the row means, where they hold something that tells: such a row is dropped as `unsupported_key`, or its
source refused. Whatever stands in neither table is metadata, which is counted.
"""

from typing import Literal

import msgspec

from curation.recipe.marks import MARKS

# What of a key's values tells, besides null, "", [], {}, 0 and false, which never do unless said here:
#   anything  any other value
#   words     text of more than one word, lists and objects; a single word is a mode such as "on"
#   false     false, or its spelling as text, as CSV has it
#   true      the same of true
#   unmarked  all but 1, true and null: a turn or a row that is not to be trained, or some way of saying so
#   objects   a list or an object with an object or a text of many words in it
Telling = Literal["anything", "words", "false", "true", "unmarked", "objects"]


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of one kind.

    meaning   what the row says that its messages do not, as a sentence
    advice    what to write in the recipe
    rows      keys of a record
    turns     keys of a turn
    telling   which of their values tell
    beside    words that do not tell all the same
    said      whether what already stands in the messages, or messages that end with an answer, lose nothing
    readers   the readers that it holds for; all where none is named
    """

    meaning: str
    advice: str
    rows: tuple[str, ...] = ()
    turns: tuple[str, ...] = ()
    telling: Telling = "anything"
    beside: tuple[str, ...] = ()
    said: Literal["", "text", "answered"] = ""
    readers: tuple[str, ...] = ()


_FILES = (
    "image",
    "images",
    "image_url",
    "image_urls",
    "image_path",
    "image_paths",
    "image_file",
    "image_files",
    "image_base64",
    "img",
    "imgs",
    "img_path",
    "pixel_values",
    "picture",
    "pictures",
    "audio",
    "audios",
    "audio_path",
    "audio_paths",
    "audio_url",
    "audio_urls",
    "input_audio",
    "speech",
    "video",
    "videos",
    "video_path",
    "video_paths",
    "video_url",
    "video_urls",
    "attachment",
    "attachments",
    "experimental_attachments",
    "file_ids",
    "input_image",
    "input_file",
)
_THOUGHTS = (
    "analysis",
    "chain_of_thought",
    "chain_of_thoughts",
    "cot",
    "Complex_CoT",
    "deepseek_reasoning",
    "deepseek_thinking_trajectory",
    "gemini_thinking_trajectory",
    "inner_monologue",
    "internal_monologue",
    "r1_reasoning",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "reasoning_steps",
    "reasoning_text",
    "reasoning_trace",
    "reasoning_traces",
    "scratchpad",
    "think",
    "thinking",
    "thinking_blocks",
    "thinking_content",
    "thinking_trajectories",
    "thinking_trajectory",
    "thought",
    "thought_process",
    "thoughts",
    "tool_plan",
)
_TOOLS = (
    "api_list",
    "apis",
    "available_apis",
    "available_functions",
    "available_tools",
    "custom_tools",
    "function_definitions",
    "function_schema",
    "function_schemas",
    "functions",
    "functions_schema",
    "python_tools",
    "tool_definitions",
    "tool_schema",
    "tool_schemas",
    "tools",
    "tools_schema",
    "xml_tools",
)
_CALLS = ("tool_calls", "function_call", "function_calls", "tool_call", "tool_uses", "tool_use")
_HISTORIES = (
    "chat_history",
    "conversation_history",
    "dialog_history",
    "dialogue_history",
    "history",
    "message_history",
    "past_user_inputs",
    "previous_messages",
    "previous_turns",
)
_PASSAGES = (
    "article",
    "background",
    "context",
    "contexts",
    "document",
    "documents",
    "knowledge",
    "paragraph",
    "paragraphs",
    "passage",
    "passages",
    "retrieved_documents",
    "search_results",
)
_SYSTEMS = (
    "custom_instructions",
    "custom_system_prompt",
    "developer_message",
    "developer_prompt",
    "system",
    "system_instruction",
    "system_instructions",
    "system_message",
    "system_prompt",
)

# In the order in which a row's keys are told.
KINDS: dict[str, Kind] = {
    "verdict": Kind(
        meaning="its makers say that the answer is not what they want",
        advice="where: {%s: true}",
        rows=(
            "accepted",
            "correct",
            "desirable",
            "is_accepted",
            "is_chosen",
            "is_correct",
            "is_desirable",
            "is_good",
            "is_preferred",
            "kto_label",
            "kto_tag",
            "label",
            "preferred",
            "thumbs_up",
        ),
        turns=("is_accepted", "is_correct", "is_good", "thumbs_up"),
        telling="false",
    ),
    "withdrawn": Kind(
        meaning="its makers took it back or turned it down",
        advice="where: {%s: false}",
        rows=("deleted", "is_deleted", "is_rejected", "rejected", "undesirable"),
        turns=("deleted", "is_deleted", "is_rejected", "undesirable"),
        telling="true",
    ),
    "preferred": Kind(
        meaning="the answer that its makers prefer stands there, and not in what is read",
        advice="columns: {answer: %s} under `reader: qa`",
        rows=("chosen", "chosen_response", "preferred_output", "accepted_response"),
        said="answered",
    ),
    "mark": Kind(
        meaning="it is marked as not to be trained",
        advice="where: {%s: null}",
        rows=("train", "loss"),
        telling="false",
    ),
    "turn mark": Kind(
        meaning="a turn is marked as not to be trained, or only in part",
        advice="`reader: messages`, which reads such marks",
        turns=tuple(MARKS),
        telling="unmarked",
    ),
    "picture": Kind(
        meaning="it speaks of a picture, a sound, a film or a file that the model is not shown",
        advice="where: {%s: null}",
        rows=_FILES,
        turns=(*_FILES, "files"),
    ),
    "call": Kind(
        meaning="tools are called there, and what is read does not say so",
        advice="`reader: messages`, which reads chat with tool calls",
        rows=(*_CALLS, "intermediate_steps"),
        turns=_CALLS,
        telling="objects",
    ),
    "tools": Kind(
        meaning="tools are offered there, and what is read does not say so",
        advice="columns: {tools: %s}",
        rows=_TOOLS,
        turns=_TOOLS,
        telling="objects",
    ),
    "template": Kind(
        meaning="what the chat template is given besides the messages stands there: tools or instructions",
        advice="where: {%s: null}",
        rows=("chat_template_kwargs",),
        telling="objects",
    ),
    "prompt": Kind(
        meaning="a system prompt stands there, and what is read is without it",
        advice="columns: {system: %s}",
        rows=_SYSTEMS,
        telling="words",
        said="text",
    ),
    "history": Kind(
        meaning="earlier turns stand there, and what is read begins after them",
        advice="columns: {history: %s} under `reader: qa`",
        rows=(*_HISTORIES, "generated_responses"),
        said="text",
    ),
    "passage": Kind(
        meaning="the question is about a text that stands there, and what is read is without it",
        advice="columns: {context: %s} under `reader: qa`",
        rows=_PASSAGES,
        turns=("context", "contexts", "document", "documents"),
        telling="words",
        said="text",
    ),
    "choice": Kind(
        meaning="the question chooses among answers that stand there, and what is read is without them",
        advice="`reader: map`, or a column that holds question and choices",
        rows=("answer_choices", "choices", "options"),
        said="text",
        readers=("qa", "alpaca"),
    ),
    "thought": Kind(
        meaning="what was thought before the answer stands there, and what is read is without it",
        advice="columns: {thought: %s} under `reader: qa`",
        rows=_THOUGHTS,
        turns=_THOUGHTS,
        telling="words",
        said="text",
    ),
    "pairing": Kind(
        meaning="it says which call a result belongs to",
        advice="`reader: messages` with `tool_call_id`",
        turns=("toolCallId", "toolUseId", "parent_tool_use_id"),
    ),
    "refusal": Kind(
        meaning="what the assistant said stands there as a refusal, and not in its text",
        advice="`content` with that text",
        turns=("refusal",),
        said="text",
    ),
    "prefix": Kind(
        meaning="the turn is a beginning that somebody else is to finish",
        advice="where: {%s: null}",
        turns=("prefix", "partial"),
        telling="true",
    ),
    "channel": Kind(
        meaning="the turn is spoken in another channel than to the user: a thought or a call",
        advice="`reasoning_content` for thoughts and `tool_calls` for calls",
        turns=("channel",),
        beside=("final",),
    ),
    "recipient": Kind(
        meaning="the turn is addressed to a tool and not to the user",
        advice="`tool_calls`",
        turns=("recipient",),
        beside=("all", "user", "assistant", "human"),
    ),
}
