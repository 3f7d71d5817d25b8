"""Tool definitions, parsed and compiled: which tools a row offers and what each of them takes.

Definitions come from strangers. Nothing is ever fetched for them: the validator is built offline,
references leave the schema nowhere, regular expressions run with a bounded number of steps, and a
schema that could ask for too much work is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import orjson
from jsonschema.exceptions import best_match
from referencing import Registry

import schemas
from curation.calls.invented_nulls import clean_definition
from curation.calls.parameter_tables import table_schema
from curation.calls.schema_cost import MAX_STEPS, References, SchemaError
from curation.calls.schema_types import repair_types
from curation.errors import CurationError
from curation.recipe.kinds import BUILT_IN_SCHEMAS

# Steps of a regular expression that looks around or refers back; others run in linear time.
_PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=100_000)
_NO_PARAMETERS: dict[str, Any] = {"type": "object"}
_MAX_MESSAGE = 300
# Longer tool lists are compiled anew for each row: the cache stays below 100 MB of text.
_CACHED_LENGTH = 100_000
_MAX_PLAIN_STEPS = 500_000_000
# An error carries those of all alternatives below it: telling costs far more than checking.
_MAX_EXPLAINED_STEPS = 50_000
# The reference implementation words errors best and is some hundred times slower.
_MAX_WORDED_STEPS = 20_000
_MAX_WORDED_LENGTH = 50_000


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: `is_valid(arguments)` is the compiled check, to be called after `affordable`."""

    name: str
    schema: dict[str, Any] | bool
    is_valid: Callable[[Any], bool]
    validate: Callable[[Any], None]
    properties: frozenset[str]
    size: int
    references: tuple[References, ...]

    def affordable(self, text: str) -> bool:
        """Whether arguments of this JSON text may be checked at all."""
        if self.references:
            return self.cost(text) <= MAX_STEPS
        # Most subschemas never meet most values: the bound is a generous one.
        return self.size * len(text) <= _MAX_PLAIN_STEPS or self.cost(text) <= _MAX_PLAIN_STEPS

    def cost(self, text: str) -> int:
        """An upper bound of the steps that checking arguments of this JSON text takes."""
        opened = text.count("{") + text.count("[")
        steps = sum(r.steps(opened) for r in self.references) or self.size
        return steps * (1 + opened + text.count(","))


@dataclass(frozen=True, slots=True)
class Toolset:
    """The tools that a row may call.

    `problem` says why the definitions are unusable (then there are no tools); `repaired` is their JSON text
    after `repairs` type names were put right and `nulls` that nobody wrote taken out; an `is_open` set takes
    any tool's name.
    """

    tools: Mapping[str, Tool] = field(default_factory=dict)
    problem: dict[str, Any] | None = None
    repaired: str | None = None
    repairs: int = 0
    nulls: int = 0
    is_open: bool = False

    def get(self, name: str) -> Tool | None:
        return self.tools.get(name) or (_ANY_TOOL if self.is_open else None)


def compile_tools(text: str, *, repair: bool, formats: bool = False) -> Toolset:
    """The toolset of a JSON array of definitions: OpenAI's, bare, or with `input_schema`.

    repair: put words of programming languages and of OpenAPI and tables of parameters right, and take out
    nulls that nobody wrote. formats: check `format` too, an annotation else. Texts of usual length are
    compiled once.
    """
    compiled = _compiled_once if len(text) <= _CACHED_LENGTH else _compiled
    return compiled(text, repair, formats)


def _compiled(text: str, repair: bool, formats: bool) -> Toolset:
    try:
        definitions = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return Toolset(problem={"error": f"tools is not JSON: {error}"})
    if not isinstance(definitions, list):
        return Toolset(problem={"error": f"tools is not a JSON array: {text[:80]}"})
    tools: dict[str, list[Tool]] = {}
    repairs = nulls = 0
    for index, definition in enumerate(definitions):
        try:
            nulls += _clean_definition(definition) if repair else 0
            repairs += _repair_definition(definition) if repair else 0
            tool = _compile_definition(definition, formats=formats)
            # What cannot be written cannot be repaired either: refuse it here, not on the way out.
            _dumped(definition)
        except SchemaError as error:
            return Toolset(problem={"path": f"$[{index}]", "error": str(error)[:_MAX_MESSAGE]})
        tools.setdefault(tool.name, []).append(tool)
    repaired = orjson.dumps(definitions).decode() if repairs or nulls else None
    # Two services may offer tools of one name, as in SGD: a call is right if it suits one of them.
    by_name = {name: same[0] if len(same) == 1 else _any_of(same) for name, same in tools.items()}
    return Toolset(tools=by_name, repaired=repaired, repairs=repairs, nulls=nulls)


_compiled_once = lru_cache(maxsize=1024)(_compiled)


