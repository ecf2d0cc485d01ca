"""Arithmetic and compilation as options of a recipe, for both networks, end to end on the CPU."""

from __future__ import annotations

import functools
import importlib
import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from dtrain import compilation, predict
from dtrain.models import stream_function
from dtrain.models.botan import Botan
from dtrain.models.flow_cnn import FlowCNN
from dtrain.models.flow_unet import FlowUNet
from dtrain.precision import use_precision
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from tests.dtrain.conftest import call_here, curve, settings_of, train_here, trained_here
from tests.flow_factory import FLOW_RECIPE

AUTOCAST = {"optimizer": {"type": "Adam", "params": {}}, "torch_autocast": {"enabled": True, "dtype": "bfloat16"}}


@pytest.fixture(params=["glass", "flow"])
def words(request, isoconfig, flow_file) -> list[str]:
    """A short training of a small network."""
    if request.param == "glass":
        kind = [f"data.file={isoconfig}", "model.parameters.rounds=2", "model.parameters.width=16"]
        return ["dtrain/recipes/botan.toml", *kind, "data.time=1", "phase.joint.epochs=3", "batch=2"]
    kind = [f"data.file={flow_file}", "model.parameters.widths=[4,8]", "data.split.train=4", "data.horizon=3"]
    split = ["data.split.validation=1", "data.split.test=1", "phase.rollouts.data.unroll=2"]
    return ["dtrain/recipes/flow_cnn.toml", *kind, *split, "phase.frames.epochs=0.5", "phase.rollouts.epochs=1"]


def losses(directory: Path, words: list[str], *more: str) -> list[float]:
    """The training curve of a run."""
    recipe = Path(compilation.__file__).parent.parent / words[0]
    directory.mkdir()
    code, output = train_here(directory, recipe, *words[1:], *more, "log_every=1", "name=run", "threads=1")
    assert code == 0, output
    return [float(row["loss"]) for row in curve(directory / "runs/run")]


def test_bfloat16_by_autocast_trains_nearly_as_float32_does(words, tmp_path, monkeypatch):
    dtypes: set[torch.dtype] = set()
    for network, inner in ((Botan, lambda n: n.network.node_model.mlp.fc2), (FlowCNN, lambda n: n.down[0][0])):
        built = network.__init__

        @functools.wraps(built)
        def watched(self, *args, built=built, inner=inner, **kwargs):
            built(self, *args, **kwargs)
            inner(self).register_forward_hook(lambda module, inputs, output: dtypes.add(output.dtype))

        monkeypatch.setattr(network, "__init__", watched)
    exact = losses(tmp_path / "exact", words)
    assert dtypes == {torch.float32}
    (tmp_path / "bf16.json").write_text(json.dumps(AUTOCAST | {"gradient_clipping": 1.0}))
    cut = losses(tmp_path / "cut", words, f"deepspeed={tmp_path / 'bf16.json'}")
    assert torch.bfloat16 in dtypes
    assert cut != exact and cut == pytest.approx(exact, rel=0.1)
    assert sum(cut[-3:]) < sum(cut[:3])


def test_a_compiled_network_trains_as_it_does_uncompiled(words, tmp_path, monkeypatch):
    """By the compiler's front, which sees all sizes and branches; what makes machine code of it takes a minute."""
    graphs = []

    def backend(module, inputs):
        graphs.append(module)
        return module.forward

    plain = losses(tmp_path / "plain", words)
    monkeypatch.setattr(compilation, "COMPILER", backend)
    torch._dynamo.reset()
    assert losses(tmp_path / "compiled", words, "compile=true") == pytest.approx(plain, rel=1e-5)
    assert 0 < len(graphs) <= 8, "compiled once for training and once for validation, and a few sizes"


def test_the_flow_cnn_compiles_for_sizes_that_change():
    """Sizes must be expressions that torch's compiler can reason about: it knows no remainder of a negative number."""
    sizes: list[str] = []

    def backend(module, inputs):
        values = [node.meta.get("example_value") for node in module.graph.nodes]
        sizes.extend(str(value.shape) for value in values if isinstance(value, torch.Tensor))
        return module.forward

    torch.manual_seed(0)
    torch._dynamo.reset()
    plain = FlowCNN(widths=(4,))
    x = torch.randn(2, 4, 3, 13, 21)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(plain, backend=backend, dynamic=True)(x)[0], plain(x)[0])
    assert any("//" in size for size in sizes) and not any("PythonMod(" in size for size in sizes)


