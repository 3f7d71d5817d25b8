from xml.etree import ElementTree

from tiny_dataset import judged, tiny_dataset

from aj import main
from curation.dataset.junit import to_junit


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


def test_numbers_are_written_as_people_read_them(tmp_path):
    dataset = tiny_dataset(tmp_path / "tiny")
    gates = judged(
        dataset,
        {"metric": "dedupe.capped", "max": 2e-5},
        {"metric": "pii.found", "max": 0},
        metrics={"dedupe.capped": 5.76901e-05},
    )
    tiny, unknown = ElementTree.fromstring(to_junit(gates.gates)).iter("failure")
    assert tiny.text == "dedupe.capped\nbounds: max 0.00002\nmeasured: 0.00005769"
    assert unknown.text == "pii.found\nbounds: max 0\nmeasured: not measured"


def test_the_same_gates_are_written_again_and_another_file_only_with_force(tmp_path, capsys):
    dataset, file = str(tiny_dataset(tmp_path / "tiny")), tmp_path / "gates.xml"
    command = ["gate", dataset, "--junit", str(file)]
    code = main(command)
    assert main(command) == code
    first = file.read_bytes()
    file.write_text("mine")
    capsys.readouterr()
    assert main(command) == 2
    told = f"aj gate: {file} exists and holds something else; use --force to replace it\n"
    assert capsys.readouterr() == ("", told)
    assert file.read_text() == "mine"
    assert main([*command, "--force"]) == code
    assert file.read_bytes() == first
