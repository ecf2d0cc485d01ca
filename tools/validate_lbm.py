"""Compare lbmgen with theory, with lbmpy and with published flows; print each figure beside its limit.

    python -m tools.validate_lbm order        # Taylor-Green vortices: order of the error in the spacing
    python -m tools.validate_lbm lbmpy        # the same numbers as lbmpy, to rounding
    python -m tools.validate_lbm poiseuille   # where walls lie
    python -m tools.validate_lbm lid          # lid-driven cavity
    python -m tools.validate_lbm cylinder     # DFG 2D-1, Re = 20: drag, lift, pressure
    python -m tools.validate_lbm street       # DFG 2D-2, Re = 100: frequency, largest drag and lift
    python -m tools.validate_lbm outlets      # what sound and vortices do at an outlet
    python -m tools.validate_lbm wakes        # from which tau on a wake leaves through each kind of outlet
    python -m tools.validate_lbm mass         # what interpolated walls keep where no face holds the density
    python -m tools.validate_lbm sliding      # from which tau on a lid-driven cavity is stable

Exit code 1 if a limit is missed. `--quick` leaves out the finest grids. `docs/validation.md` records the figures.
Units: lattice units, or those of the published problem.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from lbmgen import simulate
from lbmgen.boundaries import boundary
from lbmgen.boundaries.face import OPEN, named
from lbmgen.collisions import collision
from lbmgen.lattices import LATTICES
from lbmgen.soundness import least_tau
from runkit.cli import OptionParser
from runkit.dataset.contracts.flow import LARGEST_SPEED
from runkit.errors import in_one_line
from tools.benchmarks.lbm_cpu import LBMPY
from tools.flow_cases import (
    CAVITY,
    Cylinder,
    cavity,
    extremes,
    fastest,
    in_wake,
    leaving_sound,
    leaving_vortex,
    strouhal,
    taylor_green,
)
from tools.lbmpy_reference import propagate
from tools.report import Report

CYLINDER = {"drag": 5.57953523384, "lift": 0.010618948146, "pressure": 0.11752016697}
STREET = {"St": (0.295, 0.305), "largest drag": (3.22, 3.24), "largest lift": (0.99, 1.01)}  # intervals of 1996
LEAVING = {"convective": (0.35, 0.05), "characteristic": (0.05, 0.02)}  # at most, of sound and of a vortex
CHANNEL_MEAN = 0.2  # of the published problem, in which a diameter is 0.1


def order(options: argparse.Namespace, report: Report) -> None:
    """Error of the velocity after it has fallen by 1/sqrt(e), at fixed tau: the Mach number falls with the spacing."""
    for law in ("bgk", "trt", "regularised"):
        errors = []
        for n in (16, 32, 64) if options.quick else (16, 32, 64, 128):
            (rho, u), tau = taylor_green(n, 0.64 / n), 0.8
            rate = 2 * (tau - 0.5) / 3 * (2 * np.pi / n) ** 2
            n_steps = round(0.5 / rate)
            found, exact = simulate(rho, u, tau, n_steps, collision=law).u, u * np.exp(-rate * n_steps)
            errors.append(np.sqrt(((found - exact) ** 2).sum() / (exact**2).sum()))
        for n, coarse, fine in zip((32, 64, 128), errors, errors[1:], strict=False):
            report.row(f"{law}: error at {n} sites", fine)
            report.row(f"{law}: |order - 2| from {n // 2} to {n} sites", abs(np.log2(coarse / fine) - 2), 0.1)


def lbmpy(options: argparse.Namespace, report: Report) -> None:
    """50 steps from noise in a periodic box."""
    python, random = LBMPY.find(options.lbmpy), np.random.default_rng(1)
    for name, of in LATTICES.items():
        shape = (24, 18) if of.d == 2 else (8, 9, 10)
        rho, u = 1 + 0.01 * random.standard_normal(shape), 0.03 * random.standard_normal((*shape, of.d))
        for law in ("bgk", "trt"):
            for force in (None, (1e-4, 2e-5, -5e-5)[: of.d]):
                theirs = propagate(python, name, law, 0.8, rho, u, 50, force)
                ours = simulate(rho, u, 0.8, 50, lattice=name, collision=law, force=force)
                what = f"{name}, {law}, {'force' if force else 'no force'}"
                report.row(f"{what}: largest difference of rho", np.abs(ours.rho - theirs[0]).max(), 1e-14)
                report.row(f"{what}: largest difference of u", np.abs(ours.u - theirs[1]).max(), 1e-15)


def poiseuille(options: argparse.Namespace, report: Report) -> None:
    """Largest error over the velocity in the middle of the channel, and for BGK less the slip of theory."""
    width, centre = 11, 0.02
    y = np.arange(width) + 0.5
    for law in ("trt", "bgk"):
        for tau in (0.51, 0.6, 0.8, 1.0, 2.0):
            nu = (tau - 0.5) / 3
            force, exact = 8 * nu * centre / width**2, 4 * centre * y * (width - y) / width**2
            u = np.zeros((2, width, 2))
            u[..., 0] = exact
            found = simulate(
                np.ones((2, width)), u, tau, round(6 * width**2 / nu), collision=law, force=(force, 0),
                boundaries={"y": "no-slip"},
            ).u[0, :, 0]  # fmt: skip
            slip = centre * (16 / 3 * (tau - 0.5) ** 2 - 1) / width**2 if law == "bgk" else 0
            report.row(f"{law}, tau = {tau}: error", np.abs(found - exact).max() / centre)
            report.row(f"{law}, tau = {tau}: error less known slip", np.abs(found - exact - slip).max() / centre, 1e-10)


def lid(options: argparse.Namespace, report: Report) -> None:
    """Extreme velocities on the centre lines, over that of the lid."""
    for reynolds, sizes in ((100, (64, 128)), (1000, (128, 256))):
        for n in sizes[:1] if options.quick else sizes:
            found = extremes(cavity(n, reynolds, tolerance=1e-6))
            for name, ours, theirs in zip(("least u", "largest v", "least v"), found, CAVITY[reynolds], strict=True):
                print(f"Re = {reynolds}, {n} sites: {name} {ours:.5f}, published {theirs:.7f}")
                report.row("difference over the velocity of the lid", abs(ours - theirs), 4e-3 if n > 64 else 8e-3)


def cylinder(options: argparse.Namespace, report: Report) -> None:
    """DFG 2D-1: errors of drag, lift and pressure difference."""
    for diameter in (10, 20) if options.quick else (10, 20, 40):
        for walls in ("interpolated", "half-way"):
            began, case = time.perf_counter(), Cylinder(20.0, diameter, walls=walls)
            drag, lift = case.steady(1e-6)
            found = {"drag": drag, "lift": lift, "pressure": case.pressure_drop() * CHANNEL_MEAN**2}
            print(f"{diameter} sites per diameter, {walls}, {time.perf_counter() - began:.0f} s")
            limits = {"drag": 0.01, "lift": 0.02, "pressure": 0.01} if diameter > 10 else {"drag": 0.01}
            for name, value in found.items():
                limit = limits.get(name) if walls == "interpolated" else None
                report.row(name, value)
                report.row(f"error of {name}", abs(value / CYLINDER[name] - 1), limit)


def street(options: argparse.Namespace, report: Report) -> None:
    """DFG 2D-2 over forty crossings of a diameter, once it is periodic."""
    for diameter, velocity in ((20, 0.05),) if options.quick else ((20, 0.025), (30, 0.025), (40, 0.025)):
        began, case = time.perf_counter(), Cylinder(100.0, diameter, velocity)
        crossing = round(diameter / velocity)
        case.advance(60 * crossing, 4 * crossing)
        drag, lift = case.advance(40 * crossing).T
        found = {"St": strouhal(lift, velocity, diameter), "largest drag": drag.max(), "largest lift": lift.max()}
        print(f"{diameter} sites per diameter, velocity {velocity}, {time.perf_counter() - began:.0f} s")
        for name, value in found.items():
            low, high = STREET[name]
            print(f"{name} {value:.4f}, published {low:g} to {high:g}")
            limit = {"St": 0.0, "largest drag": 0.01 if diameter > 20 else 0.03}.get(name)
            report.row("outside of these by", max(low - value, value - high, 0.0) / low, limit)


def outlets(options: argparse.Namespace, report: Report) -> None:
    """Flow at 0.08; sound: what comes back; vortex: error of the velocity half way out, over its largest. Street: DFG
    2D-2 in a channel that ends so many diameters behind the cylinder; all kinds of open faces."""
    for kind in named(OPEN):
        follows = boundary.get(kind).from_flow
        for speed in (0.08, 0.04, 0.16, 0.6) if follows else (0.0,):
            outlet = _outlet(kind, speed)
            name, limits = f"{kind}, speed {speed}" if follows else kind, LEAVING.get(kind) if speed == 0.08 else None
            for width in (6, 25):
                report.row(
                    f"{name}: sound, pulse of {width} sites", leaving_sound(outlet, 0.08, width), limits and limits[0]
                )
            report.row(f"{name}: vortex", leaving_vortex(outlet, 0.08), limits and limits[1])
    for kind in named(OPEN):
        for behind in (4, 20):
            _street_cut(kind, behind, report)


def _outlet(kind: str, speed: float) -> dict[str, object]:
    """An open face of a kind, with the speed of the flow if it has such a parameter."""
    follows = boundary.get(kind).from_flow
    return {"kind": kind} | ({follows: speed} if follows else {})


def _street_cut(kind: str, behind: int, report: Report) -> None:
    """Frequency, largest drag and lift of a street that ends `behind` diameters after the cylinder."""
    velocity, diameter = 0.05, 20
    case = Cylinder(100.0, diameter, velocity, outlet=_outlet(kind, velocity), length=2 + behind)
    crossing = round(diameter / velocity)
    case.advance(60 * crossing, 4 * crossing)
    drag, lift = case.advance(20 * crossing).T
    found = strouhal(lift, velocity, diameter), drag.max(), drag.min(), lift.max()
    for name, value in zip(("St", "largest drag", "least drag", "largest lift"), found, strict=True):
        report.row(f"{kind}, street that ends {behind} diameters behind: {name}", value)


def mass(options: argparse.Namespace, report: Report) -> None:
    """A disc in a periodic channel that a force drives: mass, by precision; discs in a square array: drag over mu U."""
    n_steps, places = 10_000 if options.quick else 100_000, np.indices((64, 48)) + 0.5
    sdf, rest = np.hypot(places[0] - 20.3, places[1] - 23.7) - 6, (np.ones((64, 48)), np.zeros((64, 48, 2)))
    for dtype, limit in (("float64", 1e-12), ("float32", 2e-6)):
        for tau in (0.55, 0.8):
            flow = simulate(*rest, tau, n_steps, sdf=sdf, force=(1e-5, 0), boundaries={"y": "no-slip"}, dtype=dtype)
            lost = abs(flow.rho[sdf > 0].mean() - 1)
            report.row(f"{dtype}, tau = {tau}: part of the mass lost in {n_steps} steps", lost, limit)
    for n in (1, 2) if options.quick else (1, 2, 4):
        x, y = np.indices((16 * n, 16 * n)) + 0.5
        sdf, force = np.hypot(x - 8 * n, y - 8 * n) - 3 * n, 1e-5 / n**3
        for walls, body in (("interpolated", {"sdf": sdf}), ("half-way", {"solid": sdf <= 0})):
            flow = simulate(
                np.ones(x.shape), np.zeros((*x.shape, 2)), 1.0, 2500 * n**2, collision="trt", force=(force, 0), **body
            )
            report.row(f"{6 * n} sites per diameter, {walls}: drag", force * x.size * 6 / flow.u[..., 0].mean())


def sliding(options: argparse.Namespace, report: Report) -> None:
    """Largest speed in a square cavity whose lid slides at 0.098 at once, in 80 turns of the lid; at the least tau that
    is allowed beside a sliding wall, and half way from there to 1/2."""
    for law in collision.names():
        built = collision.build(law)
        least = max(built.least_tau, built.least_tau_sliding)
        for n in (32,) if options.quick else (32, 64, 128):
            report.row(f"{law}, {n} sites, tau = {(0.5 + least) / 2:.4f}", fastest(n, (0.5 + least) / 2, law))
            report.row(f"{law}, {n} sites, tau = {least:.4f}", fastest(n, least, law), LARGEST_SPEED)


def wakes(options: argparse.Namespace, report: Report) -> None:
    """Largest speed in the wake of a cylinder that leaves through an open face, at the least tau that is accepted with
    it; with one that reflects sound, half way from there to 1/2 too."""
    for law in collision.names():
        built = collision.build(law)
        for kind in named(OPEN):
            from_flow = boundary.get(kind).from_flow
            given = {from_flow: 0.08} if from_flow else {}
            face, outlet = boundary.build(kind, **given), {"kind": kind} | given
            least, *_ = least_tau(built, {"x_high": face})
            if face.reflects:
                report.row(f"{law}, {kind}, tau = {(0.5 + least) / 2:.4f}", in_wake(law, outlet, (0.5 + least) / 2))
            report.row(f"{law}, {kind}, tau = {least:.4f}", in_wake(law, outlet, least), LARGEST_SPEED)


@in_one_line(OSError, RuntimeError)
def main() -> int:
    checks = {
        check.__name__: check
        for check in (order, lbmpy, poiseuille, lid, cylinder, street, outlets, wakes, mass, sliding)
    }
    parser = OptionParser(
        "python -m tools.validate_lbm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("check", choices=checks, nargs="+")
    parser.add_argument("--lbmpy", metavar="PATH", help="a Python with lbmpy; by default one is installed")
    parser.add_argument("--quick", action="store_true", help="without the finest grids")
    options = parser.parse_args()
    report = Report()
    for check in options.check:
        checks[check](options, report)
    return report.verdict()


if __name__ == "__main__":
    sys.exit(main())
