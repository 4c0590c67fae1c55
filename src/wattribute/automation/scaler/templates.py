"""Query templates of the settings, filled with names that cannot end a PromQL text."""

from collections.abc import Mapping
from string import Template
from typing import Final

from wattribute.automation.scaler.policy import is_name
from wattribute.core.errors import ConfigInvalid

_BUILT_IN: Final = {
    "power": (
        "avg(sum by (pod_name) (rate(kepler_container_joules_total{"
        'container_namespace="$namespace",pod_name=~"$workload-.*"}[5m])))'
    ),
}
"""``power``: mean watts of the workload's pods, idle share included."""
_KNOWN: Final = frozenset({"namespace", "workload"})


class Templates:
    """PromQL by name."""

    def __init__(self, queries: Mapping[str, str]) -> None:
        """``queries``: of the settings; they come before what is built in.

        Raises:
            ConfigInvalid: a template without the namespace, or with an unknown placeholder.
        """
        self._texts = {
            name: _checked(name, text) for name, text in {**_BUILT_IN, **queries}.items()
        }

    def check(self, name: str) -> None:
        """Whether there is such a template.

        Raises:
            ConfigInvalid: there is not.
        """
        if name not in self._texts:
            known = ", ".join(sorted(self._texts))
            raise ConfigInvalid(
                f"query: the scaler's settings have no template {name!r} (scaler.queries); "
                f"it has {known}"
            )

    def question(self, name: str, namespace: str, workload: str) -> str:
        """The query of one workload.

        Raises:
            ConfigInvalid: no such template, or a name that Kubernetes would not have.
        """
        self.check(name)
        for text in (namespace, workload):
            if not is_name(text):
                raise ConfigInvalid(f"{text[:40]!r} is no name of a namespace or workload")
        return self._texts[name].substitute(namespace=namespace, workload=workload)


def _checked(name: str, text: str) -> Template:
    template = Template(text)
    names = set(template.get_identifiers()) if template.is_valid() else {"?"}
    if names - _KNOWN or "namespace" not in names:
        raise ConfigInvalid(
            f"scaler.queries: {name}: must have $namespace, may have $workload, and no other '$' "
            "('$$' is one as such); without $namespace any namespace could read any other's demand"
        )
    return template
