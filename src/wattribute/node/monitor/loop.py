"""One loop: read meters, read activity, attribute, save, publish."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wattribute.core.clock import Clock
from wattribute.core.errors import ActivityError, StateInvalid
from wattribute.core.records import Health, Interval, NodeFacts, Snapshot, Usage
from wattribute.core.units import NANOSECONDS_PER_SECOND, Nanoseconds
from wattribute.node.activity import Activity
from wattribute.node.activity.whois import Finder
from wattribute.node.monitor.books import Books
from wattribute.node.monitor.gpus import GpuUsers
from wattribute.node.monitor.groups import Groups, group_cgroups
from wattribute.node.monitor.naming import Namer, Names
from wattribute.node.monitor.payer import FloorPayer, GpuFloor
from wattribute.node.monitor.publish import Publisher
from wattribute.node.monitor.rows import RowBuilder, UsageRows
from wattribute.node.monitor.saved_weights import WeightsSaver
from wattribute.node.monitor.saving import restore_books, to_state
from wattribute.node.monitor.state import StateFile
from wattribute.node.monitor.workload_keys import WorkloadKeys
from wattribute.node.sharing.gpu_shares import GpuShare
from wattribute.node.sharing.metering import DOWN_AFTER
from wattribute.node.sharing.sharer import Share
from wattribute.node.sharing.zone_weights import Weighed
from wattribute.node.sources import Sources

_LOG = logging.getLogger(__name__)

_SUSPEND_NS = 100_000_000
"""The boot clock running ahead of the monotonic clock by more than this means a suspend."""
_CLOCK_TRIES = 3
"""To read both clocks at one instant: we may be put off the CPU for 100 ms in between."""
_FIRST_NS = (Nanoseconds(500_000_000), Nanoseconds(1_000_000_000))
"""Pauses after the first readings, so that a new agent soon has something to show."""
_KEEP_TICKS = 5
"""Ended processes without series stay for so many ticks, for those who look at a table of them."""


@dataclass(frozen=True, slots=True)
class LoopRules:
    """How often the loop ticks, how long things stay, and who pays the floor."""

    interval_ns: Nanoseconds
    linger_ns: Nanoseconds
    birth_hold_ns: Nanoseconds
    processes_published: bool
    """Whether processes have series, so that ended ones must linger too."""
    policy: str
    """Name of the floor policy."""
    gpu_floor: GpuFloor = "even"
    """How those who hold one GPU share its floor under ``reserved``."""


@dataclass(frozen=True, slots=True)
class WhoRan:
    """Where the loop learns who ran."""

    activity: Activity
    find: Finder = lambda _: None
    """Asked of a process that used a GPU and no CPU time in a tick."""
    vm_of: Callable[[int, bytes], str] = lambda *_: ""
    """From a pid and its command to the virtual machine that it is; "" for none."""


class Monitor:
    """Owns all totals; one thread ticks, any thread reads ``snapshot()``."""

    def __init__(
        self,
        sources: Sources,
        who_ran: WhoRan,
        names: Names,
        rules: LoopRules,
        clock: Clock,
        *,
        state_file: StateFile | None = None,
    ) -> None:
        """Take over open sources; ``close`` closes them.

        Args:
            sources: where energy comes from.
            who_ran: who used the CPUs and the GPUs.
            names: what containers and pods are called.
            rules: of the loop and of the floor.
            clock: what time it is.
            state_file: keeps totals over a restart; None: nothing does.

        Raises:
            ConfigInvalid: there is no such floor policy.
        """
        self._machine = sources.machine
        self._energy = sources.energy
        self._sharer = sources.sharer
        self._gpus = GpuUsers(sources.gpus, who_ran.find)
        self._activity = who_ran.activity
        self._names = names
        self._namer = Namer(names)
        self._payer = FloorPayer(rules.policy, sources.machine, rules.gpu_floor)
        self._rules = rules
        self._clock = clock
        self._state_file = state_file
        self._books = Books()
        self._rows = RowBuilder(sources.machine.threads, who_ran.vm_of)
        self._groups: Groups | None = None
        self._workloads = WorkloadKeys()
        self._weights = WeightsSaver(sources.machine.cpu_name)
        self._snapshot: Snapshot | None = None
        self._unshared: list[Interval] = []
        self._last_ns: Nanoseconds | None = None
        self._asleep_ns = 0
        self._ticks = 0
        self._shared_ns = 0
        """Length of the last interval of which is known who ran; 0: none yet."""
        self._activity_failures = 0
        self._blind_ticks = 0
        self._state_failures = 0
        self._state_problem = ""
        self._resumed = False
        self._misfit = self._coverage = 0.0
        self._dropped = 0

    def snapshot(self) -> Snapshot | None:
        """The last one published; None before the second reading."""
        return self._snapshot

    @property
    def resumed(self) -> bool:
        """The totals go on from the state file."""
        return self._resumed

    def resume(self) -> None:
        """Go on from the state file.

        Raises:
            StateInvalid: it cannot be used; totals start at 0.
        """
        if self._state_file is None or (state := self._state_file.load()) is None:
            return
        age_ns = max(0, self._clock.wall_ns() - state.written_at)  # it may have been set back
        self._sharer.load(state.floors, self._clock.monotonic_ns() - age_ns)
        if problem := self._weights.load(state.weights, self._sharer.learners):
            _LOG.warning("%s; they are learned anew", problem)
        if state.boot_id != self._state_file.boot_id:
            raise StateInvalid("the machine was booted since: totals start at 0, floors are kept")
        self._state_file.confirm(state)
        restore_books(self._books, state.totals, self._clock.monotonic_ns())
        self._energy.metering.resume(
            [saved.reading() for saved in state.last_readings],
            {saved.zone: saved.power_seen_uw for saved in state.last_readings},
        )
        self._resumed = True

    def run(self, stop: threading.Event, on_tick: Callable[[Snapshot], None] | None = None) -> None:
        """Tick until told to stop; a late tick is not made up for."""
        due_ns = self._clock.monotonic_ns()
        while not stop.is_set():
            self.tick()
            if on_tick and self._snapshot:
                on_tick(self._snapshot)
            interval_ns = self._rules.interval_ns
            pause_ns = interval_ns
            if self._ticks <= len(_FIRST_NS):
                pause_ns = min(interval_ns, _FIRST_NS[self._ticks - 1])
            now_ns = self._clock.monotonic_ns()
            due_ns = Nanoseconds(due_ns + pause_ns)
            if due_ns < now_ns:
                missed = (now_ns - due_ns) // interval_ns + 1
                due_ns = Nanoseconds(due_ns + missed * interval_ns)
            stop.wait((due_ns - now_ns) / NANOSECONDS_PER_SECOND)

    def tick(self) -> None:
        """One round. A source that fails costs what it would have given, and nothing else."""
        began = time.thread_time_ns(), time.monotonic_ns()
        now_ns, asleep_ns = self._instant()
        slept = self._ticks > 0 and abs(asleep_ns - self._asleep_ns) > _SUSPEND_NS
        self._asleep_ns = asleep_ns
        elapsed_ns = now_ns - self._last_ns if self._last_ns is not None else 0
        self._last_ns = now_ns
        self._ticks += 1
        planned_ns = 2 * self._rules.interval_ns + NANOSECONDS_PER_SECOND
        intervals = self._energy.read(now_ns, planned_ns=planned_ns)
        self._gpus.read(now_ns)
        usage = self._read_activity(now_ns)
        skew_ns = self._clock.monotonic_ns() - now_ns
        if slept:
            self._energy.reject_suspend(intervals)
            self._sharer.forget_waiting()
        else:
            self._unshared += intervals
            if usage is not None:
                self._unshared += self._energy.estimate(usage.load, usage.start_ns)
                if usage.end_ns - usage.start_ns == elapsed_ns:
                    self._energy.learn(intervals, usage.load)
        write_off = slept or self._blind_ticks > DOWN_AFTER
        if write_off:
            self._write_off()
        if usage is not None:
            self._attribute(usage, now_ns)
        if write_off or usage is not None:
            # Else intervals wait, and the file's last readings must stay from before them.
            self._save()
        if usage is not None or self._books.node.channels:
            self._publish(elapsed_ns, skew_ns, began)

    def _instant(self) -> tuple[Nanoseconds, int]:
        """The instant of this tick, and how long the machine has slept since it was booted."""
        for _ in range(_CLOCK_TRIES):
            now_ns = self._clock.monotonic_ns()
            asleep_ns = self._clock.boottime_ns() - now_ns
            if self._clock.monotonic_ns() - now_ns < _SUSPEND_NS // 4:
                break
        return now_ns, asleep_ns

    def _read_activity(self, now_ns: Nanoseconds) -> Usage | None:
        try:
            usage = self._activity.read(now_ns)
        except ActivityError as error:
            self._activity_failures += 1
            self._blind_ticks += 1
            _LOG.warning(
                "%s: %s; what it missed comes with the next read", self._activity.name, error
            )
            return None
        self._blind_ticks = 0
        return usage

    def _write_off(self) -> None:
        """Nobody can say who ran: the energy is unattributed, and the node goes on."""
        self._books.begin_tick()
        self._gpus.forget()
        intervals, self._unshared = self._unshared, []
        for interval in (*intervals, *self._sharer.other(intervals)):
            self._books.book(self._sharer.share_with_nobody(interval))

    def _attribute(self, usage: Usage, now_ns: Nanoseconds) -> None:
        """Share all intervals that wait, and book them."""
        books, rules = self._books, self._rules
        if self._groups is None or self._groups.generation != usage.cgroups.generation:
            self._groups = group_cgroups(usage.cgroups)
        groups = self._groups
        rows = self._rows.build(usage, groups)
        rows = self._gpus.with_users(rows, usage.cgroups, groups, books.processes)
        # Consumers of the second tick of a fresh start are as old as the totals.
        fresh = not self._resumed and self._snapshot is None
        hold_until_ns = 0 if fresh else now_ns + rules.birth_hold_ns
        self._shared_ns = usage.end_ns - usage.start_ns
        books.begin_tick()
        books.book_use(
            rows,
            groups,
            usage.cgroups,
            now_ns=now_ns,
            elapsed_ns=self._shared_ns,
            hold_until_ns=hold_until_ns,
        )
        gpus = self._gpus.shares()
        books.book_gpus(gpus.values(), now_ns)
        self._namer.name(
            books.containers,
            groups,
            usage.cgroups,
            now_ns=now_ns,
            birth_hold_ns=rules.birth_hold_ns,
            fresh=fresh,
        )
        if self._names.cluster is not None:
            self._payer.adopt(self._names.cluster.node().capacity)
        if self._names.allocations is not None:
            self._payer.know_gpus(self._gpus.states, self._names.allocations.current())
        intervals, self._unshared = self._unshared, []
        metering = self._energy.metering
        silent = [zone for zone in metering.failed_now() if not metering.down(zone)]
        for zone in metering.failed_now():
            if metering.down(zone):
                self._sharer.give_up(zone)
        use = self._workloads.cpu_use(usage, rows, groups, books)
        for share in self._sharer.share(intervals, use, silent, gpus):
            self._book(share, usage, gpus)
        for rest in self._sharer.other(intervals):
            share = self._sharer.share_by(rest, Weighed(*books.other_weights()))
            self._book(share, usage, gpus)
        books.end_tick()
        if not self._sharer.waits:  # for a zone whose energy those who ended may still get
            process_linger_ns = _KEEP_TICKS * rules.interval_ns
            if rules.processes_published:
                process_linger_ns = rules.linger_ns + rules.birth_hold_ns
            books.drop_ended(now_ns, rules.linger_ns, process_linger_ns)
        self._note_use(rows, usage)

    def _note_use(self, rows: UsageRows, usage: Usage) -> None:
        busy_ns = max(int(usage.busy_ns.sum()), 1)
        self._misfit = rows.misfit
        self._coverage = int(rows.cpu_ns.sum()) / busy_ns
        self._dropped = usage.dropped

    def _book(self, share: Share, usage: Usage, gpus: Mapping[str, GpuShare]) -> None:
        """Let the policy's payers pay the floor, then book the whole."""
        self._books.book(self._payer.pay(share, usage, self._books, gpus))

    def _save(self) -> None:
        """State before truth: what is published next must be on disk."""
        if self._state_file is None:
            return
        state = to_state(
            self._books,
            self._sharer.dump(),
            self._energy.metering,
            self._weights.encoded(self._sharer.learners, self._clock.monotonic_ns()),
            machine_id=self._state_file.machine_id,
            boot_id=self._state_file.boot_id,
            wall_ns=self._clock.wall_ns(),
            processes=self._rules.processes_published,
        )
        problem = ""
        try:
            self._state_file.save(state)
        except OSError as error:
            self._state_failures += 1
            self._state_file.discard()
            problem = str(error)
        if problem and problem != self._state_problem:
            _LOG.warning("state not saved: %s; a restart now would begin at 0", problem)
        self._state_problem = problem

    def _publish(self, elapsed_ns: int, skew_ns: int, began: tuple[int, int]) -> None:
        now_ns = self._last_ns or self._clock.monotonic_ns()
        publisher = Publisher(self._books, now_ns, max(self._shared_ns or elapsed_ns, 1))
        containers = publisher.containers(gpus=bool(self._gpus))
        facts = self._names.cluster.node() if self._names.cluster else NodeFacts()
        self._energy.model.adopt_instance_type(facts.instance_type)
        before = self._snapshot
        self._snapshot = Snapshot(
            sequence=before.sequence + 1 if before else 1,
            at_ns=now_ns,
            wall_ns=self._clock.wall_ns(),
            elapsed_ns=Nanoseconds(elapsed_ns),
            interval_ns=self._rules.interval_ns,
            machine=self._machine,
            channels=tuple(self._books.node.channels),
            containers=containers,
            processes=publisher.processes(),
            vms=publisher.vms(),
            node=self._books.node.totals(self._energy.up()),
            birth_held_uj=publisher.birth_held(containers),
            floors=self._sharer.floors,
            policy=self._payer.policy.name,
            capacity=self._capacity(),
            gpus=self._gpus.states,
            platform_fit=self._sharer.platform_fit,
            weights=self._sharer.weights,
            node_facts=facts,
            estimator=self._energy.estimator,
            retired_uj=publisher.retired(),
            health=self._health(skew_ns, began),
        )

    def _capacity(self) -> dict[str, int]:
        capacity = dict(self._payer.capacity)
        if self._gpus:
            capacity.setdefault("gpu", len(self._gpus.states))  # a cluster may count replicas
        return capacity

    def _health(self, skew_ns: int, began: tuple[int, int]) -> Health:
        """Made last, so that the tick's cost has all in it."""
        return Health(
            meters=self._energy.health(),
            activity=self._activity.name,
            activity_failures=self._activity_failures,
            dropped_records=self._dropped,
            dropped_intervals=dict(self._energy.metering.rejected),
            ticks=self._ticks,
            skew_ns=Nanoseconds(skew_ns),
            tick_cpu_ns=Nanoseconds(time.thread_time_ns() - began[0]),
            tick_wall_ns=Nanoseconds(time.monotonic_ns() - began[1]),
            misfit=self._misfit,
            coverage=self._coverage,
            bpf_run_ns=self._activity.bpf_run_ns(),
            state_failures=self._state_failures,
            identity=self._names.health(),
        )

    def close(self) -> None:
        """Close all sources."""
        self._energy.close()
        self._activity.close()
        self._names.close()
