"""Links: where populations meet a wall, a body or an open face, and what comes back along each.

A link is a fluid site and a velocity along which a population would arrive there from where there is no fluid. At
obstacles given by a signed distance the wall lies where the distance vanishes, and what comes back is interpolated
(Bouzidi); at those given as solid sites, and at the faces, it lies half-way.

Interpolation returns another amount than has left, so mass leaks. Where an open face holds the density, the leak is
small and does no harm; where there is none, each site corrects for its links by its population at rest (Sanjeevi et
al.).

Source: M. Bouzidi, M. Firdaouss, P. Lallemand, Phys. Fluids 13, 3452 (2001), doi:10.1063/1.1399290;
S. K. P. Sanjeevi, A. Zarghami, J. T. Padding, Phys. Rev. E 97, 043305 (2018), doi:10.1103/PhysRevE.97.043305 (mass).
Units: lattice units.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lbmgen.boundaries.face import MIRROR, OPEN, Face, Open, most_parameters, open_faces
from lbmgen.domain import Body, Domain
from lbmgen.kernels import Kept, Links, Outlets
from lbmgen.layout import STATES, STRAIGHT, Layout
from runkit.arrays import F64, I64, Array, Bools

CLOSEST = 1e-3  # a wall nearer to a site than this, in links, is taken to be so far


@dataclass
class _LinkGroup:
    """Some links along one velocity, before they are joined."""

    target: list[I64]  # by state
    first: list[I64]
    second: list[I64]
    a: F64
    b: F64
    constant: F64
    exchange: Array
    body: I64


class Boundary:
    """All links of a block whose first site is `origin` in the domain."""

    def __init__(self, layout: Layout, domain: Domain, origin: Sequence[int], body: Body) -> None:
        self.layout, self.domain, self.body = layout, domain, body
        self.lattice, self.origin = layout.lattice, np.array(origin)
        self.site = np.argwhere(self._touches() & ~body.inner)
        self.offset = layout.offset(self.site)
        self._open: list[tuple[int, Array, Open]] = []  # velocity, sites, face
        groups = [group for i in range(1, self.lattice.q) for group in self._link_groups(i)]
        self.links = self._joined(groups)
        self.kept = self._kept()
        self.outlets = self._outlets()

    def _touches(self) -> Bools:
        """Sites [*shape] with a solid neighbour or at a face of the domain: all that links can start from."""
        shape = self.layout.shape
        result = np.zeros(shape, bool)
        for c in self.lattice.c:
            result |= self.body.solid[tuple(slice(1 - v, 1 - v + n) for v, n in zip(c, shape, strict=True))]
        for axis, (total, periodic) in enumerate(zip(self.domain.shape, self.domain.periodic, strict=True)):
            along = np.moveaxis(result, axis, 0)
            along[0] |= not periodic and self.origin[axis] == 0
            along[-1] |= not periodic and self.origin[axis] + shape[axis] == total
        return result

    def _link_groups(self, i: int) -> Iterator[_LinkGroup]:
        """The links along velocity `i`; those through open faces go to `_open`: formulas set them site by site."""
        c = np.array(self.lattice.c[i])
        face = self._faces(i)
        solid = self.body.solid[tuple((self.site - c + 1).T)]
        touching = np.flatnonzero(solid & (face < 0))
        if len(touching):
            yield self._body_links(i, touching)
        for number in np.unique(face[face >= 0]):
            here = np.flatnonzero(face == number)
            across, side = divmod(int(number), 2)
            kind = self.domain.faces[across][side]
            if isinstance(kind, Open):
                self._open.append((i, here, kind))
            elif kind.way == MIRROR:
                yield from self._mirror_links(i, here)
            else:
                yield self._wall_links(i, here, kind, across)

    def _faces(self, i: int) -> Array:
        """For each fluid site the face, 2 * axis + side, that decides on what arrives along `i`; -1 for none."""
        source = self.site + self.origin - np.array(self.lattice.c[i])
        face = np.full(len(source), -1)
        priority = np.full(len(source), 99)
        for axis, (total, periodic) in enumerate(zip(self.domain.shape, self.domain.periodic, strict=True)):
            if periodic:
                continue
            for side, outside in enumerate((source[:, axis] < 0, source[:, axis] >= total)):
                rank = self.domain.faces[axis][side].priority
                wins = outside & (rank < priority)
                face[wins], priority[wins] = 2 * axis + side, rank
        return face

    def _body_links(self, i: int, which: I64, normal: Array | int = 0) -> _LinkGroup:
        """Links that end in an obstacle, or in its image in a mirror at right angles to the `normal` part of c_i."""
        c, back = np.array(self.lattice.c[i]), self.lattice.opposite[i]
        site, q, number = self.site[which], np.full(len(which), 0.5), np.zeros(len(which), np.int64)
        if self.body.number is not None:
            number = self.body.number[tuple((site - c + normal + 1).T)]
        if self.body.distance is not None:
            here, there = (self.body.distance[tuple((place + 1).T)] for place in (site, site - c + normal))
            q = np.clip(here / (here - there), CLOSEST, 1.0)
        # A wall nearer than half a link interpolates with the population that left the next site ahead. Where there is
        # none, because that site is solid or lies beyond a face, the wall is taken half-way (q = 1/2).
        ahead = site + self.origin + c
        fluid_ahead = ~self.body.solid[tuple((site + c + 1).T)]
        for axis, (total, periodic) in enumerate(zip(self.domain.shape, self.domain.periodic, strict=True)):
            fluid_ahead &= periodic | ((ahead[:, axis] >= 0) & (ahead[:, axis] < total))
        q = np.where((q < 0.5) & ~fluid_ahead, 0.5, q)
        near, offset = q < 0.5, self.offset[which]
        return _LinkGroup(
            target=[offset + self.layout.arrival(i, state) for state in STATES],
            first=[offset + self.layout.departure(back, state) for state in STATES],
            second=[
                offset + np.where(near, self.layout.arrival(back, state), self.layout.departure(i, state))
                for state in STATES
            ],
            a=np.where(near, 2 * q, 0.5 / q),
            b=np.where(near, 1 - 2 * q, 1 - 0.5 / q),
            constant=np.zeros(len(which)),
            exchange=np.tile(2 * normal - c, (len(which), 1)),  # that of the link which the image mirrors
            body=number,
        )

    def _wall_links(self, i: int, which: I64, kind: Face, axis: int) -> _LinkGroup:
        """Links that bounce back from a face, which may move or let fluid in."""
        back, w, c = self.lattice.opposite[i], self.lattice.w[i], np.array(self.lattice.c[i])
        place = self.site[which] + self.origin + 0.5 - 0.5 * c  # half way along the link
        # 2 w rho (c·u) / c_s^2 (Ladd), with rho = 1 and c_s^2 = 1/3.
        constant = (6 * w * kind.velocity_at(place, axis, self.domain) * c).sum(axis=1)
        return self._plain(i, which, [self.layout.departure(back, state) for state in STATES], constant)

    def _mirror_links(self, i: int, which: I64) -> Iterator[_LinkGroup]:
        """Links through faces that reflect, from the neighbour along them; where that is solid, a body's image is."""
        c = np.array(self.lattice.c[i])
        source, total = self.site[which] + self.origin - c, np.array(self.domain.shape)
        outside = ((source < 0) | (source >= total)) & ~np.array(self.domain.periodic)
        for axes in np.unique(outside, axis=0):
            here, normal = which[(outside == axes).all(axis=1)], np.where(axes, c, 0)
            blocked = self.body.solid[tuple((self.site[here] - c + normal + 1).T)]
            yield self._body_links(i, here[blocked], normal)
            # The neighbour that lies along the face, and of its populations the one that has the mirrored velocity.
            across = -int(normal @ np.array(self.layout.strides))
            mirrored = self.lattice.mirrored(i, *np.flatnonzero(axes))
            yield self._plain(i, here[~blocked], [self.layout.arrival(mirrored, state) + across for state in STATES])

    def _plain(self, i: int, which: I64, origin: list[int], constant: F64 | None = None) -> _LinkGroup:
        """Links that take one population as it is, from `origin` by state, relative to the site."""
        offset, n = self.offset[which], len(which)
        first = [offset + place for place in origin]
        return _LinkGroup(
            target=[offset + self.layout.arrival(i, state) for state in STATES],
            first=first,
            second=first,
            a=np.ones(n),
            b=np.zeros(n),
            constant=np.zeros(n) if constant is None else constant,
            exchange=np.zeros((n, self.lattice.d), np.int64),
            body=np.zeros(n, np.int64),
        )

    def _joined(self, groups: list[_LinkGroup]) -> Links:
        def column(name: str) -> Array:
            return np.concatenate([getattr(group, name) for group in groups] or [np.zeros(0)])

        def table(name: str) -> Array:
            columns = ([getattr(group, name)[state] for group in groups] for state in STATES)
            return np.stack([np.concatenate(each or [np.zeros(0)]) for each in columns]).astype(np.int64)

        target = table("target")
        # Links of a row of sites lie together: bands of a program are ranges of links, which the sweep has just brought
        # into the cache.
        order = np.argsort(self.layout.site(target[STRAIGHT])[:, 0], kind="stable")
        a, b, constant = (column(name).astype(self.layout.dtype)[order] for name in ("a", "b", "constant"))
        exchange = column("exchange").reshape(-1, self.lattice.d).astype(np.int8)[order]
        places = (target, table("first"), table("second"))
        target, first, second = (np.ascontiguousarray(each[:, order]) for each in places)
        return Links(target, first, second, a, b, constant, exchange, column("body").astype(np.int32)[order])

    def _kept(self) -> Kept:
        """The sites of interpolated links, if no face holds the density; in the order of rows, as links are."""
        # Where b = 0 the link is a half-way one, which returns exactly what left.
        which = np.flatnonzero((self.links.b != 0) & (not self.domain.holds_density))
        site = self.layout.offset(self.layout.site(self.links.target[STRAIGHT, which]))
        order = np.argsort(site, kind="stable")
        rest, start = np.unique(site[order], return_index=True)
        links = which[order]
        arrived, left = (np.ascontiguousarray(table[:, links]) for table in (self.links.target, self.links.first))
        return Kept(np.append(start, len(which)).astype(np.int64), rest, arrived, left)

    def _outlets(self) -> Outlets:
        """Open faces, gathered by site."""
        sizes = [len(which) for _, which, _ in self._open]
        group = np.repeat(np.arange(len(self._open)), sizes)
        site = np.concatenate([which for _, which, _ in self._open] or [np.zeros(0, np.int64)])
        along = np.array([i for i, _, _ in self._open], np.int64)
        # By site, then by velocity: a site finds its links side by side, and adds them up in one order everywhere.
        order = np.lexsort((along[group], site))
        group, site = group[order], site[order]
        sites, start, number = np.unique(site, return_index=True, return_inverse=True)
        i = along[group]
        places = [
            np.array([[place(k, state) for k in range(self.lattice.q)] for state in STATES])
            for place in (self.layout.arrival, self.layout.departure)
        ]
        here, left = (self.offset[sites][None, :, None] + place[:, None, :] for place in places)
        target = here[:, number, i]
        here[:, number, i] = -1  # not known before the formula has been computed
        inward, solid_inside = self._inward(site, i)
        # Where the site further in is solid, what left this one the other way stands for what arrived there.
        back = left[:, number, np.array(self.lattice.opposite)[i]]
        kinds = [kind for _, _, kind in self._open]
        return Outlets(
            start=np.append(start, len(site)).astype(np.int64),
            left=left,
            here=here,
            **self._of_sites(sites, kinds, group[start]),
            share=self._share(len(sites), number, i),
            target=np.ascontiguousarray(target),
            inner=np.ascontiguousarray(np.where(solid_inside, back, target + inward)),
            i=i,
            memory=np.zeros(len(site), self.layout.dtype),
        )

    def _of_sites(self, sites: I64, kinds: Sequence[Open], of_site: I64) -> dict[str, Array]:
        """Columns of `Outlets` that depend on the site alone: face, its parameters, and the way in.

        Site k is at the face `kinds[of_site[k]]`.
        """
        laws = np.array([open_faces().index(type(kind)) for kind in kinds], np.int64)
        parameters = np.zeros((len(kinds), most_parameters()), self.layout.dtype)
        for row, kind in zip(parameters, kinds, strict=True):
            row[: len(kind.parameters())] = [getattr(kind, name) for name in kind.parameters()]
        place, total = self.site[sites] + self.origin, np.array(self.domain.shape)
        low, high = self._open_sides()
        steps = ((place == 0) & low).astype(np.int64) - ((place == total - 1) & high)
        inward, is_solid = self._step(sites, steps)
        return {
            "inward": np.where(is_solid, 0, inward),
            "law": laws[of_site],
            "parameters": parameters[of_site],
            "normal": -steps / np.maximum(1.0, np.linalg.norm(steps, axis=1))[:, None],
        }

    def _share(self, n_sites: int, number: I64, i: I64) -> F64:
        """Excess density and momentum [n_sites, 1 + d] of the weights of the links of each site."""
        w, c = np.array(self.lattice.w)[i], np.array(self.lattice.c)[i]
        share = np.zeros((n_sites, 1 + self.lattice.d))
        np.add.at(share, number, np.column_stack([w, w[:, None] * c]))
        return share

    def _open_sides(self) -> tuple[Bools, Bools]:
        """For each axis whether its low and its high face are open."""
        low, high = (np.array([pair[side].way == OPEN for pair in self.domain.faces]) for side in (0, 1))
        return low, high

    def _inward(self, site: I64, along: I64) -> tuple[I64, Bools]:
        """Distance in memory to the site inside of all open faces that a link crosses, and whether it is solid."""
        c = np.array(self.lattice.c)[along]
        source, total = self.site[site] + self.origin - c, np.array(self.domain.shape)
        low, high = self._open_sides()
        return self._step(site, c * ((source < 0) & low | (source >= total) & high))

    def _step(self, site: I64, steps: I64) -> tuple[I64, Bools]:
        """Distance in memory of `steps` [n, d] from sites, and whether what lies there is solid."""
        is_solid = self.body.solid[tuple((self.site[site] + steps + 1).T)]
        return steps @ np.array(self.layout.strides, np.int64), is_solid
