"""A training step of BOTAN (forward and backward, one graph) as published and as ours: steps per minute, memory.

All on one core in turns, in processor time. The published form concatenates the inputs of every first layer, edge by
edge; ours multiplies what belongs to particles once per particle, what never changes once per graph, and updates edges
in one operation that keeps nothing hidden. The limit is what the machine would take if it did the network's operations
at the rate of the fastest product of matrices that was found in the same run. Memory is the most that a step takes
beyond what is there before it.
"""

from __future__ import annotations


def add_arguments(parser) -> None:
    parser.add_argument("--particles", type=int, default=4096)
    parser.add_argument("--turns", type=int, default=3, help="measurements of each form")
    parser.add_argument("--give-back", action="store_true", help="free memory as the C library does by default")
    parser.add_argument("--compile", action="store_true", help="also torch.compile, which takes minutes at first")


def run(arguments) -> None:
    """Measure all forms and print the table."""
    from tools.benchmarks import botan_step

    botan_step.run(arguments)
