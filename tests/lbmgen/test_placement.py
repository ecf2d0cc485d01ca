"""Bodies in a domain: where they are, what is between them, and what random drawing keeps."""

import json
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest

from lbmgen.obstacles.placed import PlacedShape, nearest_body, union_distance
from lbmgen.obstacles.placement import Rules, draw
from runkit.errors import UserError
from runkit.rng import stream

CHANNEL = SimpleNamespace(shape=(192, 96), periodic=(False, False))
OPEN = SimpleNamespace(shape=(192, 96), periodic=(False, True))
FAMILIES = [
    {"family": "circle"},
    {"family": "ellipse", "aspect": [1, 3]},
    {"family": "polygon", "sides": [3, 6]},
    {"family": "polygon", "vertices": [[-0.5, -0.3], [0.5, -0.3], [0.0, 0.6]]},
    {"family": "aerofoil", "code": ["0024", "4418"], "angle": [-0.3, 0.3]},
    {"family": "blob", "seed": [0, 1000000], "roughness": 0.3},
]
BODIES = [
    PlacedShape("ellipse", {"aspect": 3.0}, (20.0, 30.0), 16, 0.7),
    PlacedShape("aerofoil", {"code": "2412"}, (50.0, 12.0), 30, -0.4),
    PlacedShape("blob", {"seed": 4}, (70.0, 40.0), 12, 2.0),
    PlacedShape("polygon", {"sides": 5}, (95.0, 60.0), 10, 1.0),
]


def sites(*shape):
    """Places of the sites [..., d]."""
    return np.stack(np.indices(shape), axis=-1) + 0.5


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.family)
def test_distance_turns_moves_and_grows_with_the_body(body):
    """A point of the shape, scaled, turned and moved by hand, has the scaled distance."""
    local = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    cos, sin = np.cos(body.angle), np.sin(body.angle)
    points = body.size * local @ [[cos, sin], [-sin, cos]] + body.center
    np.testing.assert_allclose(body.distance(points), body.size * body.shape.distance(local), rtol=0, atol=1e-11)
    shift = np.array([3.0, -7.0])
    moved = body.at(np.add(body.center, shift))
    np.testing.assert_allclose(moved.distance(points + shift), body.distance(points), rtol=0, atol=1e-11)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.family)
def test_extents_are_those_of_the_surface(body):
    surface = body.surface(0.02)
    for axis in (0, 1):
        assert body.extent(axis) == pytest.approx((surface[:, axis].min(), surface[:, axis].max()), abs=0.01)
    assert body.span == body.extent(1)
    assert np.abs(body.distance(surface)).max() < 1e-8
    assert np.linalg.norm(surface - body.center, axis=1).max() <= body.radius + 1e-9


def test_a_body_that_went_through_json_is_the_same():
    """Equal, and the same distances to the last bit."""
    points = sites(60, 50)
    for body in BODIES:
        again = PlacedShape.from_dict(json.loads(json.dumps(body.as_dict())))
        assert again == body
        np.testing.assert_array_equal(again.distance(points), body.distance(points))


def test_union_is_the_nearest_of_all_bodies():
    points = sites(110, 70)
    expected = np.min([body.distance(points) for body in BODIES], axis=0)
    np.testing.assert_array_equal(union_distance(BODIES, points), expected)
    assert np.all(np.isinf(union_distance([], points)))
    near, number = nearest_body(BODIES, points, reach=2.5)
    np.testing.assert_array_equal(near, np.minimum(expected, 2.5))
    np.testing.assert_array_equal(number, np.where(expected < 2.5, nearest_body(BODIES, points)[1], 0))


def test_periodic_images_count():
    """A body on the edge is felt from the other side, as if a copy stood there; along x nothing comes back."""
    points = sites(40, 32)
    body = PlacedShape("polygon", {"sides": 3}, (10.0, 1.0), 8, 0.3)
    copies = [body, body.at((10.0, 33.0)), body.at((10.0, -31.0))]
    expected = np.min([copy.distance(points) for copy in copies], axis=0)
    np.testing.assert_allclose(union_distance([body], points, (None, 32)), expected, rtol=0, atol=1e-12)
    assert expected[10, 31] < 0 < union_distance([body], points)[10, 31]


def test_ghost_sites_beyond_a_periodic_face_see_what_the_sites_across_see():
    """Bit by bit, so that blocks of a decomposed domain agree."""
    points = sites(110, 70)
    ghosts = points[:, -1:] - [0.0, 70.0]
    np.testing.assert_array_equal(
        union_distance(BODIES, ghosts, (None, 70)), union_distance(BODIES, points, (None, 70))[:, -1:]
    )


def test_a_plane_shape_is_a_cylinder_in_three_dimensions():
    points = sites(20, 16, 5)
    circle, flat = PlacedShape("circle", {}, (9.0, 8.0, 2.5), 6), PlacedShape("circle", {}, (9.0, 8.0), 6)
    np.testing.assert_array_equal(circle.distance(points), flat.distance(points))
    assert np.ptp(circle.distance(points), axis=2).max() == 0
    both = union_distance([flat, PlacedShape("sphere", {}, (15.0, 8.0, 2.5), 3)], points, (None, None, 5))
    assert both[14, 7, 2] < 0 and both[8, 7, 0] < 0
    with pytest.raises(UserError, match="3 dimensions"):
        PlacedShape("sphere", {}, (1.0, 2.0), 3)


