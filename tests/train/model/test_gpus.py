import pytest

from curation.recipe.load import TrainSettings
from train.model.families.table import KNOWN
from train.model.gpus import GIB, count_parameters, estimate, memory_bytes, step_flops

BIG = "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B"


def test_sizes_alone_give_the_same_parameters():
    found = count_parameters(KNOWN[BIG], TrainSettings())
    assert (found.adapter, found.base) == (536_870_912, 32_763_876_352)


@pytest.mark.parametrize(("checkpointing", "pflop"), [(False, 4.43), (True, 6.55)])
def test_a_full_step_of_the_32b_is_as_many_operations_as_the_roofline_says(checkpointing, pflop):
    settings = TrainSettings(gradient_checkpointing=checkpointing)
    assert step_flops(KNOWN[BIG], settings) / 1e15 == pytest.approx(pflop, rel=0.01)


def test_the_32b_needs_a_card_of_141_gb_and_a_7b_in_4_bit_one_of_24():
    big = memory_bytes(KNOWN[BIG], TrainSettings())
    assert big["weights"] / GIB == pytest.approx(61.0, abs=0.1)
    fits = {told.gpu: told.fits for told in estimate(KNOWN[BIG], TrainSettings(), 5_000)}
    assert [fits[name] for name in ("H200", "A100", "RTX 4090")] == [True, False, False]
    small = TrainSettings(load_in_4bit=True, batch_size=1, lora_r=32, max_seq_length=1024)
    seven = "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"
    assert {t.gpu: t.fits for t in estimate(KNOWN[seven], small, 1_000)}["RTX 4090"]


def test_float32_takes_twice_the_memory_and_the_time_of_bfloat16():
    half, whole = TrainSettings(), TrainSettings(bf16=False)
    for use in ("weights", "activations"):
        assert memory_bytes(KNOWN[BIG], whole)[use] > 1.6 * memory_bytes(KNOWN[BIG], half)[use]
    told = [estimate(KNOWN[BIG], settings, 5_000)[0] for settings in (half, whole)]
    assert [one.fits for one in told] == [True, False]
    assert told[1].hours == pytest.approx(2 * told[0].hours)
