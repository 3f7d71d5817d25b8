import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from curation.calls.schema_cost import SchemaError
from curation.calls.tool_schemas import compile_schema


@pytest.fixture
def server():
    """A server that counts what is asked of it and would answer with a schema."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"type": "integer"}')

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", asked
        http.shutdown()
        thread.join()


@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef", "$schema", "$recursiveRef"])
def test_nothing_is_fetched_from_the_network(server, keyword):
    url, asked = server
    with pytest.raises(SchemaError):
        compile_schema("f", {"properties": {"a": {keyword: f"{url}/a.json"}}, keyword: f"{url}/b.json"})
    assert asked == []


def test_no_base_makes_a_relative_reference_leave(server):
    url, asked = server
    for schema in ({"$id": f"{url}/", "$ref": "a.json"}, {"$id": url, "items": {"$id": "b/", "$ref": "#/x"}}):
        with pytest.raises(SchemaError):
            compile_schema("f", schema)
    assert asked == []


@pytest.mark.parametrize("reference", ["file://{}", "{}", "secret.json", "file:secret.json#/a"])
def test_no_file_is_read(tmp_path, monkeypatch, reference):
    secret = tmp_path / "secret.json"
    secret.write_text('{"type": "integer"}')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SchemaError, match="leaves the schema"):
        compile_schema("f", {"properties": {"a": {"$ref": reference.format(secret)}}})


def test_local_references_work():
    tree = {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {"type": "object", "properties": {"child": {"$ref": "#/$defs/node"}, "n": {"$ref": "#i"}}}
        }
        | {"i": {"$anchor": "i", "type": "integer"}},
    }
    tool = compile_schema("f", tree)
    assert tool.is_valid({"child": {"child": {"n": 1}}})
    assert not tool.is_valid({"child": {"child": {"n": "1"}}})


def nested(text, depth, core):
    return json.loads(text * depth + core + "}" * (text.count("{") * depth))


def doubling(levels):
    """A schema whose work doubles with each level of references."""
    definitions = {"a0": {"type": "object"}}
    for level in range(1, levels):
        below = {"$ref": f"#/$defs/a{level - 1}"}
        definitions[f"a{level}"] = {"allOf": [below, below]}
    return {"$defs": definitions, "$ref": f"#/$defs/a{levels - 1}"}


@pytest.mark.parametrize(
    "schema",
    [
        nested('{"not":', 260, "{}"),
        nested('{"properties":{"a":', 140, "{}"),
        {"$ref": "#"},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}},
        {"$defs": {f"a{i}": {"$ref": f"#/$defs/a{i + 1}"} for i in range(5000)}, "type": "object"},
    ],
    ids=["deep not", "deep properties", "itself", "each other", "chain"],
)
def test_schemas_that_never_end_are_refused(schema):
    with pytest.raises(SchemaError):
        compile_schema("f", schema)


def test_work_that_doubles_is_refused_before_it_is_done():
    tool = compile_schema("f", doubling(45))
    assert not tool.affordable("{}")
    branching = {
        "properties": {"a": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}},
        "additionalProperties": False,
    }
    tool = compile_schema("f", branching)
    assert tool.affordable('{"a":{"a":{}}}')
    assert not tool.affordable('{"a":' * 40 + '{"b":1}' + "}" * 40)
