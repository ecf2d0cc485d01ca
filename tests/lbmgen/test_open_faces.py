"""Every kind of open face: its formula is what the CPU and the GPU compute, and what any outlet has to do holds."""

from __future__ import annotations

import numpy as np
import pytest

from lbmgen import simulate
from lbmgen.block import Block
from lbmgen.boundaries import boundary
from lbmgen.boundaries.face import OPEN, Open, named, open_faces
from lbmgen.boundaries.pressure import Pressure
from lbmgen.boundaries.wall import NoSlip
from lbmgen.case import Case
from lbmgen.cases import draw_case
from lbmgen.collisions import Collision, collision
from lbmgen.config import RunConfig
from lbmgen.kernels.open_faces import Places, arguments, needs_of, on_row
from lbmgen.soundness import least_tau
from runkit.errors import UserError
from runkit.formula import FormulaError
from tests.lbmgen.flows import INLET, SHAPES, Setting, assert_same_flow, ramp
from tests.shim import StandIn

KINDS = named(OPEN)


def around(kind: str) -> dict:
    """Faces of which this kind is beside an inlet, a mirror, a wall, and itself."""
    return {"x_low": INLET, "x_high": kind, "y_low": kind, "y_high": "no-slip", "z": "free-slip"}


def setting(kind: str, lattice: str, dtype: str = "float64") -> Setting:
    faces = around(kind)
    there = {face: faces[face] for face in faces if lattice[1] == "3" or face != "z"}
    return Setting(lattice, dtype=dtype, faces=there)


@pytest.fixture(scope="module")
def gpu():
    return StandIn()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lattice", ["D2Q9", "D3Q19"])
@pytest.mark.parametrize("kind", KINDS)
def test_its_text_for_gpus_gives_the_bits_of_the_cpu(kind, lattice, dtype, gpu):
    assert_same_flow(setting(kind, lattice, dtype), gpu)


def reference(block: Block, memory: np.ndarray) -> np.ndarray:
    """What enters along each link by the formulas alone, as NumPy computes them; `memory` is what entered last."""
    outlets, lattice = block.boundary.outlets, block.layout.lattice
    h, state, d = block.steps.populations(block.loaded), block.state, lattice.d
    site = np.repeat(np.arange(len(outlets.law)), np.diff(outlets.start))
    c, w = np.array(lattice.c), np.array(lattice.w)

    def moments(populations: list[np.ndarray]) -> list[np.ndarray]:
        excess = sum(populations)
        return [excess, *(sum(c[i, axis] * value for i, value in enumerate(populations)) for axis in range(d))]

    def velocities(shift: np.ndarray) -> list[np.ndarray]:
        excess, *momentum = moments([h[outlets.left[state][:, i] + shift] for i in range(lattice.q)])
        return [excess, *(each / (1.0 + excess) for each in momentum)]

    result = np.empty(len(site))
    for number, face in enumerate(open_faces()):
        at, here = Places.of(d), outlets.law[site] == number
        row: list = [np.zeros(len(site)) for _ in range(at.size)]
        row[: at.moments] = outlets.parameters[site].T.astype(float)
        row[at.moments : at.inside] = [each[site] for each in velocities(np.zeros_like(outlets.inward))]
        row[at.inside : at.normal] = [each[site] for each in velocities(outlets.inward)]
        row[at.normal : at.share], row[at.share : at.arrived] = outlets.normal[site].T, outlets.share[site].T
        row[at.c : at.w], row[at.w] = c[outlets.i].T.astype(float), w[outlets.i]
        row[at.opposite] = h[outlets.left[state][site, np.array(lattice.opposite)[outlets.i]]]
        row[at.inner], row[at.memory] = h[outlets.inner[state]], memory
        if needs_of(face, d).guess:
            row[at.guess] = on_row("guess", face, d, row)
            known = [np.where(place >= 0, h[place], 0.0) for place in outlets.here[state].T]
            arrived = moments(known)
            for each, factor in zip(arrived, [np.ones(len(site)), *c[outlets.i].T], strict=True):
                np.add.at(each, site, factor * row[at.guess])
            row[at.arrived : at.c] = [each[site] for each in arrived]
        result[here] = on_row("arriving", face, d, row)[here]
    return result


