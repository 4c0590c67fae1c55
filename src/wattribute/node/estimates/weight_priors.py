"""What a learner of watts per core begins with: the pooled weights of other nodes."""

import logging
from pathlib import Path
from typing import Final

from wattribute.core.errors import ConfigInvalid, DataInvalid
from wattribute.core.records import (
    MAX_WEIGHTS_BYTES,
    Machine,
    WorkloadKey,
    decode_weights,
)
from wattribute.node.estimator.cpu_names import base_key, cpu_key
from wattribute.node.settings import NodeSettings

_LOG: Final = logging.getLogger(__name__)


def load_priors(
    settings: NodeSettings, machine: Machine
) -> dict[str, dict[WorkloadKey, tuple[float, float]]]:
    """Return what other nodes know: by kind of zone and workload, delta and its deviation.

    Empty without a file, and where the file is of another CPU model, which is logged: one setting
    may go to a fleet of several.

    Raises:
        ConfigInvalid: the file cannot be read, or is no pooled weights.
    """
    path = settings.attribution.weights_file
    if not path:
        return {}
    try:
        with Path(path).open("rb") as file:
            weights = decode_weights(file.read(MAX_WEIGHTS_BYTES + 1), path)
    except OSError as exc:
        raise ConfigInvalid(f"attribution.weights_file: {path}: {exc.strerror}") from exc
    except DataInvalid as exc:
        raise ConfigInvalid(f"attribution.weights_file: {exc}") from exc
    key = cpu_key(machine.cpu_name)
    if base_key(weights.cpu) != base_key(key):
        _LOG.warning(
            "attribution.weights_file: %s: of the CPU %s, and this machine has %s; not used",
            *(path, weights.cpu, key or repr(machine.cpu_name)),
        )
        return {}
    return {zone_kind: weights.priors(zone_kind) for zone_kind in weights.zones}
