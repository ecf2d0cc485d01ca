"""Lattice Boltzmann as textbooks write it: two grids, whole populations, plain NumPy, periodic. To compare with.

It shares nothing with the package: velocities come from their own construction, in their own order.

Source: T. Krüger et al., The Lattice Boltzmann Method, Springer 2017, doi:10.1007/978-3-319-44649-3.
Units: lattice units.
"""

from __future__ import annotations

from itertools import product

import numpy as np

WEIGHTS = {
    "D2Q9": (4 / 9, 1 / 9, 1 / 36),
    "D3Q19": (1 / 3, 1 / 18, 1 / 36),
    "D3Q27": (8 / 27, 2 / 27, 1 / 54, 1 / 216),
}


class Textbook:
    """`lattice` with `collision` at `tau`; `force` density [d] or None; `solid` sites are half-way walls."""

    def __init__(self, lattice, collision, tau, force=None, solid=None):
        by_speed, d = WEIGHTS[lattice], int(lattice[1])
        self.c = np.array([c for c in product((-1, 0, 1), repeat=d) if np.abs(c).sum() < len(by_speed)])
        self.w = np.array([by_speed[np.abs(c).sum()] for c in self.c])
        self.back = np.array([np.flatnonzero((self.c == -c).all(axis=1))[0] for c in self.c])
        self.collision, self.tau, self.solid = collision, tau, solid
        self.force = np.zeros(d) if force is None else np.array(force)

    def run(self, rho, u, n_steps):
        """Density, velocity and the force on solid sites at each step."""
        if self.solid is not None:
            rho, u = np.where(self.solid, 1.0, rho), np.where(self.solid[..., None], 0.0, u)
        f, forces = self.equilibrium(rho, u), []
        for _ in range(n_steps):
            f, force = self.stream(self.collide(f))
            forces.append(force)
        rho, u = self.moments(f)
        if self.solid is not None:
            rho, u = np.where(self.solid, 1.0, rho), np.where(self.solid[..., None], 0.0, u)
        return rho, u, np.array(forces).reshape(n_steps, self.c.shape[1])

    def equilibrium(self, rho, u):
        along = np.tensordot(self.c, u, axes=(1, -1))
        return self._each(self.w) * rho * (1 + 3 * along + 4.5 * along**2 - 1.5 * (u**2).sum(-1))

    def moments(self, f):
        rho = f.sum(axis=0)
        return rho, (np.tensordot(f, self.c, axes=(0, 0)) + self.force / 2) / rho[..., None]

    def collide(self, f):
        rho, u = self.moments(f)
        balance, push = self.equilibrium(rho, u), self._guo(u)
        return getattr(self, "_" + self.collision)(f, balance, push, rho)

    def stream(self, f):
        axes, arrived, force = tuple(range(f.ndim - 1)), np.empty_like(f), np.zeros(self.c.shape[1])
        for i, c in enumerate(self.c):
            arrived[i] = np.roll(f[i], c, axis=axes)
            if self.solid is not None:
                bounced = np.roll(self.solid, c, axis=axes) & ~self.solid
                arrived[i][bounced] = f[self.back[i]][bounced]
                force -= 2 * f[self.back[i]][bounced].sum() * c
        return arrived, force

    def _guo(self, u):
        along, push = np.tensordot(self.c, u, axes=(1, -1)), self._each(self.c @ self.force)
        return self._each(self.w) * (3 * (push - u @ self.force) + 9 * along * push)

    def _bgk(self, f, balance, push, rho, tau=None):
        tau = self.tau if tau is None else tau
        return f - (f - balance) / tau + (1 - 0.5 / tau) * push

    def _trt(self, f, balance, push, rho):
        result = f
        for sign, tau in ((1, self.tau), (-1, 3 / 16 / (self.tau - 0.5) + 0.5)):
            departure, part = f - balance, (push + sign * push[self.back]) / 2
            result = result - (departure + sign * departure[self.back]) / 2 / tau + (1 - 0.5 / tau) * part
        return result

    def _regularised(self, f, balance, push, rho):
        stress = np.einsum("qa,qb,q...->ab...", self.c, self.c, f - balance)
        hermite = np.einsum("qa,qb->qab", self.c, self.c) - np.eye(self.c.shape[1]) / 3
        kept = 4.5 * self._each(self.w) * np.einsum("qab,ab...->q...", hermite, stress)
        # What is left of the first moment is minus half the force, which relaxes too.
        kept = kept - 1.5 * self._each(self.w * (self.c @ self.force))
        return balance + (1 - 1 / self.tau) * kept + (1 - 0.5 / self.tau) * push

    def _smagorinsky(self, f, balance, push, rho):
        _, u = self.moments(f)
        stress = np.einsum("qa,qb,q...->...ab", self.c, self.c, f - balance)
        stress += 0.5 * (u[..., :, None] * self.force + u[..., None, :] * self.force[:, None])
        size = np.sqrt((stress**2).sum((-2, -1)))
        tau = 0.5 * (self.tau + np.sqrt(self.tau**2 + 18 * np.sqrt(2) * 0.1**2 * size / rho))
        return self._bgk(f, balance, push, rho, tau)

    def _each(self, values):
        """Values [q] beside fields [q, …]."""
        return np.reshape(values, (-1, *[1] * self.c.shape[1]))
