"""Processes that train together: who speaks, who waits, what is refused."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from dtrain import ranks as module
from dtrain.ranks import Ranks, connect
from dtrain.world import TorchWorld
from runkit.efficiency import TRAINING, WAIT, Account
from runkit.errors import UserError
from tests.worlds import check


@pytest.fixture
def two(monkeypatch) -> list[Ranks]:
    """Two groups of one process each, as threads of this one."""
    monkeypatch.setattr(module, "AGREEMENT_SECONDS", 0.3)
    store = dist.HashStore()
    return [Ranks(0, 1, group, 2, torch.device("cpu"), store) for group in range(2)]


def work(ranks: Ranks, fails: bool) -> None:
    with ranks.together():
        if fails:
            raise UserError("no such key")


def test_a_mistake_that_all_processes_find_is_left_to_root(two, capsys):
    with ThreadPoolExecutor() as pool:
        ends = list(pool.map(lambda ranks: pool.submit(work, ranks, True).exception(), two))
    assert [str(end) for end in ends] == ["no such key"] * 2
    assert capsys.readouterr().err == ""


def test_a_mistake_of_one_process_is_told_by_itself(two, capsys):
    with pytest.raises(UserError):
        work(two[1], fails=True)
    assert capsys.readouterr().err == "error: rank 1: no such key\n"


def test_a_count_is_the_same_for_all_groups_once_all_have_counted(two):
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(lambda ranks: ranks.count_all("failures", 3 + ranks.number), two)) == [7, 7]


def test_the_wait_for_a_sum_that_a_gpu_has_only_queued_is_counted(two, monkeypatch):
    """The host waits where it reads the sum."""
    read = torch.Tensor.tolist
    monkeypatch.setattr(dist, "all_reduce", lambda values: None)
    monkeypatch.setattr(torch.Tensor, "tolist", lambda values: time.sleep(0.05) or read(values))
    with Account(TRAINING) as account:
        assert two[0].mean([1.0, 2.0]) == [1.0, 2.0]
    assert account.seconds[WAIT] >= 0.05


@pytest.mark.parametrize("size", [1, 2])
def test_processes_that_torch_has_joined_do_what_a_world_promises(tmp_path, size):
    mp.start_processes(check_world, (size, str(tmp_path)), nprocs=size, start_method="forkserver")


def check_world(rank: int, size: int, folder: str) -> None:
    store = dist.FileStore(f"{folder}/store", size)
    dist.init_process_group("gloo", store=dist.PrefixStore("gloo", store), rank=rank, world_size=size)
    check(TorchWorld(rank, size, store))
    dist.destroy_process_group()


def test_two_groups_of_a_campaign_have_counters_of_their_own(two):
    class Alone(TorchWorld):
        def all_gather(self, value):
            return [value]

    first, second = (Alone(0, 1, ranks.store).shared_counter() for ranks in two)
    assert [first.next(), first.next(), second.next()] == [0, 1, 0]


def test_groups_that_do_not_divide_the_processes_are_refused(monkeypatch):
    join = {"RANK": "0", "WORLD_SIZE": "4", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in join.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="ranks_per_run = 3 does not divide the 4 processes"):
        connect(ranks_per_run=3)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="finds no CUDA GPU"):
        connect(device="gpu")


def test_processes_out_of_reach_are_reported_with_the_address(monkeypatch):
    monkeypatch.setattr("dtrain.join.JOIN_SECONDS", 1)
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "DS_ACCELERATOR": "cpu", **address}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"rank 0 is not to be had at 127\.0\.0\.1:1 .*set MASTER_ADDR"):
        connect(device="cpu", threads=1)
