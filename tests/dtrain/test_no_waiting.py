"""A training step makes the host wait for nothing that a GPU computes.

There is no GPU here: batches, networks and losses go through torch's tensors without memory, which know what device
they would be on and refuse to mix devices or to tell their values. The whole step, DeepSpeed's part included, runs on
the CPU, watched for operations that would wait.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from dtrain.config import load_recipe
from dtrain.data.flow import Flow
from dtrain.data.flow_options import FlowOptions
from dtrain.data.glass import Glass, GlassOptions
from dtrain.data.store import Store
from dtrain.data.tensors import numbers, send
from dtrain.deepspeed_config import read_config
from dtrain.engine import Engine
from dtrain.kernels import on_torch
from dtrain.kernels.order import ordered
from dtrain.models.botan import Botan
from dtrain.models.flow_cnn import FlowCNN
from dtrain.muon import Muon
from dtrain.phase import PhaseTrainer, weighted_losses
from dtrain.ranks import connect

GPU = torch.device("cuda", 0)
# What gives a number to the host, or a tensor whose size depends on numbers.
WAITING = ("_local_scalar_dense", "item", "nonzero", "masked_select", "equal", "unique", "bincount")
# What makes a tensor of numbers of the host, as a step must not.
FROM_HOST = ("lift_fresh",)


class Slices(TorchFunctionMode):
    """Brackets by functions that a torch without CUDA has for tensors of a GPU; a mask or a list in them is refused."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is Tensor.contiguous and args[0].device == GPU:
            return torch.ops.aten.clone(*args, **kwargs)
        if function is not Tensor.__getitem__ or args[0].device != GPU:
            return function(*args, **(kwargs or {}))
        tensor, key = args
        key, axis = key if isinstance(key, tuple) else (key,), 0
        for part in key:
            if part is Ellipsis:
                axis += tensor.dim() - axis - sum(later is not Ellipsis for later in key[key.index(part) :])
            elif part is None:
                tensor, axis = tensor.unsqueeze(axis), axis + 1
            elif isinstance(part, int):
                tensor = tensor.select(axis, part)
            elif isinstance(part, slice):
                tensor, axis = torch.ops.aten.slice(tensor, axis, part.start, part.stop, part.step or 1), axis + 1
            else:
                raise AssertionError(f"indexed by {part}: the host waits for its size or sends it")
        return tensor


