"""What the loss watch tells, and what it keeps to itself."""

import math

import pytest

from train.run.watch import Watch


def kinds(watch: Watch, losses, norm: float | None = 1.0) -> list[str]:
    return [event.kind for step, loss in enumerate(losses) for event in watch.losses_at(step, loss, norm)]


def test_a_falling_loss_is_no_news():
    assert kinds(Watch(), [3 * 0.99**step for step in range(300)]) == []


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_told_at_once(bad):
    assert kinds(Watch(), [2.0, bad]) == ["nan"]


def test_a_gradient_that_is_no_number_is_told_at_once():
    [event] = Watch().losses_at(3, 2.0, math.nan)
    assert event.message == "the gradient norm is not a number; lower the learning rate"


def test_a_loss_far_over_its_median_is_a_spike():
    watch = Watch()
    assert kinds(watch, [2.0 - step / 100 for step in range(10)]) == []
    [event] = watch.losses_at(10, 6.0, 1.0)
    assert (event.kind, event.message) == ("spike", "loss 6.000, 3.1 times its median")


def test_the_first_losses_are_compared_with_nothing():
    assert kinds(Watch(), [0.1, 9.0]) == []


def test_a_gradient_far_over_its_median_is_told():
    watch = Watch()
    kinds(watch, [2.0 - step / 100 for step in range(10)])
    assert [event.kind for event in watch.losses_at(10, 1.9, 50.0)] == ["grad_norm"]


def test_a_loss_that_stays_is_a_plateau_once_per_window():
    assert kinds(Watch(plateau=20), [2.0] * 60) == ["plateau", "plateau"]


def test_a_wait_far_longer_than_a_step_is_a_stall():
    watch = Watch()
    assert [watch.waited(step, 0.01, 8.0) for step in range(10)] == [[]] * 10
    assert watch.waited(11, 100.0, 8.0) == []
    [event] = watch.waited(12, 200.0, 8.0)
    assert event.message == "the data loader stalled for 200 s"


def test_a_resumed_run_is_watched_with_what_it_had_seen():
    lines = [{"kind": "train", "step": n, "loss": 2.0, "grad_norm": 1.0} for n in range(8)]
    lines += [
        {"kind": "train", "step": 8, "loss": None, "grad_norm": None},
        {"kind": "eval", "step": 8, "loss": 9.0},
    ]
    resumed = Watch().recall(lines)
    assert [event.kind for event in resumed.losses_at(9, 6.0, 1.0)] == ["spike"]
    assert Watch().losses_at(9, 6.0, 1.0) == []
