"""A simulated power plant: a powercap tree whose counters follow a known truth.

It starts real child processes, reads what CPU time they and the rest of the
machine really used (from wait4(2), their cgroup's counter and /proc/stat, with
readers of its own), turns time into energy by the watts of a scenario, and
writes both the counters and the truth. An agent that is pointed at the tree
with ``--sysfs`` can then be compared with the truth, joule by joule.

It imports nothing that it is used to test, so that errors cannot cancel.

* :class:`Scenario`, :class:`Group`, :class:`Burn`, :class:`Levels`,
  :class:`Churn`, :class:`Run`, :class:`Fault`: what is simulated;
* :class:`Plant`: a context manager, in a process of its own;
* :func:`run_plant`: the same in the calling process;
* :class:`Truth`, :class:`Journal`: what was true.
"""

from wattribute_testing.plant.process import Plant, main
from wattribute_testing.plant.run import run_plant
from wattribute_testing.plant.scenario import Burn, Churn, Fault, Group, Levels, Run, Scenario
from wattribute_testing.plant.truth import Journal, Truth

__all__ = [
    "Burn",
    "Churn",
    "Fault",
    "Group",
    "Journal",
    "Levels",
    "Plant",
    "Run",
    "Scenario",
    "Truth",
    "main",
    "run_plant",
]