class Watch(TorchDispatchMode):
    """Notes operations by which a host waits for a GPU, and copies between devices for which it would."""

    def __init__(self, also: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.waiting = (*WAITING, *also)
        self.waits: list[str] = []
        self.seen: set[str] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        name = function.name().removeprefix("aten::").partition(".")[0]
        self.seen.add(name)
        by_mask = name.startswith("index") and any(
            part is not None and part.dtype in (torch.bool, torch.uint8)
            for parts in args
            if isinstance(parts, (list, tuple))
            for part in parts
            if isinstance(part, Tensor)
        )
        crosses = name in ("_to_copy", "copy_") and self._crosses(result, args) and not self._runs_beside(args, kwargs)
        if name in self.waiting or by_mask or crosses:
            self.waits.append(name)
        return result

    @staticmethod
    def _crosses(result: Tensor, args: tuple) -> bool:
        return len({result.device.type, *(arg.device.type for arg in args if isinstance(arg, Tensor))}) > 1

    @staticmethod
    def _runs_beside(args: tuple, kwargs: dict) -> bool:
        return bool(kwargs.get("non_blocking") or (len(args) > 2 and args[2]))


@pytest.fixture(params=["glass", "flow"])
def kind(request, isoconfig, flow_file) -> SimpleNamespace:
    """A data set with all that is drawn in training, and a network for it."""
    if request.param == "glass":
        data = Glass(GlassOptions(file=str(isoconfig), time=1, positions="both"), seed=3)
        return SimpleNamespace(name="glass", data=data, network=lambda norm="": Botan(edge_width=6, rounds=2))
    split = {"train": 4, "validation": 1, "test": 1}
    options = {"noise": 0.1, "unroll": 2, "through": True, "split": split, "file": str(flow_file)}
    data = Flow(FlowOptions(**options), seed=3)
    return SimpleNamespace(name="flow", data=data, network=lambda norm="batch": FlowCNN(widths=(6, 10), norm=norm))


def on_gpu(network: torch.nn.Module) -> torch.nn.Module:
    """The network with parameters of a GPU, which nn.Module.to cannot give without one."""
    for module in network.modules():
        for held in (module._parameters, module._buffers):
            for name, value in held.items():
                if value is not None:
                    moved = value.detach().to(GPU)
                    held[name] = torch.nn.Parameter(moved) if isinstance(value, torch.nn.Parameter) else moved
    return network


@pytest.mark.parametrize("stays", [True, False])
def test_batches_networks_and_losses_are_on_the_gpu_and_nothing_waits_for_it(kind, stays):
    data = kind.data
    assert data.normalisation
    data._store = Store(GPU, GPU if stays else torch.device("cpu"), 1e18, 1)
    watch = Watch()
    with FakeTensorMode(allow_non_fake_inputs=True):
        network = on_gpu(kind.network(norm="none"))  # torch asks for a real GPU to normalise
        with watch, Slices(), torch.no_grad():
            batch = data.batch(data.split["train"][:3], [0, 0, 1])
            weights = numbers([1.0, 1.0, 0.0], GPU)
            parts = weighted_losses(network.train(), data, batch, weights, data.Loss())
    assert {tensor.device for tensor in (*batch.tensors().values(), *parts.values())} == {GPU}
    assert not watch.waits
    assert {"glass": "glassflow::two_layers", "flow": "convolution"}[kind.name] in watch.seen


def test_two_layers_of_torch_wait_for_nothing():
    """They are one operation to the watch, which does not see what it is made of."""
    watch = Watch()
    with FakeTensorMode(), watch, Slices():
        edge, node, weight, bias = (torch.empty(*shape, device=GPU) for shape in ((9, 6), (4, 6), (6, 6), (6,)))
        ends, layers = [node, node, *ordered(torch.empty(2, 9, dtype=torch.int64, device=GPU), 4)[1]], (weight,) * 2
        out, arriving = on_torch.forward(edge, edge, ends, (*layers, bias))
        on_torch.backward((out, arriving, edge), out, edge, edge, ends, (*layers, bias), True)
    assert not watch.waits and {"segment_reduce", "searchsorted"} <= watch.seen


@pytest.mark.parametrize("validation", [False, True])
def test_samples_that_stay_on_a_gpu_are_sent_once(kind, validation):
    data = kind.data
    assert data.normalisation
    data._store = Store(GPU, GPU, 1e18, 1)
    with FakeTensorMode(allow_non_fake_inputs=True), Slices():
        samples = data.split["validation" if validation else "train"][:2]
        for n_sent in (None, {"glass": 0, "flow": 0 if validation else 2}[kind.name]):
            watch = Watch()
            with watch:
                data.batch(samples, None if validation else [0] * len(samples))
            assert n_sent is None or ("_to_copy" in watch.seen) == (n_sent > 0)


def test_what_would_wait_is_noticed():
    with FakeTensorMode(allow_non_fake_inputs=True):
        x = torch.ones(3, device=GPU)
        with pytest.raises((DataDependentOutputException, RuntimeError)):
            x.sum().item()
        with pytest.raises((DynamicOutputShapeException, RuntimeError)):
            torch.masked_select(x, x > 0)
        with pytest.raises(Exception, match="device"):
            x + torch.ones(3)
        with Slices(), pytest.raises(AssertionError, match="waits"):
            x[x > 0]
        for copy, waits in ((lambda: torch.ones(2).to(GPU), True), (lambda: send(torch.ones(2), GPU), False)):
            with Watch() as watch:
                copy()
            assert bool(watch.waits) == waits
    for function in (lambda x: x.sum().item(), lambda x: x[x > 0], lambda x: x * torch.tensor([2.0]), torch.nonzero):
        with Watch(FROM_HOST) as watch:
            function(torch.ones(3))
        assert watch.waits


@pytest.fixture
def trainer(kind, tmp_path, monkeypatch):
    """A phase with DeepSpeed's engine on the CPU; Adam there keeps its count of steps as a number of the host."""
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    (tmp_path / "sgd.json").write_text('{"optimizer": {"type": "SGD", "params": {}}, "gradient_clipping": 1e-3}')
    recipe = load_recipe(
        None,
        defaults={
            "model": {"name": {"glass": "botan", "flow": "flow-cnn"}[kind.name]},
            "batch": 2,
            "data": kind.data.options.model_dump(),
            "phase": {"only": {"epochs": 1, "learning_rate": 0.1}},
        },
    )
    ranks = connect("cpu", 1)
    engine = Engine(
        kind.network(), read_config(str(tmp_path / "sgd.json"), 2, ranks, 2), ranks, tmp_path / "run/c", 0.9
    )
    return PhaseTrainer(ranks, recipe, "only", kind.data, engine, SimpleNamespace(path=Path("run")))


def test_a_whole_step_asks_for_no_number(trainer):
    trainer.data.place(torch.device("cpu"))
    before = [parameter.detach().clone() for parameter in trainer.engine._engine.module.parameters()]
    trainer.engine.set_learning_rate(1.0)
    for step in trainer.feed.steps(trainer.order, trainer.share, range(2)):
        with Watch(FROM_HOST) as watch:
            trainer._step(step)
        assert not watch.waits
    assert {"mul_", "add_"} & watch.seen or "_foreach_mul_" in watch.seen
    moved = [
        (a.detach() - b).square().sum() for a, b in zip(trainer.engine._engine.module.parameters(), before, strict=True)
    ]
    assert 0 < float(sum(moved).sqrt()) <= 2.01e-3, "two steps of a gradient that is clipped at 1e-3"


def test_an_update_by_muon_asks_for_no_number():
    filters = torch.nn.Parameter(torch.ones(4, 3, 2, 2))
    optimizer = Muon([filters])
    for _ in range(2):
        filters.grad = torch.randn(filters.shape)
        with Watch(FROM_HOST) as watch:
            optimizer.step()
        assert not watch.waits and "add_" in watch.seen


def test_deepspeeds_own_stopwatch_which_waits_for_the_gpu_is_off(trainer):
    assert not trainer.engine._engine.tput_timer.config.enabled
