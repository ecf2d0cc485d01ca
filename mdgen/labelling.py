"""Third stage: labels and statistics of each sample, from the trajectories of its replicas."""

from __future__ import annotations

import numpy as np

from mdgen.config import RunConfig
from mdgen.initial import Configuration
from mdgen.observables import sample_labels
from mdgen.trajectory import Run
from runkit.arrays import I64, Array
from runkit.dataset.schema import COMPLETE, FAILED
from runkit.dataset.verify import require_sound
from runkit.dataset.writer import Writer
from runkit.progress import Progress


def label(run: Run) -> None:
    """Label this rank's share of the samples that the file still lacks; a sample with a failed replica fails."""
    file, world = run.file, run.world
    propagated = file.read("propagated")
    pending = [sample for (sample,) in file.pending("labelled")]
    mine = [pending[i] for i in world.share(len(pending))]
    with Progress(world, len(mine), "samples", "label") as progress:
        for sample in mine:
            run.stop.here()
            if (propagated[sample] == COMPLETE).all():
                _label_sample(run.config, run.potential.n_species, file, sample)
            else:
                _fail_sample(file, sample, np.flatnonzero(propagated[sample] == FAILED))
            progress.advance(1)
            run.stop.keep(1)


def _label_sample(config: RunConfig, n_species: int, file: Writer, sample: int) -> None:
    require_sound(file, "equilibrated", (sample,))
    for replica in range(file.shape("propagated")[1]):
        require_sound(file, "propagated", (sample, replica))
    position, species, box = (file.read(name, (sample,)) for name in ("initial_position", "species", "box"))
    start = Configuration.of(f"sample {sample}", position, species, box)
    slices = (file.read("position", (sample, i_time)) for i_time in range(len(config.production.times)))
    labels = sample_labels(slices, start, n_species, config.label.bond_cutoff, config.label.wave_number)
    try:
        write_labels(file, sample, labels)
    except OverflowError as error:
        file.write_text("failure", (sample,), str(error))
        file.mark("labelled", (sample,), FAILED)


def _fail_sample(file: Writer, sample: int, replicas: I64) -> None:
    """Say which replicas blew up, unless the sample has failed before it had any."""
    if file.read("equilibrated", (sample,)) == COMPLETE:
        names = ", ".join(map(str, replicas))
        file.write_text("failure", (sample,), f"production: energy exploded or not finite in replica {names}")
    file.mark("labelled", (sample,), FAILED)


def write_labels(file: Writer, sample: int, labels: dict[str, Array]) -> None:
    """Store what `sample_labels` gave, bonds padded to the capacity of the file; marks the sample complete.

    Raises `OverflowError` if there are more bonds than that.
    """
    n_bonds, capacity = len(labels["bond"]), file.read("bond", (sample,)).shape[0]
    if n_bonds > capacity:
        raise OverflowError(f"{n_bonds} bonds, room for {capacity}: raise label.bond_capacity")
    for name, values in labels.items():
        if name == "bond":
            values = np.pad(values, ((0, capacity - n_bonds), (0, 0)), constant_values=-1)
        elif "bond" in file.schema[name].dims:
            values = np.pad(values, ((0, 0), (0, capacity - n_bonds)), constant_values=np.nan)
        file.write(name, (sample,), values)
    file.write("n_bonds", (sample,), n_bonds)
    file.write_text("failure", (sample,), "")  # a pending sample may hold anything
    file.mark("labelled", (sample,), COMPLETE)
