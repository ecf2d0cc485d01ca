"""Flow on a cloud: which graph a case is, what a network is shown of it, and how answers are judged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dtrain import evaluate, predict
from dtrain.data.clips import Clips, rollout
from dtrain.data.clouds import Clouds, Nodes, graph_of, within
from dtrain.data.flow import Flow
from dtrain.data.flow_cloud import FlowCloud, FlowCloudLoss, FlowCloudOptions, point_losses
from dtrain.data.flow_options import FlowOptions
from dtrain.models import model as networks
from dtrain.models.botan_flow import BotanFlow
from dtrain.models.flow_near import FlowNear
from dtrain.models.flow_unet import FlowUNet
from dtrain.weights import load_model
from runkit.dataset.check import check
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from tests.dtrain.conftest import call_here, curve, settings_of, trained_here
from tests.flow_factory import write_flow

SPLIT = {"train": 4, "validation": 1, "test": 1}
ROOM = 240
FIELDS = [("points", "density"), ("points", "velocity"), ("t0_fields", "density"), ("t1_fields", "velocity")]
RECIPE = """
name = "tiny"
batch = 4
micro = 0
log_every = 1
[model]
name = "botan-flow"
parameters = { width = 16, rounds = 3 }
[data]
name = "flow-cloud"
split = { train = 4, validation = 1, test = 1 }
horizon = 3
noise = 0.01
noise_reach = 4
[phase.one]
epochs = 8
learning_rate = 1e-2
decay = "cosine"
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return write_flow(tmp_path_factory.mktemp("data") / "flow.h5", n_points=ROOM)


def opened(file, **options) -> FlowCloud:
    return FlowCloud(FlowCloudOptions(**{"file": str(file), "split": SPLIT, "horizon": 3, **options}), seed=3)


def grid(nx: int, ny: int, width: float = 1.0) -> Nodes:
    return Nodes.grid(np.full((nx, ny), 9.0), np.ones((nx, ny)), width)


def known_sizes(name: str, cloud: FlowCloud) -> dict[str, object]:
    unknown = networks.unknown(name, cloud.sizes)
    return {size: value for size, value in cloud.sizes.items() if size not in unknown}


def test_sizes_that_data_give_a_network_are_not_shown_as_choices_of_the_user(file):
    assert {*opened(file).sizes} <= networks.supplied


def directed(pairs: np.ndarray) -> set[tuple[int, int]]:
    return {tuple(pair) for pair in pairs.tolist()}


def test_cells_of_a_grid_have_eight_neighbours_also_beyond_a_periodic_face():
    for periods, n_edges in (((0, 0), 2 * (4 * 5 * 4 - 3 * (4 + 5) + 2)), ((0, 5), 2 * 5 * (4 + 3 * 3))):
        pairs, vectors = within(grid(4, 5), periods)
        assert len(pairs) == n_edges and directed(pairs) == directed(pairs[:, ::-1])
        assert np.hypot(*vectors.T).max() < 1.5


def test_points_are_joined_by_the_width_of_the_wider_one_and_without_fluid_not_at_all():
    centre = np.array([[0.0, 0], [2.9, 0], [4.5, 0], [5.5, 0], [5.5, 1]])
    nodes = Nodes(centre, np.array([1.0, 2, 1, 1, 1]), np.zeros(5), np.array([1.0, 1, 1, 1, 0]))
    pairs, _ = within(nodes, (0, 0))
    assert directed(pairs) == {(0, 1), (1, 0), (1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2)}


