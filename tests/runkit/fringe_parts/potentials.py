"""A mixture of its own numbers."""

from mdgen.potentials import potential


@potential("fringe-mixture")
def mixture(cutoff: float = 2.0):
    """Kob and Andersen's, cut closer."""
    return potential.build("kob-andersen", cutoff=cutoff)
