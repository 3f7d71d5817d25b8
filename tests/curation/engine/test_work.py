"""A task's output is named by what decides it, appears whole, and is made once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curation.engine.executor import Executor
from curation.engine.local import Local
from curation.engine.work import run_task
from curation.errors import CurationError
from curation.task import Task

HERE = "tests_tasks"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def task_module(tmp_path, monkeypatch):
    """A module of small tasks that spawned workers can import too."""
    (tmp_path / f"{HERE}.py").write_text(
        "import os, time\n"
        "def write(task, work, out):\n"
        "    (out / 'text').write_text(task.params['text'])\n"
        "    with open(task.paths['log'], 'a') as log: log.write('x')\n"
        "    return {'rows': len(task.params['text'])}\n"
        "def fail(task, work, out):\n"
        "    (out / 'text').write_text('half')\n"
        "    raise OSError(28, 'No space left on device', 'text')\n"
        "def whoami(task, work, out):\n"
        "    time.sleep(0.3)\n"
        "    return {'pid': os.getpid()}\n"
        "def doze(task, work, out):\n"
        "    open(f'{task.paths[\"here\"]}/dozing-{task.params[\"n\"]}', 'w').close()\n"
        "    time.sleep(600)\n"
        "def die(task, work, out):\n"
        "    os._exit(9)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def write_task(tmp_path, text: str) -> Task:
    return Task(f"{HERE}:write", {"text": text}, {"log": str(tmp_path / "log")})


def test_a_finished_task_is_not_run_again(tmp_path):
    first = run_task(write_task(tmp_path, "abc"), tmp_path / "work")
    again = run_task(write_task(tmp_path, "abc"), tmp_path / "work")
    assert (tmp_path / "log").read_text() == "x"
    assert not first.reused
    assert again.reused
    assert again.summary == first.summary
    assert first.summary["rows"] == 3
    assert (again.folder / "text").read_text() == "abc"


def test_paths_do_not_name_a_task_but_parameters_do(tmp_path):
    task = write_task(tmp_path, "abc")
    assert task.key == Task(task.run, task.params, {"log": "elsewhere"}).key
    assert task.key != write_task(tmp_path, "abd").key


def test_a_failed_task_leaves_nothing_behind(tmp_path):
    with pytest.raises(CurationError, match="No space left on device"):
        run_task(Task(f"{HERE}:fail", {}), tmp_path)
    assert not (tmp_path / "tasks").exists()
    assert not list((tmp_path / "tmp").iterdir())


def test_answers_come_in_the_order_of_the_tasks(tmp_path):
    tasks = [write_task(tmp_path, "x" * n) for n in (3, 1, 2)]
    with Local(1) as engine:
        executor = Executor(engine, tmp_path / "work")
        run_task(tasks[1], tmp_path / "work")
        done = executor.run(tasks)
    assert [d.summary["rows"] for d in done] == [3, 1, 2]
    assert (executor.ran, executor.reused) == (2, 1)


@pytest.mark.slow
def test_two_workers_run_at_the_same_time(tmp_path):
    tasks = [Task(f"{HERE}:whoami", {"n": n}) for n in range(4)]
    before = dict(os.environ)
    with Local(2) as engine:
        pids = {done.summary["pid"] for done in Executor(engine, tmp_path).run(tasks)}
    assert len(pids) == 2
    assert dict(os.environ) == before


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_at_once(tmp_path):
    script = (
        # A shell starts what runs in its background with Ctrl-C ignored, and Python leaves that so.
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import polars, sys, time\n"
        "from pathlib import Path\n"
        "from curation.engine.executor import Executor\n"
        "from curation.engine.local import Local\n"
        "from curation.task import Task\n"
        "if __name__ == '__main__':\n"
        "    with Local(2) as engine:\n"
        "        here = {'here': sys.argv[1]}\n"
        "        executor = Executor(engine, Path(sys.argv[1]))\n"
        "        executor.run([Task('tests_tasks:doze', {'n': n}, here) for n in range(4)])\n"
    )
    (tmp_path / "run.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, str(tmp_path / "run.py"), str(tmp_path / "work")]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        while not list(tmp_path.glob("work/dozing-*")):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert errors.rstrip().endswith(b"KeyboardInterrupt")
    assert b"InvalidStateError" not in errors


@pytest.mark.slow
def test_a_killed_worker_is_one_clear_error(tmp_path):
    with (
        Local(2) as engine,
        pytest.raises(CurationError, match="a worker process was killed"),
    ):
        Executor(engine, tmp_path).run([Task(f"{HERE}:die", {"n": n}) for n in range(2)])
