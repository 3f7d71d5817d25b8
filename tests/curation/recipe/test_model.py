from pathlib import Path

from recipe_texts import SMALLEST

from curation.recipe.load import parse_recipe, stage_plan


def test_the_defaults_are_those_of_the_design():
    recipe = parse_recipe(SMALLEST)
    assert recipe.template == "aj_r1"
    assert recipe.data_folder == Path()
    assert recipe.split.eval == 0.01
    assert (recipe.mixture.unit, recipe.mixture.max_repeat, recipe.mixture.on_shortage) == ("rows", 4, "stop")
    assert [name for name, _, _ in stage_plan(recipe)] == [
        "normalise", "chat", "tools", "exact_duplicates", "near_duplicates",
    ]  # fmt: skip
    assert [(g.title, g.max, g.per) for g in recipe.gates] == [
        ("mixture.max_share_error", 0.01, None),
        ("source.invalid_share", 0.05, "source"),
        ("source.duplicate_share", 0.2, "source"),
        ("eval.leaked_rows", 0, None),
    ]
    assert parse_recipe(SMALLEST + "gates: []\n").gates == []


def test_training_defaults_are_the_table_of_the_original():
    train = parse_recipe(SMALLEST).train
    assert (train.lora_r, train.lora_alpha, train.lora_dropout) == (64, 128, 0.05)
    assert train.target_modules == [
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    ]
    assert (train.batch_size, train.gradient_accumulation_steps, train.max_steps) == (2, 8, 5000)
    assert (train.max_seq_length, train.learning_rate, train.weight_decay) == (2048, 2e-5, 0.01)
    assert (train.warmup_steps, train.lr_scheduler, train.seed) == (100, "cosine", 17)
    assert (train.bf16, train.tf32, train.gradient_checkpointing) == (True, True, True)
    assert parse_recipe(SMALLEST + "train: {epochs: 2}\n").train.max_steps is None
