"""A collision law or open face of a user with a wrong formula is refused before any work, in one line that names it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from lbmgen.api import simulate
from lbmgen.boundaries import boundary, face
from lbmgen.boundaries.pressure import Pressure
from lbmgen.cases import draw_all
from lbmgen.collisions import collision
from lbmgen.collisions.bgk import BGK
from lbmgen.config import RunConfig
from lbmgen.kernels.formulas import require_formulas
from lbmgen.lattices import lattice
from runkit.errors import UserError
from runkit.mpi import SerialWorld


@dataclass(frozen=True)
class ByNumpy(BGK):
    def collide(self, lattice, h, rates, force=None):
        return [np.tanh(each) for each in h]


@dataclass(frozen=True)
class Summed(BGK):
    def collide(self, lattice, h, rates, force=None):
        return [each - np.mean(h) for each in h]


@dataclass(frozen=True)
class OneShort(BGK):
    def collide(self, lattice, h, rates, force=None):
        return super().collide(lattice, h, rates, force)[1:]


@dataclass(frozen=True)
class Forced(BGK):
    def collide(self, lattice, h, rates, force=None):
        return h if force is None else [each * force for each in h]


@dataclass(frozen=True)
class Numbered(BGK):
    def collide(self, lattice, h, rates, force=None):
        return [each * rates[5] for each in h]


@pytest.mark.parametrize(
    ("law", "line"),
    [
        (ByNumpy, r"collide of the collision law ByNumpy \(.*test_wrong_formulas\.py:\d+\) uses np\.tanh; allowed: "),
        (Summed, r"collide of the collision law Summed .* puts values into an array"),
        (OneShort, r"collide of the collision law OneShort .* gives 8 values; needed: 9 values"),
        (Forced, r"collide of the collision law Forced .* puts values into an array, or computes with a list"),
        (Numbered, r"collide of the collision law Numbered .* IndexError"),
    ],
)
def test_a_wrong_collision_law_is_refused_when_cases_are_drawn_and_by_the_api(monkeypatch, law, line):
    collision.names()
    monkeypatch.setitem(collision._parts, "mine", law)
    with pytest.raises(UserError, match=line):
        draw_all(RunConfig(collision={"name": "mine"}, flow={"force": [1e-6, 0.0]}, n_cases=1), SerialWorld())
    with pytest.raises(UserError, match=line):
        simulate(np.ones((8, 8)), np.zeros((8, 8, 2)), 0.8, 1, collision="mine", force=[1e-6, 0.0])


@dataclass(frozen=True)
class Chooses(Pressure):
    def arriving(self, site, link):
        return link.memory if site.excess > self.density else 0.0


@dataclass(frozen=True)
class Misspelt(Pressure):
    def arriving(self, site, link):
        return self.densty * link.w


@dataclass(frozen=True)
class Circular(Pressure):
    def guess(self, site, link):
        return site.arrived.excess


@pytest.fixture
def kinds(monkeypatch):
    """Makes one kind more of open faces, for the length of a test."""

    def add(kind):
        boundary.names()
        monkeypatch.setitem(boundary._parts, "mine", kind)
        face.open_faces.cache_clear()
        require_formulas.cache_clear()

    yield add
    monkeypatch.undo()
    face.open_faces.cache_clear()
    require_formulas.cache_clear()


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (Chooses, r"arriving of the open face Chooses .* chooses by a value"),
        (Misspelt, r"arriving of the open face Misspelt .* uses 'densty', which is not there; there are: density"),
        (Circular, r"guess of the open face Circular .* uses site\.arrived or link\.guess, which follow from it"),
    ],
)
def test_a_wrong_open_face_is_refused_when_cases_are_drawn(kinds, kind, line):
    kinds(kind)
    with pytest.raises(UserError, match=line):
        draw_all(RunConfig(n_cases=1), SerialWorld())


@pytest.mark.parametrize("name", collision.names())
@pytest.mark.parametrize("of", ["D2Q9", "D3Q19", "D3Q27"])
@pytest.mark.parametrize("forced", [False, True])
def test_every_law_and_open_face_passes(name, of, forced):
    require_formulas(lattice(of), collision.build(name), forced)
