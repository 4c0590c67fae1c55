"""Flags that are aliases of settings, for every command that needs settings."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from wattribute.core.settings import Key, keys
from wattribute.core.settings.reference import descriptions
from wattribute.settings import Settings, load

_KEYS: Final = {key.flag: key for key in keys(Settings).values() if key.flag}
"""The keys that have flags, by flag."""

_FIRST: Final = ("--listen", "--interval")
AGENT: Final = (
    *_FIRST,
    *(f for f, key in _KEYS.items() if key.path[0] in ("node", "log") and f not in _FIRST),
)
"""All that concerns the agent; the flags that are used most come first."""

MEASURING: Final = (
    "--sysfs",
    "--procfs",
    "--cgroupfs",
    "--meters",
    "--activity",
    "--idle-policy",
    "--idle-watts",
    "--node-name",
    "--kube",
    "--model",
    "--log-level",
    "--log-format",
)
"""What a command needs that measures by itself and serves nothing."""

OUT: Final = click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write."
)
"""The option of commands that write one file."""

_METAVARS: Final = {
    "exporter.listen": "HOST:PORT",
    "exporter.web_config": "FILE",
    "exporter.spool": "DIR",
    "meter.sysfs": "DIR",
    "meter.use": "NAME,...",
    "activity.procfs": "DIR",
    "activity.cgroupfs": "DIR",
    "attribution.idle_watts": "ZONE=W",
    "monitor.state": "FILE",
    "workload.node_name": "NAME",
    "estimator.model": "FILE",
    "estimator.model_server": "URL",
    "ledger.path": "DIR",
    "ledger.prometheus_url": "URL",
}


def with_settings(
    *flags: str,
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command ``--config`` and these flags, and the keyword ``settings``."""

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(command)
        def with_loaded(config: Path | None, **given: Any) -> int:  # noqa: ANN401 - as click gives them
            chosen = {_KEYS[flag].name: given.pop(_parameter(flag)) for flag in flags}
            return command(settings=load(config, os.environ, chosen), **given)

        decorated: Callable[..., int] = with_loaded
        for flag in reversed(flags):
            decorated = _option(flag)(decorated)
        return click.option(
            "--config",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Settings file (YAML). Flags and environment variables override it.",
        )(decorated)

    return decorate


def _parameter(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _option(flag: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    key = _KEYS[flag]
    return click.option(
        flag,
        _parameter(flag),
        multiple=isinstance(key.default, tuple | dict),
        metavar=_metavar(key),
        help=f"{_sentence(key)}  [{key.name}; default: {_default(key)}]",
    )


def _metavar(key: Key) -> str:
    if key.words:
        return "|".join(key.words)
    return "SECONDS" if key.duration else _METAVARS[key.name]


def _sentence(key: Key) -> str:
    """The first sentence of the key's description."""
    return descriptions(Settings)[key.name].partition(". ")[0].rstrip(".").replace("`", "") + "."


def _default(key: Key) -> str:
    if isinstance(key.default, tuple | dict):
        return ",".join(key.default) or "none"
    return f"{key.default:g}" if isinstance(key.default, float) else str(key.default or '""')
