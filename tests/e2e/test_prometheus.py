from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machine")]

QUERIES = (
    "sum(kepler_container_joules_total) by (pod_name, container_namespace)",
    "sum(rate(kepler_container_joules_total[1m])) by (pod_name)",
)


@pytest.mark.usefixtures("burner")
def test_a_real_prometheus_answers_the_two_queries_of_the_field(
    start_agent: Callable[..., Any],
    start_prometheus: Callable[..., Any],
    counter: Any,
) -> None:
    counter.run(watts=50)
    agent = start_agent("--interval", "1", "--meters", "rapl", "--sysfs", str(counter.sysfs))
    agent.wait(lambda text: "kepler_container_joules_total{" in text)
    server = start_prometheus([f"127.0.0.1:{agent.port}"])

    joules, watts = (
        server.wait(query, lambda rows: any(value > 0 for _, value in rows)) for query in QUERIES
    )

    named = [(labels.get("container_namespace"), labels.get("pod_name")) for labels, _ in joules]
    assert ("system", "system_processes") in named
    assert 0 < sum(value for _, value in watts) <= 50 * 1.2  # never more than the package draws


def test_no_own_label_clashes_with_an_operators_target_labels(
    start_agent: Callable[..., Any], start_prometheus: Callable[..., Any], counter: Any
) -> None:
    counter.run(watts=50)
    agent = start_agent("--interval", "1", "--sysfs", str(counter.sysfs))
    agent.wait(lambda text: "kepler_container_joules_total{" in text)
    server = start_prometheus([f"127.0.0.1:{agent.port}"])

    rows = server.wait(
        '{__name__=~"(kepler|wattribute)_.+"}',
        lambda rows: any("node_joules" in labels["__name__"] for labels, _ in rows),
    )

    clashes = {
        (labels["__name__"][: len("kepler_node")], label)
        for labels, _ in rows
        for label in labels
        if label.startswith("exported_")
    }
    assert clashes <= {("kepler_node", "exported_instance")}  # Kepler's own name
