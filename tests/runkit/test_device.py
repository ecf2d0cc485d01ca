"""The choice between CPU and GPU."""

from types import SimpleNamespace

import pytest

from runkit import device
from runkit.device import Gpu, choose, need
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tests.shim import StandIn


class FakeGpu:
    """A node with three GPUs."""

    def __init__(self, index):
        self.index, self.name, self.identity = index, f"GPU {index}", f"00:0{index}"


def test_the_cpu_is_taken_when_asked_for(capsys):
    assert choose(SerialWorld(), "cpu") is None
    assert capsys.readouterr().out == "device: 1 rank on the CPU\n"


def test_a_rank_takes_the_gpu_of_its_number_on_the_node(monkeypatch, capsys):
    class OnlyRoot(SerialWorld):
        def node(self):
            return SimpleNamespace(rank=4, all_gather=lambda mine: [mine, "00:02", mine])

    monkeypatch.setattr(device, "_count", lambda: 3)
    monkeypatch.setattr(device, "Gpu", FakeGpu)
    chosen = choose(OnlyRoot(), "gpu")
    assert (chosen.index, chosen.n_sharing) == (1, 2)
    assert capsys.readouterr().out == "device: 1 rank on GPU 1\n"


def test_a_missing_gpu_is_refused_if_asked_for_and_else_explained(monkeypatch, capsys):
    def count():
        raise device.NoGpu("there is no GPU")

    monkeypatch.setattr(device, "_count", count)
    with pytest.raises(UserError, match=r"^device = gpu: there is no GPU; or set device = cpu$"):
        choose(SerialWorld(), "gpu")
    assert choose(SerialWorld(), "auto") is None
    assert capsys.readouterr().out == "device: 1 rank on the CPU (there is no GPU)\n"


def test_ranks_of_which_some_find_no_gpu_are_refused_together(monkeypatch):
    class Mixed(SerialWorld):
        def all_gather(self, value):
            return [value, False, True]

    monkeypatch.setattr(device, "_count", lambda: 1)
    monkeypatch.setattr(device, "Gpu", FakeGpu)
    with pytest.raises(UserError, match=r"^device = auto: 1 of 3 ranks find no GPU; start ranks only"):
        choose(Mixed(), "auto")


@pytest.mark.parametrize("has_gpu", [False, True])
def test_a_driver_that_is_too_old_is_named(monkeypatch, has_gpu):
    class Refused(Exception):
        status = device.INSUFFICIENT_DRIVER

    class Runtime:
        def driverGetVersion(self):
            return 11040

        def runtimeGetVersion(self):
            return 13000

    monkeypatch.setattr(device, "has_gpu", lambda: has_gpu)
    reason = device._reason(Runtime(), Refused())
    assert ("the driver supports CUDA up to 11.4, CuPy needs 13.0" in reason) == has_gpu


def test_what_does_not_fit_is_refused_with_what_it_needs():
    gpu = StandIn(free_bytes=2**30)
    need(gpu, 2**30, "")
    with pytest.raises(UserError, match="5 GiB are needed and 1 GiB are free on stand-in; lower n"):
        need(gpu, 5 * 2**30, "lower n")


def test_ranks_that_share_a_gpu_have_an_equal_part_of_its_memory():
    """What this rank has already counts for its part, what others have only if it leaves less."""
    gpu, pool = Gpu.__new__(Gpu), SimpleNamespace(free_bytes=lambda: 5, used_bytes=lambda: 10)
    runtime = SimpleNamespace(memGetInfo=lambda: (60, 80))
    gpu.xp = SimpleNamespace(cuda=SimpleNamespace(runtime=runtime), get_default_memory_pool=lambda: pool)
    found = []
    for gpu.n_sharing in (1, 2):
        found.append(gpu.free_bytes)
    assert found == [65, 30]


def test_slices_of_one_gpu_are_not_shared_and_its_ranks_are(monkeypatch):
    """MIG: one place on the bus, a UUID for each."""
    found = [device._identity("0000:01:00.0", {"uuid": uuid}) for uuid in (b"a", b"b", b"a")]
    assert found[0] == found[2] != found[1]
    assert device._identity("0000:01:00.0", {"uuid": b"a"}) != device._identity("0000:02:00.0", {"uuid": b"a"})
