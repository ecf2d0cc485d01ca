"""`python -m mdgen [show] [case.toml] [section.key=value …]`, alone or under mpiexec."""

from __future__ import annotations

from functools import partial

from runkit.mpi import launch, single_threaded


def main() -> None:
    """Generate isoconfigurational ensembles into one parallel HDF5 file.

    Exit code: 0 all samples complete, 3 some failed, 4 all failed, 2 a mistake in the configuration, 1 another error.
    """
    single_threaded()
    from mdgen.config import Case
    from mdgen.plan import show
    from mdgen.potentials import potential
    from runkit.cli import run_program

    parts = {"system.potential": potential}
    run_program("python -m mdgen", Case, partial(launch, _generate), show, main.__doc__ or "", parts=parts)


def _generate(world, case) -> int:
    from mdgen.run import generate

    return generate(world, case)


if __name__ == "__main__":
    main()
