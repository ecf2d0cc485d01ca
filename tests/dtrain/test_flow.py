"""Flow as clips: what a network is shown, and how its answers are fed back."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch

from dtrain.config import load_recipe
from dtrain.data.clips import Clips, rollout
from dtrain.data.flow import USUAL_CELL_REYNOLDS, Flow
from dtrain.data.flow_options import FlowOptions
from dtrain.data.noise import patches, strength
from dtrain.loop import open_phases
from dtrain.losses import field_and_gradient
from dtrain.models.flow_cnn import FlowCNN
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from tests.flow_factory import write_flow

SPLIT = {"train": 4, "validation": 1, "test": 1}


def opened(file, **options) -> Flow:
    return Flow(FlowOptions(**{"file": str(file), "split": SPLIT, "horizon": 6, **options}), seed=3)


def test_clips_of_training_cases_are_drawn_and_held_back_cases_are_rolled_out(flow_file):
    flow = opened(flow_file, unroll=2)
    assert sorted(chain(*flow.cases.values())) == list(range(6))
    drawn = [divmod(clip, flow.n_frames) for clip in flow.split["train"]]
    assert drawn == [(case, start) for case in flow.cases["train"] for start in range(12 - 9 + 1)]
    assert [divmod(clip, 12) for clip in flow.split["test"]] == [(flow.cases["test"][0], 0)]
    assert flow.batch(flow.split["train"][:2], [0, 0]).target.shape == (2, 3, 6, 16, 16)
    assert flow.batch(flow.split["validation"]).target.shape == (1, 3, 6, 16, 16)


def test_a_clip_is_what_the_file_holds(flow_file):
    flow = opened(flow_file, mirror=False)
    case, start = flow.cases["train"][1], 4
    clip = flow.batch([case * 12 + start], [0])
    fluid = clip.fluid[0, 0, 0].numpy() > 0
    with Dataset(flow_file) as data:
        density = data["t0_fields/density"][case, start : start + 6]
        velocity = data["t1_fields/velocity"][case, start : start + 6]
        assert np.array_equal(fluid, data["t0_fields/fluid_fraction"][case] > 0) and not fluid.all()
        distance = np.arctanh(clip.geometry[0, 0].numpy()) * 16
        np.testing.assert_allclose(distance, data["t0_fields/signed_distance"][case], atol=1e-3)
    frames = flow.normalisation.denormalised(torch.cat([clip.given, clip.target], dim=2)[0].numpy())
    for found, wanted in zip(frames, (density, velocity[..., 0], velocity[..., 1]), strict=True):
        np.testing.assert_allclose(found[:, fluid], wanted[:, fluid], atol=1e-6)
    assert not clip.given[0, :, :, ~torch.from_numpy(fluid)].any()


def test_training_frames_have_mean_0_and_spread_1_where_there_is_fluid(flow_file):
    flow = opened(flow_file, mirror=False)
    clips = [flow.clip(case, 0, 9) for case in flow.cases["train"]]
    values = [torch.cat([clip.given, clip.target], 1)[:, :, clip.fluid[0, 0] > 0].flatten(1) for clip in clips]
    whole = torch.cat(values, dim=1)
    assert whole.mean(dim=1).abs().max() < 1e-3 and (whole.std(dim=1) - 1).abs().max() < 1e-3


def test_reflected_clips_are_flows_too(flow_file):
    """Twice is the identity; the vorticity changes its sign."""
    flow = opened(flow_file)
    clip = Clips.stack([flow.clip(0, 0, 3)])
    once = clip.mirrored()
    assert all(torch.equal(a, b) for a, b in zip(vars(once.mirrored()).values(), vars(clip).values(), strict=True))

    def curl(frames: torch.Tensor) -> torch.Tensor:
        ux, uy = frames[0, 1], frames[0, 2]
        return (uy[:, 2:] - uy[:, :-2])[..., 1:-1] - (ux[..., 2:] - ux[..., :-2])[:, 1:-1]

    torch.testing.assert_close(curl(once.given), -curl(clip.given).flip(-1))


def test_only_flows_between_like_faces_are_reflected(flow_file, tmp_path):
    assert opened(flow_file).mirrors and not opened(flow_file, mirror=False).mirrors
    assert not opened(write_flow(tmp_path / "a.h5", bc_type=("WALL", "OPEN"))).mirrors
    config = {"flow": {"force": [0.0, 1e-6]}}
    assert not opened(write_flow(tmp_path / "b.h5", config=config)).mirrors


def test_augmentation_follows_from_seed_epoch_and_clip_alone(flow_file):
    flow = opened(flow_file, noise=0.3)
    clips = flow.split["train"][:6]
    first, again, later = (flow.batch(clips, [epoch] * 6) for epoch in (0, 0, 1))
    assert torch.equal(first.given, again.given) and not torch.equal(first.given, later.given)
    alone = flow.batch(clips[4:5], [0])
    assert torch.equal(alone.given[0], first.given[4])
    plain = Flow(opened(flow_file, mirror=False).options, normalisation=flow.normalisation).batch(clips, [0] * 6)
    is_mirrored = [not torch.equal(a, b) for a, b in zip(first.target, plain.target, strict=True)]
    assert 0 < sum(is_mirrored) < 6
    noise = (first.given - plain.given)[~torch.tensor(is_mirrored)]
    mask = plain.fluid[~torch.tensor(is_mirrored)].expand_as(noise) > 0
    assert noise[mask].std() == pytest.approx(0.3, rel=0.1) and not noise[~mask].any()


def test_the_viscosity_is_a_channel_beside_the_distance(flow_file):
    """As the logarithm of the Reynolds number of a cell, over a usual one."""
    flow, plain = opened(flow_file, viscosity=True), opened(flow_file)
    case = flow.cases["train"][0]
    clip = flow.batch([case * 12], [0])
    with Dataset(flow_file) as data:
        velocity, viscosity = (data[f"scalars/{name}"][case] for name in ("velocity", "viscosity"))
    assert flow.sizes["inputs"] == plain.sizes["inputs"] + 1 == 5
    assert clip.seen(clip.given).shape[1] == 5 and clip.geometry.shape == (1, 2, 16, 16)
    wanted = np.log(velocity * flow.cell / viscosity / USUAL_CELL_REYNOLDS)
    torch.testing.assert_close(clip.geometry[0, 1], torch.full((16, 16), wanted, dtype=torch.float32))


def test_noise_of_patches_has_the_same_strength_in_patches_of_each_width():
    """Means over squares of 16 cells feel the wide patches alone; white noise has none of them."""
    shape, random = (3, 2, 32, 32), np.random.default_rng(0)
    white, wide = (
        np.stack([strength(random, reach) * patches(random, shape, reach) for _ in range(400)]) for reach in (1, 16)
    )
    assert white.std() == pytest.approx(1, abs=0.02) and wide.std() == pytest.approx(1, abs=0.1)
    means = [noise.reshape(400, 3, 2, 2, 16, 2, 16).mean(axis=(4, 6)) for noise in (white, wide)]
    assert means[0].std() < 0.08 < 0.25 < means[1].std()
    assert np.corrcoef(wide[:, :, 0].ravel(), wide[:, :, 1].ravel())[0, 1] == pytest.approx(0.8, abs=0.05)
    strengths = wide.std(axis=(1, 2, 3, 4))
    assert (strengths < 0.3).mean() == pytest.approx(0.24, abs=0.06) and strengths.max() > 2  # of a normal distribution


def test_an_obstacle_family_and_a_range_of_reynolds_numbers_can_be_left_out(flow_file):
    few = {"train": 0.5, "validation": 0.0, "test": 0.5}
    flow = opened(flow_file, outside={"families": ["ellipse"], "reynolds": [55, 65]}, split=few)
    assert flow.cases["outside"] == [1, 2, 5]
    assert sorted(flow.cases["train"] + flow.cases["test"]) == [0, 3, 4]


def test_several_ranges_of_reynolds_numbers_can_be_left_out(flow_file):
    """Cases have 50, 60, … 100: what is learnt from lies between two ranges."""
    few = {"train": 0.5, "validation": 0.0, "test": 0.5}
    flow = opened(flow_file, outside={"reynolds": [1, 60, 95, 1000]}, split=few)
    assert flow.cases["outside"] == [0, 1, 5]


@pytest.mark.parametrize("ranges", [[50], [60, 50], [50, 60, 55, 70], [1, 2, 3]])
def test_ranges_of_reynolds_numbers_follow_each_other(flow_file, ranges):
    with pytest.raises(ValueError, match="low < high < low < high"):
        opened(flow_file, outside={"reynolds": ranges})


def test_failed_cases_are_not_used(tmp_path):
    flow = opened(write_flow(tmp_path / "a.h5", failed=(1, 4)), split={"train": 0.75, "validation": 0.25, "test": 0.0})
    assert sorted(chain(*flow.cases.values())) == [0, 2, 3, 5]


class Counter(torch.nn.Module):
    """Adds a learnable step to the last frame it is given, once more for every frame."""

    def __init__(self) -> None:
        super().__init__()
        self.step = torch.nn.Parameter(torch.tensor(1.0))
        self.n_calls = 0

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        self.n_calls += 1
        assert x.shape[1] == 4
        return (x[:, :3, -1:] + self.step * torch.arange(1.0, x.shape[2] + 1).view(-1, 1, 1),)


@pytest.fixture
def clips() -> Clips:
    fluid = torch.ones(2, 1, 1, 4, 4)
    fluid[:, :, :, 1, 2] = 0
    return Clips(torch.zeros(2, 3, 3, 4, 4), torch.zeros(2, 3, 6, 4, 4), torch.zeros(2, 1, 4, 4), fluid)


def test_a_rollout_feeds_predictions_back_for_any_number_of_frames(clips):
    counter = Counter()
    found = rollout(counter, clips, 8)
    assert counter.n_calls == 3 and found.shape[2] == 8
    assert torch.equal(found[0, 0, :, 0, 0], torch.arange(1.0, 9)) and not found[:, :, :, 1, 2].any()


@pytest.mark.parametrize(("full_gradient", "slope"), [(True, [1, 2, 3, 4, 5, 6]), (False, [1, 2, 3])])
def test_gradients_flow_through_all_calls_or_through_the_last_one(clips, full_gradient, slope):
    """After six steps of one counter the derivative is the number of steps taken with gradients."""
    counter = Counter()
    found = rollout(counter, clips, 6, full_gradient)
    steps = [torch.autograd.grad(frame[0, 0, 0, 0], counter.step, retain_graph=True)[0] for frame in found.unbind(2)]
    assert [float(step) for step in steps] == slope and found[0, 0, -1, 0, 0].item() == 6.0


def test_calls_that_are_computed_again_give_the_same_gradients_and_gather_statistics_once(clips):
    found = []
    for recompute in (False, True):
        torch.manual_seed(0)
        network = FlowCNN(widths=(4,), norm="batch").train()
        generator = torch.Generator().manual_seed(2)
        given = torch.randn(clips.given.shape, generator=generator)
        calls = replace(clips, given=given)
        rollout(network, calls, 9, recompute=recompute).square().sum().backward()
        found.append([*(p.grad for p in network.parameters()), *network.buffers()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_calls_that_are_computed_again_keep_less_for_the_backward_pass(clips):
    kept = []
    for recompute in (False, True):
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, sizes=sizes: sizes.append(t.numel()) or t, lambda t: t):
            rollout(FlowCNN(widths=(8,)), clips, 12, recompute=recompute)
        kept.append(sum(sizes))
    assert kept[1] < 0.2 * kept[0]


def test_losses_count_fluid_cells_and_differences_between_them(clips):
    x = torch.arange(4.0).view(4, 1).expand(2, 3, 6, 4, 4)
    constant = field_and_gradient(clips.target + 2, clips.target, clips.fluid, 10.0)
    assert torch.equal(constant["loss"], torch.full((2,), 4.0)) and not constant["gradient_loss"].any()
    slope = field_and_gradient(0.5 * x, clips.target, clips.fluid, 2.0)
    assert torch.allclose(slope["gradient_loss"], torch.tensor(0.25))
    assert torch.allclose(slope["loss"], slope["value_loss"] + 0.5)
    wild = field_and_gradient(0.5 * x + 1e6 * (1 - clips.fluid), clips.target, clips.fluid, 2.0)
    assert torch.equal(wild["loss"], slope["loss"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"unroll": 4}, "clips of 15 frames cannot be had"),
        ({"split": {"train": 9, "validation": 0, "test": 0}}, "cannot be had from 6 samples"),
        ({"file": "missing.h5"}, "missing.h5 does not exist"),
    ],
)
def test_what_the_file_cannot_give_is_said(flow_file, options, told):
    with pytest.raises(UserError, match=told):
        assert opened(**{"file": flow_file, **options}).split


@pytest.mark.parametrize("changes", [{"frames": 2}, {"mirror": False}, {"split": {**SPLIT, "train": 3}}])
def test_phases_may_differ_in_what_their_network_is_not_built_by(flow_file, changes):
    """The flow CNN takes any number of frames, and no units; a number of channels is the same for all phases."""

    def opened_phases(second: dict[str, object]) -> object:
        phases = {"one": {"epochs": 1, "learning_rate": 1}, "two": {"epochs": 1, "learning_rate": 1, "data": second}}
        data = {"name": "flow", "file": str(flow_file), "split": SPLIT, "horizon": 6}
        return open_phases(load_recipe(None, defaults={"model": {"name": "flow-cnn"}, "data": data, "phase": phases}))

    assert list(opened_phases(changes)) == ["one", "two"]
    with pytest.raises(
        UserError, match=r"phase\.two\.data: the network's inputs is 4 in the first phase, and would be 5"
    ):
        opened_phases({**changes, "surface": True})


def test_another_kind_of_file_is_refused(isoconfig):
    with pytest.raises(UserError, match="holds ISOCONFIG data; this recipe needs FLOW"):
        opened(isoconfig)


@pytest.mark.parametrize("reach", [1, 32])
@pytest.mark.parametrize("kind", ["OPEN", "PERIODIC", "free-slip"])
def test_noise_of_a_stream_function_is_one_that_a_network_with_a_stream_function_can_take_away(tmp_path, kind, reach):
    """Its velocities are as strong as other noise, and their divergence and change of the flow rate vanish."""
    faces = {"config": {"boundaries": {"y_low": {"kind": kind}, "y_high": {"kind": kind}}}}
    bc_type = (kind, kind) if kind == "PERIODIC" else ("WALL", "WALL")
    file = write_flow(tmp_path / "a.h5", shape=(48, 40), bc_type=bc_type, **faces)
    options = {"noise": 0.3, "noise_reach": reach, "mirror": False, "noise_stream": True}
    flow = opened(file, **options)
    samples = flow.split["train"][:8]
    found = [flow.batch(samples * 12, [epoch for epoch in range(12) for _ in samples])]
    plain = opened(file, mirror=False).batch(samples * 12, [0] * 96)
    noise = found[0].given - plain.given
    u, v = (spread * noise[:, 1 + i] for i, spread in enumerate(flow.normalisation.std[1:]))
    inside = plain.fluid[:, 0].expand_as(u)
    divergence = (u[..., 2:, 1:-1] - u[..., :-2, 1:-1] + v[..., 1:-1, 2:] - v[..., 1:-1, :-2]) / 2
    near = -torch.nn.functional.max_pool2d(-inside[:, 0], 3, 1)[:, None]  # cells whose neighbours are fluid, too
    assert float((divergence * near).abs().max()) < 1e-5 * float(u.abs().max())
    assert float(u[inside > 0].std()) == pytest.approx(0.3 * min(flow.normalisation.std[1:]), rel=0.4)
    assert float(noise[:, 0][inside > 0].std()) == pytest.approx(0.3, rel=0.3)
