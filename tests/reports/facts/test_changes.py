from reports.facts.changes import setting_changes


def test_settings_differ_by_key():
    before = {"mixture": {"total": 1, "shares": {"a": 0.5}}, "name": "x", "gates": []}
    now = {"mixture": {"total": 2, "shares": {"a": 0.5}}, "name": "y", "gates": [1], "seed": 3}
    assert [tuple(change) for change in setting_changes(before, now)] == [
        ("mixture.total", "1", "2"),
        ("seed", None, "3"),
    ]
