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
    agent = start_agent("--interval", "1", "--sysfs", str(counter.sysfs))
    agent.wait(lambda text: "kepler_container_joules_total{" in text)
    server = start_prometheus([f"127.0.0.1:{agent.port}"])

    joules, watts = (
        server.wait(query, lambda rows: any(value > 0 for _, value in rows)) for query in QUERIES
    )

    by_pod = {(labels["container_namespace"], labels["pod_name"]): j for labels, j in joules}
    assert by_pod["system", "system_processes"] > 0 or in_a_container(by_pod)
    assert 0 < sum(value for _, value in watts) <= 50 * 1.2  # never more than the package draws


def in_a_container(by_pod: dict[tuple[str, str], float]) -> bool:
    """True where these tests themselves run in a container that the agent recognises."""
    return any(joules > 0 for (namespace, _), joules in by_pod.items() if namespace != "system")


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
