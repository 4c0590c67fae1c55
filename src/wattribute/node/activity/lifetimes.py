"""Compute CPU time per process and interval from running totals and death records.

Scans show a process while it lives, and one record shows it when it is freed. Three
facts make this more than a subtraction:

* A scan races with exits: a thread may be missing, or counted both by itself
  and in its leader. Totals never fall here, so either error corrects itself.
* Death records come late (an RCU callback: usually 15 ms, seconds at worst).
  A process that vanished is kept in limbo with its charged time until then.
* Some records never come (0.1 % on one kernel). A process that began to exit and
  was absent for 2 s is charged by its provisional total, and stays in limbo: if
  the record comes after all, only the difference is charged.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wattribute.node.activity.ascending import find
from wattribute.node.activity.bpf.tasks import LEADER

_LIMBO_NS: Final = 60_000_000_000
_MISSED_NS: Final = 2_000_000_000

_Keys = NDArray[np.uint64]
_Times = NDArray[np.int64]
_Tasks = NDArray[np.void]


class Used(NamedTuple):
    """The CPU time of processes in an interval; a process may occur twice."""

    tasks: _Tasks
    """(n,) TASK records, which identify the process and its cgroup."""
    ns: _Times
    """(n,) CPU time in ns."""
    alive: NDArray[np.bool_]
    """(n,) False if the process has ended."""


class _Book(NamedTuple):
    """Processes by ascending key, with one number (or row of numbers) for each."""

    keys: _Keys
    values: _Times

    def only(self, mask: NDArray[np.bool_]) -> "_Book":
        """Return a copy with only the processes for which the mask is set."""
        return self if mask.all() else _Book(self.keys[mask], self.values[mask])

    def without(self, keys: _Keys) -> "_Book":
        """Return a copy without these keys."""
        if not len(self.keys):
            return self
        at, there = find(self.keys, keys)
        stay = np.ones(len(self.keys), np.bool_)
        stay[at[there]] = False
        return self.only(stay)

    def with_(self, keys: _Keys, values: _Times) -> "_Book":
        """Return a copy with these keys added; an existing key takes the new value."""
        if not len(keys):
            return self
        rest = self.without(keys)
        keys, values = np.concatenate([rest.keys, keys]), np.concatenate([rest.values, values])
        order = np.argsort(keys, kind="stable")
        return _Book(keys[order], values[order])


_NO_KEYS: Final = np.empty(0, np.uint64)


class Lifetimes:
    """The CPU time that every process was charged up to now."""

    def __init__(self) -> None:
        """Start without processes."""
        self._live = _Book(_NO_KEYS, np.empty(0, np.int64))
        """Processes in the last scan, with their charged time."""
        self._limbo = _Book(_NO_KEYS, np.empty((0, 2), np.int64))
        """Vanished processes without a death record yet: (charged time, time of their entry)."""
        self._absent = _Book(_NO_KEYS, np.empty(0, np.int64))
        """Dying processes that are absent from the scan, with the time since when they are."""

    def begin(self, scan: _Tasks, dying: _Tasks, now_ns: int) -> None:
        """Set the start of charging: CPU time before now is charged to nobody."""
        leaders, totals = fold(scan)
        self._live = _Book(leaders["key"].copy(), totals)
        vanished = dying[~find(self._live.keys, dying["key"])[1]]
        self._limbo = self._limbo.with_(vanished["key"], _entries(vanished["reaped_ns"], now_ns))

    def advance(
        self, scan: _Tasks, dying: _Tasks, deaths: _Tasks, now_ns: int
    ) -> tuple[Used, _Keys]:
        """Charge the CPU time since the last call.

        Args:
            scan: All threads, by pid (TASK).
            dying: Processes that began to exit (TASK, provisional totals), read after the scan.
            deaths: Processes that were freed since the last call (TASK, totals), read last.
            now_ns: Monotonic time.

        Returns:
            The CPU time, and the keys among the dying that need not be watched any longer.
        """
        leaders, totals = fold(scan)
        keys = leaders["key"].copy()
        used_ns = self._charge_living(keys, totals, now_ns)
        alive = np.ones(len(keys), np.bool_)
        dead, dead_ns = [], []  # those that the scan did not list

        missed = self._missed(dying, now_ns)
        if len(missed):
            dead.append(missed)
            dead_ns.append(self._charge_dead(missed))
            self._limbo = self._limbo.with_(missed["key"], _entries(missed["reaped_ns"], now_ns))
        if len(deaths):
            died_ns = self._charge_dead(deaths)
            at, listed = find(keys, deaths["key"])
            used_ns[at[listed]] += died_ns[listed]
            alive[at[listed]] = False
            dead.append(deaths[~listed])
            dead_ns.append(died_ns[~listed])
            self._live = self._live.only(alive)
            self._limbo = self._limbo.without(deaths["key"])

        ran = np.flatnonzero((used_ns > 0) | ~alive)
        tasks = np.concatenate([leaders[ran], *dead])
        return Used(
            tasks=tasks,
            ns=np.concatenate([used_ns[ran], *dead_ns]),
            alive=np.concatenate([alive[ran], np.zeros(len(tasks) - len(ran), np.bool_)]),
        ), missed["key"].copy()

    def _charge_living(self, keys: _Keys, totals: _Times, now_ns: int) -> _Times:
        """Return the time since the last scan; move processes that vanished to limbo."""
        live = self._live
        if len(keys) == len(live.keys) and bool((keys == live.keys).all()):
            before = live.values
        else:
            before = self._charged(keys)
            at, there = find(live.keys, keys)
            vanished = np.ones(len(live.keys), np.bool_)
            vanished[at[there]] = False
            self._limbo = self._limbo.without(keys).with_(
                live.keys[vanished], _entries(live.values[vanished], now_ns)
            )
        if len(self._limbo.keys):
            self._limbo = self._limbo.only(now_ns - self._limbo.values[:, 1] < _LIMBO_NS)
        totals = np.maximum(totals, before)
        self._live = _Book(keys, totals)
        return totals - before

    def _missed(self, dying: _Tasks, now_ns: int) -> _Tasks:
        """Return the dying processes whose death record is overdue."""
        if not len(dying):
            return dying
        absent = dying[~find(self._live.keys, dying["key"])[1]]
        since = np.full(len(absent), now_ns, np.int64)
        at, is_known = find(self._absent.keys, absent["key"])
        since[is_known] = self._absent.values[at[is_known]]
        late = now_ns - since >= _MISSED_NS
        self._absent = _Book(_NO_KEYS, np.empty(0, np.int64)).with_(
            absent["key"][~late], since[~late]
        )
        missed: _Tasks = absent[late]
        return missed

    def _charge_dead(self, dead: _Tasks) -> _Times:
        """Return the time of dead processes beyond their charged time."""
        return np.maximum(dead["reaped_ns"] - self._charged(dead["key"]), 0)

    def _charged(self, keys: _Keys) -> _Times:
        """Return the time that each process was charged so far."""
        charged = np.zeros(len(keys), np.int64)
        for book, values in (
            (self._live, self._live.values),
            (self._limbo, self._limbo.values[:, 0]),
        ):
            at, there = find(book.keys, keys)
            charged[there] = np.maximum(charged[there], values[at[there]])
        return charged


def _entries(charged: _Times, now_ns: int) -> _Times:
    return np.stack([charged, np.full(len(charged), now_ns, np.int64)], axis=1)


def fold(scan: _Tasks) -> tuple[_Tasks, _Times]:
    """Return the leaders of a scan by ascending key, and the total of each with its threads.

    A thread whose leader is not in the scan is left to the next scan.
    """
    leads = scan["flags"] & LEADER != 0
    leaders = scan if leads.all() else scan[leads]
    keys = leaders["key"]
    if len(keys) > 1 and not (keys[1:] > keys[:-1]).all():
        leaders = leaders[np.argsort(keys, kind="stable")]
        keys = leaders["key"]
    totals: _Times = leaders["ns"] + leaders["reaped_ns"]
    if len(leaders) < len(scan):
        threads = scan[~leads]
        at, there = find(keys, threads["key"])
        np.add.at(totals, at[there], threads["ns"][there])
    return leaders, totals
