"""The settings of automation: the scaler."""

from typing import Annotated

from msgspec import Meta, field

from wattribute.core.settings.section import SECONDS, Address, Seconds, Section, SettingsTree


class ScalerSettings(Section, frozen=True):
    """The external scaler for KEDA. It uses the Prometheus of the section ``ledger``."""

    listen: Address = "127.0.0.1:9104"
    """Address of gRPC. The default is loopback only."""
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
    """Query templates by name, each of which returns one number. Trigger metadata can come from any
    namespace and can only name one of these. ``$namespace`` is required and becomes the
    ScaledObject's namespace. ``$workload`` becomes its key ``workload``, or its name. The template
    ``power`` is built in: watts per pod of ``$workload``."""
    policies: str = ""
    """Policy file, or folder of policy files, that the JSON serves. Its URL names the policy, so
    only the operator chooses whose demand may be read. "" serves none."""
    refresh: Annotated[float, Meta(ge=1, le=300, extra=SECONDS)] = 15.0
    """Seconds between two decisions for each ScaledObject. KEDA's calls are answered from
    memory."""
    timeout: Annotated[float, Meta(ge=1, le=60, extra=SECONDS)] = 5.0
    """Seconds to wait for Prometheus."""
    stale: Seconds = 300.0
    """Age limit in seconds of a demand, or of a carbon intensity from a live source that no longer
    answers. Older values do not count, and the policy fails open."""
    max_objects: Annotated[int, Meta(ge=1, le=100_000)] = 5000
    """Largest number of ScaledObjects that are kept in memory. More are refused."""
    state: str = ""
    """File that keeps what carbon budgets have spent today over a restart. "" keeps nothing."""
    tls_cert: str = ""
    """Certificate (PEM) for gRPC and JSON. "" serves both without TLS."""
    tls_key: str = ""
    """Key of the certificate."""
    tls_client_ca: str = ""
    """Authorities that must have signed the certificates of gRPC callers. "" accepts any caller."""
    token_file: str = ""
    """File with the token that JSON callers must send (KEDA's authMode ``bearer``). "" requires
    none. ``/metrics`` never requires one."""


class AutomationSettings(SettingsTree, frozen=True):
    """The settings of everything that acts on the numbers."""

    scaler: ScalerSettings = ScalerSettings()
