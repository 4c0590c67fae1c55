"""Energy per token and per request, where the servers count these."""

from typing import Final

from tools.dashboards.board import Board, Row, Variable, choice, number
from tools.dashboards.panel import JOULE, NUMBER, WATT, Column, Query, graph, stat, table
from tools.dashboards.terms import CLUSTER, RATE, containers

_TOKENS: Final = "vllm:generation_tokens_total"
_HERE: Final = 'namespace=~"$namespace",pod=~"$pod"'
_NAMESPACE: Final[Variable] = choice(
    "namespace", "Namespace", f"label_values({_TOKENS}, namespace)"
)
_POD: Final[Variable] = choice(
    "pod", "Pod", f'label_values({_TOKENS}{{namespace=~"$namespace"}}, pod)'
)
_REQUESTS: Final[Variable] = number(
    "requests", "Counter of requests", "vllm:request_success_total",
    "Any counter of your pods that has the labels namespace and pod",
)  # fmt: skip


def _watts() -> str:
    """Watts by pod, with the labels that a counter of that pod has from its target."""
    chosen = ('container_namespace=~"$namespace"', 'pod_name=~"$pod"')
    power = containers(("container_namespace", "pod_name"), *chosen)
    spaced = f'label_replace({power}, "namespace", "$1", "container_namespace", "(.*)")'
    return f'sum by (namespace, pod) (label_replace({spaced}, "pod", "$1", "pod_name", "(.*)"))'


def _counted(counter: str, by: str = "namespace, pod") -> str:
    return f"sum by ({by}) (rate({counter}{{{_HERE}}}[{RATE}]))"


def _each(counter: str) -> str:
    """Joules for each count, by pod; nothing while nothing is counted."""
    return f"{_watts()} / on (namespace, pod) ({_counted(counter)} > 0)"


def _all(counter: str) -> str:
    """Joules for each count over the pods that count."""
    counting = f"{_watts()} and on (namespace, pod) ({_counted(counter)})"
    return f"sum({counting}) / sum({_counted(counter)})"


_PROMPT: Final = "vllm:prompt_tokens_total"
_OVERVIEW: Final = Row(
    "Now",
    (
        stat("Per generated token", "All energy of the pods that generate, their part of the "
             "floor included, by the tokens that come out. Prompts are not free, see below.",
             _all(_TOKENS), unit=JOULE, width=6),
        stat("Per request", "By the counter chosen above.", _all("$requests"), unit=JOULE,
             width=6),
        stat("Power", "Of the pods that generate.",
             f"sum({_watts()} and on (namespace, pod) ({_counted(_TOKENS)}))", width=6),
        stat("Tokens per second", "Generated.", f"sum({_counted(_TOKENS)})", unit=NUMBER,
             width=6),
    ),
)  # fmt: skip
_TIME: Final = Row(
    "Over time",
    (
        graph("Energy per generated token", "By pod. Batches make it fall: a server that has "
              "little to do spends its floor on few tokens.",
              Query(_each(_TOKENS), "{{namespace}}/{{pod}}"), unit=JOULE, stacked=False),
        graph("Energy per request", "By pod and the counter chosen above.",
              Query(_each("$requests"), "{{namespace}}/{{pod}}"), unit=JOULE, stacked=False),
        graph("Tokens per second", "Prompts cost less per token than generation: compare "
              "servers only at a like ratio.",
              Query(_counted(_TOKENS, "model_name"), "{{model_name}} generated"),
              Query(_counted(_PROMPT, "model_name"), "{{model_name}} prompt"),
              unit=NUMBER, stacked=False),
        graph("Power", "Of the pods that generate; components added.",
              Query(f"{_watts()} and on (namespace, pod) ({_counted(_TOKENS)})",
                    "{{namespace}}/{{pod}}")),
    ),
)  # fmt: skip
_PODS: Final = Row(
    "Pods",
    (
        table("Servers", "Now.",
              (Column("namespace", "Namespace", link="namespace?var-namespace=${__value.raw}"),
               Column("pod", "Pod"), Column("power", "Power", WATT),
               Column("tokens", "Tokens per second", NUMBER),
               Column("token", "Per token", JOULE), Column("request", "Per request", JOULE)),
              Query(f"{_watts()} and on (namespace, pod) ({_counted(_TOKENS)})", "power"),
              Query(_counted(_TOKENS), "tokens"),
              Query(_each(_TOKENS), "token"),
              Query(_each("$requests"), "request"),
              width=24, sort="Power"),
    ),
)  # fmt: skip

BOARD: Final = Board(
    "inference",
    "Energy: per token and request",
    "Joules for a generated token (vLLM) and for a request, by pod. Counters need the labels "
    "namespace and pod, as the Prometheus Operator sets them.",
    (CLUSTER, _NAMESPACE, _POD, _REQUESTS),
    (_OVERVIEW, _TIME, _PODS),
    time_from="now-1h",
)
