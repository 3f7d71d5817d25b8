from xml.etree import ElementTree

from test_gates import judged
from tiny_dataset import tiny_dataset

from curation.junit import to_junit


def test_junit_shows_a_gate_as_a_test_case(tmp_path):
    dataset = tiny_dataset(tmp_path / "tiny")
    gates = judged(
        dataset,
        {"metric": "rows.train", "min": 1},
        {"metric": "rows.train", "max": 1, "severity": "warn", "name": "a warning"},
        {"sql": "select count(*) from train where source <> '<a & b>'", "max": 3, "name": "few \x07 <rows>"},
        {"metric": "rows.eval", "max": 0},
        waivers=[{"gate": "rows.eval", "reason": "small", "by": "Ada", "until": "2030-01-31"}],
    )
    root = ElementTree.fromstring(to_junit(gates.gates, "build/tiny"))
    suite = root.find("testsuite")
    assert suite.attrib == {
        **{"name": "build/tiny", "tests": "4", "failures": "1", "errors": "0", "skipped": "2"}
    }
    passed, warned, failed, waived = suite.findall("testcase")
    assert len(passed) == 0
    assert warned.find("skipped").get("message") == "12, more than 1; a warning only"
    assert failed.get("name") == "few � <rows>"
    assert failed.find("failure").get("message") == "12, more than 3"
    assert "source <> '<a & b>'" in failed.find("failure").text
    assert "waived until 2030-01-31 by Ada: small" in waived.find("skipped").get("message")
