"""Decides for every ScaledObject that KEDA asks about, and again every few seconds.

KEDA's calls are answered from memory: whoever is asked for the first time is decided at once, all
others in turn, by a few threads that may wait for Prometheus.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from wattribute.accounting.carbon import find_place
from wattribute.automation.scaler.avoided import Held, after
from wattribute.automation.scaler.budgets import Budgets
from wattribute.automation.scaler.decide import Decision, DecisionMemory, Reason, decide
from wattribute.automation.scaler.policy import Policy, is_name, read_policy
from wattribute.automation.scaler.signals import Signals
from wattribute.automation.scaler.templates import Templates
from wattribute.automation.settings import ScalerSettings
from wattribute.core.errors import ConfigInvalid, IntensityError, WattributeError
from wattribute.core.units import HOUR_S, WATTS_PER_KILOWATT

_LOG: Final = logging.getLogger(__name__)
_THREADS: Final = 8
_STEP_S: Final = 0.25
_FORGET_S: Final = HOUR_S


class Carbon(Protocol):
    """``CarbonWatch``, or a test's."""

    def signals(self, place: str, *, forecast: bool = False, wait_s: float = 0.0) -> Signals:
        """What is known of a place."""
        ...


@dataclass(frozen=True, slots=True)
class Reference:
    """One trigger of one ScaledObject."""

    namespace: str
    name: str
    metadata: tuple[tuple[str, str], ...]
    """Sorted."""

    @classmethod
    def of(cls, namespace: str, name: str, metadata: Mapping[str, str]) -> "Reference":
        """A reference from its parts."""
        return cls(namespace, name, tuple(sorted(metadata.items())))


@dataclass(slots=True)
class TriggerState:
    """What is known of one trigger. Changed by one thread at a time, read by all."""

    reference: Reference
    policy: Policy
    place: str
    asked_s: float
    decided_s: float = 0.0
    decision: Decision | None = None
    busy: bool = False
    """A thread decides, or is about to."""
    first: Future[None] | None = None
    """The first decision, for all that wait for it."""
    memory: DecisionMemory = field(default_factory=DecisionMemory)
    held: Held = field(default_factory=Held)
    demand: float | None = None
    demand_s: float = 0.0
    counts: Counter[Reason] = field(default_factory=Counter)

    @property
    def label(self) -> str:
        """The object in messages: ``namespace/name``."""
        return f"{self.reference.namespace}/{self.reference.name}"


class TooMany(WattributeError):  # noqa: N818 - a state of the scaler
    """No more ScaledObjects are remembered."""


