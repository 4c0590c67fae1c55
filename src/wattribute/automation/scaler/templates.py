"""Fill the settings' query templates with names that cannot end a string in PromQL."""

from collections.abc import Mapping
from string import Template
from typing import Final

from wattribute.automation.scaler.policy import is_name
from wattribute.core.errors import ConfigInvalid

_BUILT_IN: Final = {
    "power": (
        "avg(sum by (pod_name) (rate(wattribute_container_joules_total{"
        'container_namespace="$namespace",pod_name=~"$workload-.*"}[5m])))'
    ),
}
"""``power``: mean watts of the workload's pods, including their idle share."""
_KNOWN: Final = frozenset({"namespace", "workload"})


class Templates:
    """The query templates by name."""

    def __init__(self, queries: Mapping[str, str]) -> None:
        """Check the settings' ``queries``, which override the built-in templates.

        Raises:
            ConfigInvalid: a template lacks the namespace, or has an unknown placeholder.
        """
        self._texts = {
            name: _checked(name, text) for name, text in {**_BUILT_IN, **queries}.items()
        }

    def check(self, name: str) -> None:
        """Check that there is a template of this name.

        Raises:
            ConfigInvalid: there is none.
        """
        if name not in self._texts:
            names = ", ".join(sorted(self._texts))
            raise ConfigInvalid(
                f"query: the scaler's settings have no template {name!r} (scaler.queries); "
                f"the templates are {names}"
            )

    def question(self, name: str, namespace: str, workload: str) -> str:
        """Return the query for one workload.

        Raises:
            ConfigInvalid: there is no such template, or a name is not valid in Kubernetes.
        """
        self.check(name)
        for text in (namespace, workload):
            if not is_name(text):
                raise ConfigInvalid(f"{text[:40]!r} is not a valid name of a namespace or workload")
        return self._texts[name].substitute(namespace=namespace, workload=workload)


def _checked(name: str, text: str) -> Template:
    template = Template(text)
    names = set(template.get_identifiers()) if template.is_valid() else {"?"}
    if names - _KNOWN or "namespace" not in names:
        raise ConfigInvalid(
            f"scaler.queries: {name}: must contain $namespace, may contain $workload, and no other "
            "'$' (write '$$' for a literal one); without $namespace any namespace could read the "
            "demand of any other"
        )
    return template
