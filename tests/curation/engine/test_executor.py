import random
from concurrent.futures import ThreadPoolExecutor, as_completed

from small_recipe import no_documents, small_recipe

from curation.engine.work import run_task
from curation.jobs.curate import curate


class Threads:
    """An engine of somebody else's: threads, and answers in no order."""

    workers = 3

    def __enter__(self):
        self.pool = ThreadPoolExecutor(self.workers)
        return self

    def __exit__(self, *_):
        self.pool.shutdown()

    def finish(self, tasks, work):
        shuffled = random.Random(7).sample(list(tasks), len(tasks))
        futures = {self.pool.submit(run_task, task, work): number for number, task in shuffled}
        for future in as_completed(futures):
            yield futures[future], future.result()


def test_another_engine_makes_the_same_bytes(tmp_path):
    recipe = small_recipe(tmp_path)
    ours = curate(recipe, documents=no_documents, out=tmp_path / "ours", workers=1)
    theirs = curate(recipe, documents=no_documents, out=tmp_path / "theirs", engine=Threads())
    names = sorted(path.relative_to(ours.dataset) for path in ours.dataset.rglob("*") if path.is_file())
    assert names == sorted(p.relative_to(theirs.dataset) for p in theirs.dataset.rglob("*") if p.is_file())
    for name in names:
        if name.name != "timings.json":
            assert (ours.dataset / name).read_bytes() == (theirs.dataset / name).read_bytes(), name
    assert theirs.tasks_run == ours.tasks_run


def test_what_one_engine_finished_another_finds(tmp_path):
    recipe = small_recipe(tmp_path)
    first = curate(recipe, documents=no_documents, out=tmp_path / "out", engine=Threads())
    again = curate(recipe, documents=no_documents, out=tmp_path / "out", workers=1, force=True)
    assert (again.tasks_run, again.tasks_reused) == (0, first.tasks_run)
