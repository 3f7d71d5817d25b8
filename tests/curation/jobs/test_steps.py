import pytest

from curation.jobs.steps import Step, Steps


def test_a_step_that_was_killed_may_replace_what_it_had_begun(tmp_path):
    made = tmp_path / "made"

    def run(replace: bool) -> str:
        calls.append(replace)
        made.write_text("half")
        if len(calls) == 1:
            raise KeyboardInterrupt
        return "whole"

    calls: list[bool] = []
    step = Step("one", lambda: [], lambda: None, lambda: [made], run)
    with pytest.raises(KeyboardInterrupt):
        Steps(tmp_path / "journal.json", [step]).run(lambda _: None)
    Steps(tmp_path / "journal.json", [step]).run(lambda _: None)
    assert calls == [False, True]
