"""Interrupts: a consumer only where their time is not inside the tasks' already."""

from typing import Final

from wattribute.core.records import Usage

_MEMORY: Final = 0.95
"""Weight of what was seen before, per tick: one tick alone is too noisy (10 ms steps)."""


class Interrupts:
    """Tells by the books of the machine whether interrupts are counted apart.

    Kernels with CONFIG_IRQ_TIME_ACCOUNTING take interrupts out of the time of the
    task that they struck, others leave them in. Busy time (interrupts included) less the
    tasks' is therefore the interrupts' time, or nothing.
    """

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._gap_ns = 0.0
        self._irq_ns = 0.0

    def apart_ns(self, usage: Usage, tasks_ns: int) -> int:
        """Interrupt time of this interval that no task has; 0 where the tasks have it."""
        busy_ns = int(usage.busy_ns.sum())
        self._gap_ns = self._gap_ns * _MEMORY + busy_ns - tasks_ns
        self._irq_ns = self._irq_ns * _MEMORY + usage.irq_ns
        return usage.irq_ns if self._gap_ns > self._irq_ns / 2 else 0
