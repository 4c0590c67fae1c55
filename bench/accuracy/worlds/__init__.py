"""Simulated machines whose true power by workload is known, for methods that share energy.

The truth is on purpose outside the model class of the learner: the curve of a real machine, its
noise and its drift are not those that any method assumes. Random streams depend on the seed and
the plan alone, so that two versions of a method see the same minutes. Seeds 0 to 9 are for
development. Others are kept for checks and must never be tuned to.
"""
