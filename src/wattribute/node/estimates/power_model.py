"""Opening the power model: its file, what was measured here before, and the cloud's word.

The file that the settings name is refused when it is not what it should be; the shipped one is
always there.
"""

import json
from collections.abc import Callable
from functools import lru_cache, partial
from importlib import resources
from math import isfinite
from pathlib import Path
from typing import Final

from wattribute.core.errors import ConfigInvalid, ModelInvalid
from wattribute.core.files import write_whole
from wattribute.core.records import Machine
from wattribute.node.estimates.model_cache import ModelCache, ModelPin
from wattribute.node.estimator.artefact import MAX_BYTES, Artefact, decode
from wattribute.node.estimator.calibration import SCOPES, Measured
from wattribute.node.estimator.model import ArtefactEstimator
from wattribute.node.settings import EstimatorSettings, NodeSettings

SHIPPED: Final = "power-model.json"


def open_estimator(settings: NodeSettings, machine: Machine) -> ArtefactEstimator:
    """The estimator that the settings ask for; the same one for the same settings and machine.

    Raises:
        ConfigInvalid: the artefact or the calibration file cannot be used.
    """
    return _open(settings.estimator, cached_path(settings), machine)


@lru_cache(maxsize=1)
def _open(room: EstimatorSettings, cache: Path | None, machine: Machine) -> ArtefactEstimator:
    return estimator_maker(room, machine)(_artefact(room, cache))


def cached_path(settings: NodeSettings) -> Path | None:
    """Where the model server's artefact is kept: beside the agent's state; None: nowhere."""
    if not settings.estimator.model_server or not settings.monitor.state:
        return None
    return Path(settings.monitor.state).with_name(SHIPPED)


@lru_cache(maxsize=1)
def estimator_maker(
    room: EstimatorSettings, machine: Machine
) -> Callable[[Artefact], ArtefactEstimator]:
    """How an artefact becomes the estimator of this machine.

    Raises:
        ConfigInvalid: the calibration file cannot be used.
    """
    instance_type = room.instance_type
    if not (instance_type or machine.instance_type) and machine.hypervisor and room.cloud_metadata:
        from wattribute.node.estimates.cloud import ask_instance_type  # noqa: PLC0415 - 2 MB, for few

        instance_type = ask_instance_type()
    measured = read_calibration(Path(room.calibration)) if room.calibration else ()
    return partial(
        ArtefactEstimator,
        tdp_watts=room.tdp_watts,
        instance_type=instance_type,
        profile=room.profile,
        measured=measured,
    )


def _artefact(room: EstimatorSettings, cache: Path | None) -> Artefact:
    """The last good one of the model server, if one is named; else the file's or the shipped."""
    if not room.model_server:
        return read_artefact(room.model, room.sha256)
    cached = ModelCache(cache).load(ModelPin(room))
    return cached[1] if cached else read_artefact(room.model)


def read_artefact(path: str = "", sha256: str = "") -> Artefact:
    """The artefact of that file; "" takes the shipped one.

    Raises:
        ConfigInvalid: it cannot be read, or not be used.
    """
    name = path or SHIPPED
    try:
        if path:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        else:
            data = resources.files("wattribute.node.estimator").joinpath(SHIPPED).read_bytes()
    except OSError as exc:
        raise ConfigInvalid(f"estimator.model: {path}: {exc.strerror}") from exc
    try:
        return decode(data, sha256, name=name)
    except ModelInvalid as exc:
        raise ConfigInvalid(f"estimator.model: {exc}") from exc


def read_calibration(path: Path) -> tuple[Measured, ...]:
    """Readings that ``wattribute calibrate`` wrote; none where there is no such file.

    Raises:
        ConfigInvalid: it is not such a file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigInvalid(f"estimator.calibration: {path}: {exc}") from exc
    try:
        measured = tuple(
            Measured(float(reading["utilisation"]), float(reading["watts"]), str(reading["scope"]))
            for reading in json.loads(text)["measured"]
        )
    except (ValueError, KeyError, TypeError) as exc:
        raise ConfigInvalid(
            f"estimator.calibration: {path}: not written by `wattribute calibrate`: {exc!r}"
        ) from exc
    for reading in measured:
        usable = 0 <= reading.utilisation <= 1 and isfinite(reading.watts) and reading.watts > 0
        if not usable or reading.scope not in SCOPES:
            raise ConfigInvalid(
                f"estimator.calibration: {path}: {reading} cannot be; measure again"
            )
    return measured


def write_calibration(path: Path, measured: tuple[Measured, ...]) -> None:
    """Keep readings for the agent.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"scope": reading.scope, "utilisation": reading.utilisation, "watts": reading.watts}
        for reading in measured
    ]
    write_whole(path, (json.dumps({"measured": rows}, indent=1) + "\n").encode())
