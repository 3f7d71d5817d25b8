"""Gates as JUnit XML, so that a CI server shows them like tests."""

from collections.abc import Sequence
from xml.etree import ElementTree

from curation.dataset.gates import GateResult, SourceResult
from curation.figures import figure

# XML 1.0 has no place for these, escaped or not (https://www.w3.org/TR/xml/#charsets).
FORBIDDEN = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF], "\N{REPLACEMENT CHARACTER}")


def to_junit(results: Sequence[GateResult], dataset: str = "dataset") -> bytes:
    """One test case a gate. A failed warning and a waived failure are skipped, and say why."""
    suite = ElementTree.Element(
        "testsuite",
        name=clean(dataset),
        tests=str(len(results)),
        failures=str(sum(result.stops for result in results)),
        errors="0",
        skipped=str(sum(not result.passed and not result.stops for result in results)),
    )
    for result in results:
        kind = result.metric or "sql"
        case = ElementTree.SubElement(suite, "testcase", name=clean(result.name), classname=clean(kind))
        if result.stops:
            failure = ElementTree.SubElement(case, "failure", message=clean(result.detail or "failed"))
            failure.text = clean(evidence(result))
        elif not result.passed:
            ElementTree.SubElement(case, "skipped", message=clean(excuse(result)))
    root = ElementTree.Element("testsuites", name="gates")
    root.append(suite)
    ElementTree.indent(root)
    data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def excuse(result: GateResult) -> str:
    """Why a failure does not stop the dataset."""
    if result.waiver is not None:
        waiver = result.waiver
        return f"{result.detail}; waived until {waiver.until} by {waiver.by}: {waiver.reason}"
    return f"{result.detail}; a warning only"


def evidence(result: GateResult) -> str:
    """What was asked and measured, one line each."""
    bounds = [
        f"{name} {figure(bound, bound)}"
        for name, bound in (("min", result.min), ("max", result.max))
        if bound is not None
    ]
    lines = [
        result.sql or result.metric or "",
        f"bounds: {', '.join(bounds)}",
        f"measured: {measured(result)}",
    ]
    lines += [f"{s.source}: {measured(s)} (passed: {s.passed})" for s in result.sources]
    return "\n".join(lines)


def measured(result: GateResult | SourceResult) -> str:
    """The value of a gate, or of one source at it."""
    value = result.measured
    return "not measured" if value is None else figure(value, result.min, result.max)


def clean(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return text.translate(FORBIDDEN)