class ScalingEngine:
    """Decides on all ScaledObjects, from ``start`` to ``close``."""

    def __init__(
        self,
        settings: ScalerSettings,
        ask: Callable[[str], float],
        carbon: Carbon,
        *,
        location: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        """Read the templates and the state file; nothing is decided yet.

        Args:
            settings: Of the scaler.
            ask: Sends PromQL and returns its one number; raises WattributeError.
            carbon: Gives carbon intensities.
            location: Region of policies that name none.
            now: Returns the Unix time in seconds.

        Raises:
            ConfigInvalid: A template or the state file is wrong.
        """
        self._settings, self._ask, self._carbon = settings, ask, carbon
        self._location, self._now = location, now
        self.templates = Templates(settings.queries)
        self._budgets = Budgets(settings.state)
        self._scaled: dict[Reference, TriggerState] = {}
        self._refused: dict[Reference, tuple[str, float]] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="scaler")
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._turn, name="scaler", daemon=True)
        self._listed: tuple[Reference, ...] = ()
        self.refusals = 0

    def start(self, listed: Iterable[Reference] = ()) -> None:
        """Start to decide periodically.

        Args:
            listed: Objects to decide on even if KEDA does not ask, because their metrics are read.

        Raises:
            ConfigInvalid: The metadata of one of them are wrong.
            TooMany: There are too many of them.
        """
        self._listed = tuple(listed)
        for reference in self._listed:
            self.first(self.find(reference))
        self._thread.start()

    def close(self) -> None:
        """Stop deciding, without waiting for answers that are still open."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(2)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._budgets.save(self._spending(), force=True)

    def all(self) -> list[TriggerState]:
        """Return the objects that KEDA asked about in the last hour."""
        with self._lock:
            return list(self._scaled.values())

    def find(self, reference: Reference) -> TriggerState:
        """Return the state of an object; a new one has no decision yet (see ``first``).

        Raises:
            ConfigInvalid: Its metadata are wrong.
            TooMany: There are too many objects already.
        """
        state = self._scaled.get(reference)
        if state is None:
            state = self._admit(reference)
        state.asked_s = self._now()
        return state

    def first(self, scaled: TriggerState) -> "Future[None]":
        """Start the first decision on an object, if none is under way.

        Returns:
            A future that all callers share: who waits on it holds no thread of the pool. It is
            done when there is a decision, or when deciding failed; then the next call tries again.
        """
        with self._lock:
            if scaled.first is None or (scaled.first.done() and scaled.decision is None):
                scaled.busy = True
                scaled.first = self._pool.submit(self._decide, scaled, self._settings.timeout)
            return scaled.first

    def _admit(self, reference: Reference) -> TriggerState:
        try:
            policy, place = self._checked(reference)
        except ConfigInvalid as exc:
            self._tell(reference, str(exc))
            raise
        with self._lock:
            if len(self._scaled) >= self._settings.max_objects:
                raise TooMany(
                    f"{len(self._scaled)} ScaledObjects are known already; raise "
                    "scaler.max_objects if you have more"
                )
            scaled = self._scaled.setdefault(
                reference, TriggerState(reference, policy, place, self._now())
            )
            day, spent_g = self._budgets.spending_of(scaled.label)
            scaled.memory = replace(scaled.memory, day=day, spent_g=spent_g)
            return scaled

    def _checked(self, reference: Reference) -> tuple[Policy, str]:
        for text in (reference.namespace, reference.name):
            if not is_name(text):
                raise ConfigInvalid(
                    f"{text[:40]!r} is not the name of a namespace or a ScaledObject"
                )
        policy = read_policy(dict(reference.metadata))
        self.templates.check(policy.query)
        if policy.needs_power and not policy.watts_per_replica:
            self.templates.check(policy.power_query)
        place = policy.region or self._location
        if policy.needs_carbon:
            if not place:
                raise ConfigInvalid(
                    "region: missing; give one (DE), or the setting carbon.location"
                )
            try:
                find_place(place)
            except IntensityError as exc:
                raise ConfigInvalid(f"region: {exc}") from exc
        return policy, place if policy.needs_carbon else ""

    def _tell(self, reference: Reference, problem: str) -> None:
        """Log what is wrong with metadata, once a minute: KEDA asks again and again."""
        now_s = time.monotonic()
        self.refusals += 1
        with self._lock:
            if len(self._refused) > self._settings.max_objects:
                self._refused.clear()
            before = self._refused.get(reference)
            if before and now_s - before[1] < 60:
                return
            self._refused[reference] = problem, now_s
        _LOG.error("%s/%s: %s", reference.namespace, reference.name, problem)

    def _turn(self) -> None:
        while not self._closed.wait(_STEP_S):
            for reference in self._listed:
                self.find(reference)
            now_s = self._now()
            with self._lock:
                for reference in [
                    key for key, state in self._scaled.items() if now_s - state.asked_s > _FORGET_S
                ]:
                    del self._scaled[reference]
                due = [
                    state
                    for state in self._scaled.values()
                    if state.decision
                    and not state.busy
                    and now_s - state.decided_s >= self._settings.refresh
                ]
                for state in due:
                    state.busy = True
            for state in due:
                self._pool.submit(self._decide, state, 0.0)
            self._budgets.save(self._spending())

    def _spending(self) -> dict[str, tuple[int, float]]:
        return {
            state.label: (state.memory.day, state.memory.spent_g)
            for state in self.all()
            if state.policy.kind == "carbon-budget"
        }

    def _decide(self, scaled: TriggerState, wait_s: float) -> None:
        try:
            self._decide_now(scaled, wait_s)
        except Exception:  # noqa: BLE001 - our bug: one object must not end the others' turn
            _LOG.exception("%s: cannot be decided", scaled.label)
        finally:
            scaled.decided_s = self._now()
            scaled.busy = False

    def _decide_now(self, scaled: TriggerState, wait_s: float) -> None:
        policy = scaled.policy
        signals = Signals()
        if scaled.place:
            signals = self._carbon.signals(
                scaled.place, forecast=policy.needs_forecast, wait_s=wait_s
            )
        signals = self._with_power(scaled, signals)
        demand, problem = self._demand(scaled)
        now_s = self._now()
        if demand is None:
            value = policy.fail_open_replicas * policy.target
            count = policy.fail_open_replicas
            decision = Decision(value, value, count, count, Reason.FAIL_OPEN, problem)
        else:
            decision, scaled.memory = decide(policy, signals, demand, scaled.memory, now_s)
            scaled.held = _account_of(scaled, decision, signals)
        before, scaled.decision = scaled.decision, decision
        scaled.counts[decision.reason] += 1
        _log(scaled, before, decision)

    def _demand(self, scaled: TriggerState) -> tuple[float | None, str]:
        """Return the demand, or the last one if it is recent; otherwise None and the reason."""
        policy = scaled.policy
        problem = ""
        try:
            value = self._ask(self._question(scaled, policy.query))
            if 0 <= value < 1e15:
                scaled.demand, scaled.demand_s = value, self._now()
            else:
                problem = f"demand: {policy.query}: {value:g} is not a demand"
        except WattributeError as exc:
            problem = f"demand: {exc}"
        if problem and self._now() - scaled.demand_s > self._settings.stale:
            return None, problem
        return scaled.demand, problem

    def _with_power(self, scaled: TriggerState, signals: Signals) -> Signals:
        policy = scaled.policy
        if policy.watts_per_replica or not policy.needs_power:
            return replace(signals, watts_per_replica=policy.watts_per_replica)
        try:
            value = self._ask(self._question(scaled, policy.power_query))
        except WattributeError as exc:
            return replace(signals, power_problem=f"power: {exc}")
        if not 0 < value < 1e9:
            return replace(signals, power_problem=f"power: {value:g} W per replica is not possible")
        return replace(signals, watts_per_replica=value)

    def _question(self, scaled: TriggerState, template: str) -> str:
        reference = scaled.reference
        workload = scaled.policy.workload or reference.name
        return self.templates.question(template, reference.namespace, workload)


def _account_of(scaled: TriggerState, decision: Decision, signals: Signals) -> Held:
    """Return the account of demand that waits; an unknown intensity changes nothing."""
    policy = scaled.policy
    if signals.g_per_kwh is None:
        return scaled.held
    kwh = 0.0
    if policy.units_per_replica_hour:
        kwh = signals.watts_per_replica / policy.units_per_replica_hour / WATTS_PER_KILOWATT
    return after(scaled.held, decision.demand - decision.value, signals.g_per_kwh, kwh)


def _log(scaled: TriggerState, before: Decision | None, decision: Decision) -> None:
    """Log a decision; one that changes nothing has the level ``debug``."""
    same = before is not None and (before.reason, before.allowed_replicas) == (
        decision.reason,
        decision.allowed_replicas,
    )
    level = logging.DEBUG if same else logging.INFO
    if not same and decision.reason is Reason.FAIL_OPEN:
        level = logging.WARNING
    _LOG.log(
        level,
        "%s: policy=%s reason=%s demand=%g value=%g desired=%d allowed=%d%s: %s",
        scaled.label,
        scaled.policy.kind,
        decision.reason.value,
        decision.demand,
        decision.value,
        decision.desired_replicas,
        decision.allowed_replicas,
        " dry-run" if scaled.policy.dry_run else "",
        decision.detail,
    )
