"""Lattice-Boltzmann flow beside lbmpy and the bandwidth of memory, on the CPU or a GPU: site updates per second.

Ours is a whole step of a periodic box, on several cores cut among MPI ranks; lbmpy's is its generated kernel alone (AA
pattern in place, AVX or AVX-512, OpenMP, single relaxation time, deviations from rest), without the boundaries of the
box. Both run in turns on the same cores, in wall time. The limit is what reading and writing all populations once in
place would take at the measured rate of an array in memory; small boxes lie in the cache and may exceed it. Rows
without a peer show what other laws and lattices cost. Streets, flow past a cylinder between an inlet and an outlet,
have the periodic box of their size as the limit.

On a GPU (--device gpu) ours are whole steps, with boundaries and forces, timed from the call to the result on the host,
and the limit is the rate at which an array is copied; batches that fit in the cache may exceed it.

--model instead measures what a step of a decomposed domain is made of and predicts larger machines.
"""

from __future__ import annotations


def add_arguments(parser) -> None:
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--seconds", type=float, default=0.4, help="length of a measurement")
    on_cpu = parser.add_argument_group("on the CPU")
    on_cpu.add_argument("--lbmpy", metavar="PATH", help="a Python with lbmpy; by default one is installed")
    on_cpu.add_argument("--ranks", type=int, nargs="+", default=[1, 2], help="numbers of cores")
    on_cpu.add_argument("--turns", type=int, default=5, help="measurements of each case")
    on_cpu.add_argument("--model", action="store_true", help="measure the parts of a step, predict 64 GPUs")


def run(arguments) -> None:
    """Measure all cases and print the table."""
    from tools.benchmarks import lbm_cpu, lbm_gpu, lbm_model

    (lbm_model if arguments.model else lbm_gpu if arguments.device == "gpu" else lbm_cpu).run(arguments)
