"""The namespace that a volume, a load balancer or an address was made for, from its tags.

What makes such a resource for a claim or a service writes their names on it:

* volumes: ``kubernetes.io/created-for/pvc/namespace`` (AWS), the same with ``-`` (Azure) or ``_``
  (GCE) in place of the other signs;
* load balancers: ``kubernetes.io/service-name``, ``service.k8s.aws/stack``,
  ``ingress.k8s.aws/stack`` (AWS), ``k8s-azure-service``, all as ``namespace/name``;
* lines that the cloud has split itself: ``k8s-namespace`` (GKE), ``aws:eks:namespace``.

Prefixes that bills add (``user:``, ``user_``) and other signs than letters and digits do not count.
"""

import json
import re
from typing import Final

_OTHER: Final = re.compile(r"[^a-z0-9]+")
_NAMESPACE: Final = (
    "kubernetes_io_created_for_pvc_namespace",
    "k8s_namespace",
    "aws_eks_namespace",
)
_NAMESPACE_AND_NAME: Final = (
    "kubernetes_io_service_name",
    "service_k8s_aws_stack",
    "ingress_k8s_aws_stack",
    "k8s_azure_service",
)


def namespace_in(tags: str) -> str:
    """The namespace that tags name, or "".

    Args:
        tags: A JSON object of names and values; anything else names nothing.
    """
    try:
        parsed = json.loads(tags) if tags else None
    except ValueError:
        return ""
    if not isinstance(parsed, dict):
        return ""
    plain = {
        _OTHER.sub("_", str(name).casefold().removeprefix("user:").removeprefix("user_")): str(
            value
        )
        for name, value in parsed.items()
        if value
    }
    for name in _NAMESPACE:
        if name in plain:
            return plain[name]
    for name in _NAMESPACE_AND_NAME:
        namespace, slash, _ = plain.get(name, "").partition("/")
        if slash:
            return namespace
    return ""
