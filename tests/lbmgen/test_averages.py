"""Averaging sites into stored cells."""

from __future__ import annotations

import numpy as np

from lbmgen.averages import averaged, density_in_cells, fluid_fraction
from lbmgen.block import Block, Fluid, statistics
from lbmgen.boundaries.periodic import Periodic
from lbmgen.collisions import collision
from lbmgen.decomposition import Decomposition
from lbmgen.domain import Domain, body_of
from lbmgen.lattices import lattice
from runkit.mpi import SerialWorld


def block_with_disc() -> Block:
    """12 x 12 sites around a disc of radius 2.6, with some density and velocity."""
    domain = Domain((12, 12), ((Periodic(), Periodic()),) * 2)
    body = body_of(lambda x: np.hypot(x[..., 0] - 6, x[..., 1] - 6) - 2.6, (0, 0), (12, 12), domain)
    block = Block(
        Fluid(lattice("D2Q9"), collision.build("bgk"), 0.8, None, "float64"),
        domain,
        Decomposition((12, 12), (1, 1)),
        SerialWorld(),
        body,
    )
    random = np.random.default_rng(0)
    block.start(1 + 0.01 * random.normal(size=(12, 12)), 0.02 * random.normal(size=(12, 12, 2)))
    return block


def test_a_cell_is_the_mean_of_its_sites():
    """For scalars and vectors, along all axes."""
    values = np.random.default_rng(0).normal(size=(6, 9, 2))
    cells = averaged(values, 3, 2)
    np.testing.assert_allclose(cells[1, 2], values[3:6, 6:9].mean(axis=(0, 1)), rtol=1e-14)
    assert cells.shape == (2, 3, 2)


def test_density_is_averaged_over_fluid_sites():
    """A cut cell has the mean of its fluid, a cell without fluid has density 1."""
    block = block_with_disc()
    rho, _ = block.moments()
    (seen,) = statistics([block], 3)
    cells = density_in_cells(seen.excess, fluid_fraction(block.solid, 3))
    fluid = ~block.solid[3:6, 3:6]
    assert 0 < fluid.sum() < 9
    np.testing.assert_allclose(cells[1, 1], rho[3:6, 3:6][fluid].mean(), rtol=1e-12)
    fraction, (seen,) = fluid_fraction(block.solid, 2), statistics([block], 2)
    assert fraction.min() == 0 and (density_in_cells(seen.excess, fraction)[fraction == 0] == 1).all()


def test_what_is_not_finite_is_not_slow():
    """So that a case which has diverged is found."""
    block = block_with_disc()
    _, u = block.moments()
    assert statistics([block], None)[0].fastest == np.sqrt((u**2).sum(-1).max())
    h = block.steps.populations(block.loaded)
    block.layout.arrived(h, 3, block.state)[0, 0] = np.nan
    assert not statistics([block], None)[0].fastest <= 1e300
