"""The public function of lbmgen: NumPy arrays in, NumPy arrays out, any size, float64 by default.

Units: lattice units (site, time step, density of rest 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike

from lbmgen.block import Block, Fluid
from lbmgen.boundaries import boundary
from lbmgen.boundaries.face import Face
from lbmgen.collisions import Collision
from lbmgen.collisions import collision as collisions
from lbmgen.decomposition import Decomposition
from lbmgen.domain import AXES, Body, Domain, Faces, cut
from lbmgen.forces import momentum_exchange
from lbmgen.lattices import Lattice
from lbmgen.lattices import lattice as lattice_of
from lbmgen.resolved import require_resolved
from runkit.arguments import as_array, float_type, numbers, one_of, positive, shown, whole
from runkit.arrays import F64, Array, Bools
from runkit.device import Device, Gpu, choose
from runkit.errors import UserError
from runkit.mpi import SerialWorld

SLOWEST = 1e3  # relaxation time: beyond it a fluid that is next to free of collisions is no flow
DENSEST, FASTEST = 1e6, 1.0  # in densities of rest and sites per step: beyond these nothing can be computed
MOST_STEPS = 10**9  # the force is given back at every one of them


@dataclass(frozen=True)
class Flow:
    """Density [nx, ny(, nz)], velocity [nx, ny(, nz), d], and the force on the solid at each step [n_steps, d]."""

    rho: F64
    u: F64
    body_force: F64


def simulate(
    rho: ArrayLike,
    u: ArrayLike,
    tau: float,
    n_steps: int,
    *,
    lattice: str = "D2Q9",
    collision: str | Mapping[str, Any] = "bgk",
    solid: ArrayLike | None = None,
    sdf: ArrayLike | None = None,
    force: Sequence[float] | None = None,
    boundaries: str | Mapping[str, Any] = "periodic",
    dtype: str = "float64",
    device: str = "cpu",
) -> Flow:
    """Density, velocity and force on the solid after `n_steps` steps from the given density and velocity.

    `rho` [nx, ny(, nz)] and `u` [nx, ny(, nz), d] are indexed [x, y(, z)]; populations start at their second-order
    compressible equilibrium. A step is collide, then stream. `solid` (bool, shape of rho) makes half-way walls, `sdf`
    (signed distance in sites, negative inside) interpolated ones; what is thinner than a site is refused. `force` [d]
    is a uniform force density (Guo); the returned velocity includes half of it. In solid sites rho is 1 and u is 0.
    `body_force` [n_steps, d] is the momentum that solid sites take in each step (momentum exchange) beyond that of a
    fluid at rest with density 1, those of faces not included; no number where the flow has blown up.

    `boundaries` is one kind for all faces, or a table with keys "x", "y", "z", or "x_low", "x_high", …: each a kind
    of `lbmgen.boundaries` (say, "periodic", "no-slip", "pressure") or a table {"kind": …, parameters}; what is not
    named is periodic. `collision` is a name or a table {"name": …, parameters}. `device` is
    "cpu", "gpu", or "auto": a GPU where there is one; the results are the same bits. Raises `UserError`.
    """
    of = lattice_of(lattice)
    n_steps = whole("n_steps", n_steps, 0, MOST_STEPS)
    density, velocity = _fields(rho, u, of)
    domain = Domain(density.shape, faces_of(boundaries, of.d))
    domain.require_fit()
    fluid = Fluid(of, _law(collision), _relaxation(tau), _force(force, of.d), float_type("dtype", dtype))
    gpu, undivided = _device(one_of("device", device, get_args(Device))), Decomposition(domain.shape, (1,) * of.d)
    block = Block(fluid, domain, undivided, SerialWorld(), _body(solid, sdf, domain), gpu)
    block.start(density, velocity)
    impulse = block.advance(np.ones(n_steps))
    return Flow(*block.moments(), momentum_exchange(impulse).sum(axis=1))


@cache
def _device(wanted: str) -> Gpu | None:
    return choose(SerialWorld(), wanted) if wanted != "cpu" else None


def _fields(given: ArrayLike, moving: ArrayLike, of: Lattice) -> tuple[F64, F64]:
    rho, u = numbers("rho", given), numbers("u", moving)
    if rho.ndim != of.d or min(rho.shape) < 1:
        raise UserError(f"rho: an array of {of.d} dimensions is needed for {of.name}, not shape {rho.shape}")
    if u.shape != (*rho.shape, of.d):
        raise UserError(f"u: shape {(*rho.shape, of.d)} is needed, not {u.shape}")
    if not (np.isfinite(rho).all() and np.isfinite(u).all() and (rho > 0).all()):
        raise UserError("rho, u: finite values and a positive density are needed")
    if rho.max() > DENSEST or np.abs(u).max() >= FASTEST:
        found = f"density {rho.max():g} and a component of velocity {np.abs(u).max():g} are there"
        raise UserError(f"rho, u: {found}; densities up to {DENSEST:g} and speeds below {FASTEST:g} are needed")
    return rho, u


def faces_of(boundaries: str | Mapping[str, Any], d: int) -> Faces:
    """The boundaries of all faces from one kind, or from a table by face or axis; raises UserError."""
    if isinstance(boundaries, str):
        boundaries = {axis: boundaries for axis in AXES[:d]}
    if not isinstance(boundaries, Mapping):
        raise UserError(f"boundaries = {shown(boundaries)}: a kind, or a table of faces, is needed")
    known = [name for axis in AXES[:d] for name in (axis, f"{axis}_low", f"{axis}_high")]
    for name in boundaries:
        if name not in known:
            raise UserError(f"boundaries: unknown face {name!r}; allowed: {', '.join(known)}")
    table = boundaries

    def at(axis: str, side: str) -> Face:
        return face_of(table.get(f"{axis}_{side}", table.get(axis, "periodic")))

    return tuple((at(axis, "low"), at(axis, "high")) for axis in AXES[:d])


def face_of(given: str | Mapping[str, Any]) -> Face:
    """The boundary of a name, or of a table with its `kind` and parameters."""
    table = _table("boundaries", "kind", given)
    return boundary.build(table.pop("kind", "periodic"), **table)


def _table(argument: str, name: str, given: Any) -> dict[str, Any]:
    """A name, or a table with it and parameters, as such a table."""
    if isinstance(given, str):
        return {name: given}
    if not (isinstance(given, Mapping) and all(isinstance(key, str) for key in given)):
        raise UserError(f"{argument}: {shown(given)}: a {name}, or a table with {name!r} and parameters, is needed")
    return dict(given)


def _law(given: str | Mapping[str, Any]) -> Collision:
    table = _table("collision", "name", given)
    return collisions.build(table.pop("name", "bgk"), **table)


def _relaxation(tau: float) -> float:
    time = positive("tau", tau)
    if not 0.5 < time <= SLOWEST:
        raise UserError(f"tau = {time:g}: more than 0.5, and up to {SLOWEST:g}, is needed")
    return time


def _force(force: Sequence[float] | None, d: int) -> tuple[float, ...] | None:
    if force is None:
        return None
    values = tuple(numbers("force", force).ravel().tolist())
    if len(values) != d or not np.isfinite(values).all():
        raise UserError(f"force = {force}: {d} finite components are needed")
    return values


def _body(solid: ArrayLike | None, sdf: ArrayLike | None, domain: Domain) -> Body:
    if solid is not None and sdf is not None:
        raise UserError("solid, sdf: one of the two at most can be given")
    if solid is None and sdf is None:
        return Body(np.zeros([n + 2 for n in domain.shape], bool))
    given: Array = _mask(as_array("solid", solid)) if sdf is None else _distance(as_array("sdf", sdf))
    if given.shape != domain.shape:
        raise UserError(f"{'solid' if sdf is None else 'sdf'}: shape {domain.shape} is needed, not {given.shape}")
    local = cut(given, domain, (0,) * given.ndim, given.shape)
    if sdf is None:
        return Body(local)
    require_resolved(given, domain.periodic)
    return Body(local <= 0, local)


def _mask(solid: Array) -> Bools:
    if solid.dtype.kind in "iu" and np.isin(solid, (0, 1)).all():
        solid = solid.astype(bool)
    if solid.dtype != bool:
        raise UserError(f"solid: true or false (or 0 and 1) is needed, not {solid.dtype}; a signed distance is sdf")
    return solid


def _distance(sdf: Array) -> F64:
    if sdf.dtype.kind != "f" or not np.isfinite(sdf).all():
        raise UserError(f"sdf: finite numbers, of a float type, are needed, not {sdf.dtype}; a mask is solid")
    return sdf.astype(np.float64)
