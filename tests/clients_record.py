r"""What the own code of llama.cpp and of vLLM makes of answers and histories: asked once, kept in
recorded/clients.json.

To ask again, after a change of a built-in template or of the forms, or for a later version, from tests/:

llama.cpp, with its source in $LLAMA_CPP (its common/ and what that includes is all that is compiled; names
that only the rest has stop the program if they are called):

    cd <an empty folder>
    for file in $LLAMA_CPP/common/{chat*,common,json*,log,peg-parser,trie,unicode}.cpp \
            $LLAMA_CPP/common/{reasoning-budget,{jinja,parsers}/*}.cpp <here>/llama_cpp_check.cpp; do
        g++ -std=c++17 -w -I$LLAMA_CPP/{common,include,ggml/include,vendor} -c $file; done
    g++ *.o -Wl,--no-demangle 2>&1 | grep undefined.reference | sed "s/.*\`//; s/'.*//" | sort -u > names
    (echo .text; sed 's/.*/.globl &\n&:/' names; echo 'jmp abort@PLT') > stubs.s
    g++ *.o stubs.s -o check

    CHECK=<that folder>/check VERSION=<commit> PYTHONPATH=.. python clients_record.py llama.cpp

vLLM, in an environment that has it, with a folder of DeepSeek-R1-Distill's tokenizer:

    TOKENIZER=<folder> VERSION="0.33.0 (4ba787ec9)" PYTHONPATH=.. python clients_record.py vLLM
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from curation.rendering.template import BUILT_IN, Template, built_in
from curation.row import Message
from curation.turns.thoughts import has_thought
from train.ship.round_trip import FORMS, answer, history

RECORD = Path(__file__).parent / "recorded/clients.json"
STEPS = (1, 3, 7)
TEMPLATES: dict[str, Template] = {
    **{name: built_in(name) for name in BUILT_IN},
    **{f"{name} empty": built_in(name, "empty") for name in BUILT_IN},
}
Asking = Callable[[Template, str, str | None, bool, list[dict[str, Any]]], dict[str, Any]]


def plain(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as a user of the server's interface writes it."""
    return {key: value for key, value in message.items() if value is not None}


def record(name: str, form: str, ask: Asking) -> dict[str, Any]:
    """One answer, whole and in pieces, and what is rendered when it is sent back."""
    template, (turn, tools) = TEMPLATES[name], FORMS[form]
    thinks = has_thought(turn) or not template.opens
    told = [plain(one) for one in history(turn)]
    found = ask(template, answer(template, turn, tools), tools, thinks, told)
    before = template.render(history(turn)[:2], tools)
    return {
        "template": name,
        "form": form,
        "digest": template.digest,
        "answer": answer(template, turn, tools),
        "parsed": [one for n, one in enumerate(found["parsed"]) if one not in found["parsed"][:n]],
        "prompt_is_ours": found["prompt"]
        == template.render(history(turn)[:2], tools, add_generation_prompt=True, enable_thinking=thinks),
        "back": found["back"].removeprefix(before),
    }


def ask_llama_cpp(
    template: Template, said: str, tools: str | None, thinks: bool, told: list[dict[str, Any]]
) -> dict[str, Any]:
    """By the program that recorded/llama_cpp_check.cpp becomes."""
    job = {
        "template": template.source,
        "tools": json.loads(tools or "[]"),
        "thinking": None if thinks else False,
    }
    (first,) = checked([{**job, "messages": told[:2], "answer": said, "steps": STEPS}])
    (second,) = checked([{**job, "messages": [*told[:2], first["parsed"][0], *told[3:]]}])
    return {**first, "back": second["prompt"]}


