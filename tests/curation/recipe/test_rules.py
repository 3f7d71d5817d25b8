import datetime

import pytest
from recipe_texts import SMALLEST, WHOLE, fault

from curation.recipe.load import offered_schemas, parse_recipe, recipe_from
from curation.recipe.yaml_lines import parse_yaml


@pytest.mark.parametrize(
    "train",
    ["max_steps: 101", "max_steps: 6, lr_scheduler: constant", "epochs: 1", "max_steps: 1, warmup_steps: 0"],
)
def test_a_rate_that_reaches_its_peak_or_has_no_warm_up_passes(train):
    parse_recipe(WHOLE.replace("gates:", f"train: {{{train}}}\ngates:"), "r.yaml")


def test_a_stored_recipe_whose_rate_never_reaches_its_peak_can_still_be_read():
    values = parse_recipe(WHOLE).as_dict()
    values["train"] |= {"max_steps": 60, "warmup_steps": 60}
    assert recipe_from(values, "recipe.json").train.warmup_steps == 60


def test_a_stored_recipe_with_a_bound_on_nothing_can_still_be_read():
    values = parse_recipe(WHOLE).as_dict() | {"evaluation": [{"metric": "los", "max": 2.0, "min": None}]}
    assert recipe_from(values, "recipe.json").evaluation[0].metric == "los"


def test_rounded_thirds_add_up():
    text = SMALLEST.replace("{talk: 1}", "{talk: 0.333333, b: 0.333333, c: 0.333333}").replace(
        "group: talk}",
        "group: talk}\n  b: {uri: b, reader: qa, group: b}\n  c: {uri: c, reader: qa, group: c}",
    )
    assert len(parse_recipe(text).sources) == 3


def test_many_repeats_go_with_a_waiver():
    waiver = "waivers: [{gate: mixture.max_repeat, reason: 89 rows, by: Ada, until: 2027-02-28}]\n"
    recipe = parse_recipe(SMALLEST.replace("mixture:", "mixture:\n  max_repeat: 40") + waiver)
    assert recipe.waivers[0].until == datetime.date(2027, 2, 28)


SHARE = "expected a share from 0 to 1, got"
RANGES = [
    ("gates: [{metric: source.invalid_share, max: 5}]", f"gates[0].max: {SHARE} 5; for 5 % write 0.05"),
    (
        "gates: [{metric: source.kept_share, min: 0, bounds: {chats: -1}}]",
        f"gates[0].bounds.chats: {SHARE} -1",
    ),
    ("gates: [{metric: rows.train, max: -1}]", "gates[0].max: expected a count of at least 0, got -1"),
    (
        "evaluation: [{metric: tools.valid_share, min: 90}]",
        f"evaluation[0].min: {SHARE} 90; for 90 % write 0.9",
    ),
]


@pytest.mark.parametrize(("line", "message"), RANGES)
def test_a_bound_that_no_value_can_reach_is_a_fault_but_not_of_a_stored_recipe(line, message):
    assert fault(f"{SMALLEST}{line}\n") == f"r.yaml:9: {message}"
    values = parse_recipe(SMALLEST).as_dict() | parse_yaml(line, "r.yaml").value
    assert recipe_from(values, "recipe.json").name == "demo"


@pytest.mark.parametrize(
    "gate", ["mixture.max_exposure, max: 2.5", "source.invalid_share, max: 1", "eval.leaked_rows, max: 0"]
)
def test_a_bound_at_the_end_of_its_range_is_none(gate):
    parse_recipe(f"{SMALLEST}gates: [{{metric: {gate}}}]\nevaluation: [{{metric: loss_change, max: -0.5}}]\n")


@pytest.mark.parametrize(
    ("tools", "stages", "said"),
    [
        ("any", "[tools]", "'any' names no tools that could be written into rows"),
        ("../x.json", "[tools]", "leaves the data root"),
        ("aj_tools", "[chat]", "the stage 'tools' writes them"),
        ("aj_tools", "[{tools: {sources: {chats: any}}}]", "says it, too; leave one of them out"),
    ],
)
def test_tools_of_a_source_that_nothing_could_write_or_that_are_named_twice(tools, stages, said):
    text = SMALLEST.replace("group: talk}", f"group: talk, tools: {tools}}}") + f"stages: {stages}\n"
    assert said in fault(text)


def test_a_recipe_without_tools_of_sources_keeps_its_digest_and_offers_what_the_stage_says():
    recipe = parse_recipe(SMALLEST)
    assert "tools" not in recipe.as_dict()["sources"]["chats"]
    assert offered_schemas(recipe) == {"": "aj_tools"}
    written = parse_recipe(SMALLEST.replace("group: talk}", "group: talk, tools: mine.json}"))
    assert offered_schemas(written) == {"": "aj_tools", "chats": "mine.json"}
    assert recipe_from(written.as_dict(), "recipe.json").sources["chats"].tools == "mine.json"


def test_natural_shares_need_no_figures_and_later_keys_stand_only_where_they_are_set():
    plain = parse_recipe(SMALLEST)
    assert "at_least" not in plain.as_dict()["split"]
    assert "warmup_ratio" not in plain.as_dict()["train"]
    text = SMALLEST.replace("{talk: 1}", "natural") + "split: {at_least: 1}\ntrain: {warmup_ratio: 0.03}\n"
    natural = parse_recipe(text)
    assert natural.groups == plain.groups == ["talk"]
    assert recipe_from(natural.as_dict(), "recipe.json").as_dict() == natural.as_dict()


@pytest.mark.parametrize(("steps", "rising"), [(1, 0), (2, 1), (10, 1), (1000, 30)])
def test_a_warm_up_of_a_share_is_rounded_up_and_ends_before_the_run(steps, rising):
    train = parse_recipe(f"{SMALLEST}train: {{warmup_ratio: 0.03}}\n").train
    assert train.warm_up(steps) == rising
    assert train.reaches_peak(steps)


def test_a_warm_up_is_steps_or_a_share():
    said = fault(f"{SMALLEST}train: {{warmup_ratio: 0.03, warmup_steps: 5}}\n")
    assert said == "r.yaml:9: train.warmup_ratio: warmup_steps is set too; give one of the two"


def test_a_rate_that_a_polynomial_cannot_fall_from_is_refused():
    said = fault(f"{SMALLEST}train: {{lr_scheduler: polynomial, learning_rate: 1.0e-7}}\n")
    assert said == (
        "r.yaml:9: train.learning_rate: expected more than 1e-07, at which lr_scheduler: polynomial ends,"
        " got 1e-07"
    )
    parse_recipe(f"{SMALLEST}train: {{lr_scheduler: polynomial, learning_rate: 2.0e-7}}\n")