def test_the_compiler_goes_around_the_matrices_of_a_stream_function(monkeypatch):
    """If it traced them, their eigenvectors would be in the graph, and it would warn."""
    targets: list[str] = []

    def backend(module, inputs):
        targets.extend(str(node.target) for node in module.graph.nodes)
        return module.forward

    torch.manual_seed(0)
    torch._dynamo.reset()
    monkeypatch.setattr(compilation, "COMPILER", backend)
    network = FlowUNet(widths=(4, 8), stream=True, images=2, planes=((False, False), (True, True)))
    x = torch.randn(2, 4, 3, 14, 18)
    with torch.no_grad(), warnings.catch_warnings(action="error", category=UserWarning):
        plain = network(x)[0]
        stream_function._kept.clear()  # what is kept is looked up, which may be traced
        stream_function._matrices.cache_clear()
        compilation.compile_network(network)
        torch.testing.assert_close(network(x)[0], plain)
    assert any("conv2d" in target for target in targets) and not any("linalg" in target for target in targets)


def test_a_network_that_is_used_is_compiled_once_for_each_shape_without_its_weights(monkeypatch):
    """Weights are constants of one graph without breaks, whose inputs are x and the matrices of the stream function."""
    inputs: list[list[tuple[int, ...]]] = []

    def backend(module, examples):
        inputs.append([tuple(one.shape) for one in examples if isinstance(one, torch.Tensor)])
        return module.forward

    torch.manual_seed(0)
    torch._dynamo.reset()
    monkeypatch.setattr(compilation, "COMPILER", backend)
    planes = ((False, False), (True, True))
    one, other = (FlowUNet(widths=(4, 8), gated=True, stream=True, images=2, planes=planes) for _ in range(2))
    small, large = torch.randn(2, 4, 3, 14, 18), torch.randn(1, 4, 3, 22, 18)
    with torch.inference_mode():
        plain = {(net, x): net(x)[0] for net in (one, other) for x in (small, large)}
        stream_function._kept.clear()
        for network in (one, other):
            compilation.compile_frozen(network)
        for (network, x), answer in plain.items():
            for _ in range(2):
                torch.testing.assert_close(network(x)[0], answer)
    assert len(inputs) == len(plain)
    weights = {tuple(weight.shape) for weight in one.parameters()}
    assert all(shapes and not weights & {*shapes} for shapes in inputs)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_a_compiled_network_predicts_is_what_it_predicts_uncompiled(precision, flow_file, tmp_path, monkeypatch):
    monkeypatch.setattr(compilation, "COMPILER", "eager")
    torch._dynamo.reset()
    kind = ["name=tiny", "model.name=flow-unet", "model.parameters={widths=[4],stream=true,gated=true}"]
    run = trained_here(tmp_path, *settings_of(tmp_path, FLOW_RECIPE, flow_file), *kind)
    for compiled in ("false", "true"):
        words = ["threads=1", f"precision={precision}", f"compile={compiled}", f"output={tmp_path / compiled}.h5"]
        call_here(predict.main, run, flow_file, "frames=7", *words)
    with Dataset(tmp_path / "false.h5") as plain, Dataset(tmp_path / "true.h5") as found:
        assert found.attributes["compile"] and not plain.attributes["compile"]
        velocity = [file["t1_fields/velocity"][:] for file in (plain, found)]
    np.testing.assert_allclose(*velocity, atol=1e-6)
    assert np.ptp(velocity[0]) > 0.01


@pytest.mark.parametrize("compile_it", [compilation.compile_network, compilation.compile_frozen])
def test_without_a_c_compiler_nothing_is_compiled(compile_it):
    settings = importlib.import_module("torch._inductor.config")
    missing = settings.patch({"cpp.cxx": (None, "/no/such/compiler")})
    with missing, pytest.raises(UserError, match=r"compile = true: there is no C\+\+ compiler; install g\+\+"):
        compile_it(FlowUNet(widths=(4, 8)))


@pytest.mark.parametrize("program", ["train", "evaluate", "predict"])
def test_what_is_not_needed_at_the_start_is_not_imported(program):
    """Graphs and compilers take as long as all other imports of a program together."""
    parts = "from dtrain.models import model; from dtrain.data import data; model.names(), data.names()"
    loaded = "sys.modules.keys() & {'torch_geometric', 'torch._dynamo'}"
    code = f"import dtrain.{program}, sys; {parts}; sys.exit(str({loaded}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert found.stderr.strip() == "set()", found.stderr


def test_tf32_is_chosen_by_the_recipe_and_is_never_the_default(words, tmp_path):
    torch.backends.cudnn.allow_tf32 = True  # torch's own default
    try:
        losses(tmp_path / "ieee", words)
        assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
        losses(tmp_path / "tf32", words, "fp32_precision=tf32")
        assert torch.backends.cudnn.allow_tf32 and torch.backends.cuda.matmul.allow_tf32
    finally:
        use_precision("ieee")


def test_an_unknown_precision_is_refused_in_one_line(words, tmp_path):
    recipe = Path(compilation.__file__).parent.parent / words[0]
    code, output = train_here(tmp_path, recipe, *words[1:], "fp32_precision=bf16")
    assert code == 2 and "fp32_precision" in output and "tf32" in output