def checked(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [os.environ["CHECK"]], input=json.dumps(jobs), capture_output=True, text=True, check=True
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def asker_of_vllm() -> Asking:
    """By vLLM's parsers and its renderer, as its chat completions call them."""
    from transformers import AutoTokenizer
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
    from vllm.parser.parser_manager import ParserManager
    from vllm.renderers.chat_utils.chat_message import parse_chat_messages

    tokenizer = AutoTokenizer.from_pretrained(os.environ["TOKENIZER"])

    class Unset:
        """Of a model's configuration all that a text model leaves unset."""

        def __getattr__(self, name: str) -> None:
            return None

    def request(told: list[dict[str, Any]], tools: str | None, given: dict[str, Any]) -> Any:
        body = {"model": "m", "messages": told, "chat_template_kwargs": given}
        offered = {"tools": json.loads(tools), "tool_choice": "auto"} if tools else {}
        return ChatCompletionRequest.model_validate({**body, **offered})

    def prompt(
        template: Template, told: list[dict[str, Any]], tools: str | None, given: dict[str, Any]
    ) -> str:
        asked = request(told, tools, given)
        conversation, _, _ = parse_chat_messages(asked.messages, Unset(), "string")
        text: str = tokenizer.apply_chat_template(
            conversation,
            tools=[tool.model_dump() for tool in asked.tools] if asked.tools else None,
            chat_template=template.source,
            tokenize=False,
            add_generation_prompt=True,
            **given,
        )
        return text

    def parser_of(template: Template, asked: Any, given: dict[str, Any]) -> Any:
        reasoning = "qwen3" if template.opens else None
        kind = ParserManager.get_parser(
            tool_parser_name="hermes", reasoning_parser_name=reasoning, enable_auto_tools=True
        )
        return kind(tokenizer, asked.tools, chat_template_kwargs=given)

    def whole(parser: Any, asked: Any, said: str, first: list[int]) -> dict[str, Any]:
        parser.set_prompt_token_ids(first)
        ids = tokenizer(said, add_special_tokens=False)["input_ids"]
        thought, words, calls = parser.parse(said, asked, enable_auto_tools=True, model_output_token_ids=ids)
        return as_message(thought, words, [(call.name, call.arguments) for call in calls or ()])

    def streamed(parser: Any, asked: Any, said: str, first: list[int]) -> dict[str, Any]:
        """Token by token: what the differences that are sent add up to."""
        ids = tokenizer(said, add_special_tokens=False)["input_ids"]
        thought = words = before = ""
        calls: dict[int, tuple[str, str]] = {}
        for place in range(len(ids)):
            now, last = tokenizer.decode(ids[: place + 1]), place == len(ids) - 1
            if now.endswith("\ufffd") and not last:  # half a character
                continue
            delta = parser.parse_delta(
                now.removeprefix(before), [ids[place]], asked, prompt_token_ids=first, finished=last
            )
            before = now
            if delta is None:
                continue
            thought, words = thought + (delta.reasoning or ""), words + (delta.content or "")
            for call in delta.tool_calls or ():
                name, arguments = calls.get(call.index, ("", ""))
                calls[call.index] = (
                    name + (call.function.name or ""),
                    arguments + (call.function.arguments or ""),
                )
        return as_message(thought, words, list(calls.values()))

    def ask(
        template: Template, said: str, tools: str | None, thinks: bool, told: list[dict[str, Any]]
    ) -> dict[str, Any]:
        given = {"enable_thinking": thinks} if template.opens else {}
        asked = request(told[:2], tools, given)
        first = prompt(template, told[:2], tools, given)
        ids = tokenizer(first, add_special_tokens=False)["input_ids"]
        parsed = [take(parser_of(template, asked, given), asked, said, ids) for take in (whole, streamed)]
        back = prompt(template, [*told[:2], parsed[0], *told[3:]], tools, given)
        return {"parsed": parsed, "prompt": first, "back": back}

    return ask


def as_message(thought: str | None, words: str | None, calls: list[tuple[str, str]]) -> dict[str, Any]:
    """An answer as vLLM's chat completions give it."""
    called = [
        {"type": "function", "id": "call00001", "function": {"name": name, "arguments": arguments}}
        for name, arguments in calls
    ]
    found: dict[str, Any] = {"role": "assistant", "content": words or None}
    return found | ({"reasoning": thought} if thought else {}) | ({"tool_calls": called} if called else {})


def turn_of(parsed: Mapping[str, Any]) -> Message:
    """An answer as a client gave it, with the keys of ours."""
    return {
        "thought": parsed.get("reasoning_content") or parsed.get("reasoning"),
        "words": parsed.get("content") or "",
        "calls": [
            (call["function"]["name"], call["function"]["arguments"])
            for call in parsed.get("tool_calls") or ()
        ],
    }


def write_record(path: Path, clients: Mapping[str, Any]) -> None:
    """By client its version and its records, a line for each."""
    written = []
    for client, held in clients.items():
        lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in held["records"])
        written.append(f'"{client}": {{"version": {json.dumps(held["version"])}, "records": [\n{lines}\n]}}')
    path.write_text("{" + ",\n".join(written) + "}\n", encoding="utf-8")


if __name__ == "__main__":
    client = sys.argv[1]
    ask = ask_llama_cpp if client == "llama.cpp" else asker_of_vllm()
    known = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    records = [record(name, form, ask) for name in TEMPLATES for form in FORMS]
    known[client] = {"version": os.environ["VERSION"], "records": records}
    write_record(RECORD, known)
