"""Bodies from files of triangles, as CAD programs write them."""

from __future__ import annotations

import numpy as np
import pytest

from lbmgen.cases import draw_case
from lbmgen.config import RunConfig
from lbmgen.obstacles import obstacle
from runkit.config import load
from tests.real.flow.program import refusal, shown

trimesh = pytest.importorskip("trimesh")
pytest.importorskip("igl")

SIZES = np.array([2.0, 1.2, 0.8])
FLOW = ("grid.lattice=D3Q19", "grid.cells=[40, 32, 32]", "grid.refinement=1", "flow.reynolds=10", "n_cases=1",
        "obstacles.upstream=1", "obstacles.downstream=1", "obstacles.diameter=[11, 12]")  # fmt: skip


def given(path) -> str:
    return f"obstacles.families=[{{family='mesh', path='{path}', diameter=2.0}}]"


@pytest.fixture(params=["bricks.stl", "ascii.STL", "inside out.stl", "brick.ply", "brick.obj"])
def brick(request, tmp_path):
    """A brick off the origin, in several formats, once with its normals inwards."""
    body = trimesh.creation.box(extents=SIZES)
    body.apply_translation([5, -3, 7])
    if request.param.startswith("inside"):
        body.invert()
    path = tmp_path / request.param
    body.export(path, file_type="stl_ascii" if "ascii" in request.param else None)
    return path


def test_the_distance_to_a_brick_is_exact(brick):
    """To the digits of the file, inside and outside, over the reference diameter."""
    shape = obstacle.build("mesh", path=str(brick), diameter=2.0)
    points = np.random.default_rng(1).uniform(-1, 1, (500, 3))
    beyond = np.abs(points) - SIZES / 4
    exact = np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(axis=1), 0)
    np.testing.assert_allclose(shape.distance(points), exact, rtol=0, atol=1e-6)
    assert shape.thickness == pytest.approx(0.4, abs=1e-3) and shape.support(np.eye(3)[1]) == pytest.approx(0.3)
    surface = shape.surface(0.05)
    assert np.abs(shape.distance(surface)).max() < 1e-6
    places = np.random.default_rng(2).uniform(-0.25, 0.25, (200, 3)) * [2, 1.2, 0]
    places[:, 2] = 0.2
    assert np.linalg.norm(places[:, None] - surface, axis=-1).min(axis=1).max() <= 0.025


def test_a_mesh_is_a_body_of_a_case(tmp_path):
    """Drawn by size and direction about z, as all bodies are."""
    trimesh.creation.torus(0.6, 0.4, 24, 16).export(tmp_path / "ring.stl")
    case = draw_case(load(RunConfig, None, [*FLOW, given(tmp_path / "ring.stl")]), 0)
    body = case.bodies[0]
    assert 11 <= body.size <= 12 and case.distance(np.array(body.center)) > 0.09 * body.size  # the hole
    assert shown(*FLOW, given(tmp_path / "ring.stl"))[0] == 0


def test_a_mesh_that_is_no_body_is_refused(tmp_path):
    """One that does not close; one that is none; one for two dimensions; a file that is not there."""
    box = trimesh.creation.box(extents=SIZES)
    box.update_faces(np.arange(11))
    box.export(tmp_path / "open.stl")
    (tmp_path / "bad.stl").write_text("words")
    assert "do not close" in refusal(*FLOW, given(tmp_path / "open.stl"))
    assert "bad.stl" in refusal(*FLOW, given(tmp_path / "bad.stl"))
    assert "no such file" in refusal(*FLOW, given(tmp_path / "none.stl"))
    trimesh.creation.box(extents=SIZES).export(tmp_path / "box.stl")
    assert "a grid.lattice of 3 dimensions is needed" in refusal(given(tmp_path / "box.stl"))


@pytest.mark.parametrize("corners", [(0, 0, 0), (0, 1, 1)], ids=["in one place", "in two places"])
def test_triangles_without_area_do_not_matter(tmp_path, corners):
    """Corners in fewer than three places, as CAD programs write them where edges have shrunk to nothing."""
    box = trimesh.creation.box(extents=SIZES)
    triangles = np.concatenate([box.triangles, box.triangles[:3, list(corners)]])
    rows = [f"facet normal 0 0 0\nouter loop\n{_vertices(each)}\nendloop\nendfacet" for each in triangles]
    (tmp_path / "cad.stl").write_text("\n".join(["solid cad", *rows, "endsolid cad\n"]))
    box.export(tmp_path / "plain.stl")
    cad, plain = (obstacle.build("mesh", path=str(tmp_path / f"{name}.stl"), diameter=2.0) for name in ("cad", "plain"))
    points = np.random.default_rng(1).uniform(-1, 1, (300, 3))
    np.testing.assert_allclose(cad.distance(points), plain.distance(points), atol=1e-6)


def _vertices(triangle: np.ndarray) -> str:
    return "\n".join(f"vertex {x:.9g} {y:.9g} {z:.9g}" for x, y, z in triangle)


def test_a_given_mesh_has_its_parameters_beside_its_place_or_in_a_table(tmp_path):
    """A mistake in either is told as what it is."""
    trimesh.creation.icosphere(radius=2).export(tmp_path / "ball.stl")
    path, place = f"path='{tmp_path / 'ball.stl'}'", "family='mesh', center=[14, 16, 16], size=9"
    bodies = [f"{{{place}, {path}, diameter=4}}", f"{{{place}, parameters={{{path}, diameter=4}}}}"]
    cases = [draw_case(load(RunConfig, None, [*FLOW, f"obstacles.given=[{body}]"]), 0) for body in bodies]
    assert cases[0].bodies == cases[1].bodies
    for body, told in {
        f"{{{place}, {path}}}": "obstacle 'mesh' needs parameter 'diameter'",
        f"{{{place}, {path}, diameter='4'}}": "diameter = '4' is not allowed; allowed: a number",
        f"{{{place}, {path}, diameter=4, turn=1}}": "obstacle 'mesh' has no parameter 'turn'; allowed: path, diameter",
        f"{{family='mesh', size=9, {path}, diameter=4}}": "has no center; needed: family, center and size",
        f"{{family='mesh', center=[14, 16, 16], {path}, diameter=4}}": "has no size; needed",
    }.items():
        assert told in refusal(*FLOW, f"obstacles.given=[{body}]")
