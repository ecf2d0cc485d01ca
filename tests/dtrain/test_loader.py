"""Which process takes which sample, and batches prepared ahead."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from dtrain.data.loader import Feed, Order, Share

ORDER = Order(tuple(range(100, 107)), seed=5, phase="joint")


def test_every_epoch_has_every_sample_once_in_its_own_order():
    epochs = [[ORDER[7 * epoch + place] for place in range(7)] for epoch in range(3)]
    assert [{epoch for epoch, _ in drawn} for drawn in epochs] == [{0}, {1}, {2}]
    orders = [[sample for _, sample in drawn] for drawn in epochs]
    assert all(sorted(order) == list(range(100, 107)) for order in orders)
    assert orders[0] != orders[1] != orders[2]


@pytest.mark.parametrize("size", range(1, 8))
@pytest.mark.parametrize("micro_batch", [1, 2, 3])
@pytest.mark.parametrize("batch", [1, 4, 5])
def test_any_number_of_processes_shares_the_same_step(size, micro_batch, batch):
    for step in range(5):
        shares = [Share(batch, rank, size, micro_batch) for rank in range(size)]
        micro_batches = [share.draws(ORDER, step) for share in shares]
        assert {len(part) for part in micro_batches} == {shares[0].n_micro_batches}
        assert {len(draws) for part in micro_batches for draws in part} == {micro_batch}
        draws = [draw for part in micro_batches for draws in part for draw in draws]
        weights = Counter()
        for draw in draws:
            weights[draw.epoch, draw.sample] += draw.weight / (size * shares[0].n_micro_batches)
        expected = {ORDER[position] for position in range(step * batch, (step + 1) * batch)}
        assert {key for key, weight in weights.items() if weight > 0} == expected
        assert all(abs(weights[key] - 1 / batch) < 1e-12 for key in expected)


class Recorder:
    """A data set whose batch is what was asked for."""

    def batch(self, samples, epochs):
        if 103 in samples and epochs[0] > 2:
            raise ValueError("broken")
        return list(zip(epochs, samples, strict=True))


def drawn(steps: range, n_builders: int = 1) -> list:
    feed = Feed(Recorder(), torch.device("cpu"))
    feed._n_builders = n_builders
    return [[batch for batch, _ in step] for step in feed.steps(ORDER, Share(2, 0, 1), steps)]


@pytest.mark.parametrize("n_builders", [1, 3])
def test_batches_come_in_the_order_of_steps_from_any_step_on(n_builders):
    whole, rest = drawn(range(8), n_builders), drawn(range(5, 8), n_builders)
    assert whole[5:] == rest
    assert [pair for batch in whole[0] for pair in batch] == [ORDER[0], ORDER[1]]


def test_an_error_while_a_batch_is_built_reaches_the_loop():
    with pytest.raises(ValueError, match="broken"):
        drawn(range(30))


def test_the_weights_of_a_batch_come_with_it():
    feed = Feed(Recorder(), torch.device("cpu"))
    (step,) = feed.steps(ORDER, Share(3, 1, 2, 2), range(1))
    assert [weights.tolist() for _, weights in step] == [[pytest.approx(2 / 3), 0.0]]
