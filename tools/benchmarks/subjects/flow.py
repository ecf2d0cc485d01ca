"""A frame of flow by a trained network and by the simulation that it has learnt from: frames per second.

Both on one core in turns, in processor time. The network continues held-back cases one at a time, then together, with
products in float32 and in bfloat16, which pays on processors that have it, as it is and compiled by torch; the
simulation goes on with one case at the grid, precision and steps per frame that made the data, and averages its sites
to cells, without writing. A network that projects what it gives is also held against itself without that. With
--accuracy N, cost and error of both beside a finer grid, over N held-back cases.
"""

from __future__ import annotations


def add_arguments(parser) -> None:
    parser.add_argument("run", help="folder of a trained network of flow, such as runs/flow_cnn")
    parser.add_argument("--frames", type=int, default=12, help="frames of a measurement")
    parser.add_argument("--turns", type=int, default=5, help="measurements of each case")
    parser.add_argument("--accuracy", type=int, default=0, metavar="N", help="cases held against a finer grid")


def run(arguments) -> None:
    """Measure all cases and print the table."""
    from tools.benchmarks import flow_frame

    flow_frame.run(arguments)
