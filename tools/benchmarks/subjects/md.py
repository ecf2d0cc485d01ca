"""Molecular dynamics of the Kob–Andersen liquid against LAMMPS, or on a GPU against OpenMM: atom-steps per second.

On the CPU both run on the same cores in turns, in processor time, so that a busy machine spoils neither. The peer is
LAMMPS with lj/cut/opt and a skin of 0.2. The cases: one system; replicas in their cages; replicas as far apart as after
--age; replicas as far apart as in the file's `positions`. The limit is the rate of the force loop if it had only pairs
in range to do, for each replica its own.

On a GPU (--device gpu): batches of replicas and larger systems, in wall time. The limit is the lower one of two:
instructions that the multiprocessors can issue over those of the entries of a list, and the measured rate of copies
over the bytes that a step of a particle moves.
"""

from __future__ import annotations

from pathlib import Path


def add_arguments(parser) -> None:
    parser.add_argument("--start", type=Path, metavar="FILE", help="configuration file; by default a liquid is cooled")
    parser.add_argument("--temperature", type=float, default=0.44)
    parser.add_argument("--precision", default="float32", choices=("float32", "float64"))
    parser.add_argument("--turns", type=int, default=5, help="measurements of each case")
    parser.add_argument("--device", default="cpu", choices=("cpu", "gpu"))
    on_cpu = parser.add_argument_group("on the CPU")
    on_cpu.add_argument("--lammps", metavar="PATH", help="executable; by default one is installed in the user's cache")
    on_cpu.add_argument("--replicas", type=int, default=32)
    on_cpu.add_argument("--age", type=float, default=0.0, metavar="TIME", help="also measure replicas aged this long")
    on_cpu.add_argument("--aged", type=Path, metavar="FILE", help=".npz in which the aged replicas are kept")
    on_cpu.add_argument("--ranks", type=int, default=1, help="processes side by side, of ours and of LAMMPS alike")
    on_gpu = parser.add_argument_group("on a GPU")
    on_gpu.add_argument("--openmm", metavar="PYTHON", help="a Python that has OpenMM")
    on_gpu.add_argument("--platform", default="CUDA", help="the platform that OpenMM uses")
    on_gpu.add_argument("--steps", type=int, default=2000, help="steps of each measurement")


def run(arguments) -> None:
    """Measure all cases and print the table."""
    from tools.benchmarks import md_cpu, md_gpu

    (md_gpu if arguments.device == "gpu" else md_cpu).run(arguments)
