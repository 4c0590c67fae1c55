"""How right the joules of each consumer are: worlds, recordings and plants, and all methods.

``bench.accuracy.agents`` is a section of ``make bench``. The rest is ``make bench-accuracy``.
"""
