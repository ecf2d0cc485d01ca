"""`python -m mdgen [show] [case.toml] [section.key=value …]`, alone or under mpiexec."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from runkit.imports import NUMBA, imports_of

if TYPE_CHECKING:  # NumPy is not to be loaded yet: see `single_threaded`
    from mdgen.config import RunConfig
    from runkit.mpi import World
    from runkit.registry import Registry


def main() -> None:
    """Generate isoconfigurational ensembles into one parallel HDF5 file.

    Exit code: 0 all samples complete, 3 some failed, 4 all failed, 75 unfinished, because its time was over or a signal
    warned it (the same command goes on), 2 a mistake in the configuration, 1 another error.
    """
    with imports_of(__name__, NUMBA):
        from runkit.mpi import launch, single_threaded

        single_threaded()
        from mdgen.config import RunConfig
        from mdgen.plan import show
        from mdgen.potentials import potential
        from mdgen.thermostats import thermostat
        from runkit.cli import run_program

    parts: dict[str, Registry[Any]] = {"system.potential": potential, "initial.thermostat": thermostat}
    run_program("python -m mdgen", RunConfig, partial(launch, _generate), show, main.__doc__ or "", parts=parts)


def _generate(world: World, config: RunConfig) -> int:
    from mdgen.run import generate

    return generate(world, config)


if __name__ == "__main__":
    main()
