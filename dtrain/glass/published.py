"""Published Pearson correlations of particle propensity, to stand beside ours at the same temperature and time.

Kob–Andersen 80:20, N = 4096, A particles, correlation within each of 100 test configurations, averaged. All models
were trained on 400 configurations. The ensembles behind these labels have 32 replicas.
Source: repository xjiang-hnu/EIGNN, results/pcc_mean_{044,050,056,064}.csv, on the GlassBench data,
doi:10.5281/zenodo.10118191. BOTAN: doi:10.1063/5.0129791. CAGE: R. M. Alkemade et al., J. Chem. Phys. 158, 134512
(2023). GlassMLP: doi:10.1103/PhysRevLett.130.238202. SE(3)-GNN: arXiv:2211.03226. EIGNN: arXiv:2407.06111; it uses the
inherent structure, or (cage) the mean positions of particles in their cages, which take a simulation.
Units: Lennard-Jones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

MODELS = ("BOTAN", "CAGE", "GlassMLP", "SE(3)-GNN", "EIGNN cage", "EIGNN")

# temperature -> rows: time, then one correlation per model
_PEARSON = {
    0.44: """
        0.13    .949 .684 .392 .896 .878 .840
        1.3     .739 .847 .796 .672 .872 .836
        13      .734 .901 .768 .681 .915 .823
        130     .697 .826 .725 .708 .858 .790
        412     .734 .802 .737 .749 .839 .802
        1300    .748 .801 .761 .785 .834 .820
        4120    .752 .782 .756 .791 .817 .817
        13000   .691 .706 .677 .731 .753 .756
        41200   .514 .533 .469 .558 .589 .591
        130000  .255 .234 .048 .260 .306 .308""",
    0.50: """
        0.108   .952 .643 .227 .915 .881 .859
        0.434   .915 .586 .595 .733 .689 .706
        2.17    .748 .756 .752 .697 .818 .815
        6.86    .733 .806 .736 .706 .850 .809
        21.7    .720 .815 .711 .724 .848 .795
        68.6    .732 .801 .715 .754 .831 .799
        217     .709 .766 .700 .752 .797 .783
        686     .600 .659 .590 .665 .692 .689
        2170    .451 .490 .369 .498 .518 .520
        6860    .252 .275 .016 .288 .313 .316""",
    0.56: """
        0.104   .952 .670 .192 .914 .892 .885
        0.33    .927 .515 .467 .774 .690 .694
        0.99    .788 .593 .642 .710 .709 .755
        1.65    .738 .632 .672 .699 .732 .776
        5.2     .738 .704 .678 .711 .775 .784
        16.5    .717 .726 .670 .724 .780 .773
        52      .677 .689 .629 .699 .738 .733
        165     .535 .547 .473 .563 .588 .586
        520     .364 .369 .154 .374 .392 .394
        1650    .220 .204 .018 .212 .229 .233""",
    0.64: """
        0.032   .607 .453 .029 .587 .592 .578
        0.1     .948 .669 .159 .925 .899 .891
        0.165   .957 .585 .263 .893 .816 .825
        0.52    .878 .519 .463 .730 .634 .676
        1.65    .748 .591 .575 .690 .670 .719
        5.2     .719 .651 .592 .699 .707 .726
        16.5    .661 .627 .553 .663 .673 .678
        52      .478 .463 .372 .492 .502 .503
        165     .278 .278 .129 .286 .297 .297
        520     .166 .161 .028 .167 .174 .175""",
}

# tau_alpha as the source defines it, one of the published times
TAU_ALPHA = {0.44: 4120.0, 0.50: 217.0, 0.56: 52.0, 0.64: 16.5}


def covers(config: Mapping[str, Any]) -> bool:
    """Whether a dataset with this configuration is of the published system, so that figures can be compared."""
    system = config.get("system", {})
    is_same_density = math.isclose(system.get("density", 0.0), 1.2, rel_tol=1e-3)
    return system.get("potential") == "kob-andersen" and is_same_density and not system.get("parameters")


def times(temperature: float) -> tuple[float, ...]:
    """The published times at `temperature`, ascending; () if none was published."""
    return tuple(time for time, _ in _rows(temperature))


def pearson(temperature: float, time: float) -> dict[str, float]:
    """Model -> correlation of A particles at this temperature and time; {} if they were not published."""
    for published, values in _rows(temperature):
        if math.isclose(published, time, rel_tol=0.01):
            return dict(zip(MODELS, values, strict=True))
    return {}


def _rows(temperature: float) -> list[tuple[float, tuple[float, ...]]]:
    known = next((t for t in _PEARSON if math.isclose(t, temperature, abs_tol=1e-6)), None)
    lines = _PEARSON[known].strip().splitlines() if known is not None else []
    table = [[float(word) for word in line.split()] for line in lines]
    return [(time, tuple(values)) for time, *values in table]
