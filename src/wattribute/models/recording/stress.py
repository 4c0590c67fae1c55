"""Load at a set level on all CPUs, for measuring what the machine draws under it.

``python -m wattribute.models.recording.stress`` is the process that loads; it reads levels from its
standard input and ends with it, so nothing goes on when whoever started it dies. The work is a mix:
hashing (integers), products of matrices (floating point) and copying (memory).
"""

import hashlib
import mmap
import os
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PERIOD_S: Final = 0.1
"""Each CPU works for its share of this, and rests for the remainder: short against any meter, long
against a clock tick."""
_END: Final = -1.0
_LEVEL: Final = struct.Struct("d")
_MATRIX: Final = 96
_BUFFER_BYTES: Final = 8 << 20
"""Of each CPU: more than its part of the last-level cache."""
_PIECE_BYTES: Final = 1 << 20
_CLOSE_S: Final = 5.0


class Stress:
    """A context in which the machine can be put under load."""

    def __init__(self, cpus: Sequence[int] | None = None) -> None:
        """``cpus``: which to load; None: all that this process may use."""
        self._cpus = sorted(os.sched_getaffinity(0) if cpus is None else cpus)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start idle workers."""
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, *map(str, self._cpus)],
            stdin=subprocess.PIPE,
            env={**os.environ, **threads},
            start_new_session=True,  # Ctrl-C is for whoever measures
        )
        return self

    @property
    def pid(self) -> int | None:
        """The process that makes the load; None outside the context."""
        return None if self._process is None else self._process.pid

    def set(self, level: float) -> None:
        """Load every CPU for this part of its time, 0 to 1."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(b"%.4f\n" % level)
            self._process.stdin.flush()

    def __exit__(self, *_: object) -> None:
        """End the load."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(_CLOSE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main(cpus: Sequence[int]) -> None:
    """Fork a worker for each CPU, and pass on the levels that come on standard input."""
    import numpy as np  # noqa: PLC0415 - here only, once for all workers

    level = mmap.mmap(-1, _LEVEL.size)
    _LEVEL.pack_into(level, 0, 0.0)
    matrix = np.random.default_rng(1).random((_MATRIX, _MATRIX)) / _MATRIX
    parent = os.getpid()
    for cpu in cpus:
        if os.fork() == 0:
            _work(cpu, level, parent, matrix)
            os._exit(0)
    for line in sys.stdin:
        _LEVEL.pack_into(level, 0, min(1.0, max(0.0, float(line))))
    _LEVEL.pack_into(level, 0, _END)
    for _ in cpus:
        os.wait()


def _work(cpu: int, level: mmap.mmap, parent: int, matrix: "NDArray[np.float64]") -> None:
    os.sched_setaffinity(0, {cpu})
    buffer = bytearray(_BUFFER_BYTES)
    view, piece, at = memoryview(buffer), bytes(_PIECE_BYTES), 0
    while os.getppid() == parent:
        start_s = time.monotonic()
        (share,) = _LEVEL.unpack_from(level)
        if share == _END:
            return
        busy_until_s = start_s + share * _PERIOD_S
        while time.monotonic() < busy_until_s:
            hashlib.blake2b(piece[: _PIECE_BYTES // 16]).digest()
            matrix = matrix @ matrix
            view[at : at + _PIECE_BYTES] = piece
            at = (at + _PIECE_BYTES) % _BUFFER_BYTES
        time.sleep(max(0.0, start_s + _PERIOD_S - time.monotonic()))


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]])
