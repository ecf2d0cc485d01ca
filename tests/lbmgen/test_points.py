"""Points near bodies: which there are, and what is stored of them."""

from __future__ import annotations

import numpy as np
import pytest

from lbmgen.averages import averaged
from lbmgen.cases import draw_case
from lbmgen.config import RunConfig
from lbmgen.plan import schema_of, show, sizes_of
from lbmgen.points import Points, StoredPoints, points_of
from lbmgen.preparation import make_block
from runkit.config import load
from runkit.dataset.contracts.flow import POINTS
from runkit.errors import UserError
from runkit.mpi import SerialWorld

CASE = (
    "grid.cells=[24, 16]",
    "grid.refinement=4",
    "obstacles.given=[{family='ellipse', aspect=4.0, center=[9, 8.3], size=6, angle=0.4}]",
    "flow.reynolds=60",
)


def config_of(*settings: str) -> RunConfig:
    return load(RunConfig, None, [*CASE, *settings])


def covered(points: Points, shape: tuple[int, ...]) -> np.ndarray:
    """How many points each site belongs to."""
    count = np.zeros(shape, int)
    for origin, width in zip(points.origin, points.width, strict=True):
        count[tuple(slice(a, a + width) for a in origin)] += 1
    return count


@pytest.mark.parametrize("room", [4, 7, 100, 515, 100_000])
def test_points_are_parts_of_whole_cells_of_the_grid(room):
    """No site twice, no cell in part, never more points than there is room for, and no room left that could be used."""
    case = draw_case(config_of(), 0)
    points = points_of(case, 4, room)
    count = covered(points, case.shape)
    cells = count.reshape(24, 4, 16, 4).transpose(0, 2, 1, 3).reshape(-1, 16)
    assert count.max() == 1 and set(cells.sum(axis=1)) <= {0, 16}
    is_solid = points.distance < -points.width / np.sqrt(2)
    assert room - 3 <= len(points.width) <= room or (is_solid | (points.width == 1)).all()
    np.testing.assert_allclose(points.distance, case.distance(points.centre), atol=1e-12)


def test_points_are_fine_near_bodies_and_wider_with_distance():
    """In proportion to the distance and a cell of the grid, so that nothing is split less than what is left whole."""
    case = draw_case(config_of(), 0)
    points = points_of(case, 4, 400)
    assert set(points.width) == {1, 2}
    outside = points.distance > 0
    allowed = points.width / (points.distance + 4)
    left = case.distance(np.stack(np.meshgrid(*(np.arange(2.0, n, 4) for n in case.shape), indexing="ij"), -1))
    unsplit = covered(points, case.shape)[2::4, 2::4] == 0
    limit = (4 / (left[unsplit & (left > 0)] + 4)).max()
    assert allowed[outside].max() <= limit + 1e-12 and limit < 0.5
    assert points.distance[points.width == 1].max() < points.distance[points.width == 2].max()


def test_without_bodies_there_are_no_points():
    empty = draw_case(load(RunConfig, None, ["obstacles.count=0", "grid.refinement=2"]), 0)
    assert len(points_of(empty, 2, 100).width) == 0


def test_what_is_stored_of_a_point_is_the_mean_of_its_sites():
    """Density over fluid sites; 1, and rest, where there are none; NaN beyond the points of a case."""
    config = config_of("frames.points=150")
    case = draw_case(config, 0)
    block = make_block(config, case, SerialWorld())
    random = np.random.default_rng(0)
    block.start(1 + 0.01 * random.normal(size=case.shape), 0.02 * random.normal(size=(*case.shape, 2)))
    stored = StoredPoints(config, case, block, SerialWorld())
    density, velocity = stored.sample()
    rho, u = block.moments()
    n_points, n_mixed = len(stored.points.width), 0
    assert 146 < n_points <= 150 and np.isnan(density[n_points:]).all() and np.isnan(velocity[n_points:]).all()
    for k, (origin, width) in enumerate(zip(stored.points.origin, stored.points.width, strict=True)):
        sites = tuple(slice(a, a + width) for a in origin)
        fluid = ~block.solid[sites]
        n_mixed += 0 < fluid.sum() < fluid.size
        assert density[k] == pytest.approx(rho[sites][fluid].mean() if fluid.any() else 1.0, rel=1e-6)
        np.testing.assert_allclose(velocity[k], u[sites].mean(axis=(0, 1)), rtol=1e-5, atol=1e-9)
    assert n_mixed >= 5


def test_a_file_without_points_is_what_it_was():
    """No field, no axis."""
    assert not {field.name for field in schema_of(config_of()).fields} & set(POINTS)
    assert "point" not in sizes_of(config_of())
    assert {field.name for field in schema_of(config_of("frames.points=8")).fields} >= set(POINTS)


def test_means_at_points_are_those_of_the_cells_of_a_whole_block_to_the_last_bit():
    """They sum in the same order, though they read no site beside their own."""
    config = config_of("frames.points=150")
    case = draw_case(config, 0)
    stored = StoredPoints(config, case, make_block(config, case, SerialWorld()), SerialWorld())
    values = np.random.default_rng(1).normal(size=(*case.shape, 2))
    found, origin, width = stored._means(values), stored.points.origin, stored.points.width
    assert set(width) >= {1, 2}
    for one in set(width.tolist()):
        mine = width == one
        assert np.array_equal(found[mine], averaged(values, one, 2)[tuple(origin[mine].T // one)])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (("frames.points=3",), "frames.points = 3: a cell is split into 4; allowed: 0, or at least 4"),
        (("frames.points=64", "grid.refinement=3"), "cells of grid.refinement = 3 sites cannot be halved"),
    ],
)
def test_points_that_cannot_be_are_refused(settings, told):
    with pytest.raises(UserError, match=told):
        show(config_of(*settings))


def test_show_tells_how_many_points_of_which_width(capsys):
    show(config_of("frames.points=200"))
    told = capsys.readouterr().out
    assert "room for 1 body, for 200 points" in told
    assert "# points     200 cells near the bodies of the first case, by width: " in told or "# points     19" in told
