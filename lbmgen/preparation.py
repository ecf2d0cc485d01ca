"""A case made ready for its first step: its block of sites, with bodies, and what is constant in it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lbmgen.averages import fluid_fraction
from lbmgen.block import Block, Fluid
from lbmgen.case import Case
from lbmgen.cases import most_bodies
from lbmgen.collisions import collision
from lbmgen.config import RunConfig
from lbmgen.decomposition import Decomposition
from lbmgen.domain import Body, places_of
from lbmgen.lattices import lattice
from runkit.arrays import F64
from runkit.device import Gpu
from runkit.mpi import World

REACH = 4.0  # distances are computed up to here [site]; links need them within sqrt(3) of a body


class Prepared(NamedTuple):
    """A case with its block and its constant fields before the first step, made on the host alone."""

    case: Case
    block: Block
    distance: F64  # of the centres of cells
    fraction: F64


def fluid_of(config: RunConfig, case: Case) -> Fluid:
    """The fluid of a case."""
    law = collision.build(config.collision.name, **config.collision.parameters)
    return Fluid(lattice(config.grid.lattice), law, case.tau, config.flow.force or None, config.collision.precision)


def prepare(config: RunConfig, case: Case, group: World, gpu: Gpu | None = None) -> Prepared:
    """Make a case ready for its first step, without the GPU and without other ranks: a thread may do it meanwhile."""
    block, width = make_block(config, case, group, gpu), config.grid.refinement
    axes = [a + width * (np.arange(n // width) + 0.5) for a, n in zip(block.origin, block.shape, strict=True)]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    distance, _ = case.nearest(centres, float(max(case.shape)))
    return Prepared(case, block, distance, fluid_fraction(block.solid, width))


def make_block(config: RunConfig, case: Case, group: World, gpu: Gpu | None = None) -> Block:
    """This rank's block of a case."""
    cutting = Decomposition.best(case.shape, group.size, config.grid.refinement, slabs=gpu is None)
    distance, number = case.nearest(places_of(*cutting.block(group.rank), case.domain), REACH)
    is_interpolated = config.obstacles.walls == "interpolated"
    body = Body(distance <= 0, distance if is_interpolated else None, number, most_bodies(config))
    return Block(fluid_of(config, case), case.domain, cutting, group, body, gpu)
