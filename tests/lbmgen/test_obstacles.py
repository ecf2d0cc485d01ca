"""Shapes over the registry, in units of their size."""

import numpy as np
import pytest
import trimesh

from lbmgen.obstacles import obstacle
from lbmgen.obstacles.array import Interpolated, outlines
from lbmgen.obstacles.outline import Outline, sampled
from runkit.errors import UserError

STAR = [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [0.0, -0.3], [-0.5, 0.5]]
EXAMPLES = {
    "ellipse": [{"aspect": 1.0}, {"aspect": 2.5}, {"aspect": 20.0}],
    "polygon": [{"sides": 3}, {"sides": 4}, {"sides": 7}, {"vertices": STAR}],
    "aerofoil": [{"code": "0012"}, {"code": "4415"}],
    "blob": [{"seed": 0}, {"seed": 7, "modes": 8, "roughness": 0.8}],
    "file": [{"path": "mask.npy", "diameter": 40.0}, {"path": "distance.npz", "diameter": 0.2, "spacing": 0.001}],
    "mesh": [{"path": "brick.ply", "diameter": 2.0}],
}
CASES = [(name, given) for name in obstacle.names() for given in EXAMPLES.get(name, [{}])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Arrays for the family "file": a body with a hole and a touching corner, and a circle of diameter 0.2; a brick."""
    path = tmp_path_factory.mktemp("arrays")
    mask = np.zeros((44, 34), dtype=bool)
    mask[5:30, 5:20], mask[10:15, 10:15], mask[30:34, 20:25] = True, False, True
    np.save(path / "mask.npy", mask)
    place = (np.indices((320, 300)).T - [159.5, 149.5]).T * 0.001
    np.savez(path / "distance.npz", phi=np.hypot(*place) - 0.1)
    trimesh.creation.box(extents=(1.75, 1.5, 1.0)).export(path / "brick.ply")
    return path


@pytest.fixture(params=CASES, ids=lambda case: " ".join(map(str, (case[0], *case[1].values())))[:30])
def shape(request, folder, monkeypatch):
    monkeypatch.chdir(folder)
    name, given = request.param
    return obstacle.build(name, **given)


def tolerance(shape, exact):
    """`exact`, or what linear interpolation of a distance between cells of 1/200 leaves."""
    return 2e-4 if isinstance(shape, Interpolated) else exact


def around(shape, n, seed=0):
    """Random points about a body."""
    return np.random.default_rng(seed).uniform(-0.7, 0.7, (n, shape.dimensions))


def nearest(points, surface):
    """Distance from each point to the nearest of `surface`."""
    return np.array([np.sqrt(((surface - point) ** 2).sum(axis=1).min()) for point in points])


def test_distance_is_that_to_the_nearest_point_of_the_surface(shape):
    """Against every one of many points on the surface: 2e-6 of the size, for points not closer to it than 0.02."""
    spacing = 0.01 if shape.dimensions == 3 else 2e-3 if isinstance(shape, Interpolated) else 2e-4
    points = around(shape, 150)
    distance = shape.distance(points)
    brute = nearest(points, shape.surface(spacing))
    far = brute > 0.02
    assert far.sum() > 50
    assert np.all(brute >= np.abs(distance) - tolerance(shape, 1e-9))
    assert np.abs(np.abs(distance) - brute)[far].max() < tolerance(shape, 2e-6 * (spacing / 2e-4) ** 2)


def test_surface_points_lie_on_the_surface_and_leave_no_hole(shape):
    spacing = 0.1
    coarse, fine = shape.surface(spacing), shape.surface(spacing / 4)
    assert np.abs(shape.distance(fine)).max() < tolerance(shape, 1e-9)
    assert nearest(fine, coarse).max() < 0.5 * spacing * (1 + 1e-9)


def test_distance_changes_by_one_per_unit_length_near_the_surface(shape):
    """|grad phi| = 1 but on the medial axis, which is thin; and nowhere more than 1."""
    points, h = around(shape, 2000), 1e-5
    points = points[np.abs(shape.distance(points)) < 0.1]
    steps = h * np.eye(shape.dimensions)
    slope = [(shape.distance(points + step) - shape.distance(points - step)) / (2 * h) for step in steps]
    length = np.linalg.norm(slope, axis=0)
    assert np.mean(np.abs(length - 1) < tolerance(shape, 1e-3) * 50) > 0.98
    some, other = points[:-1], points[1:]
    change = np.abs(shape.distance(some) - shape.distance(other))
    assert np.all(change <= np.linalg.norm(some - other, axis=1) + tolerance(shape, 1e-9))


def test_distance_is_the_same_to_the_last_bit_whatever_points_stand_beside_it(shape):
    points = around(shape, 1000)
    together = shape.distance(points)
    np.testing.assert_array_equal(together[:7], shape.distance(points[:7]))
    np.testing.assert_array_equal(together[1::3], shape.distance(points[1::3]))
    np.testing.assert_array_equal(together.reshape(10, 100), shape.distance(points.reshape(10, 100, -1)))
    assert shape.distance(points[:0]).shape == (0,)


def test_radius_and_support_hold_the_body(shape):
    surface = shape.surface(0.002 if shape.dimensions == 2 else 0.02)
    assert np.linalg.norm(surface, axis=1).max() <= shape.radius + 1e-12
    for direction in np.random.default_rng(1).normal(size=(10, shape.dimensions)):
        direction /= np.linalg.norm(direction)
        assert shape.support(direction) == pytest.approx((surface @ direction).max(), abs=0.002)


AREAS = [
    ("circle", {}, np.pi / 4),
    ("ellipse", {"aspect": 4.0}, np.pi / 16),
    ("polygon", {"sides": 3}, 3 / 8 * np.sin(2 * np.pi / 3)),
    ("polygon", {"vertices": STAR}, 0.6),
    ("polygon", {"vertices": STAR[::-1]}, 0.6),
    # Twice the integral of the half thickness over the chord.
    ("aerofoil", {"code": "0012"}, 1.2 * (0.2969 * 2 / 3 - 0.1260 / 2 - 0.3516 / 3 + 0.2843 / 4 - 0.1015 / 5)),
    ("file", {"path": "mask.npy", "diameter": 40.0}, (25 * 15 - 5 * 5 + 4 * 5) / 1600),
]


@pytest.mark.parametrize(("name", "given", "area"), AREAS, ids=[f"{name}{i}" for i, (name, *_) in enumerate(AREAS)])
def test_distance_is_negative_just_inside(name, given, area, folder, monkeypatch):
    """The area where it is negative is the known one."""
    monkeypatch.chdir(folder)
    ticks = (np.arange(400) + 0.5) / 400 - 0.5
    inside = obstacle.build(name, **given).distance(np.stack(np.meshgrid(ticks, ticks), axis=-1)) < 0
    assert inside.mean() == pytest.approx(area, abs=2e-3)


def test_thickness_is_the_diameter_of_the_largest_circle_inside():
    known = [("circle", {}, 1), ("sphere", {}, 1), ("ellipse", {"aspect": 8.0}, 1 / 8), ("aerofoil", {}, 0.12)]
    for name, given, thickness in [*known, ("polygon", {"sides": 3}, 0.5)]:
        assert obstacle.build(name, **given).thickness == pytest.approx(thickness, abs=1e-3)


@pytest.mark.parametrize("code", ["0012", "2412", "6309"])
def test_aerofoil_has_the_published_surface(code):
    """The report's formula, written out: the mean line, and half the thickness at right angles to it."""
    m, p, t = int(code[0]) / 100, int(code[1]) / 10, int(code[2:]) / 100
    x = np.linspace(0, 1, 401)
    half = t / 0.2 * (0.2969 * np.sqrt(x) - 0.1260 * x - 0.3516 * x**2 + 0.2843 * x**3 - 0.1015 * x**4)
    mean, slope = np.zeros_like(x), np.zeros_like(x)
    if m:
        front = x < p
        mean = np.where(front, m / p**2 * (2 * p * x - x**2), m / (1 - p) ** 2 * (1 - 2 * p + 2 * p * x - x**2))
        slope = np.where(front, 2 * m / p**2 * (p - x), 2 * m / (1 - p) ** 2 * (p - x))
    angle = np.arctan(slope)
    for side in (1, -1):
        points = np.stack([x - 0.5 - side * half * np.sin(angle), mean + side * half * np.cos(angle)], axis=-1)
        assert np.abs(obstacle.build("aerofoil", code=code).distance(points)).max() < 1e-6


def test_sampled_curve_is_within_a_millionth_of_the_curve():
    circle = Outline(sampled(lambda t: 0.5 * np.stack([np.cos(2 * np.pi * t), np.sin(2 * np.pi * t)], axis=-1))[:-1])
    points = around(circle, 2000)
    assert np.abs(circle.distance(points) - obstacle.build("circle").distance(points)).max() < 1e-6


def test_search_by_chains_misses_no_edge():
    """Jagged loops of hundreds of edges, one of them a hole, against all edges and the sum of angles."""
    rng = np.random.default_rng(3)
    angle = np.linspace(0, 2 * np.pi, 500, endpoint=False)
    rim = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    loops = [rim * rng.uniform(0.35, 0.6, (500, 1)), (rim * rng.uniform(0.1, 0.3, (500, 1)))[::-1]]
    start = np.concatenate(loops)
    end = np.concatenate([np.roll(loop, -1, axis=0) for loop in loops])
    points = rng.uniform(-0.7, 0.7, (600, 2))
    expected = np.empty(len(points))
    for i, point in enumerate(points):
        edge, offset = end - start, point - start
        along = np.clip((edge * offset).sum(axis=1) / (edge**2).sum(axis=1), 0, 1)
        a, b = (start - point) @ [1, 1j], (end - point) @ [1, 1j]
        sign = -1 if round(np.angle(b / a).sum() / (2 * np.pi)) else 1
        expected[i] = sign * np.sqrt(((offset - along[:, None] * edge) ** 2).sum(axis=1).min())
    np.testing.assert_allclose(Outline(*loops).distance(points), expected, rtol=0, atol=1e-13)


def test_blob_is_smooth_and_known_by_its_parameters():
    """Neighbouring edges turn little; the same numbers give the same blob, another seed another one."""
    blob, same, other = (obstacle.build("blob", seed=seed) for seed in (5, 5, 6))
    edge = np.diff(blob.surface(1.0), axis=0) @ [1, 1j]
    assert np.abs(np.angle(edge[1:] / edge[:-1])).max() < 0.05
    points = around(blob, 50)
    np.testing.assert_array_equal(blob.distance(points), same.distance(points))
    assert np.abs(blob.distance(points) - other.distance(points)).max() > 0.01
    assert blob.radius == pytest.approx(0.5, abs=1e-5)


def test_outlines_of_a_mask_keep_the_solid_on_their_left():
    """The areas that the loops surround, holes counting negative, sum to the number of solid cells."""
    solid = np.random.default_rng(2).random((12, 9)) < 0.6
    area = 0.0
    for loop in outlines(solid):
        z = loop @ [1, 1j]
        area += 0.5 * (z.conj() * np.roll(z, -1)).imag.sum()
    assert area == solid.sum()


WRONG = [
    ("polygon", {"sides": 2}, "sides = 2"),
    ("polygon", {"vertices": [[0, 0], [1, 1]]}, "vertices"),
    ("ellipse", {"aspect": 0.5}, "aspect = 0.5"),
    ("aerofoil", {"code": "12"}, "code = '12'"),
    ("aerofoil", {"code": "0400"}, "code = '0400'"),
    ("blob", {"roughness": 3.0}, "roughness = 3.0"),
    ("file", {"path": "absent.npy", "diameter": 1.0}, "absent.npy"),
    ("file", {"path": "distance.npz", "diameter": 1.0, "name": "psi"}, "allowed: phi"),
    ("file", {"path": "distance.npz", "diameter": 0.2, "spacing": 1.0}, "is spacing = 1.0 right?"),
    ("file", {"path": "full.npy", "diameter": 1.0}, "not touch its border"),
    ("file", {"path": "pickle.npy", "diameter": 1.0}, "pickle.npy"),
    ("square", {}, "unknown obstacle 'square'"),
]


@pytest.mark.parametrize(("name", "given", "named"), WRONG, ids=[named for *_, named in WRONG])
def test_wrong_parameters_are_refused_in_one_line(name, given, named, folder, monkeypatch):
    monkeypatch.chdir(folder)
    np.save("full.npy", np.ones((5, 5), dtype=bool))
    np.save("pickle.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError) as error:
        obstacle.build(name, **given)
    assert named in str(error.value) and "\n" not in str(error.value)
