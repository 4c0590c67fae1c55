"""CPU time per process and interval, from running totals and last words. Pure arithmetic.

A process is told by scans while it lives and by one record when it is freed.
What makes this more than a subtraction:

* A scan races with exits: a thread may be missing, or counted both by itself
  and in its leader. Totals are kept from falling, so either error heals.
* Death records come late (an RCU callback: 15 ms as a rule, seconds at worst).
  A process that vanished is kept in limbo with what it was charged, until then.
* Some never come (0.1 % on one kernel). Who began to exit and was absent for
  2 s is charged by its provisional total, and stays in limbo: should the record
  come after all, only the difference is charged.
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
    """What processes used in an interval; a process may be in it twice."""

    tasks: _Tasks
    """(n,) TASK records: who, and in which cgroup."""
    ns: _Times
    """(n,) CPU time."""
    alive: NDArray[np.bool_]
    """(n,) False: it has ended."""


class _Book(NamedTuple):
    """Processes by ascending key, and one number (or row of numbers) of each."""

    keys: _Keys
    values: _Times

    def only(self, mask: NDArray[np.bool_]) -> "_Book":
        """Those where the mask is set."""
        return self if mask.all() else _Book(self.keys[mask], self.values[mask])

    def without(self, keys: _Keys) -> "_Book":
        """The others."""
        if not len(self.keys):
            return self
        at, there = find(self.keys, keys)
        stay = np.ones(len(self.keys), np.bool_)
        stay[at[there]] = False
        return self.only(stay)

    def with_(self, keys: _Keys, values: _Times) -> "_Book":
        """These too; a key that is here already takes the new value."""
        if not len(keys):
            return self
        rest = self.without(keys)
        keys, values = np.concatenate([rest.keys, keys]), np.concatenate([rest.values, values])
        order = np.argsort(keys, kind="stable")
        return _Book(keys[order], values[order])


_NO_KEYS: Final = np.empty(0, np.uint64)


class Lifetimes:
    """What every process was charged up to now."""

    def __init__(self) -> None:
        """Of nobody."""
        self._live = _Book(_NO_KEYS, np.empty(0, np.int64))
        """In the last scan: what they were charged."""
        self._limbo = _Book(_NO_KEYS, np.empty((0, 2), np.int64))
        """Vanished, and not told dead yet: (what they were charged, since when they are here)."""
        self._absent = _Book(_NO_KEYS, np.empty(0, np.int64))
        """Dying, and absent from the scan: since when."""

    def begin(self, scan: _Tasks, dying: _Tasks, now_ns: int) -> None:
        """Charge nobody for what was before now."""
        leaders, totals = fold(scan)
        self._live = _Book(leaders["key"].copy(), totals)
        gone = dying[~find(self._live.keys, dying["key"])[1]]
        self._limbo = self._limbo.with_(gone["key"], _entries(gone["reaped_ns"], now_ns))

    def advance(
        self, scan: _Tasks, dying: _Tasks, deaths: _Tasks, now_ns: int
    ) -> tuple[Used, _Keys]:
        """Charge what was used since the last call.

        Args:
            scan: All threads, by pid (TASK).
            dying: Began to exit (TASK, provisional totals), looked up after the scan.
            deaths: Were freed since the last call (TASK, totals), drained after that.
            now_ns: Monotonic time.

        Returns:
            What was used, and the keys among the dying that need no watching any more.
        """
        leaders, totals = fold(scan)
        keys = leaders["key"].copy()
        used = self._charge_living(keys, totals, now_ns)
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
            used[at[listed]] += died_ns[listed]
            alive[at[listed]] = False
            dead.append(deaths[~listed])
            dead_ns.append(died_ns[~listed])
            self._live = self._live.only(alive)
            self._limbo = self._limbo.without(deaths["key"])

        ran = np.flatnonzero((used > 0) | ~alive)
        tasks = np.concatenate([leaders[ran], *dead])
        return Used(
            tasks=tasks,
            ns=np.concatenate([used[ran], *dead_ns]),
            alive=np.concatenate([alive[ran], np.zeros(len(tasks) - len(ran), np.bool_)]),
        ), missed["key"].copy()

    def _charge_living(self, keys: _Keys, totals: _Times, now_ns: int) -> _Times:
        """Use since the last scan; who is in it no more goes to limbo."""
        live = self._live
        if len(keys) == len(live.keys) and bool((keys == live.keys).all()):
            before = live.values
        else:
            before = self._charged(keys)
            at, there = find(live.keys, keys)
            gone = np.ones(len(live.keys), np.bool_)
            gone[at[there]] = False
            self._limbo = self._limbo.without(keys).with_(
                live.keys[gone], _entries(live.values[gone], now_ns)
            )
        if len(self._limbo.keys):
            self._limbo = self._limbo.only(now_ns - self._limbo.values[:, 1] < _LIMBO_NS)
        totals = np.maximum(totals, before)
        self._live = _Book(keys, totals)
        return totals - before

    def _missed(self, dying: _Tasks, now_ns: int) -> _Tasks:
        """Those whose death record seems not to come."""
        if not len(dying):
            return dying
        absent = dying[~find(self._live.keys, dying["key"])[1]]
        since = np.full(len(absent), now_ns, np.int64)
        at, known = find(self._absent.keys, absent["key"])
        since[known] = self._absent.values[at[known]]
        late = now_ns - since >= _MISSED_NS
        self._absent = _Book(_NO_KEYS, np.empty(0, np.int64)).with_(
            absent["key"][~late], since[~late]
        )
        missed: _Tasks = absent[late]
        return missed

    def _charge_dead(self, dead: _Tasks) -> _Times:
        """What these used beyond what they were charged."""
        return np.maximum(dead["reaped_ns"] - self._charged(dead["key"]), 0)

    def _charged(self, keys: _Keys) -> _Times:
        """What each was charged so far."""
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
    """The leaders of a scan in order of their keys, and the total of each with its threads.

    A thread whose leader is not in the scan is left to the next one.
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
