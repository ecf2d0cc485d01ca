"""Registry of thermostats: one file, one name. Each replica has its own state; replicas share only arithmetic.

A thermostat is made as `thermostat.get(name)(temperature, relaxation_time, dt, degrees_of_freedom, streams)` with one
random stream per replica, and has
- `temperature`, `dt`: may be set between steps (a cooling ramp);
- `scale_before(kinetic_energy)`, `scale_after(kinetic_energy)`: factors [n_replicas] for the velocities before and
  after a velocity-Verlet step, or None; `kinetic_energy` is that of the whole system at that moment [n_replicas];
- `energy`: what to add to potential and kinetic energy to have a conserved quantity [n_replicas];
- `state()`, `restore(state)`: arrays [n_replicas, …] from which a run goes on bit for bit.

Units: Lennard-Jones. With the total momentum at rest, `degrees_of_freedom` is 3 n_particles - 3.
"""

from __future__ import annotations

from runkit.registry import Registry

thermostat = Registry("thermostat", "mdgen.thermostats")
