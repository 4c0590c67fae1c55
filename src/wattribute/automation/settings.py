"""The settings of what acts on the numbers: the scaler."""

from typing import Annotated

from msgspec import Meta, field

from wattribute.core.settings.section import SECONDS, Address, Seconds, Section, Tree


class ScalerSettings(Section, frozen=True):
    """The external scaler for KEDA. Prometheus is that of the section ``ledger``."""

    listen: Address = "127.0.0.1:9104"
    """Address of gRPC; loopback unless told."""
    json_listen: Address = "127.0.0.1:9105"
    """Address of the JSON for KEDA's metrics-api trigger, and of ``/metrics``."""
    queries: Annotated[
        dict[str, str],
        Meta(
            extra={
                "allowed": "a mapping of names to PromQL with `$namespace`, in the file: "
                "`{queue: 'sum(queue_length{exported_namespace=\"$namespace\"})'}`"
            }
        ),
    ] = field(default_factory=dict)
    """Query templates by name, each of which gives one number. Trigger metadata come from any
    namespace and can only name one of these; ``$namespace`` (which each must have) becomes the
    ScaledObject's namespace, ``$workload`` its key ``workload``, or its name. ``power`` is there
    from the start: watts per pod of ``$workload``."""
    policies: str = ""
    """Policy file, or folder of policy files, that the JSON serves: its URL says which, so whose
    demand may be read is the operator's choice. "" serves none."""
    refresh: Annotated[float, Meta(ge=1, le=300, extra=SECONDS)] = 15.0
    """Each ScaledObject is decided anew after this; KEDA's calls are answered from memory."""
    timeout: Annotated[float, Meta(ge=1, le=60, extra=SECONDS)] = 5.0
    """Seconds to wait for Prometheus."""
    stale: Seconds = 300.0
    """An older demand, or an older carbon intensity from a live source that no longer answers, does
    not count: the policy fails open."""
    max_objects: Annotated[int, Meta(ge=1, le=100_000)] = 5000
    """ScaledObjects that are remembered; more are refused."""
    state: str = ""
    """File that keeps what carbon budgets have spent today over a restart; "" keeps nothing."""
    tls_cert: str = ""
    """Certificate (PEM) for gRPC and JSON; "" serves both without TLS."""
    tls_key: str = ""
    """Its key."""
    tls_client_ca: str = ""
    """Certificates that must have signed those of gRPC's callers; "" takes any caller."""
    token_file: str = ""
    """File with the token that JSON's callers must send (KEDA's authMode ``bearer``); "" asks for
    none. ``/metrics`` needs none."""


class AutomationSettings(Tree, frozen=True):
    """What everything that acts on the numbers goes by."""

    scaler: ScalerSettings = ScalerSettings()
