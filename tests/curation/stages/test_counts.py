"""What the table makes metrics of, the stages count."""

import msgspec
import pytest

from curation.recipe.metrics import METRICS
from curation.recipe.schema_file import needed
from curation.recipe.stages import STAGES
from curation.recipe.yaml_lines import parse_yaml
from curation.row import frame, message
from curation.stages.seam import Context, Rows, stage_kind

SHARES = {name: metric for name, metric in METRICS.items() if metric.share_of}


@pytest.mark.parametrize("name", SHARES)
def test_both_counts_of_a_share_come_from_its_stage(name):
    stage = SHARES[name].by
    example = parse_yaml(STAGES[stage].example, "example").value[0][stage] if needed(stage) else {}
    kind = stage_kind(stage)
    assert isinstance(kind, Rows)
    run = kind.bind(msgspec.convert(example, STAGES[stage].settings), Context())
    counts = run(frame([[message("user", "What is a plough?"), message("assistant", "A tool.")]])).counts
    assert {f"{stage}.{count}" for count in counts} >= set(SHARES[name].share_of)
