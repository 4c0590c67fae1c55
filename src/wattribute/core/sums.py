"""Computes exact sums over groups of rows."""

import numpy as np
from numpy.typing import NDArray


def sum_by(index: NDArray[np.int64], values: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Add up the rows of each group, exactly.

    The sums are integers, because np.bincount adds in float64, which is exact below 2**53 only.

    Args:
        index: (n,) The group of each row; -1 for a row of no group, which is left out.
        values: (n,) or (n, k) The values to add up.
        size: The number of groups.

    Returns:
        (size,) or (size, k) The sums.

    Raises:
        ValueError: An index is below -1, or not below ``size``.
    """
    if len(index) and (int(index.min()) < -1 or int(index.max()) >= size):
        raise ValueError(f"groups must be -1 to {size - 1}, not {index.min()} to {index.max()}")
    columns = values[:, None] if values.ndim == 1 else values
    # Group -1 is the last of one row more than is asked for, and is cut off. One column at a
    # time, because np.add.at is fast (1 ns per element) in one dimension only.
    sums = np.zeros((columns.shape[1], size + 1), dtype=np.int64)
    for column in range(columns.shape[1]):
        np.add.at(sums[column], index, columns[:, column])
    return sums[0, :size] if values.ndim == 1 else sums[:, :size].T
