"""Assemble the scaler and run it until a signal."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Callable
from typing import Final

import msgspec

from wattribute.accounting.carbon import open_grid
from wattribute.accounting.promql.client import Prometheus
from wattribute.accounting.settings import AccountingSettings
from wattribute.automation.scaler.engine import ScalingEngine
from wattribute.automation.scaler.json_api import JsonApi
from wattribute.automation.scaler.policy_file import read_policy_files
from wattribute.automation.scaler.service import GrpcServer
from wattribute.automation.scaler.watch import CarbonWatch
from wattribute.automation.settings import ScalerSettings
from wattribute.core.errors import ConfigInvalid, SourceFailed
from wattribute.http.listen import parse_address

_LOG: Final = logging.getLogger(__name__)
_SWITCH_S: Final = 0.0005
"""Longest time that a call of KEDA waits for the interpreter while decisions are made."""
_CARBON_S: Final = 60.0


def serve(
    settings: ScalerSettings,
    accounting: AccountingSettings,
    *,
    started: Callable[[str, str], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: The scaler's settings.
        accounting: The settings of Prometheus and of carbon intensity.
        started: Called with the addresses of gRPC and of JSON.

    Raises:
        ConfigInvalid: the settings are wrong.
        ListenFailed: an address cannot be listened on.
    """
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise ConfigInvalid("scaler.tls_cert and scaler.tls_key: set both or neither")
    sys.setswitchinterval(_SWITCH_S)
    policies = read_policy_files(settings.policies)
    api = msgspec.structs.replace(accounting.ledger, timeout=settings.timeout)
    with Prometheus(api, waits_s=()) as prometheus:
        grid = open_grid(accounting)
        refresh_s = min(_CARBON_S, settings.refresh * 4)
        carbon = CarbonWatch(grid, refresh_s=refresh_s, stale_s=settings.stale)
        engine = ScalingEngine(
            settings,
            lambda query: _one_number(prometheus, query),
            carbon,
            location=accounting.carbon.location,
        )
        try:
            json_api = JsonApi(engine, carbon, policies, settings)
            try:
                engine.start(policies.values())
                asyncio.run(_run(engine, json_api, settings, started))
            finally:
                json_api.close()
        finally:
            engine.close()
            carbon.close()


async def _run(
    engine: ScalingEngine,
    json_api: JsonApi,
    settings: ScalerSettings,
    started: Callable[[str, str], None] | None,
) -> None:
    server = GrpcServer(engine, settings)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    json_api.start()
    await server.start()
    host = parse_address(settings.listen).host
    grpc_address = f"{host}:{server.port}"
    if not settings.tls_client_ca and not parse_address(settings.listen).is_loopback:
        _LOG.warning(
            "%s: every client that can connect may read any namespace's demand through the query "
            "templates; set scaler.tls_client_ca to admit only KEDA",
            settings.listen,
        )
    _LOG.info("serving gRPC at %s, JSON and metrics at %s", grpc_address, json_api.address)
    if started:
        started(grpc_address, str(json_api.address))
    await ended.wait()
    await server.stop()


def _one_number(prometheus: Prometheus, query: str) -> float:
    rows = prometheus.vector(query, time.time())
    if len(rows) != 1:
        raise SourceFailed(
            f"{prometheus.name}: {query}: the answer has {len(rows)} series, and one is needed"
        )
    return rows[0][1]
