"""Flows that others have computed to many digits; finer grids and unsteady flow are in docs/validation.md."""

import numpy as np
import pytest

from tools.flow_cases import CAVITY, Cylinder, cavity, extremes, strouhal


def test_a_lid_driven_cavity_is_that_of_a_spectral_code():
    """Re = 100: the extreme velocities on the centre lines within half a percent of that of the lid, at 64 sites."""
    found = extremes(cavity(64, 100, tolerance=1e-5))
    np.testing.assert_allclose(found, CAVITY[100], rtol=0, atol=2e-3)


@pytest.mark.parametrize(("walls", "tolerance"), [("interpolated", 0.01), ("half-way", 0.06)])
def test_drag_of_a_cylinder_in_a_channel_is_the_published_one(walls, tolerance):
    """DFG 2D-1, ten sites per diameter."""
    drag, lift = Cylinder(diameter=10, velocity=0.05, walls=walls).steady(1e-5)
    assert drag == pytest.approx(5.57953523384, rel=tolerance)
    assert lift == pytest.approx(0.010618948146, abs=3 * tolerance * 0.1)


def test_the_frequency_of_a_known_signal_is_found():
    signal = 0.3 + np.sin(2 * np.pi * np.arange(5000) / 333.3)
    assert strouhal(signal, 0.03, 20) == pytest.approx(20 / 333.3 / 0.03, rel=1e-4)