def test_levels_are_joined_by_where_nodes_lie():
    """Numbers of edges tell the direction, and which end is the wider."""
    points = Nodes(np.array([[0.25, 0.25], [3.75, 1.5]]), np.array([0.5, 1.0]), np.zeros(2), np.ones(2))
    index, attributes = graph_of([points, grid(4, 2), grid(2, 1, 2.0)], (0, 0))
    between = attributes[:, 4] == 1
    assert directed(index[:, between].T) == {
        (a, b) for pair in [(0, 2), (1, 9), *((2 + k, 10 + k // 4) for k in range(8))] for a, b in (pair, pair[::-1])
    }
    assert (np.diff(index[1]) >= 0).all() and np.abs(attributes[between, :2]).max() <= 0.5
    (up,) = np.flatnonzero((index[0] == 0) & (index[1] == 2))
    np.testing.assert_allclose(attributes[up], [0.25, 0.25, np.sqrt(0.125), 1, 1])


def test_a_clip_is_what_the_file_holds_at_points_and_cells(file):
    cloud = opened(file, mirror=False, blocks=[2, 4])
    case = cloud.cases["train"][1]
    clip = cloud.batch([case * 12 + 2], [0])
    assert clip.given.shape == (1, 3, 3, ROOM + 256 + 64 + 16)
    whole = torch.cat([clip.given, clip.target], 2)[0].numpy()
    with Dataset(file) as data:
        fluid, there = data["t0_fields/fluid_fraction"][case] > 0, data["points/fluid_fraction"][case] > 0
        on_grid, at_points = cloud.denormalised(whole, fluid), cloud.denormalised_points(case, whole)
        np.testing.assert_allclose(on_grid[0], data["t0_fields/density"][case, 2:8], atol=1e-6)
        velocity = data["points/velocity"][case, 2:8]
        np.testing.assert_allclose(at_points[1][:, there], velocity[:, there, 0], atol=1e-6)
        assert 100 < there.sum() < np.isfinite(data["points/width"][case]).sum() and not at_points[1][:, ~there].any()
    mask = clip.fluid[0, 0, 0].numpy() > 0
    assert not whole[:, :, ~mask].any() and not mask[ROOM + 256 :].any()
    edges = clip.edge_index.numpy()
    blocks = set(range(ROOM + 256, clip.fluid.shape[-1]))
    assert set(edges.ravel()) - blocks == set(np.flatnonzero(mask)) and len(blocks & set(edges.ravel())) > 70


def test_where_there_is_fluid_is_read_once_for_all_clips_of_a_case_that_is_not_kept(file, monkeypatch):
    cloud = opened(file, memory=0)
    cloud.place(torch.device("cpu"))
    case, read = cloud.cases["train"][1], []
    _ = cloud.batch([case * 12], [0])
    found = Dataset.__getitem__
    monkeypatch.setattr(Dataset, "__getitem__", lambda self, name: read.append(name) or found(self, name))
    for start in (1, 2):
        cloud._moving(case, start, 3)
    assert sorted(set(read)) == [f"{group}/{name}" for group, name in FIELDS] and len(read) == 2 * len(FIELDS)


def test_a_cloud_is_reflected_as_the_flow_that_it_is(file):
    """The graph of the mirrored flow is the mirrored graph; twice is the identity."""
    cloud = opened(file)
    clip = Clouds.stack([cloud.clip(0, 0, 3)])
    once = clip.mirrored()
    assert all(torch.equal(a, b) for a, b in zip(vars(once.mirrored()).values(), vars(clip).values(), strict=True))
    assert not torch.equal(once.given, clip.given)
    as_grid = Flow(FlowOptions(file=str(file), split=SPLIT), 3)
    picture = Clips.stack([as_grid.clip(0, 0, 3)]).mirrored()
    for name in ("given", "target", "fluid"):
        torch.testing.assert_close(cloud.cells(getattr(once, name)), getattr(picture, name))
    torch.testing.assert_close(cloud.cells(once.geometry)[:, 0], picture.geometry[:, 0])
    torch.testing.assert_close(once.of_cells(picture.given)[..., ROOM : ROOM + 256], once.given[..., ROOM : ROOM + 256])
    of_own = clip.of_cells(cloud.cells(clip.given))[..., :ROOM] * torch.tensor([1.0, 1, -1]).view(1, 3, 1, 1)
    torch.testing.assert_close(once.of_cells(picture.given)[..., :ROOM], of_own)


def test_edges_of_a_reflected_cloud_are_those_of_its_cells(file):
    """Their vectors lead from one cell of the mirrored picture to another, along both axes."""
    cloud = opened(file)
    clip = Clouds.stack([cloud.clip(case, 0, 3) for case in (0, 1)])
    once, k = clip.mirrored(), clip.cell.shape[1]
    centre = np.concatenate([level.centre for level in cloud.levels(0)])
    among = (once.edge_index[1] < k) & (once.edge_index >= ROOM).all(0)
    (source, target), carried = once.edge_index[:, among].numpy(), once.edge_attr[among].numpy()
    assert len(source) > 1000
    assert np.array_equal(np.sign(centre[target] - centre[source]), np.sign(carried[:, :2]))


def test_augmentation_follows_from_seed_epoch_and_clip_and_noise_is_that_of_the_cell(file):
    cloud = opened(file, noise=0.3)
    clips = cloud.split["train"][:6]
    first, again = (cloud.batch(clips, [1] * 6) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.tensors().values(), again.tensors().values(), strict=True))
    alone = cloud.batch(clips[4:5], [1])
    assert torch.equal(alone.given[0], first.given[4])
    plain = FlowCloud(cloud.options.model_copy(update={"noise": 0.0}), 3, cloud.normalisation).batch(clips, [1] * 6)
    noise = first.given - plain.given
    point, cell = 5, int(first.cell[0, 5])
    assert first.fluid[0, 0, 0, point] == 1 and first.fluid[0, 0, 0, ROOM + cell] == 1
    torch.testing.assert_close(noise[0, :, :, point], noise[0, :, :, ROOM + cell], atol=1e-6, rtol=0)
    assert not noise[(first.fluid == 0).expand_as(noise)].any() and noise.std() > 0.1


NETWORKS = {
    "botan-flow": {"width": 16, "rounds": 3},
    "flow-near": {"width": 16, "rounds": 3, "unet": {"widths": [8, 8]}},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_clouds_of_a_batch_do_not_know_each_other(file, name):
    cloud = opened(file, graph="cloud" if name == "botan-flow" else "points")
    torch.manual_seed(0)
    network = networks.build(name, **NETWORKS[name], **known_sizes(name, cloud)).eval()
    clips = [cloud.clip(case, 1, 3) for case in cloud.cases["train"][:3]]
    together = rollout(network, Clouds.stack(clips), 6)
    for k, clip in enumerate(clips):
        torch.testing.assert_close(rollout(network, Clouds.stack([clip]), 6)[0], together[k], atol=1e-5, rtol=1e-5)
    assert together.shape[2] == 6 and not together[:, :, :, ROOM + 256 :].any()


def test_blocks_carry_messages_far(file):
    """With them a cell far away matters after as many rounds as it takes to climb and come down."""
    seen = {}
    for blocks in ((), (4, 16)):
        cloud = opened(file, blocks=blocks)
        torch.manual_seed(0)
        network = BotanFlow(inputs=cloud.sizes["inputs"], width=16, rounds=5)
        clip = Clouds.stack([cloud.clip(0, 0, 3)])
        given = clip.given.clone().requires_grad_()
        answer = network(*clip.inputs(given))[0]
        answer[0, :, :, ROOM].square().sum().backward()
        seen[blocks] = bool(given.grad[0, :, :, ROOM + 255].any())
    assert seen == {(): False, (4, 16): True}


def test_on_the_grid_a_refined_answer_is_that_of_the_u_net(file):
    """And at points, with a last layer of zeros, it is their own last frame and what the U-Net adds in their cell."""
    cloud = opened(file, graph="points", surface=True)
    torch.manual_seed(0)
    near = FlowNear(**known_sizes("flow-near", cloud), unet={"widths": [8]}).eval()
    torch.nn.init.zeros_(near.decoder[-1].weight)
    clip = Clouds.stack([cloud.clip(case, 1, 3) for case in (0, 1)])
    found = near(*clip.inputs(clip.given))[0]
    seen = cloud.cells(torch.cat([clip.given, clip.geometry[:, :2, None].expand(-1, -1, 3, -1)], 1))
    assert isinstance(near.of_grid, FlowUNet)
    on_grid = near.of_grid(seen)[0]
    torch.testing.assert_close(cloud.cells(found), on_grid)
    step = clip.of_cells(on_grid - cloud.cells(clip.given)[:, :, -1:])
    mask = clip.fluid[..., :ROOM].expand(-1, 3, 3, -1) > 0
    wanted = (clip.given[:, :, -1:] + step)[..., :ROOM]
    torch.testing.assert_close(found[..., :ROOM][mask], wanted[mask])


def test_losses_at_points_count_fluid_and_differences_between_points_that_are_joined():
    fluid = torch.ones(2, 1, 1, 5)
    fluid[1, ..., 1] = 0
    index = torch.tensor([[0, 1, 0, 3, 5, 7], [1, 0, 3, 0, 7, 5]])
    error = torch.zeros(2, 3, 2, 5)
    error[0, ..., :3] = torch.tensor([1.0, 3.0, 0.0])
    error[..., 3:] = 100.0
    batch = Clouds(error, error, error[:, :, 0], fluid, *(3 * [torch.zeros(2, 5).long()]), index, torch.zeros(6, 5))
    value, gradient = point_losses(error, batch, 3)
    torch.testing.assert_close(value, torch.tensor([10 / 3, 0.0]))
    torch.testing.assert_close(gradient, torch.tensor([2 * 4.0, 0.0]))


def test_a_file_without_points_gives_a_cloud_without_them(flow_file):
    cloud = opened(flow_file)
    clip = cloud.batch(cloud.split["train"][:2], [0, 0])
    assert cloud.n_points == 0 and clip.given.shape == (2, 3, 3, 256 + 16)
    losses = cloud.loss((clip.target + clip.fluid,), clip, FlowCloudLoss())
    torch.testing.assert_close(losses["value_loss"], torch.ones(2))
    assert "points_loss" not in losses


def test_a_graph_of_points_needs_points(file, flow_file):
    cloud = opened(file, graph="points")
    cloud.require(FlowCloudLoss())
    clip = cloud.batch(cloud.split["train"][:2], [0, 0])
    assert clip.given.shape[-1] == ROOM + 256 and (clip.edge_index % (ROOM + 256)).max() < ROOM
    with pytest.raises(UserError, match=r"data\.graph = 'points': .* has no points near bodies"):
        opened(flow_file, graph="points").require(FlowCloudLoss())


@pytest.mark.parametrize("blocks", [[1], [4, 6], [4, 4]])
def test_blocks_that_do_not_nest_are_refused(blocks):
    with pytest.raises(ValueError, match="each a multiple of the last"):
        FlowCloudOptions(blocks=blocks)


@pytest.fixture(scope="module")
def run(file, tmp_path_factory) -> Path:
    settings = settings_of(tmp_path_factory.mktemp("recipe"), RECIPE, file)
    return trained_here(tmp_path_factory.mktemp("alone"), *settings)


def test_training_learns_and_an_evaluation_scores_the_grid_beside_rivals(run, file):
    losses = [float(row["loss"]) for row in curve(run)]
    assert losses[-1] < 0.6 * losses[0] and float(curve(run)[-1]["points_loss"]) > 0
    call_here(evaluate.main, run, "threads=1")
    rows = json.loads((run / "evaluation.json").read_text())["rows"]
    assert [row["name"] for row in rows[:2]] == ["botan-flow", "persistence"]
    assert rows[0]["frames"]["vrmse"][0] < rows[1]["frames"]["vrmse"][0]
    call_here(predict.main, run, file, "threads=1", "frames=14", f"output={run / 'p.h5'}")
    assert check(run / "p.h5").good
    trained = load_model(run)
    cloud = FlowCloud(trained.options, 0, trained.normalisation)
    with torch.inference_mode(), Dataset(run / "p.h5") as found:
        clip = Clouds.stack([cloud.clip(2, 0, 0)])
        ours = cloud.denormalised(rollout(trained.network, clip, 6)[0].numpy(), cloud.fluid(2))
        np.testing.assert_allclose(found["t1_fields/velocity"][2, 3:9, ..., 0], ours[1], atol=1e-6)


def test_a_network_of_graphs_is_not_compiled_for_each_of_them(run, capsys):
    with pytest.raises(SystemExit, match="2"):
        call_here(evaluate.main, run, "compile=true", "threads=1")
    assert "compile = true: botan-flow sees another graph in each case" in capsys.readouterr().err
