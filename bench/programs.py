"""The C programs of the benchmark, compiled when they are needed."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


class NotHere(Exception):  # noqa: N818 - a state of the machine, not a failure
    """Something that a figure needs is missing on this machine."""


@contextlib.contextmanager
def compiled(name: str) -> Iterator[Path]:
    """The program of ``bench/NAME.c``.

    Raises:
        NotHere: there is no C compiler.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise NotHere("no C compiler; install gcc or clang")
    with tempfile.TemporaryDirectory(prefix="wattribute-bench-") as folder:
        program = Path(folder) / name
        source = Path(__file__).with_name(f"{name}.c")
        subprocess.run([compiler, "-O2", "-o", str(program), str(source)], check=True)
        yield program
