"""What the names of reasons, repairs, flags and metrics mean, for those who never read the code."""

from collections.abc import Iterable

REASONS = {
    "unreadable": "it could not be read as a record of its source",
    "filtered": "the recipe's `where` leaves it out",
    "bad_role": "a role that is none of system, user, assistant and tool",
    "empty_turn": "nothing is left of the user or the assistant but empty turns",
    "no_user": "nobody asks",
    "no_assistant": "nobody answers",
    "bad_order": "turns in an order that no conversation has",
    "ends_without_assistant": "it ends on a tool result that answers no call",
    "control_token": "its text spells a control token of the model",
    "schema_invalid": "its own tools are no valid definitions",
    "unknown_tool": "a call to a tool that is not offered",
    "arguments_not_json": "the arguments of a call are no JSON",
    "arguments_invalid": "the arguments of a call violate the tool's schema",
    "bash_syntax": "a bash command that is not bash",
    "orphan_result": "a tool result that answers no call",
    "missing_result": "a call without its result",
    "repeated_call_id": "two calls with one id",
    "language": "not in a language that the recipe keeps",
    "too_long": "more tokens than the recipe allows, and no place to split it",
    "too_short": "fewer tokens than the recipe asks for",
    "unrenderable": "the chat template cannot write it",
    "personal_data": "it holds personal data or secrets",
    "exact_duplicate": "the same messages and tools as a row that stays",
    "near_duplicate": "nearly the same text as a row that stays",
    "contaminated": "it holds text of a benchmark or a held-out set",
    "replacement_character": "letters of it were lost before it came here",
    "excluded": "a person marked it to be left out",
}
NOTES = {
    "text": "Unicode, line ends or invisible characters put in order",
    "replacement_character": "letters lost before the text came here",
    "byte_order_mark": "a stray mark at the start of a record removed",
    "damaged_utf8": "bytes that are no UTF-8, read as they were meant",
    "cp1252": "read as Windows text, which it is",
    "latin-1": "read as Latin-1, which it is",
    "lone_surrogate": "half a character, marked as lost",
    "not_a_number": "NaN or Infinity in the source's JSON, made null",
    "control_character": "a bare control character in the source's JSON, escaped",
    "last_observation": "a last observation that nobody answers, taken off",
    "reasoning_content": "thinking in a field of its own, put into the text",
    "tool_call_ids": "a result that answers several calls; only the first is named",
    "calls_in_text": "tool calls, their results and the tools, written into the text, put in their places",
    "role_alias": "roles under other names, such as human or gpt",
    "empty_turn": "empty turns taken out",
    "merged_system": "several opening system turns made one",
    "repeated_system": "the same system turn again, taken out",
    "leading_assistant": "a greeting before the first question, taken out",
    "merged_turns": "successive turns of one speaker made one",
    "trimmed_end": "closing turns that nobody answers, taken off",
    "trailing_result": "closing tool results that nobody comments on, taken off",
    "opened_think": "the missing opening of thinking put in",
    "control_tokens": "spelt control tokens made harmless",
    "types": "type names of programming languages and tables of parameters in tool schemas put right",
    "json": "loose JSON in arguments made strict",
    "nesting": "arguments one level too deep",
    "ids": "missing or repeated ids of tool calls numbered",
    "order": "results without an id given to the calls in their order",
    "bash_syntax": "a command that may not be bash",
    "split": "a long row made into pieces",
    "cut": "a long row cut after the exchanges that fit",
    "mask": "personal data replaced by its kind and a number",
    "personal_data": "personal data left as it is",
}
EVALUATED = {
    "loss": "nats per token of what the assistant says: the lower, the better it is foretold",
    "loss_change": "the loss less that of the base model: below 0, training helped",
    "loss_change.worst_group": "the loss_change of the group that gained least",
    "tools.parsed_share": "of the turns that call tools in the row, those where the model's calls are whole",
    "tools.valid_share": "those whose calls name offered tools and fit their schemas",
    "tools.name_share": "those that call the row's tools, in its order",
    "tools.arguments_share": "those that call the row's tools with the row's arguments",
    "tools.quiet_share": "of the turns that only speak in the row, those where the model calls nothing",
}


def evaluated_meanings(names: Iterable[str]) -> dict[str, str]:
    """What the metrics of `aj evaluate` mean, those of a group or source by the part before its name."""
    measured = set(names)
    return {name: meaning for name, meaning in EVALUATED.items() if name in measured}
