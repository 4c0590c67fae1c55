"""The record that all models take: a physical machine, and which part of it is ours."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Host:
    """A physical machine as a model sees it; figures are of the whole host, also for a guest."""

    cpu_key: str = ""
    """As `cpu_names.cpu_key`; "": the name told no model."""
    microarchitecture: str = ""
    make: str = ""
    """Who designed the CPU: ``intel``, ``amd``, ``arm``; "": others."""
    year: float = 2017.0
    """Of the microarchitecture's launch."""
    tdp_watts: float = 150.0
    """Thermal design power of one package."""
    chips: float = 1.0
    cores: float = 16.0
    threads: float = 32.0
    """Of all packages together."""
    memory_gb: float = 64.0
    ghz: float = 2.5
    """Base clock."""
    boost_ghz: float = 0.0
    """Highest clock; 0: not known."""
    maker: str = ""
    """Of the server; "" not known."""
    form: str = ""
    """``1u``, ``2u``, ``4u``, ``tower``, ``blade``; "": not known."""
    nodes: float = 1.0
    """Machines that share a chassis with its power supplies; figures here are of one."""
    share: float = 1.0
    """Part of the host's threads that this machine is; 1 on bare metal."""
    memory_share: float = 1.0
    basis: str = "cpu"
    """What is known: ``cpu`` (its model, so its TDP), ``microarchitecture``, or ``class``."""
    why: tuple[str, ...] = ()
    """What is not known, in words: reasons for a wide band."""

    @property
    def tdp_total(self) -> float:
        """TDP of all packages in watts."""
        return self.tdp_watts * self.chips