def _function(definition: Any) -> dict[str, Any]:
    """The object that holds name and parameters."""
    function = definition.get("function", definition) if isinstance(definition, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
        raise SchemaError("a tool is an object with a name: {'name': …, 'parameters': …}")
    return function


def _parameters_key(function: dict[str, Any]) -> str:
    return "input_schema" if "input_schema" in function else "parameters"


def _clean_definition(definition: Any) -> int:
    function = _function(definition)
    return clean_definition(definition, function, _parameters_key(function))


def _repair_definition(definition: Any) -> int:
    """Put the type names of a definition right, in place; returns how many.

    A table of parameters becomes a schema, and each of its parameters counts.
    """
    function = _function(definition)
    key = _parameters_key(function)
    table = table_schema(function.get(key))
    if table is not None and _is_schema(function["name"], table):
        function[key] = table
        return len(table["properties"])
    repaired, count = repair_types(function.get(key))
    if count:
        function[key] = repaired
    return count


def _is_schema(name: str, schema: dict[str, Any]) -> bool:
    """Whether a schema made of a table can be checked with."""
    try:
        compile_schema(name, schema)
    except SchemaError:
        return False
    return True


def _compile_definition(definition: Any, *, formats: bool) -> Tool:
    function = _function(definition)
    parameters = function.get(_parameters_key(function))
    # A function without parameters, as OpenAI allows, says nothing about its arguments.
    schema = _NO_PARAMETERS if parameters is None else parameters
    return compile_schema(function["name"], schema, formats=formats)


def compile_schema(name: str, schema: Any, *, formats: bool = False) -> Tool:
    """A tool from the JSON Schema of its arguments. Raises SchemaError where it is none.

    formats: whether `format` is checked; it is an annotation else, in any draft, as 2020-12 says.
    """
    if not isinstance(schema, dict | bool):
        raise SchemaError(f"{name}: the parameters are no JSON Schema but {type(schema).__name__}")
    try:
        text = _dumped(schema)
        has_references = b'"$ref"' in text or b'Ref"' in text
        references = (References(schema),) if has_references and isinstance(schema, dict) else ()
        validator = jsonschema_rs.validator_for(
            schema, offline=True, pattern_options=_PATTERNS, validate_formats=formats
        )
    except SchemaError as error:
        raise SchemaError(f"{name}: {error}") from error
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        raise SchemaError(f"{name}: {_why_no_schema(schema, error)}") from error
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return Tool(
        name=name,
        schema=schema,
        is_valid=validator.is_valid,
        validate=validator.validate,
        properties=frozenset(properties) if isinstance(properties, dict) else frozenset(),
        size=text.count(b"{") + text.count(b","),
        references=references,
    )


def _dumped(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError as error:
        # The only one that parsed JSON can give.
        raise SchemaError("nested too deeply") from error


def _any_of(same: list[Tool]) -> Tool:
    """A tool that takes what any of several tools of its name takes."""
    return Tool(
        name=same[0].name,
        schema={"anyOf": [tool.schema for tool in same]},
        is_valid=lambda arguments: any(tool.is_valid(arguments) for tool in same),
        validate=same[-1].validate,
        properties=frozenset().union(*(tool.properties for tool in same)),
        size=sum(tool.size for tool in same),
        references=tuple(reference for tool in same for reference in tool.references),
    )


def _why_no_schema(schema: Any, error: Exception) -> str:
    """In the words of the reference implementation where it finds the fault too."""
    found = None
    if len(orjson.dumps(schema)) <= _MAX_WORDED_LENGTH:
        # A hostile schema may break this checker in ways of its own; the refusal stands.
        with suppress(Exception):
            draft = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
            check = draft(draft.META_SCHEMA, registry=Registry(), format_checker=draft.FORMAT_CHECKER)
            found = best_match(check.iter_errors(schema))
    if found is not None:
        return f"{found.json_path}: {found.message}"
    return str(getattr(error, "message", error)).split("\n")[0]


def explain(tool: Tool, arguments: Any, text: str) -> dict[str, str]:
    """Why arguments violate a tool's schema: `path` (JSONPath) and `error`."""
    if tool.references and tool.cost(text) > _MAX_EXPLAINED_STEPS:
        return {"path": "$", "error": "the arguments violate the schema; to say where would cost too much"}
    try:
        tool.validate(arguments)
    except jsonschema_rs.ValidationError as error:
        path, message = json_path(error.instance_path), error.message
    except ValueError as error:
        return {"path": "$", "error": str(error)[:_MAX_MESSAGE]}
    found = _in_reference_words(tool, arguments, text)
    if found is not None:
        path, message = found
    return {"path": path[:_MAX_MESSAGE], "error": message[:_MAX_MESSAGE]}


def _in_reference_words(tool: Tool, arguments: Any, text: str) -> tuple[str, str] | None:
    """The most telling error, unless the schema holds expressions or is too large for it."""
    if not isinstance(tool.schema, dict) or tool.references:
        return None
    if tool.cost(text) > _MAX_WORDED_STEPS or '"pattern' in orjson.dumps(tool.schema).decode():
        return None
    draft = jsonschema.validators.validator_for(tool.schema, default=jsonschema.Draft202012Validator)
    found = best_match(draft(tool.schema, registry=Registry()).iter_errors(arguments))
    return None if found is None else (found.json_path, found.message)


def json_path(parts: Sequence[str | int]) -> str:
    """Keys and indices as a JSONPath."""
    return "$" + "".join(
        f"[{p}]" if isinstance(p, int) else f".{p}" if p.isidentifier() else f"['{p}']" for p in parts
    )


_ANY_TOOL = compile_schema("any", _NO_PARAMETERS)
OPEN = Toolset(is_open=True)


def tools_file(schema: str, data_root: Path) -> Path:
    """The file behind a recipe's `schema`: a built-in name, or a path from the data root."""
    if schema in BUILT_IN_SCHEMAS:
        return Path(schemas.__file__).with_name(f"{schema}.json")
    path = data_root / schema
    if not path.is_file():
        raise CurationError(
            f"tools: schema {schema!r} is neither a built-in name (aj_tools, any) nor a file: {path}"
        )
    return path


def read_tools(path: Path) -> str:
    """The text of a file of tool definitions, checked: its author wants to know of every mistake."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CurationError(f"{path}: cannot read the tool definitions: {error}") from error
    problem = compile_tools(text, repair=False).problem
    if problem is not None:
        where = problem.get("path", "$")
        raise CurationError(
            f"{path}: {where}: {problem['error']}; a JSON array of tool definitions is needed"
        )
    return text
