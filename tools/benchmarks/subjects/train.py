"""A training step of BOTAN and of the flow CNN on the CPU or a GPU: time, memory, share of the machine's arithmetic.

In float32, TF32 and bfloat16, as the networks are and, with --compile, compiled. A step is forward, loss, backward,
clipping and Adam. Its operations are those that the function needs, however often a form repeats them; their rate is
compared with that of a large product of matrices in the same precision, measured in the same run. Then whole steps with
batches that stay on the device or are sent to it, and the share of time that the host waits for them.
"""

from __future__ import annotations


def add_arguments(parser) -> None:
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "gpu"))
    parser.add_argument("--network", default="both", choices=("botan", "flow", "both"))
    parser.add_argument("--particles", type=int, default=4096, help="of a graph")
    parser.add_argument("--cells", type=int, default=64, help="of a clip, along x and along y")
    parser.add_argument("--samples", type=int, nargs="+", default=[1, 8], help="graphs of a step; of clips eight times")
    parser.add_argument("--steps", type=int, default=0, help="steps of a measurement; 0: 20 on a GPU, 1 on the CPU")
    parser.add_argument("--turns", type=int, default=3, help="measurements of each case")
    parser.add_argument("--compile", action="store_true", help="also torch.compile, which takes minutes at first")


def run(arguments) -> None:
    """Measure all cases and print the tables."""
    from tools.benchmarks import train_step

    train_step.run(arguments)
