"""What the table makes metrics of, the stages count, of no row too."""

from pathlib import Path

import msgspec
import pytest
from tiny_tokenizer import train_tokenizer

from curation.arrow import FrameWriter
from curation.recipe.metrics import METRICS, full_names
from curation.recipe.schema_file import needed
from curation.recipe.stages import STAGES
from curation.recipe.yaml_lines import parse_yaml
from curation.row import frame, message
from curation.stages.seam import Context, Keyed, Reduce, Rows, stage_kind

MEASURED = {name: metric for name, metric in METRICS.items() if metric.by in STAGES}
ROWS = frame([[message("user", "What is a plough?"), message("assistant", "A tool.")]])


def counted(stage: str, rows, folder: Path):
    """The counts of a stage over some rows, however it is run."""
    example = parse_yaml(STAGES[stage].example, "example").value[0][stage] if needed(stage) else {}
    tokenizer = train_tokenizer(folder) if STAGES[stage].counts_tokens else None
    bound = (msgspec.convert(example, STAGES[stage].settings), Context(tokenizer=tokenizer))
    kind = stage_kind(stage)
    if isinstance(kind, Rows):
        return kind.bind(*bound)(rows).counts
    prepared = kind.prepare(*bound)(rows)
    if isinstance(kind, Keyed):
        return kind.bind(*bound)(prepared).counts
    assert isinstance(kind, Reduce)
    path = folder / "prepared.arrow"
    with FrameWriter(path, prepared.schema) as writer:
        writer.write(prepared)
    return kind.bind(*bound)([path]).counts


@pytest.mark.parametrize("rows", [ROWS, ROWS.clear()], ids=["a row", "none"])
@pytest.mark.parametrize("name", MEASURED)
def test_what_a_metric_is_made_of_comes_from_its_stage(name, rows, tmp_path):
    metric = MEASURED[name]
    counts = full_names(metric.by, counted(metric.by, rows, tmp_path))
    assert counts.keys() >= set(metric.share_of or (name,))
