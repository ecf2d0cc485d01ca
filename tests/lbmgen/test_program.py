"""Two steps in one pass over the rows give the bits of two passes."""

import numpy as np
import pytest

from lbmgen import simulate
from lbmgen.block import Block, Fluid
from lbmgen.boundaries.convective import Convective
from lbmgen.boundaries.face import open_faces
from lbmgen.boundaries.free_slip import FreeSlip
from lbmgen.boundaries.periodic import Periodic
from lbmgen.boundaries.pressure import Pressure
from lbmgen.boundaries.wall import NoSlip, Velocity
from lbmgen.collisions import collision
from lbmgen.decomposition import Decomposition
from lbmgen.domain import Body, Domain, body_of
from lbmgen.halo import own_copies
from lbmgen.kernels import RECEIVE, SEND, SWEEP
from lbmgen.kernels.cpu import Steps
from lbmgen.lattices import lattice
from lbmgen.layout import Layout
from lbmgen.program import program_of
from lbmgen.walls import Boundary
from runkit.mpi import SerialWorld

PERIODIC, OPEN = (Periodic(), Periodic()), (Velocity(0.05), Convective())
FACES = {
    "periodic": (PERIODIC, PERIODIC),
    "channel": (PERIODIC, (NoSlip(), FreeSlip())),
    "convective outlet": (OPEN, (FreeSlip(), FreeSlip())),
    "pressure outlet": ((Velocity(0.05), Pressure()), PERIODIC),
    **{face.__name__: ((Velocity(0.05), face()), (face(), FreeSlip())) for face in open_faces()},
    "mirrors across": ((FreeSlip(), FreeSlip()), PERIODIC),
    "mirrors": ((FreeSlip(), FreeSlip()), (FreeSlip(), NoSlip())),
    "open faces that meet": ((Pressure(), Convective()), (Pressure(), Convective(0.05))),
    "open across": (PERIODIC, (Pressure(), Convective(0.05))),
}


def flow(faces, shape):
    """What has arrived at each site, and the forces, after blocks of an odd and an even number of steps."""
    fluid = Fluid(lattice("D2Q9"), collision.get("bgk")(), 0.6)
    domain = Domain(shape, faces)
    discs = np.array([[0.3, 0.4, 3.2], [0.75, 0.0, 2.7], [0.0, 0.8, 2.4]]) * [*shape, 1]

    def distance(places):
        return np.min([np.linalg.norm(places - disc[:2], axis=-1) - disc[2] for disc in discs], axis=0)

    cutting = Decomposition.best(shape, 1)
    block = Block(fluid, domain, cutting, SerialWorld(), body_of(distance, *cutting.block(0), domain))
    random = np.random.default_rng(3)
    block.start(1 + 0.01 * random.standard_normal(shape), 0.03 * random.standard_normal((*shape, 2)))
    forces = [block.advance(np.linspace(0.5, 1.0, n_steps)) for n_steps in (3, 4, 1, 6)]
    return block.arrived(), np.concatenate(forces)


@pytest.mark.parametrize("faces", FACES.values(), ids=FACES)
def test_one_pass_gives_the_bits_of_two(faces, monkeypatch):
    """In bands of any width, also where the last one is narrower."""
    two = flow(faces, (24, 19))
    assert np.isfinite(two[0]).all() and two[1].any()
    for width in (1, 5, 24):
        monkeypatch.setattr(Steps, "rows_together", lambda self, layout, width=width: width)
        for ours, theirs in zip(flow(faces, (24, 19)), two, strict=True):
            np.testing.assert_array_equal(ours, theirs)


KINDS = NoSlip(), FreeSlip(), Velocity(0.05), *(face() for face in open_faces())


@pytest.mark.parametrize("seed", range(40))
def test_one_pass_gives_the_bits_of_two_between_any_faces(seed, monkeypatch):
    """Faces, shape and width are drawn."""
    random = np.random.default_rng(seed)
    faces = [random.choice(KINDS, 2) if random.random() < 0.7 else PERIODIC for _ in range(2)]
    shape = tuple(random.integers(4, 30, 2).tolist())
    monkeypatch.setattr(Steps, "rows_together", lambda self, layout: 0)
    two = flow(faces, shape)
    width = int(random.integers(1, 8))
    monkeypatch.setattr(Steps, "rows_together", lambda self, layout: width)
    for ours, theirs in zip(flow(faces, shape), two, strict=True):
        np.testing.assert_array_equal(ours, theirs)


SHAPES = [("D2Q9", (1, 9)), ("D2Q9", (2, 2)), ("D2Q9", (3, 5)), ("D3Q19", (5, 4, 9))]


@pytest.mark.parametrize("ends", ["periodic", "free-slip", "no-slip"])
@pytest.mark.parametrize(("name", "shape"), SHAPES)
def test_one_pass_serves_thin_blocks_and_three_dimensions(name, shape, ends, monkeypatch):
    """Between all kinds of ends, in bands of one row and of more than some blocks have."""
    random = np.random.default_rng(4)
    rho, u = 1 + 0.01 * random.standard_normal(shape), 0.03 * random.standard_normal((*shape, len(shape)))
    solid = random.random(shape) < 0.1 if len(shape) == 3 else None

    def parts(rows_together):
        monkeypatch.setattr(Steps, "rows_together", lambda self, layout: rows_together)
        flow = simulate(rho, u, 0.7, 6, lattice=name, solid=solid, boundaries={"x": ends})
        return flow.rho, flow.u, flow.body_force

    two = parts(0)
    for rows_together in (1, 3):
        for ours, theirs in zip(parts(rows_together), two, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("faces", FACES.values(), ids=FACES)
def test_messages_of_a_slab_travel_during_half_a_pass(faces):
    """Between sending and receiving lie nearly half of all sweeps, whatever the faces."""
    n, layout, domain = 40, Layout(lattice("D2Q9"), (40, 19), "float32"), Domain((120, 19), faces)
    boundary = Boundary(layout, domain, (40, 0), Body(np.zeros((42, 21), bool)))
    own = [1] if domain.periodic[1] else []
    program = program_of(layout, boundary, own_copies(layout, own, [0]), [0], 1)
    operation = program.both[:, 0]
    begin, end = (np.flatnonzero(operation == kind) for kind in (SEND, RECEIVE))
    swept = [np.sum(operation[a:b] == SWEEP) for a, b in zip(begin, end, strict=True)]
    assert sum(operation == SWEEP) == 2 * n and len(swept) == 2 and min(swept) > 0.8 * n
