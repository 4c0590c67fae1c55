"""The door to NVML: loads NVIDIA's library, and turns its answers and errors into ours.

Nothing else imports nvidia-ml-py (module ``pynvml``, 18 MB), and nothing imports
this module before the library is known to be there.
Facts: NVIDIA's NVML API reference, and nvml.h as nvidia-ml-py declares it.
"""

import ctypes
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import pynvml

from wattribute.core.errors import MeterAbsent, MeterDenied, MeterError, MeterFailed

Handle = Any
"""A device, or an instance of one: a pointer of the library's."""

_RETRIES: Final = 3
"""Lists grow between the call that asks for their size and the one that fills them."""
_MIG_MODE_ON: Final = 1
_ANOTHER_LIST: Final = (
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
    pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
)


class NvmlRefused(Exception):  # noqa: N818 - an answer, not always an error
    """The library answered a call with a code."""

    def __init__(self, code: int, call: str) -> None:
        """Keep the code of nvmlReturn_t, and the name of the call."""
        self.code = code
        super().__init__(f"{call}: {_words(code)}")

    @property
    def unsupported(self) -> bool:
        """This device, driver or mode has no such thing: asking again is no use."""
        return self.code in (
            pynvml.NVML_ERROR_NOT_SUPPORTED,
            pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
            pynvml.NVML_ERROR_NO_PERMISSION,
            pynvml.NVML_ERROR_INVALID_ARGUMENT,
        )

    @property
    def empty(self) -> bool:
        """Nothing to tell: no process, no sample."""
        return self.code in (pynvml.NVML_SUCCESS, pynvml.NVML_ERROR_NOT_FOUND)

    @property
    def lost(self) -> bool:
        """The device is gone from the bus, or the library must be opened again to see it."""
        return self.code in (
            pynvml.NVML_ERROR_GPU_IS_LOST,
            pynvml.NVML_ERROR_GPU_NOT_FOUND,
            pynvml.NVML_ERROR_RESET_REQUIRED,
            pynvml.NVML_ERROR_UNINITIALIZED,
            pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
            pynvml.NVML_ERROR_INVALID_STATE,
        )


class ProcessSample(NamedTuple):
    """What one process did in a stretch of time that ends at ``at_us``."""

    pid: int
    at_us: int
    """On the driver's clock."""
    sm_percent: int


class Holder(NamedTuple):
    """A process that has the device open."""

    pid: int
    memory_bytes: int
    """0: not told (the driver hides it in some containers)."""
    instance: int | None
    """MIG: id of the GPU instance."""
    mps: bool
    """A client of the Multi-Process Service."""


class Instance(NamedTuple):
    """A MIG GPU instance."""

    id: int
    slices: int
    uuid: str


def opened(library: ctypes.CDLL) -> "NvmlLibrary":
    """NVML over a loaded libnvidia-ml.so.1.

    Raises:
        MeterAbsent: there is a library, and no driver behind it.
        MeterDenied: this process may not use the driver.
        MeterFailed: library and driver do not fit together, or anything else.
    """
    # nvidia-ml-py loads the library by its bare name. Ours may lie elsewhere (a container's
    # mount), and has the same SONAME: it is the one that is found; said outright all the same.
    if getattr(pynvml, "nvmlLib", None) is not library:
        pynvml.nvmlLib = library
        getattr(pynvml, "_nvmlGetFunctionPointer_cache", {}).clear()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as exc:
        raise _cannot_open(exc.value) from exc
    return NvmlLibrary()


def _cannot_open(code: int) -> MeterError:
    text = _words(code)
    if code == pynvml.NVML_ERROR_DRIVER_NOT_LOADED:
        return MeterAbsent(
            f"nvmlInit: {text}; load the driver (modprobe nvidia), if there is a GPU"
        )
    if code == pynvml.NVML_ERROR_NO_PERMISSION:
        return MeterDenied(f"nvmlInit: {text}; needs to open /dev/nvidiactl and /dev/nvidia*")
    if code == pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH:
        return MeterFailed(
            f"nvmlInit: {text}; the driver was updated: load the new one, or reboot; in a "
            "container mount the library of the host's driver"
        )
    if code == pynvml.NVML_ERROR_FUNCTION_NOT_FOUND:
        return MeterFailed("nvmlInit: the driver is too old; NVML of driver 450 or newer is needed")
    return MeterFailed(f"nvmlInit: {text}")


