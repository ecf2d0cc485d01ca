"""ISOCONFIG files as graphs."""

from __future__ import annotations

import json
import shutil
from itertools import chain

import h5py
import numpy as np
import pytest
import torch

from dtrain.data.glass import Glass, GlassOptions
from dtrain.data.graph_set import GlassLoss
from dtrain.data.pairs import minimum_image, near_pairs
from dtrain.data.split import Split
from dtrain.data.symmetry import SYMMETRIES, draw_symmetry
from runkit.errors import UserError
from tests.isoconfig_factory import write_isoconfig


def test_near_pairs_are_those_of_all_pairs(rng):
    box = np.array([4.5, 5.0, 6.5])
    position = rng.uniform(-3, 12, (90, 3))
    i, j = np.triu_indices(90, 1)
    distance = np.linalg.norm(minimum_image(position[j] - position[i], box), axis=1)
    expected = np.stack([i, j], axis=1)[distance < 2.0]
    assert np.array_equal(near_pairs(position, box, 2.0), expected)


def test_a_particle_on_the_upper_face_of_the_box_is_on_the_lower_one():
    box = np.full(3, 5.0)
    position = np.array([[5.0, 1.0, 1.0], [0.5, 1.0, 1.0], [-1e-17, 2.0, 1.0]])
    assert near_pairs(position, box, 1.2).tolist() == [[0, 1], [0, 2], [1, 2]]


def test_a_box_smaller_than_two_cutoffs_is_refused():
    with pytest.raises(UserError, match=r"data.cutoff = 2 needs a box of at least 4"):
        near_pairs(np.zeros((2, 3)), np.array([5.0, 5.0, 3.9]), 2.0)


def test_both_directions_of_a_bond_have_its_target_and_opposite_vectors(glass):
    example = glass.example(2)
    source, target = example.edge_index
    back = {(int(i), int(j)): k for k, (i, j) in enumerate(zip(source, target, strict=True))}
    opposite = torch.tensor([back[int(j), int(i)] for i, j in zip(source, target, strict=True)])
    assert torch.equal(example.edge_target, example.edge_target[opposite])
    assert torch.equal(example.edge_attr, -example.edge_attr[opposite])
    assert torch.equal(example.edge_mask, example.edge_mask[opposite])


def test_targets_are_the_labels_of_the_same_particles_and_pairs(glass):
    example, dataset = glass.example(4), glass.dataset
    (node_mean, edge_mean), (node_std, edge_std) = glass.normalisation.mean, glass.normalisation.std
    np.testing.assert_allclose(example.node_target * node_std + node_mean, dataset["propensity"][4, 1], atol=1e-6)
    labels = {tuple(bond): value for bond, value in zip(dataset["bond"][4], dataset["bond_change"][4, 1], strict=True)}
    wanted = [labels[min(i, j), max(i, j)] for i, j in example.edge_index.T.tolist()]
    np.testing.assert_allclose(example.edge_target * edge_std + edge_mean, wanted, atol=1e-6)


def test_edge_vectors_are_minimum_images_from_source_to_target(isoconfig):
    both = Glass(GlassOptions(file=str(isoconfig), positions="both"))
    example, box = both.structure(1), both.dataset["box"][1]
    source, target = example.edge_index
    for columns, name in ((slice(0, 3), "initial_position"), (slice(3, 6), "inherent_position")):
        position = both.dataset[name][1]
        expected = minimum_image(position[target] - position[source], box)
        np.testing.assert_allclose(example.edge_attr[:, columns], expected, atol=1e-6)


def test_scored_are_a_particles_and_close_aa_pairs(glass):
    example = glass.structure(0)
    species, length = glass.dataset["species"][0], example.edge_attr.norm(dim=1).numpy()
    source, target = example.edge_index
    assert np.array_equal(example.node_mask, species == 0)
    assert np.array_equal(example.edge_mask, (species[source] == 0) & (species[target] == 0) & (length < 1.35))


def test_normalised_training_targets_have_mean_0_and_spread_1_at_every_time(isoconfig):
    for time in (0, 1):
        glass = Glass(GlassOptions(file=str(isoconfig), time=time))
        node = np.concatenate([glass.example(sample).node_target for sample in glass.split["train"]])
        assert abs(node.mean()) < 1e-5 and abs(node.std() - 1) < 1e-5


def test_raw_targets_are_the_labels_themselves(isoconfig):
    raw = Glass(GlassOptions(file=str(isoconfig), normalise=False))
    assert np.array_equal(raw.example(0).node_target, raw.dataset["propensity"][0, 0])


def test_the_symmetries_are_the_48_distinct_orthogonal_signed_permutations():
    assert len({symmetry.tobytes() for symmetry in SYMMETRIES + 0.0}) == 48
    np.testing.assert_array_equal(SYMMETRIES @ SYMMETRIES.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (48, 3, 3)))
    assert np.array_equal(SYMMETRIES[0], np.eye(3))


def test_every_symmetry_is_drawn_and_depends_on_seed_epoch_and_sample():
    drawn = {draw_symmetry(0, epoch, sample).tobytes() for epoch in range(30) for sample in range(30)}
    assert len(drawn) == 48
    names = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    sequences = [[draw_symmetry(a, b + k, c).tobytes() for k in range(0, 40, 4)] for a, b, c in names]
    assert all(x != y for i, x in enumerate(sequences) for y in sequences[:i])


def test_augmentation_keeps_edge_lengths_and_leaves_the_kept_graph_alone(glass):
    example = glass.example(0)
    before = example.edge_attr.clone()
    for symmetry in SYMMETRIES:
        torch.testing.assert_close(example.turned(symmetry).edge_attr.norm(dim=1), before.norm(dim=1))
    assert torch.equal(example.edge_attr, before)
    assert example.turned(SYMMETRIES[5]).edge_target is example.edge_target


