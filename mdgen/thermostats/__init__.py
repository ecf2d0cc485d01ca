"""Registry of thermostats: one file, one name. Each replica has its own state; replicas share only arithmetic.

A thermostat is made as `thermostat.get(name)(temperature, relaxation_time, dt, degrees_of_freedom, streams)` with one
random stream per replica, and has
- `least_steps`: the shortest relaxation time that it can follow, in steps;
- `temperature`, `dt`: may be set between steps (a cooling ramp);
- `before`, `after`: formulas (or None) for the factor of the velocities before and after a velocity-Verlet step,
  `formula(kinetic, value, number, constant) -> factor, value`, from the kinetic energy of the whole system at that
  moment, its own values, random numbers and constants;
- `value` float64 [n_values, n_replicas], `draw(n_steps)`: the random numbers of the steps that come next
  [n_steps, n_numbers, n_replicas], `constants`: floats for the present temperature and step;
- `energy`: what to add to potential and kinetic energy to have a conserved quantity [n_replicas];
- `state()`, `restore(state)`: arrays [n_replicas, …] from which a run goes on bit for bit.

A formula is applied to NumPy arrays over replicas, and to symbols when a kernel for a GPU is made of it. It uses
+ - * /, `np.sqrt` and `np.copysign` alone, which all machines round alike.

Units: Lennard-Jones. With the total momentum at rest, `degrees_of_freedom` is 3 n_particles - 3.
"""

from __future__ import annotations

from runkit.registry import Registry

thermostat = Registry("thermostat", "mdgen.thermostats")