@pytest.mark.parametrize("lattice", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_cpu_computes_its_formula(kind, lattice):
    """Bit by bit, after steps of both parities, at edges and beside a body too."""
    block = setting(kind, lattice).block()
    outlets = block.boundary.outlets
    assert len(outlets.i) > 50
    for _ in range(4):
        before = outlets.memory.copy()
        block.advance(ramp(1))
        expected = reference(block, before)
        np.testing.assert_array_equal(outlets.memory, expected)
        np.testing.assert_array_equal(block.steps.populations(block.loaded)[outlets.target[block.state]], expected)
        assert np.abs(expected).max() > 1e-4


@pytest.mark.parametrize("lattice", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fluid_at_rest_stays_at_rest(kind, lattice):
    shape = SHAPES[lattice]
    flow = simulate(np.ones(shape), np.zeros((*shape, len(shape))), 0.6, 20, lattice=lattice, boundaries=kind)
    assert (flow.rho == 1).all() and not flow.u.any()


@pytest.mark.parametrize(("lattice", "shape"), [("D2Q9", (24, 20)), ("D3Q19", (12, 9, 10))])
@pytest.mark.parametrize("kind", KINDS)
def test_noise_between_open_faces_fades(kind, lattice, shape):
    """Edges and corners where faces of a kind meet feed nothing; a uniform flow may stay."""
    random = np.random.default_rng(5)
    rho, u = 1 + 0.01 * random.standard_normal(shape), 0.02 * random.standard_normal((*shape, len(shape)))
    flow = simulate(rho, u, 0.6, 3000, lattice=lattice, boundaries=kind)
    assert np.abs(flow.rho - 1).max() < 1e-3 and np.abs(flow.u).max() < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_what_enters_leaves(kind):
    """Between a parabolic inlet and an outlet the parabola stays, through each cross-section flows the same."""
    nx, ny, velocity = 48, 15, 0.04
    inlet = {"kind": "velocity", "velocity": velocity, "profile": "parabolic"}
    faces = {"x_low": inlet, "x_high": {"kind": kind, "density": 1.0}, "y": "no-slip"}
    flow = simulate(np.ones((nx, ny)), np.zeros((nx, ny, 2)), 0.8, 16000, collision="trt", boundaries=faces)
    y, flux = (np.arange(ny) + 0.5) / ny, flow.rho * flow.u[..., 0]
    np.testing.assert_allclose(flux[nx // 2], 6 * velocity * y * (1 - y), rtol=0, atol=0.006 * velocity)
    np.testing.assert_allclose(flux.sum(axis=1), velocity * ny, rtol=5e-3)
    np.testing.assert_allclose(flux.sum(axis=1), flux[0].sum(), rtol=1e-5)
    assert abs(flow.rho[-1].mean() - 1) < 8e-3


@pytest.mark.parametrize("kind", KINDS)
def test_it_draws_the_density_to_its_own(kind):
    """A fluid that is denser than the far field comes to the density of that."""
    faces = {"x": {"kind": kind, "density": 1.01}, "y": "free-slip"}
    flow = simulate(np.ones((30, 4)), np.zeros((30, 4, 2)), 0.8, 6000, boundaries=faces)
    np.testing.assert_allclose(flow.rho, 1.01, rtol=0, atol=1e-3)
    np.testing.assert_allclose(flow.u, 0, rtol=0, atol=1e-3)


BODIES = {"D2Q9": ((60, 48), 20000), "D3Q19": ((36, 20, 20), 2000)}  # sites, and steps in which the flow crosses often


@pytest.mark.parametrize("lattice", BODIES)
@pytest.mark.parametrize("law", collision.names())
@pytest.mark.parametrize("kind", KINDS)
def test_a_wake_leaves_at_the_least_viscosity_that_is_accepted(kind, law, lattice):
    """Of every collision law, at the velocity of default cases: the flow stays sound, and what enters leaves."""
    (shape, n_steps), velocity, tau = BODIES[lattice], 0.08, least_tau_before(kind, collision.build(law))
    assert tau < 0.6
    place = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in shape), indexing="ij"), axis=-1)
    solid = np.linalg.norm(place - [shape[1] / 2, *(n / 2 + 0.3 for n in shape[1:])], axis=-1) < shape[1] / 8
    u = np.zeros((*shape, len(shape)))
    u[~solid, 0] = velocity
    given = {name: velocity for name in [boundary.get(kind).from_flow] if name}
    inlet, out = {"kind": "velocity", "velocity": velocity}, {"kind": kind} | given
    faces = {"x_low": inlet, "x_high": out, "y": "free-slip"} | ({"z": "free-slip"} if len(shape) == 3 else {})
    options = {"lattice": lattice, "collision": law, "boundaries": faces, "dtype": "float32"}
    flow = simulate(np.ones(shape), u, tau, n_steps, solid=solid, **options)
    assert np.linalg.norm(flow.u, axis=-1).max() < 3 * velocity
    assert np.abs(flow.rho - 1).max() < 0.1
    np.testing.assert_allclose(flow.u[-1, ..., 0].mean(), velocity, rtol=0.05)


def least_tau_before(kind: str, law: Collision) -> float:
    """The least relaxation time at which a case with an outlet of this kind is accepted."""
    face = boundary.get(kind)
    return max(law.least_tau, face.least_tau, law.least_tau_reflecting if face.reflects else 0)


@pytest.mark.parametrize("law", collision.names())
@pytest.mark.parametrize("kind", KINDS)
def test_a_case_below_the_least_viscosity_of_its_outlet_is_refused(kind, law):
    """The line names the face whose kind matters, and none where none does."""
    built = collision.build(law)
    least = least_tau_before(kind, built)

    def case_at(tau: float) -> Case:
        return draw_case(
            RunConfig(
                collision={"name": law},
                flow={"reynolds": [0.08 * 20 * 2 / ((tau - 0.5) / 3)]},
                grid={"cells": [160, 80]},
                boundaries={"x_high": {"kind": kind}},
                obstacles={"given": [{"family": "circle", "center": [40, 40], "size": 20}]},
            ),
            0,
        )

    assert case_at(least + 1e-4).tau == pytest.approx(least + 1e-4)
    with pytest.raises(UserError, match=f"too near 1/2 for '{law}'") as refused:
        case_at(least - 1e-4)
    matters = least > built.least_tau
    assert str(refused.value).count("boundaries.x_high") == 2 * matters


def test_the_line_names_the_face_that_needs_most_viscosity_whatever_its_kind():
    class Rough(NoSlip):
        least_tau = 0.6

    law = collision.build("bgk")
    faces = {"x_low": NoSlip(), "y_high": Rough(), "x_high": Pressure()}
    assert least_tau(law, faces) == (0.6, " with boundaries.y_high", " or kind of boundaries.y_high")
    sliding = {"y_low": NoSlip(velocity=(0.1, 0.0))}
    assert least_tau(law, sliding) == (law.least_tau_sliding, " beside boundaries.y_low, which slides", "")


@pytest.mark.parametrize("value", ["x", np.nan, np.inf, True, 0, -1])
@pytest.mark.parametrize("kind", KINDS)
def test_a_density_of_no_sense_is_refused(kind, value):
    with pytest.raises(UserError, match=f"boundary '{kind}': density = "):
        boundary.build(kind, density=value)


class Circular(Open):
    """A face whose guess depends on what follows from it."""

    parameters = Pressure.parameters

    def guess(self, site, link):
        return site.arrived.excess * link.w

    arriving = guess


def test_a_guess_that_depends_on_what_follows_from_it_is_refused():
    with pytest.raises(FormulaError, match=r"uses site\.arrived or link\.guess, which follow from it"):
        needs_of(Circular, 2)


def test_only_what_formulas_depend_on_is_found():
    """A pressure needs velocities and what left along a link, and nothing from further in."""
    assert [name for name, needed in needs_of(Pressure, 2)._asdict().items() if needed] == ["velocity", "link"]
    at = Places.of(2).moments
    face, site, link = arguments(Pressure, 2, list(range(Places.of(2).size)))
    assert (face.density, site.excess, site.velocity, site.inside.excess) == (0, at, [at + 1, at + 2], at + 3)
    assert len(link.c) == 2