def test_only_training_batches_are_augmented(glass):
    validation = [glass.batch([0]).edge_attr for _ in range(2)]
    training = [glass.batch([0], [epoch]).edge_attr for epoch in range(6)]
    assert torch.equal(validation[0], glass.structure(0).edge_attr) and torch.equal(*validation)
    assert len({tuple(vectors[0].tolist()) for vectors in training}) > 1
    assert torch.equal(training[3], glass.batch([0], [3]).edge_attr)


def test_the_loss_of_a_sample_does_not_depend_on_its_batch(glass):
    outputs = {
        sample: tuple(torch.sin(part) for part in (b.node_target, b.edge_target))
        for sample in (1, 2)
        for b in [glass.batch([sample])]
    }
    together = tuple(torch.cat([outputs[1][i], outputs[2][i]]) for i in (0, 1))
    loss = glass.loss(together, glass.batch([1, 2]), GlassLoss(p=0.3))["loss"]
    alone = [glass.loss(outputs[sample], glass.batch([sample]), GlassLoss(p=0.3))["loss"] for sample in (1, 2)]
    torch.testing.assert_close(loss, torch.cat(alone))
    node, edge = (
        (o - t).square().mean()
        for o, t in zip(outputs[1], (glass.example(1).node_target, glass.example(1).edge_target), strict=True)
    )
    torch.testing.assert_close(alone[0][0], 0.3 * node + 0.7 * edge)


def test_split_parts_are_disjoint_and_depend_on_their_own_seed_only(isoconfig):
    def split(run_seed: int, **parts: float) -> dict[str, list[int]]:
        return Glass(GlassOptions(file=str(isoconfig), split=parts), seed=run_seed).split

    parts = split(1, train=0.6, validation=0.2, test=0.2)
    assert [len(samples) for samples in parts.values()] == [6, 2, 2]
    assert sorted(sample for samples in parts.values() for sample in samples) == list(range(10))
    assert parts == split(2, train=0.6, validation=0.2, test=0.2)
    assert parts != split(1, train=0.6, validation=0.2, test=0.2, seed=1)
    assert [len(samples) for samples in split(1, train=5, validation=0, test=3).values()] == [5, 0, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time": 2}, "data.time = 2 is not in .*, where 0 to 1 are the times 1, 10"),
        ({"split": {"train": 9, "validation": 1, "test": 1}}, "cannot be had from 10 samples"),
    ],
)
def test_options_that_the_file_cannot_serve_are_refused(isoconfig, options, message):
    with pytest.raises(UserError, match=message):
        Glass(GlassOptions(file=str(isoconfig), **options))


def test_a_cutoff_other_than_that_of_the_labels_is_refused(isoconfig):
    with pytest.raises(UserError, match=r"data.cutoff = 1.8: .* labels bonds up to 2; set data.cutoff to that"):
        Glass(GlassOptions(file=str(isoconfig), cutoff=1.8))
    data = Glass(GlassOptions(file=str(isoconfig)))
    data.options = GlassOptions(file=str(isoconfig), cutoff=1.8)  # of a file that does not say its own
    with pytest.raises(UserError, match=r"lists \d+ bonds, but \d+ pairs are closer than data.cutoff = 1.8"):
        data.example(0)


def test_pairs_kept_beside_the_file_give_the_same_graph(isoconfig, glass):
    for _ in range(2):
        kept = Glass(GlassOptions(file=str(isoconfig), time=1, keep_pairs=True)).structure(3)
        assert torch.equal(kept.edge_index, glass.structure(3).edge_index)
    assert [path.suffix for path in isoconfig.with_name("tiny.h5.pairs").iterdir()] == [".npz"]


def test_a_file_without_labelled_bonds_teaches_particles_alone(isoconfig, tmp_path):
    path = shutil.copy(isoconfig, tmp_path / "particles.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["absent"] = json.dumps(["bond_change", "bond_change_error", "bond_change_reliability"])
    glass = Glass(GlassOptions(file=str(path), time=1))
    batch = glass.batch([0])
    output = torch.zeros(len(batch.x)), torch.ones(batch.edge_index.shape[1])
    losses = glass.loss(output, batch, GlassLoss(p=1.0))
    torch.testing.assert_close(losses["loss"], batch.node_target.square().mean().view(1))
    with pytest.raises(UserError, match=r"does not label bonds; loss\.p = 1"):
        glass.require(GlassLoss(p=0.4))


def test_memory_bounds_what_is_kept(isoconfig):
    lean = Glass(GlassOptions(file=str(isoconfig), memory=0))
    assert lean.example(0) is not lean.example(0)
    full = Glass(GlassOptions(file=str(isoconfig)))
    assert full.example(0) is full.example(0)


def test_folds_of_a_seed_test_on_other_samples_each_and_a_split_stays_whole():
    samples = list(range(3, 13))
    folds = [Split(train=7, validation=1, test=2, fold=fold).draw(samples) for fold in range(6)]
    assert sorted(chain.from_iterable(fold["test"] for fold in folds[:5])) == samples
    assert folds[5] == folds[0] == Split(train=7, validation=1, test=2).draw(samples)
    assert all(sorted(chain.from_iterable(fold.values())) == samples for fold in folds)
    assert Split(fold=10**30).draw(samples)["test"]


def test_descriptors_of_a_box_that_is_too_small_are_refused_by_name(tmp_path):
    file = write_isoconfig(tmp_path / "small.h5", n_samples=3, n_particles=100)
    data = Glass(GlassOptions(file=str(file), descriptors=True))
    with pytest.raises(UserError, match=r"data.descriptors = true: .*small.h5: .* the minimum image needs at least 5"):
        data.structure(0)