def _words(code: int) -> str:
    try:
        return str(pynvml.NVMLError(code))
    except pynvml.NVMLError:
        return f"NVML error {code}"


class NvmlLibrary:
    """NVML, initialised. Every method may raise Refused."""

    def close(self) -> None:
        """Let go of the driver."""
        try:
            pynvml.nvmlShutdown()
        except pynvml.NVMLError:
            return  # it was closed by a driver that went away

    def devices(self) -> Iterator[tuple[int, Handle | NvmlRefused]]:
        """Every device by its number; a lost one is there, and refused."""
        for index in range(int(_call(pynvml.nvmlDeviceGetCount))):
            try:
                yield index, _call(pynvml.nvmlDeviceGetHandleByIndex, index)
            except NvmlRefused as refused:
                yield index, refused

    def driver(self) -> str:
        """Version of the driver."""
        return str(_call(pynvml.nvmlSystemGetDriverVersion))

    def uuid(self, handle: Handle) -> str:
        """``GPU-...``, or ``MIG-...`` of an instance."""
        return str(_call(pynvml.nvmlDeviceGetUUID, handle))

    def name(self, handle: Handle) -> str:
        """``NVIDIA H100 80GB HBM3``."""
        return str(_call(pynvml.nvmlDeviceGetName, handle))

    def minor(self, handle: Handle) -> int:
        """N of /dev/nvidiaN."""
        return int(_call(pynvml.nvmlDeviceGetMinorNumber, handle))

    def energy_mj(self, handle: Handle) -> int:
        """Millijoules since the driver was loaded (Volta and later)."""
        return int(_call(pynvml.nvmlDeviceGetTotalEnergyConsumption, handle))

    def average_mw(self, handle: Handle) -> int:
        """Power over the last second (NVML_FI_DEV_POWER_AVERAGE; Ampere but GA100, and later)."""
        (field,) = _call(
            pynvml.nvmlDeviceGetFieldValues, handle, [pynvml.NVML_FI_DEV_POWER_AVERAGE]
        )
        if field.nvmlReturn != pynvml.NVML_SUCCESS:
            raise NvmlRefused(field.nvmlReturn, "NVML_FI_DEV_POWER_AVERAGE")
        return int(field.value.uiVal)

    def power_mw(self, handle: Handle) -> int:
        """Power, over the device's own window."""
        return int(_call(pynvml.nvmlDeviceGetPowerUsage, handle))

    def memory(self, handle: Handle) -> tuple[int, int]:
        """Bytes used, and bytes there are."""
        memory = _call(pynvml.nvmlDeviceGetMemoryInfo, handle)
        return int(memory.used), int(memory.total)

    def busy_percent(self, handle: Handle) -> int:
        """Part of its last sampling period (1/6 to 1 s) in which the device did anything."""
        return int(_call(pynvml.nvmlDeviceGetUtilizationRates, handle).gpu)

    def samples(self, handle: Handle, since_us: int) -> list[ProcessSample]:
        """What processes did after an instant of the driver's clock; 0: all that is buffered."""
        samples = self._listed(pynvml.nvmlDeviceGetProcessUtilization, handle, since_us)
        return [ProcessSample(int(s.pid), int(s.timeStamp), int(s.smUtil)) for s in samples]

    def holders(self, handle: Handle) -> list[Holder]:
        """Processes with a compute, MPS or graphics context, each once."""
        holders: dict[tuple[int, int | None], Holder] = {}
        for kind in ("Compute", "MPSCompute", "Graphics"):
            for process in self._processes(handle, kind):
                instance = int(process.gpuInstanceId)
                here = None if instance == _NO_INSTANCE else instance
                key = (int(process.pid), here)
                before = holders.get(key, Holder(key[0], 0, here, mps=False))
                holders[key] = Holder(
                    key[0],
                    max(before.memory_bytes, int(process.usedGpuMemory or 0)),
                    here,
                    mps=before.mps or kind == "MPSCompute",
                )
        return list(holders.values())

    def process_name(self, pid: int) -> str:
        """The program of a process, as the driver knows it; "" if it does not."""
        try:
            return str(_call(pynvml.nvmlSystemGetProcessName, pid))
        except (NvmlRefused, UnicodeDecodeError):
            return ""

    def mig(self, handle: Handle) -> bool:
        """Whether MIG mode is on."""
        try:
            current, _ = _call(pynvml.nvmlDeviceGetMigMode, handle)
        except NvmlRefused as refused:
            if refused.lost:
                raise
            return False
        return bool(current == _MIG_MODE_ON)

    def slots(self, handle: Handle) -> int:
        """How many of the smallest instances the device could hold: 7 as a rule."""
        return int(_call(pynvml.nvmlDeviceGetMaxMigDeviceCount, handle))

    def instances(self, handle: Handle, slots: int) -> list[Instance]:
        """The GPU instances that there are; one with several compute instances is there once."""
        instances: dict[int, Instance] = {}
        for place in range(slots):
            try:
                mig = _call(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, place)
            except NvmlRefused as refused:
                if refused.lost:
                    raise
                continue  # an empty place
            number = int(_call(pynvml.nvmlDeviceGetGpuInstanceId, mig))
            slices = int(_call(pynvml.nvmlDeviceGetAttributes_v2, mig).gpuInstanceSliceCount)
            instances.setdefault(number, Instance(number, slices, self.uuid(mig)))
        return list(instances.values())

    def has_gpm(self, handle: Handle) -> bool:
        """Whether the device tells activity by instance (Hopper and later)."""
        try:
            return bool(_call(pynvml.nvmlGpmQueryDeviceSupport, handle).isSupportedDevice)
        except NvmlRefused:
            return False

    def gpm_sample(self, handle: Handle, instance: int) -> Any:  # noqa: ANN401 - a pointer
        """The counters of an instance now; to be given back with ``gpm_free``."""
        sample = _call(pynvml.nvmlGpmSampleAlloc)
        try:
            _call(pynvml.nvmlGpmMigSampleGet, handle, instance, sample)
        except NvmlRefused:
            self.gpm_free(sample)
            raise
        return sample

    def gpm_busy(self, before: Any, after: Any) -> float:  # noqa: ANN401
        """Part of an instance's processors that was busy between two samples, 0 to 1."""
        get = pynvml.c_nvmlGpmMetricsGet_t()
        get.version = pynvml.NVML_GPM_METRICS_GET_VERSION
        get.numMetrics = 1
        get.sample1, get.sample2 = before, after
        get.metrics[0].metricId = pynvml.NVML_GPM_METRIC_SM_UTIL
        _call(pynvml.nvmlGpmMetricsGet, get)
        metric = get.metrics[0]
        if metric.nvmlReturn != pynvml.NVML_SUCCESS:
            raise NvmlRefused(metric.nvmlReturn, "NVML_GPM_METRIC_SM_UTIL")
        return min(max(float(metric.value) / 100, 0.0), 1.0)

    def gpm_free(self, sample: Any) -> None:  # noqa: ANN401
        """Give a sample's memory back."""
        _call(pynvml.nvmlGpmSampleFree, sample)

    def _processes(self, handle: Handle, kind: str) -> list[Any]:
        """One kind of list, in the newest form that this driver has."""
        for version in ("v3", "v2"):
            function = getattr(pynvml, f"nvmlDeviceGet{kind}RunningProcesses_{version}")
            try:
                return self._listed(function, handle)
            except NvmlRefused as refused:
                if refused.code not in _ANOTHER_LIST:
                    if refused.unsupported and kind != "Compute":
                        return []
                    raise
        return []

    def _listed(self, function: Callable[..., Any], *arguments: object) -> list[Any]:
        for attempt in range(_RETRIES):
            try:
                return list(_call(function, *arguments))
            except NvmlRefused as refused:
                if refused.empty:
                    return []
                grew = refused.code == pynvml.NVML_ERROR_INSUFFICIENT_SIZE
                if not grew or attempt == _RETRIES - 1:
                    raise
        return []


_NO_INSTANCE: Final = 0xFFFF_FFFF
"""gpuInstanceId where MIG mode is off."""


def _call(function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - as nvidia-ml-py
    try:
        return function(*arguments)
    except pynvml.NVMLError as exc:
        raise NvmlRefused(exc.value, function.__name__) from exc
