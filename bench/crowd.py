"""A node full of processes in containers, for the cost of a tick."""

import contextlib
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.programs import NotHere, compiled
from wattribute_testing.plant.cgroups import CgroupUnavailable, GroupCgroup

ACTIVE_PERCENT: Final = 10
BURN_US: Final = 200
PERIOD_MS: Final = 2500
"""So that each active process runs in every tick of 5 s."""
HONESTY: Final = (
    f"{ACTIVE_PERCENT} % of the processes use {BURN_US} us of CPU every {PERIOD_MS / 1000:g} s, "
    "the others sleep"
)


def why_no_containers() -> str:
    """Why cgroups cannot be made here; "" when they can."""
    try:
        GroupCgroup(f"/docker/{uuid.uuid4().hex}{uuid.uuid4().hex}").remove()
    except CgroupUnavailable as exc:
        return f"cgroups cannot be made: {exc}"
    return ""


@contextlib.contextmanager
def crowd(
    processes: int, containers: int, *, active_percent: int = ACTIVE_PERCENT
) -> Iterator[list[Path]]:
    """So many processes in so many containers, while the block runs; their cgroup.procs files.

    Raises:
        NotHere: no compiler, or cgroups cannot be made.
    """
    with contextlib.ExitStack() as stack:
        program = stack.enter_context(compiled("spawn"))
        joined: list[list[str]] = []
        for _ in range(containers):
            try:
                cgroup = GroupCgroup(f"/docker/{uuid.uuid4().hex}{uuid.uuid4().hex}")
            except CgroupUnavailable as exc:
                raise NotHere(f"cgroups cannot be made: {exc}") from exc
            stack.callback(cgroup.remove)
            joined.append(cgroup.join_files)
        joins = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "joins"
        joins.write_text("".join(" ".join(files) + "\n" for files in joined))
        numbers = (active_percent, BURN_US, PERIOD_MS)
        command = [str(program), str(processes), str(containers), str(joins), *map(str, numbers)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as spawner:
            try:
                answer = spawner.stdout.readline() if spawner.stdout else b""
                if answer.strip() != b"READY":
                    raise NotHere(f"{processes} processes could not be started")
                yield [Path(files[0]) for files in joined]
            finally:
                if spawner.stdin:
                    spawner.stdin.close()
                spawner.wait(60)
