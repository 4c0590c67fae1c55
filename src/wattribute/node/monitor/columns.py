"""A growing table of numpy columns with one row per slot."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Columns:
    """Named columns that grow together; rows are added at the end and dropped by mask."""

    def __init__(self, spec: Mapping[str, tuple[DTypeLike, tuple[int, ...]]]) -> None:
        """``spec``: name -> (type, shape of one row's value)."""
        self.size = 0
        self._data: dict[str, NDArray[Any]] = {
            name: np.zeros((64, *shape), dtype) for name, (dtype, shape) in spec.items()
        }

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The column's rows in use; a view, to be written in place."""
        return self._data[name][: self.size]

    def append(self, count: int) -> slice:
        """Add rows of zeros; where they are."""
        start, self.size = self.size, self.size + count
        for name, column in self._data.items():
            if len(column) < self.size:
                grown = np.zeros((max(self.size, 2 * len(column)), *column.shape[1:]), column.dtype)
                grown[:start] = column[:start]
                self._data[name] = grown
            else:
                column[start : self.size] = np.zeros((), column.dtype)
        return slice(start, self.size)

    def keep(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Drop the rows whose mask is False; old slot -> new slot, -1 for dropped ones."""
        moved = np.where(mask, np.cumsum(mask) - 1, -1)
        count = int(mask.sum())
        for column in self._data.values():
            column[:count] = column[: self.size][mask]
        self.size = count
        return moved

    def widen(self, name: str, width: int) -> None:
        """Let the first axis of each row's value be ``width`` long; new places are 0."""
        column = self._data[name]
        if column.shape[1] < width:
            wide = np.zeros((column.shape[0], width, *column.shape[2:]), column.dtype)
            wide[:, : column.shape[1]] = column
            self._data[name] = wide
