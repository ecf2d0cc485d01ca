"""Descriptors of inherent structures: what they are, written out slowly, and what they do not know."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import dtrain
import mdgen
from dtrain.data.descriptors import (
    FIRST_SHELL,
    MECHANICAL_RANGES,
    RADIAL_RANGES,
    RADIAL_SCALE,
    RADII,
    STEP_RANGES,
    STEP_SCALE,
    THERMAL_RANGES,
    THERMAL_SCALE,
    descriptors,
    n_descriptors,
    n_leading,
)
from dtrain.data.thermal import thermal_numbers
from mdgen.initial import melt
from mdgen.potentials import potential
from runkit.errors import UserError


@cache
def liquid(name="kob-andersen", n=500, density=1.1):
    """Nearly inherent and thermal positions, species and a box of three edges: solid enough to be followed in time."""
    random, n_species = np.random.default_rng(5), potential.build(name).n_species
    squeeze = np.array([0.95, 1.0, 1 / 0.95])
    start = melt(n, np.full(n_species, 1 / n_species), density, seed=1, sample=0)
    species, box = start.species.astype(int), start.box * squeeze
    position = mdgen.inherent_position(start.position * squeeze, species, box, name)
    position += 0.02 * random.standard_normal((n, 3))
    return position, position + 0.03 * random.standard_normal((n, 3)), species, box


@pytest.fixture(scope="module")
def found():
    position, thermal, species, box = liquid()
    return descriptors(position, species, box, thermal)


def slowly(position, thermal, species, box, law):
    """The same numbers from whole matrices of pairs [n, n], with none of the code that is tested."""
    n, n_species = len(position), law.n_species
    unit = (box.prod() / n) ** (1 / 3)
    vector = position[None] - position[:, None]
    vector -= box * np.round(vector / box)
    r = np.linalg.norm(vector, axis=2) + 1e3 * np.eye(n)  # nothing reaches itself
    a, b = np.meshgrid(species, species, indexing="ij")
    e = vector / r[..., None]
    energy, force, curvature = (one(r, a, b) for one in (law.energy, law.force, law.curvature))
    of = [(b == one) for one in range(n_species)]
    by_species = lambda values: [(values * mask).sum(1) for mask in of]  # noqa: E731
    virial = r * force
    along = np.einsum("ijk,ijl->ijkl", e, e)
    stress = np.einsum("ij,ijkl->ikl", -virial, along)
    stiffness = np.einsum("ij,ijkl->ikl", curvature, along) - np.einsum("ij,ijkl->ikl", force / r, np.eye(3) - along)
    eigenvalues = np.linalg.eigvalsh(stiffness)
    stiff = np.maximum(eigenvalues, 0.01 * np.abs(eigenvalues).mean())
    repulsion, square = (np.maximum(virial, 0) ** 2).sum(1), (energy**2).sum(1)
    shear = np.linalg.norm(stress - np.trace(stress, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3), axis=(1, 2))
    counts = [((r < FIRST_SHELL * unit) & mask).sum(1) for mask in of]
    mechanical = np.stack(
        [
            *(*by_species(energy / 2), *by_species(virial), *by_species(curvature)),
            *(np.log(repulsion + 1e-9 * repulsion.mean()), np.log(square + 1e-9 * square.mean()), np.sqrt(square)),
            *(np.sqrt((virial**2).sum(1)), shear, (1 / stiff).sum(1), *counts, *eigenvalues.T, *np.log(stiff).T),
        ],
        axis=1,
    )
    step = position - thermal
    relative = step[None] - step[:, None]
    longitudinal, length = np.einsum("ijk,ijk->ij", relative, e), np.linalg.norm(step, axis=1)
    near = r < FIRST_SHELL * unit
    mean = lambda values: (values * near).sum(1) / near.sum(1)  # noqa: E731
    total = np.einsum("ijk,ijk->ij", relative, relative)
    steps = [mean(x) for x in (longitudinal, longitudinal**2, total - longitudinal**2, total)]
    width = RADII[1] - RADII[0]
    hat = lambda centre: np.maximum(0, 1 - np.abs(r / unit - centre) / width)  # noqa: E731
    smooth = lambda centre: 0.25 * hat(centre - width) + 0.5 * hat(centre) + 0.25 * hat(centre + width)  # noqa: E731
    radial = np.stack([(smooth(centre) * mask).sum(1) for mask in of for centre in RADII], axis=1)

    standard = lambda x: (x - x.mean(0)) / x.std(0)  # noqa: E731

    def masked(x):
        x = standard(x)
        return np.concatenate(
            [(species == k)[:, None] * 1.0 for k in range(n_species - 1)]
            + [x * (species == k)[:, None] for k in range(n_species)],
            axis=1,
        )

    def averaged(x, ranges):
        layers = [x]
        for reach, number in ranges:
            weight = np.where(r < reach * unit, np.exp(-r / (reach * unit)), 0) + np.eye(n)
            for k in range(1, number + 1):
                layers.append(np.linalg.matrix_power(weight / weight.sum(1, keepdims=True), k) @ x)
        return standard(np.concatenate(layers, axis=1))

    as_it_is = thermal_numbers(thermal, species, box, "kob-andersen", None)  # tests/dtrain/test_thermal.py
    stepping = np.stack([length, length**2, *steps], axis=1)
    every = np.concatenate(
        [
            averaged(masked(mechanical), MECHANICAL_RANGES),
            STEP_SCALE * averaged(masked(stepping), STEP_RANGES),
            THERMAL_SCALE * averaged(masked(as_it_is), THERMAL_RANGES),
            RADIAL_SCALE * averaged(standard(radial), RADIAL_RANGES),
        ],
        axis=1,
    )
    for k in range(n_species):
        every[species == k] -= every[species == k].mean(0)
    return np.concatenate([every, np.full((n, 1), energy.sum() / 2 / n)], axis=1)


def test_descriptors_are_what_whole_matrices_of_pairs_give(found):
    position, thermal, species, box = liquid()
    expected = slowly(position, thermal, species, box, potential.build("kob-andersen"))
    assert found.shape == expected.shape == (len(position), n_descriptors(2))
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_descriptors_have_the_spread_of_their_group_and_no_mean_in_a_species(found):
    position, _, species, _ = liquid()
    for one in range(2):
        assert np.abs(found[species == one, :-1].mean(axis=0)).max() < 1e-12
    assert (found.std(axis=0) <= 1 + 1e-9).all() and found[:, : n_leading(2)].std(axis=0).max() > 0.5
    assert len(position) == len(found)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (-1, 1, -1)])
def test_rotations_reflections_images_and_numbering_change_nothing(found, axes, signs):
    position, thermal, species, box = liquid()
    random = np.random.default_rng(2)
    order, axes = random.permutation(len(position)), list(axes)
    shift, image = random.normal(size=3), box * random.integers(-2, 3, (len(position), 3))
    turned = [((x + shift)[:, axes] * signs)[order] for x in (position + image, thermal)]
    again = descriptors(turned[0], species[order], box[axes], turned[1])
    np.testing.assert_allclose(again, found[order], atol=1e-6)


@pytest.mark.parametrize("name", potential.names())
def test_any_potential_of_mdgen_has_descriptors(name):
    law = potential.build(name)
    position, thermal, species, box = liquid(name)
    values = descriptors(position, species, box, thermal, potential=name)
    assert values.shape == (len(position), n_descriptors(law.n_species)) and np.isfinite(values).all()
    assert (values.std(axis=0) > 0).mean() > 0.8


def test_parameters_of_the_potential_are_used_and_the_step_may_be_left_out(found):
    position, thermal, species, box = liquid()
    other = descriptors(position, species, box, thermal, parameters={"cutoff": 2.0})
    without = descriptors(position, species, box)
    assert np.abs(other - found).max() > 1e-3
    assert without.shape[1] < found.shape[1]
    np.testing.assert_array_equal(without[:, : n_leading(2)], found[:, : n_leading(2)])


def test_the_package_offers_the_function_and_says_what_it_refuses():
    position, _, species, box = liquid()
    assert dtrain.descriptors is descriptors
    with pytest.raises(UserError, match="the minimum image needs at least 5"):
        dtrain.descriptors(position, species, box / 2)
    with pytest.raises(UserError, match="unknown potential 'kob'"):
        dtrain.descriptors(position, species, box, potential="kob")
