"""GPUs, one series per device. Their energy is in the families of zones."""

from collections.abc import Callable
from typing import Final

from wattribute.core.records import GpuState
from wattribute.node.exporter.family import Family, Samples, counter, gauge, listed, millionths
from wattribute.node.exporter.scene import Scene


def _info(scene: Scene) -> Samples | None:
    return listed(
        (
            {
                "gpu_uuid": gpu.device,
                "gpu": str(gpu.index),
                "gpu_name": gpu.name,
                "vendor": gpu.vendor,
                "energy": gpu.energy,
                "activity": gpu.activity,
            },
            1,
        )
        for gpu in scene.snapshot.gpus
    )


def _gpus(pick: Callable[[GpuState], int | None]) -> Callable[[Scene], Samples | None]:
    """Return one sample per device; ``pick`` chooses it, None where the device does not say."""
    return lambda scene: listed(
        ({"gpu_uuid": gpu.device}, value)
        for gpu in scene.snapshot.gpus
        if (value := pick(gpu)) is not None
    )


def _busy_millionths(gpu: GpuState) -> int | None:
    return None if gpu.utilisation is None else millionths(gpu.utilisation)


FAMILIES: Final[tuple[Family, ...]] = (
    gauge("wattribute_gpu_info",
          "A GPU, how its energy is known (counter, average or power) and by what it is shared "
          "(sm, gpm, dcgm, engine, memory, unseen or none): 1. Its energy is in wattribute_zone_*.",
          ("gpu_uuid", "gpu", "gpu_name", "vendor", "energy", "activity"), _info, decimals=0),
    gauge("wattribute_gpu_busy_ratio", "Part of the last tick in which a GPU was busy.",
          ("gpu_uuid",), _gpus(_busy_millionths)),
    gauge("wattribute_gpu_memory_used_bytes", "Memory in use on a GPU.", ("gpu_uuid",),
          _gpus(lambda gpu: gpu.memory_used_bytes if gpu.memory_total_bytes else None),
          decimals=0),
    gauge("wattribute_gpu_memory_bytes", "Memory of a GPU.", ("gpu_uuid",),
          _gpus(lambda gpu: gpu.memory_total_bytes or None), decimals=0),
    gauge("wattribute_gpu_instances", "MIG instances of a GPU; 0: MIG mode is off.",
          ("gpu_uuid",), _gpus(lambda gpu: gpu.instances), decimals=0),
    counter("wattribute_gpu_failures_total", "Questions to a GPU that it did not answer.",
            ("gpu_uuid",), _gpus(lambda gpu: gpu.failures), decimals=0),
)  # fmt: skip
