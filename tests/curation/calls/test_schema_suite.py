"""The official JSON Schema Test Suite, drafts 4 to 2020-12: what we check with says what the suite says."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from curation.calls.schema_cost import SchemaError
from curation.calls.tool_schemas import compile_schema

SUITE = Path(__file__).parents[2] / "data" / "json_schema_suite" / "required.json.gz"
DRAFTS = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}
# Needed of these is a document that is not there; nothing is fetched.
ELSEWHERE = {"refRemote", "vocabulary", "dynamicRef"}


@pytest.fixture(scope="module")
def suite() -> dict[str, dict[str, list[dict[str, Any]]]]:
    return json.loads(gzip.decompress(SUITE.read_bytes()))


@pytest.mark.parametrize("draft", DRAFTS)
def test_every_case_is_judged_as_the_suite_does_unless_it_needs_another_document(suite, draft):
    wrong, refused, judged = [], [], 0
    for file, cases in suite[draft].items():
        for case in cases:
            schema = case["schema"]
            if isinstance(schema, dict):
                schema = {"$schema": DRAFTS[draft], **schema}
            try:
                tool = compile_schema("f", schema)
            except SchemaError as error:
                refused.append((file, case["description"], str(error)))
                continue
            judged += len(case["tests"])
            wrong += [
                (file, case["description"], one["description"])
                for one in case["tests"]
                if tool.is_valid(one["data"]) != one["valid"]
            ]
    assert not wrong
    assert judged > 550
    for file, what, why in refused:
        assert file in ELSEWHERE, (file, what, why)
        assert "leaves the schema" in why or "Unknown meta-schema" in why, (file, what, why)
