# Messages stand here whole, as users see them.
# ruff: noqa: E501

from recipe_texts import SMALLEST, WHOLE, fault

from curation.recipe.load import parse_recipe


def test_every_fault_is_told_at_once_in_the_order_of_the_file():
    text = (
        WHOLE.replace("seed: 17", "seeds: 17").replace("normalise", "normalize").replace("max: 0", "maxi: 0")
    )
    assert fault(text) == (
        "r.yaml: 3 faults\n"
        "  r.yaml:3: seeds: unknown key; did you mean 'seed'?\n"
        "  r.yaml:12: stages[0]: unknown stage 'normalize'; did you mean 'normalise'?\n"
        "  r.yaml:16: gates[0].maxi: unknown key; did you mean 'max'?"
    )


def test_a_file_that_is_no_recipe_is_not_listed_in_full():
    lines = fault("".join(f"key{number}: 1\n" for number in range(9_000))).splitlines()
    assert lines[0] == "r.yaml: more than 50 faults"
    assert len(lines) == 51


def test_only_seven_keys_are_mandatory():
    assert fault("x: 1").splitlines()[1:] == [
        "  r.yaml:1: x: unknown key; known here: name, version, seed, base_model, sources, mixture, tokenizer,"
        " template, data_root, split, stages, gates, waivers, approval, evaluation, baseline, train",
        "  r.yaml:1: name: missing; expected a name of letters, digits, '_', '-' and '.'",
        "  r.yaml:1: version: missing; expected major.minor.patch such as 2.0.0",
        "  r.yaml:1: seed: missing; expected a whole number of at least 0",
        "  r.yaml:1: base_model: missing; expected a mapping with id, code, revision",
        "  r.yaml:1: sources: missing; expected a mapping (key: value)",
        "  r.yaml:1: mixture: missing; expected a mapping with shares, unit, total, max_repeat, on_shortage",
    ]
    assert parse_recipe(SMALLEST).mixture.total == "max"


def test_numbers_without_a_point_are_numbers():
    assert (
        parse_recipe(SMALLEST + "train: {learning_rate: 2e-5, weight_decay: 0}\n").train.learning_rate == 2e-5
    )
