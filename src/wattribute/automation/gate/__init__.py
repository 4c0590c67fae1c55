"""The CI energy gate: measure a command often enough, compare, and fail the build on a regression.

Nothing is imported here: pytest loads ``gate.pytest_plugin`` in every run of every project that
has this package installed.
"""
