"""What each key of Kepler's configuration is called here, or why it is not needed.

Two generations: 0.9 and before (environment variables), 0.10 and later (one YAML tree). Names and
defaults are Kepler's, from its documentation of 0.9.0 and 0.11.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from wattribute.core.errors import ConfigInvalid
from wattribute.settings import load


@dataclass(slots=True)
class Converted:
    """Settings by key, and what could not be turned into one."""

    settings: dict[str, object] = field(default_factory=dict)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    """(Kepler's name, why)."""
    notes: list[str] = field(default_factory=list)


class Unwanted(Exception):  # noqa: N818 - not an error of the reader's
    """A value that has no counterpart; the message says why."""


_ALWAYS: Final = "always on here"
_NO_GPU: Final = "GPUs are measured where there are any (--meters auto)"
_REDFISH: Final = "on where meter.redfish_credentials or meter.redfish_url is set"
_REDFISH_S: Final = "a BMC is asked apart from the loop and may take half a minute"
_BY_CLOCK: Final = "ended consumers stay for monitor.linger seconds, all of them, by the clock"
_MODELS: Final = "models of our own format only; see estimator.model"
_COUNTERS: Final = "utilisation counters are not exported; CPU seconds are, always"
_SPLIT: Final = "energy is shared by cycles or CPU time; see activity.source"
_PLANT: Final = "instead of a fake meter there is `wattribute dev plant`, with known truth"
_SENSORS: Final = "CPU, package and platform sensors are chosen by their names"
_ACCOUNT: Final = "the agent uses its pod's service account"


def _text(value: object) -> object:
    return str(value)


def _level(value: object) -> object:
    return {"warn": "warning"}.get(str(value).lower(), str(value).lower())


def _verbosity(value: object) -> object:
    """Kepler 0.9 counts: 1 is info, 5 and more is debug."""
    return "debug" if int(str(value)) >= 5 else "info"


def _truth(value: object) -> object:
    return str(value).lower() in {"true", "1"}


def _kube(value: object) -> object:
    return "auto" if _truth(value) else "off"


def _seconds(value: object) -> object:
    text = str(value)
    return int(text) if text.isdecimal() else text


def _listen(value: object) -> object:
    return [str(address) for address in value] if isinstance(value, list) else [str(value)]


def _meters(value: object) -> object:
    names = _listen(value)
    if not isinstance(names, list) or not set(names) <= {"rapl", "hwmon"}:
        raise Unwanted(_PLANT if "fake" in str(value) else "no such meter here; see meter.use")
    return names if len(names) == 1 else ["auto"]


def _levels(value: object) -> object:
    return bool({"all", "process"} & {level.strip() for level in _words(value)})


def _words(value: object) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else str(value).split(",")


def _gpu_floor(value: object) -> object:
    watts = float(str(value))
    if not watts:
        raise Unwanted("0 means that it is learned, as here")
    return {"gpu": watts}


def _metrics_path(value: object) -> object:
    reason = "that is where they are" if value == "/metrics" else "they are always at /metrics"
    raise Unwanted(reason)


NEW_KEYS: Final[Mapping[str, tuple[str, Callable[[object], object]]]] = {
    "log.level": ("log.level", _level),
    "log.format": ("log.format", _text),
    "host.sysfs": ("meter.sysfs", _text),
    "host.procfs": ("activity.procfs", _text),
    "monitor.interval": ("monitor.interval", _seconds),
    "cpu.preferredMeters": ("meter.use", _meters),
    "exporter.prometheus.metricsLevel": ("exporter.processes", _levels),
    "web.configFile": ("exporter.web_config", _text),
    "web.listenAddresses": ("exporter.listen", _listen),
    "kube.enabled": ("workload.kube", _kube),
    "kube.nodeName": ("workload.node_name", _text),
    "experimental.gpu.idlePower": ("attribution.idle_watts", _gpu_floor),
    "experimental.platform.redfish.configFile": ("meter.redfish_credentials", _text),
}
"""Keys of Kepler 0.10 and later that have a counterpart."""

NEW_DROPPED: Final[Mapping[str, str]] = {
    "monitor.staleness": "a scrape never collects: it shows the last tick",
    "monitor.maxTerminated": _BY_CLOCK,
    "monitor.minTerminatedEnergyThreshold": _BY_CLOCK,
    "rapl.zones": "all zones are read; choose among them in the query",
    "exporter.stdout.enabled": "use `wattribute top --once`",
    "exporter.prometheus.enabled": _ALWAYS,
    "exporter.prometheus.debugCollectors": "the agent's own metrics are always there",
    "debug.pprof.enabled": "there is no pprof in a Python program",
    "kube.config": _ACCOUNT,
    "kube.podInformer.mode": "auto asks the API server; the kubelet only by name (workload.kube)",
    "kube.podInformer.pollInterval": "pods are watched, not polled",
    "dev.fake-cpu-meter": _PLANT,
    "experimental.platform.redfish.httpTimeout": _REDFISH_S,
    "experimental.platform.redfish.nodeName": "one name for all: workload.node_name",
    "experimental.platform.redfish": _REDFISH,
    "experimental.hwmon": _SENSORS,
    "experimental.gpu": _NO_GPU,
}
"""Keys, or the beginnings of keys, that have none."""

OLD_KEYS: Final[Mapping[str, tuple[str, Callable[[object], object]]]] = {
    "KEPLER_LOG_LEVEL": ("log.level", _verbosity),
    "SYS_DIR": ("meter.sysfs", _text),
    "PROC_DIR": ("activity.procfs", _text),
    "SAMPLE_PERIOD_SEC": ("monitor.interval", _seconds),
    "BIND_ADDRESS": ("exporter.listen", _listen),
    "ENABLE_PROCESS_METRICS": ("exporter.processes", _truth),
    "ENABLE_API_SERVER": ("workload.kube", _kube),
    "METRIC_PATH": ("", _metrics_path),
    "REDFISH_CRED_FILE_PATH": ("meter.redfish_credentials", _text),
    "REDFISH_PROBE_INTERVAL_IN_SECONDS": ("meter.redfish_interval", _seconds),
}
"""Variables of Kepler 0.9 and before that have a counterpart."""

OLD_DROPPED: Final[Mapping[str, str]] = {
    "KEPLER_NAMESPACE": "the agent does not ask where it runs",
    "ENABLE_EBPF_CGROUPID": _ALWAYS,
    "EXPOSE_CONTAINER_METRICS": _ALWAYS,
    "EXPOSE_VM_METRICS": _ALWAYS,
    "EXPOSE_COMPONENT_POWER": _ALWAYS,
    "EXPOSE_ESTIMATED_IDLE_POWER_METRICS": "idle is always split off and says if it is estimated; "
    "who pays it is attribution.idle_policy",
    "EXPOSE_HW_COUNTER_METRICS": _COUNTERS,
    "EXPOSE_IRQ_COUNTER_METRICS": _COUNTERS,
    "EXPOSE_BPF_METRICS": _COUNTERS,
    "EXPOSE_CGROUP_METRICS": _COUNTERS,
    "EXPOSE_KUBELET_METRICS": _COUNTERS,
    "ENABLE_GPU": _NO_GPU,
    "ENABLE_QAT": "there is no QAT meter here",
    "NVIDIA_": _NO_GPU,
    "ENABLE_MSR": "RAPL is read through powercap, never through MSRs",
    "MOCK_ACPI_POWER_PATH": "a test machine is a folder: meter.sysfs",
    "MAX_LOOKUP_RETRY": "names are looked up in a thread of their own",
    "KUBE_CONFIG": _ACCOUNT,
    "EXPERIMENTAL_BPF_SAMPLE_RATE": "nothing is sampled: all time is counted",
    "ESTIMATOR_": _MODELS,
    "MODEL_": _MODELS,
    "NODE_TOTAL": _MODELS,
    "NODE_COMPONENTS": _MODELS,
    "CONTAINER_TOTAL": _MODELS,
    "CONTAINER_COMPONENTS": _MODELS,
    "PROCESS_TOTAL": _MODELS,
    "PROCESS_COMPONENTS": _MODELS,
    "CPU_ARCH_OVERRIDE": "the CPU is read from /proc/cpuinfo",
    "EXCLUDE_SWAPPER_PROCESS": "the idle task is never a consumer here",
    "CORE_USAGE_METRIC": _SPLIT,
    "DRAM_USAGE_METRIC": _SPLIT,
    "UNCORE_USAGE_METRIC": _SPLIT,
    "GENERAL_USAGE_METRIC": _SPLIT,
    "GPU_USAGE_METRIC": _SPLIT,
    "REDFISH_SKIP_SSL_VERIFY": "certificates are verified: give the BMC's as meter.redfish_ca_file",
    "LIBVIRT_METADATA_": "virtual machines are named by their cgroup",
}
"""Variables, or the beginnings of variables, that have none."""


def from_tree(flat: Mapping[str, object]) -> Converted:
    """Settings from the keys of Kepler 0.10 and later, dotted (``monitor.interval``)."""
    converted = _converted(flat, NEW_KEYS, NEW_DROPPED)
    converted.settings["exporter.metrics"] = "kepler-0.11"
    if "web.listenAddresses" not in flat:
        converted.notes.append(
            "Kepler listens on :28282 of all addresses unless told, we on 127.0.0.1:9102; "
            'to keep its port: exporter.listen: [":28282"]'
        )
    if "exporter.prometheus.metricsLevel" not in flat:
        converted.notes.append(
            "Kepler exports processes unless told, we do not; to have them: exporter.processes"
        )
    if isinstance(flat.get("cpu.preferredMeters"), list) and converted.settings.get(
        "meter.use"
    ) == ["auto"]:
        converted.notes.append(
            "Kepler reads the first meter that works; meter.use: auto reads all that are there"
        )
    return converted


def from_environment(variables: Mapping[str, object]) -> Converted:
    """Settings from the variables of Kepler 0.9 and before."""
    converted = _converted(variables, OLD_KEYS, OLD_DROPPED)
    converted.settings["exporter.metrics"] = "kepler-0.9"
    if "BIND_ADDRESS" not in variables:
        converted.notes.append(
            "Kepler listens on all addresses unless told, we on 127.0.0.1:9102; "
            'to be scraped from elsewhere: exporter.listen: [":9102"]'
        )
    return converted


def _converted(
    given: Mapping[str, object],
    known: Mapping[str, tuple[str, Callable[[object], object]]],
    dropped: Mapping[str, str],
) -> Converted:
    result = Converted()
    for name, value in given.items():
        if name not in known:
            reason = next((why for start, why in dropped.items() if name.startswith(start)), None)
            result.dropped.append((name, reason or "not a key of Kepler's"))
            continue
        key, rule = known[name]
        try:
            setting = rule(value)
            load(None, {}, {key: _flag(setting)})
        except (Unwanted, ConfigInvalid) as exc:
            result.dropped.append((name, str(exc)))
        except ValueError:
            result.dropped.append((name, f"{value!r} is not a number"))
        else:
            result.settings[key] = setting
    return result


def _flag(setting: object) -> object:
    """A setting as a flag would give it, so that it can be checked by itself."""
    if isinstance(setting, list):
        return tuple(setting)
    if isinstance(setting, dict):
        return tuple(f"{name}={value}" for name, value in setting.items())
    return str(setting).lower() if isinstance(setting, bool) else str(setting)
