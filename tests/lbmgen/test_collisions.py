"""Collision laws over the registry, on NumPy arrays and as compiled kernels."""

import numpy as np
import pytest

from lbmgen.block import Block, Fluid
from lbmgen.boundaries.periodic import Periodic
from lbmgen.collisions import collision
from lbmgen.decomposition import Decomposition
from lbmgen.domain import Body, Domain
from lbmgen.equilibrium import Moments, equilibrium, moments
from lbmgen.lattices import LATTICES
from runkit.errors import UserError
from runkit.mpi import SerialWorld

TAU = 0.62


@pytest.fixture(params=LATTICES.values(), ids=lambda one: one.name)
def lattice(request):
    return request.param


@pytest.fixture(params=collision.names())
def law(request):
    return collision.build(request.param)


@pytest.fixture(params=["free", "forced"])
def force(request, lattice):
    return [1e-3, -2e-3, 5e-4][: lattice.d] if request.param == "forced" else None


def balanced(lattice, rho, u):
    """Populations [q, n] at equilibrium."""
    of = Moments(rho - 1, [rho * v for v in u], 1 / rho)
    rest, pairs = equilibrium(lattice, of)
    return np.stack([rest] + [h for pair in pairs for h in (pair.even + pair.odd, pair.even - pair.odd)])


def state(lattice, n=50, seed=1, noise=1e-3):
    """Populations [q, n] near equilibrium."""
    random = np.random.default_rng(seed)
    rho, u = 1 + 0.05 * random.standard_normal(n), 0.05 * random.standard_normal((lattice.d, n))
    return balanced(lattice, rho, u) + noise * np.array(lattice.w)[:, None] * random.standard_normal((lattice.q, n))


def collide(law, lattice, h, force=None, tau=TAU):
    return np.stack(law.collide(lattice, list(h), law.rates(tau), force))


def second_moment(lattice, h):
    """Momentum flux [d, d, n]."""
    return np.einsum("qa,qb,qn->abn", np.array(lattice.c), np.array(lattice.c), h)


def test_mass_is_conserved_and_momentum_gains_the_force(lattice, law, force):
    h = state(lattice)
    after = collide(law, lattice, h, force)
    np.testing.assert_allclose(after.sum(axis=0), h.sum(axis=0), rtol=0, atol=2e-16 * lattice.q)
    gained = np.tensordot(np.array(lattice.c), after - h, axes=(0, 0))
    given = np.zeros(lattice.d) if force is None else np.array(force)
    np.testing.assert_allclose(gained, np.broadcast_to(given[:, None], gained.shape), rtol=0, atol=1e-15)


def test_moments_of_an_equilibrium_are_its_own(lattice):
    random = np.random.default_rng(2)
    rho, u = 1 + 0.1 * random.standard_normal(40), 0.1 * random.standard_normal((lattice.d, 40))
    h = balanced(lattice, rho, u)
    of = moments(lattice, h)
    np.testing.assert_allclose(1 + of.excess, rho, rtol=1e-14)
    np.testing.assert_allclose(of.velocity, u, rtol=0, atol=1e-15)
    flux = second_moment(lattice, h) - rho * np.einsum("an,bn->abn", u, u)
    np.testing.assert_allclose(flux, (rho - 1) / 3 * np.eye(lattice.d)[:, :, None], rtol=0, atol=1e-15)


def test_equilibrium_is_a_fixed_point(lattice, law):
    h = state(lattice, noise=0)
    np.testing.assert_allclose(collide(law, lattice, h), h, rtol=0, atol=2e-15)


def test_stress_relaxes_alike_under_all_laws_of_one_viscosity(lattice, force):
    """What leads to the Navier–Stokes equations is the same: the momentum flux after a collision."""
    h = state(lattice)
    expected = second_moment(lattice, collide(collision.build("bgk"), lattice, h, force))
    for name in ("trt", "regularised"):
        found = second_moment(lattice, collide(collision.build(name), lattice, h, force))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)
    weak = collide(collision.build("smagorinsky", constant=1e-7), lattice, h, force)
    np.testing.assert_allclose(second_moment(lattice, weak), expected, rtol=0, atol=1e-14)


def test_departure_from_equilibrium_shrinks_by_one_minus_one_over_tau(lattice):
    """BGK, and TRT with a magic number that makes both its rates equal."""
    h = state(lattice)
    of = moments(lattice, h)
    base = balanced(lattice, 1 + of.excess, np.array(of.velocity))
    for law in (collision.build("bgk"), collision.build("trt", magic=(TAU - 0.5) ** 2)):
        np.testing.assert_allclose(collide(law, lattice, h) - base, (1 - 1 / TAU) * (h - base), rtol=0, atol=1e-15)


def test_eddy_viscosity_is_that_of_the_rate_of_strain_it_gives(lattice):
    """3 C² |S| is the growth of tau, with |S| from the stress at the grown tau itself."""
    constant, h = 0.2, state(lattice)
    of = moments(lattice, h)
    base = balanced(lattice, 1 + of.excess, np.array(of.velocity))
    after = collide(collision.build("smagorinsky", constant=constant), lattice, h)
    stress, left = second_moment(lattice, h - base), second_moment(lattice, after - base)
    tau = 1 / (1 - (left * stress).sum((0, 1)) / (stress**2).sum((0, 1)))
    strain = -1.5 * stress / tau / (1 + of.excess)
    np.testing.assert_allclose(tau, TAU + 3 * constant**2 * np.sqrt(2 * (strain**2).sum((0, 1))), rtol=1e-10)


def test_laws_do_not_know_left_from_right(lattice, law):
    """Collision commutes with the mirror along each axis."""
    h = state(lattice)
    for axis in range(lattice.d):
        mirror = [lattice.mirrored(i, axis) for i in range(lattice.q)]
        np.testing.assert_allclose(
            collide(law, lattice, h[mirror]), collide(law, lattice, h)[mirror], rtol=0, atol=1e-15
        )


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-8), ("float64", 1e-15)])
def test_the_compiled_step_is_the_law_applied_to_arrays(lattice, law, force, dtype, tolerance):
    """Each site, at either parity, whatever its place in a vector."""
    shape = (3, 4, 19)[-lattice.d :]  # rows of three vectors: two that a wide register joins, and one left over
    whole = Decomposition(shape, (1,) * lattice.d)
    domain, body = Domain(shape, ((Periodic(), Periodic()),) * lattice.d), Body(np.zeros([n + 2 for n in shape], bool))
    block = Block(Fluid(lattice, law, TAU, force and tuple(force), dtype), domain, whole, SerialWorld(), body)
    block.restore(state(lattice, int(np.prod(shape))).astype(dtype).reshape(-1, *shape))
    for _parity in (0, 1):
        given = block.arrived().astype("float64").reshape(lattice.q, -1)
        left = collide(law, lattice, given, force).reshape(-1, *shape)
        block.advance([1.0])
        expected = np.stack([np.roll(h, c, range(lattice.d)) for h, c in zip(left, lattice.c, strict=True)])
        np.testing.assert_allclose(block.arrived(), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("name", "key", "value"), [("trt", "magic", 0), ("smagorinsky", "constant", 0.5)])
def test_a_parameter_out_of_range_is_named(name, key, value):
    with pytest.raises(UserError, match=f"{key} = {value}.*allowed"):
        collision.build(name, **{key: value})
