"""The board for whoever pays: kWh, money and carbon by team, this month so far."""

from typing import Final

from tools.dashboards.board import Board, Row, Variable, choice
from tools.dashboards.panel import (
    BYTES,
    CO2E,
    KWH,
    NUMBER,
    RATIO,
    WATT,
    Column,
    Query,
    days,
    stat,
    table,
)
from tools.dashboards.terms import (
    CLUSTER,
    ESTIMATED,
    GRAMS,
    PRICE,
    kwh,
    kwh_of_day,
    recorded,
)

_TEAM: Final[Variable] = choice(
    "team", "Team", 'label_values(wattribute:team_watts:rate5m{cluster=~"$cluster"}, team)'
)
_ALL: Final = kwh("cluster_watts:rate5m", "by ()")
_IDLE: Final = kwh("idle_watts:rate5m", "by ()")
_UNATTRIBUTED: Final = kwh("unattributed_watts:rate5m", "by ()")
_CHOSEN: Final = 'team=~"$team"'
_ESTIMATED: Final = kwh("cluster_watts:rate5m", "by ()", ESTIMATED)


def _named(by_team: str) -> str:
    """Where there is no team, say so."""
    return f'label_replace({by_team}, "team", "(no team)", "team", "^$")'


def _nobody(expr: str, name: str) -> str:
    return f'label_replace({expr}, "team", "({name})", "", "")'


def _teams(*filters: str) -> str:
    return _named(kwh("team_watts:rate5m", "by (team)", _CHOSEN, *filters))


def _everyone() -> str:
    """Teams, the floor that nobody pays, and energy of nobody: they add up to the total."""
    rest = (_nobody(_IDLE, "idle floor"), _nobody(_UNATTRIBUTED, "unattributed"))
    return " or ".join((_teams(), *rest))


def _unused(expr: str) -> str:
    return f"sum by (team) ({expr})"


_TOTAL: Final = Row(
    "Month to date (or the time that you choose)",
    (
        stat("Energy", "Of all nodes, idle and floor included.", _ALL, unit=KWH),
        stat("Cost of energy", "Energy times the price above, in its currency.",
             f"{_ALL} * $price", unit=NUMBER, decimals=2),
        stat("CO2e", "Energy times the grams per kWh above.", f"{_ALL} * $grams", unit=CO2E),
        stat("Idle floor", "The part that nodes drew for being on and no workload pays.",
             f"({_IDLE}) / ({_ALL})", unit=RATIO, steps=(("orange", 0.4),)),
        stat("Reserved, not used", "The floor that reservations held and nobody used, as money.",
             f"{kwh('workload_unused_watts:rate5m', 'by ()', _CHOSEN)} * $price", unit=NUMBER,
             decimals=2),
        stat("Estimated", "The part of energy that a model says. Where it is not 0, money and "
             "carbon are no better than its bands: see the board Cluster.",
             f"(({_ESTIMATED}) or vector(0)) / ({_ALL})", unit=RATIO,
             steps=(("orange", 0.01),)),
    ),
)  # fmt: skip
_TEAMS: Final = Row(
    "Teams",
    (
        table("By team", "The pods' label `team`; rows in brackets are not teams. All rows with "
              "every team chosen add up to the total.",
              (Column("team", "Team"), Column("energy", "Energy", KWH),
               Column("cost", "Cost", NUMBER), Column("carbon", "CO2e", CO2E),
               Column("part", "Part", RATIO), Column("estimated", "Estimated", RATIO)),
              Query(_everyone(), "energy"),
              Query(f"({_everyone()}) * $price", "cost"),
              Query(f"({_everyone()}) * $grams", "carbon"),
              Query(f"({_everyone()}) / on () group_left () ({_ALL})", "part"),
              Query(f"({_teams(ESTIMATED)}) / ({_teams()})", "estimated"),
              width=24, sort="Energy"),
        days("Energy by day and team", "Days of the chosen time, today so far.",
             Query(_named(kwh_of_day("team_watts:rate5m", "by (team)", _CHOSEN)), "{{team}}"),
             Query(kwh_of_day("idle_watts:rate5m", "by ()"), "(idle floor)"),
             unit=KWH, span=""),
        days("Cost by day and team", "The same times the price above.",
             Query(f"{_named(kwh_of_day('team_watts:rate5m', 'by (team)', _CHOSEN))} * $price",
                   "{{team}}"),
             Query(f"{kwh_of_day('idle_watts:rate5m', 'by ()')} * $price", "(idle floor)"),
             unit=NUMBER, span=""),
    ),
)  # fmt: skip
_RESERVED: Final = Row(
    "Reserved and not used",
    (
        table("By team", "Now: what running pods have requested and leave, container by container, "
              "and the floor that it holds. Energy and money in the chosen time.",
              (Column("team", "Team"), Column("cores", "Cores reserved", NUMBER),
               Column("unused", "Cores not used", NUMBER),
               Column("memory", "Memory not used", BYTES), Column("power", "Floor held", WATT),
               Column("energy", "Energy", KWH), Column("cost", "Cost", NUMBER)),
              Query(_named(_unused(recorded("workload_reserved", 'resource="cpu_mcore"', _CHOSEN))
                           + " / 1000"), "cores"),
              Query(_named(_unused(recorded("workload_unused:rate5m", 'resource="cpu_mcore"',
                                            _CHOSEN)) + " / 1000"), "unused"),
              Query(_named(_unused(recorded("workload_unused:rate5m", 'resource="memory_bytes"',
                                            _CHOSEN))), "memory"),
              Query(_named(_unused(recorded("workload_unused_watts:rate5m", _CHOSEN))), "power"),
              Query(_named(kwh("workload_unused_watts:rate5m", "by (team)", _CHOSEN)), "energy"),
              Query(f"{_named(kwh('workload_unused_watts:rate5m', 'by (team)', _CHOSEN))} * $price",
                    "cost"),
              width=24, sort="Energy"),
        table("Workloads that leave most", "The twenty whose unused reservations hold most of the "
              "floor, now.",
              (Column("team", "Team"),
               Column("container_namespace", "Namespace",
                      link="namespace?var-namespace=${__value.raw}"),
               Column("workload", "Workload"), Column("power", "Floor held", WATT)),
              Query("topk(20, sum by (team, container_namespace, workload) "
                    f"({recorded('workload_unused_watts:rate5m', _CHOSEN)}))", "power"),
              width=24, sort="Floor held"),
    ),
)  # fmt: skip

BOARD: Final = Board(
    "cost",
    "Energy: cost by team",
    "Who used the energy this month, what it cost, what it emitted, and what was reserved for "
    "nothing. For showing; bills come from the ledger.",
    (CLUSTER, _TEAM, PRICE, GRAMS),
    (_TOTAL, _TEAMS, _RESERVED),
    time_from="now/M",
    refresh="5m",
)
