"""What a learner shows to people: ratios, their bands, and how it is doing."""

from typing import Final

import numpy as np

from wattribute.core.records import LearnedWeights
from wattribute.node.attribution.learned.filters import limited
from wattribute.node.attribution.learned.learner import Learner
from wattribute.node.attribution.learned.share_band import BAND, unlearned

METHOD: Final = "learned-1"
"""The method and its version, as it stands on every report."""
_LEAST_USE: Final = 1e-4
"""Busy threads, a mean of 10 minutes: who uses less is not shown."""
_LITTLE: Final = 0.5
_REASONS: Final = ("capped", "invalid", "jump", "late")


def learned_weights(learner: Learner, seconds: float = 0.0) -> LearnedWeights:
    """Return what is known now; without a workload until the learner has begun.

    Args:
        learner: of a zone.
        seconds: CPU time that it took so far.
    """
    bank, slots = learner.bank, learner.slots
    rows = [(key, slot) for key, slot in slots.slot_of.items() if slots.use[slot] > _LEAST_USE]
    if bank is None:
        rows = []
    at = np.array([slot for _, slot in rows], np.int64)
    ratio = deviation = np.zeros(0)
    learning = np.zeros(0, np.bool_)
    noise = 0.0
    if bank is not None and rows:
        size = slots.top + 1
        mixed = learner.evidence.weights @ limited(1 + bank.deltas(size))
        use = slots.use[:size]
        mean = float(mixed @ use) / float(use.sum())
        ratio = mixed[at] / mean
        deviation = learner.deviation(at)
        learning = unlearned(bank, size)[at] > _LITTLE
        noise = float(np.sqrt(learner.evidence.weights @ learner.noise.variance).mean())
    return LearnedWeights(
        keys=tuple(key for key, _ in rows),
        ratio=ratio,
        low=ratio * np.exp(-BAND * deviation),
        high=ratio * np.exp(BAND * deviation),
        learning=learning,
        lead_nats=learner.evidence.lead_nats,
        noise_ratio=noise,
        delay_readings=learner.delay.readings,
        jumps=learner.jumps,
        restarts=learner.restarts,
        skipped={reason: learner.skipped[reason] for reason in _REASONS},
        seconds=seconds,
    )