def test_a_mask_laid_on_sites_is_solid_just_there(tmp_path):
    """The wall lies half-way between the solid sites and their fluid neighbours."""
    mask = np.zeros((12, 10), dtype=int)
    mask[1:-1, 1:-1] = np.random.default_rng(1).random((10, 8)) < 0.5
    np.save(tmp_path / "mask.npy", mask)
    body = PlacedShape("file", {"path": str(tmp_path / "mask.npy"), "diameter": 7.0}, (6.0, 5.0), 7)
    distance = body.distance(sites(12, 10))
    np.testing.assert_array_equal(distance < 0, mask == 1)
    across = mask[:-1] != mask[1:]
    np.testing.assert_allclose(np.abs(distance[:-1][across]), 0.5, rtol=0, atol=1e-12)
    assert np.abs(distance).min() > 0.5 - 1e-12


@pytest.mark.parametrize("room", [CHANNEL, OPEN], ids=["walls", "periodic"])
@pytest.mark.parametrize("seed", range(8))
def test_drawn_bodies_keep_the_rules(room, seed):
    """Checked from points on the surfaces alone."""
    rules = Rules(upstream=2.0, downstream=3.0, blockage=0.5)
    placed, _ = draw(stream(seed, "case"), FAMILIES, 3, (10, 20), room, rules)
    assert len(placed) == 3
    surfaces = [body.surface(0.5) for body in placed]
    for body, surface in zip(placed, surfaces, strict=True):
        low, high = surface.min(axis=0), surface.max(axis=0)
        assert 10 <= body.size <= 20 and body.thickness >= 4
        assert 2 * body.size <= body.center[0] <= 192 - 3 * body.size
        assert (low[1] >= 2 and high[1] <= 94) or room is OPEN
        assert 0 <= body.center[1] <= 96
    assert sum(np.ptp(surface[:, 1]) for surface in surfaces) <= 0.5 * 96
    for one, other in combinations(surfaces, 2):
        for shift in (0, 96, -96) if room is OPEN else (0,):
            assert np.linalg.norm(one[:, None] + [0, shift] - other, axis=-1).min() >= 4


def test_the_same_stream_draws_the_same_bodies():
    first, second, other = (draw(stream(seed, "case"), FAMILIES, 2, (10, 20), OPEN, Rules()) for seed in (1, 1, 2))
    assert first == second and first != other


def test_lists_for_single_numbers_are_ranges_and_for_words_choices():
    rules = Rules(upstream=1, downstream=1, thickness=0)

    def parameters(**table):
        placed = [draw(stream(i), [table], 1, (10, 20), OPEN, rules).bodies[0] for i in range(24)]
        return [{"angle": body.angle, **body.parameters} for body in placed]

    assert all(2 <= given["aspect"] <= 3 for given in parameters(family="ellipse", aspect=[2, 3]))
    assert {given["aspect"] for given in parameters(family="ellipse", aspect=2.5)} == {2.5}
    assert {given["sides"] for given in parameters(family="polygon", sides=[3, 6])} == {3, 4, 5, 6}
    corners = [[-0.5, -0.3], [0.5, -0.3]]
    assert all(
        given["vertices"] == [*corners, [0, 1]] for given in parameters(family="polygon", vertices=[*corners, [0, 1]])
    )
    profiles = parameters(family="aerofoil", code=["0024", "4418"], angle=[-0.3, 0.3])
    assert {given["code"] for given in profiles} == {"0024", "4418"}
    assert all(abs(given["angle"]) <= 0.3 for given in profiles)


def test_bodies_of_both_kinds_keep_their_gap_in_three_dimensions():
    room = SimpleNamespace(shape=(60, 40, 24), periodic=(False, True, True))
    families = [{"family": "sphere"}, {"family": "circle"}]
    rules = Rules(upstream=1, downstream=1, blockage=0.9)
    placed, _ = draw(stream(0), families, 5, (6, 8), room, rules)
    assert {body.family for body in placed} == {"sphere", "circle"}
    for one, other in combinations(placed, 2):
        offset = np.array([x - y for x, y in zip(one.center, other.center, strict=False)])
        across = np.array(room.shape[1 : len(offset)])
        offset[1:] -= np.round(offset[1:] / across) * across
        assert np.linalg.norm(offset) - one.radius - other.radius >= rules.gap


def test_rejections_are_counted_by_rule():
    rejections = draw(stream(3), [{"family": "ellipse", "aspect": [1, 5]}], 3, (8, 30), CHANNEL, Rules()).rejections
    assert rejections["thickness"] > 0 and set(rejections) <= {"thickness", "blockage", "room", "gap"}


@pytest.mark.parametrize(
    ("count", "diameter", "rules", "named"),
    [
        (1, (3, 3.5), {}, "raise diameter"),
        (1, (40, 50), {}, "blockage = 0.3"),
        (1, (40, 50), {"blockage": 0.9}, "upstream = 3.0"),
        (2, (10, 12), {"gap": 200}, "gap = 200"),
    ],
    ids=["thin", "blocking", "too near the ends", "too near each other"],
)
def test_rules_that_cannot_be_kept_are_refused_in_one_line(count, diameter, rules, named):
    with pytest.raises(UserError) as error:
        draw(stream(0), [{"family": "circle"}], count, diameter, CHANNEL, Rules(**rules))
    assert named in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("table", [{"family": "ellipse", "aspect": [3, 1]}, {"family": "ellipse", "code": "0012"}, {}])
def test_a_family_that_cannot_be_drawn_from_is_refused(table):
    with pytest.raises(UserError):
        draw(stream(0), [table], 1, (10, 12), CHANNEL, Rules())
