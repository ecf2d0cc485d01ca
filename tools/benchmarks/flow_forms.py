"""The ways in which a network of flow is measured: how many cases at once, in which arithmetic, compiled or not."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import product
from typing import get_args

import torch
from torch import nn

from dtrain.compilation import compile_frozen
from dtrain.data.clips import Clips, rollout
from dtrain.precision import Products, computing_in

TOGETHER = 64  # cases
NetworkForm = tuple[str, int, nn.Module]  # name, cases at once, and the network that continues them


def forms_of(network: nn.Module) -> Iterator[NetworkForm]:
    """All of them."""
    for products, is_compiled in product(get_args(Products), (False, True)):
        found = computing_in(products, copy.deepcopy(network))
        if is_compiled:
            compile_frozen(found)
        words = ["bfloat16"] * (products == "bfloat16") + ["compiled"] * is_compiled
        for n in (1, TOGETHER):
            yield ", ".join(["one case" if n == 1 else f"{n} cases at once", *words]), n, found


@torch.inference_mode()
def make_ready(network: nn.Module, clips: Clips) -> None:
    """Make a call that does not count: the first one reserves memory, and may compile."""
    rollout(network, clips, clips.given.shape[2])
