"""Search and deduplicate ascending columns of keys.

np.unique and np.isin would do the same, but the first call of either imports numpy.ma,
which takes 60 ms and 8 MB of memory.
"""

import numpy as np
from numpy.typing import NDArray


def find(
    among: NDArray[np.uint64], keys: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the place of each key among ascending ones, and whether the key is there."""
    if not len(among):
        return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
    at = np.searchsorted(among, keys)
    at[at == len(among)] = 0
    return at, among[at] == keys


def distinct(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return each key once, in ascending order."""
    keys = np.sort(keys)
    unique_keys: NDArray[np.uint64] = keys[
        np.concatenate([np.ones(len(keys[:1]), np.bool_), keys[1:] != keys[:-1]])
    ]
    return unique_keys
