"""What clouds rent out: instance family -> the CPU, threads and memory of its largest type.

The clouds' own tables are not needed for training: `instances.json`, beside this file, is what
``python -m tools.instances`` made of them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec

from wattribute.models.training.rows import read_table
from wattribute.node.estimator.cpu_names import cpu_key
from wattribute.node.estimator.identity import Cpu
from wattribute.node.estimator.instances import family_names
from wattribute.node.estimator.microarchitectures import microarchitecture_in

FILE: Final = "instances.json"

_CLOUD_COLUMNS: Final = {
    "aws": ("Instance Type", "Platform CPU Name", "vCPUs", "Memory (GiB)"),
    "gcp": ("Instance Type", "CPU Name", "Instance vCPU", "Instance Memory"),
    "azure": (
        "Virtual Machine",
        "Microarchitecture",
        "Platform vCPUs (highest vCPU possible)",
        "Platform Memory",
    ),
}
"""Beginning of a file's name -> its columns of instance type, CPU, threads and gigabytes."""


class InstanceTable(msgspec.Struct, frozen=True):
    """Families of instances, and where that is from."""

    source: str
    data_sha256: dict[str, str]
    """The clouds' tables -> digest of their bytes."""
    hosts: dict[str, tuple[str, float, float]]
    """``aws:m5`` -> CPU as the cloud writes it, threads, gigabytes; 0: not told."""

    def packed(self, cpus: Mapping[str, Cpu]) -> dict[str, str]:
        """As the artefact has it: family -> ``cpu threads gb``, the CPU by key or kind."""
        families = {}
        for family, (text, threads, gb) in sorted(self.hosts.items()):
            key = cpu_key(text)
            cpu = key if key in cpus else microarchitecture_in(text)
            families[family] = f"{cpu or '-'} {threads:g} {gb:g}"
        return families

    def rented(self) -> list[str]:
        """Keys of the CPUs that clouds rent out, once per family that tells one."""
        keys = (cpu_key(text) for _, (text, _, _) in sorted(self.hosts.items()))
        return [key for key in keys if key]


def shipped_instances() -> InstanceTable:
    """The table that this version has."""
    data = resources.files("wattribute.models.training").joinpath(FILE).read_bytes()
    return msgspec.json.decode(data, type=InstanceTable)


def collect_instances(tables: Sequence[Path], source: str) -> InstanceTable:
    """Make the table of the clouds' own ones.

    The largest type of a family is taken for the whole host.

    Args:
        tables: CSV files; those not named as a cloud's are left out.
        source: where they are from, and on which terms.

    Raises:
        DataInvalid: a table cannot be read.
    """
    hosts: dict[str, tuple[str, float, float]] = {}
    cloud_tables = [path for path in sorted(tables) if _cloud(path)]
    for path in cloud_tables:
        for name, cpu, vcpus, memory in _offers(path):
            threads = _positive(vcpus)
            for family in family_names(name)[:1]:
                before = hosts.get(family)
                if threads and (before is None or threads > before[1]):
                    hosts[family] = (cpu, threads, _positive(memory))
    digests = {path.name: sha256(path.read_bytes()).hexdigest() for path in cloud_tables}
    return InstanceTable(source, digests, dict(sorted(hosts.items())))


def _cloud(path: Path) -> str:
    match = re.match(r"(aws|gcp|azure)-instances", path.name)
    return match[1] if match else ""


def _offers(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Instance type, CPU, threads and memory of every line."""
    columns = _CLOUD_COLUMNS[_cloud(path)]
    for text in read_table(path, columns):
        name, cpu, vcpus, memory = (text[column].strip() for column in columns)
        yield name, cpu, vcpus, memory


def _positive(text: str) -> float:
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return 0.0
    return value if 0 < value < float("inf") else 0.0
