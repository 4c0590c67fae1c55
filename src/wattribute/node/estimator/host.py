"""The record that all models take: a physical machine, and the share of it that is ours."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Host:
    """A physical machine as a model sees it; figures describe the whole host, also for a guest."""

    cpu_key: str = ""
    """Key of the CPU model, as from `cpu_names.cpu_key`; "": not known."""
    microarchitecture: str = ""
    make: str = ""
    """Designer of the CPU: ``intel``, ``amd``, ``arm``; "": another."""
    year: float = 2017.0
    """Launch year of the microarchitecture."""
    tdp_watts: float = 150.0
    """Thermal design power of one package."""
    chips: float = 1.0
    cores: float = 16.0
    threads: float = 32.0
    """Threads of all packages together."""
    memory_gb: float = 64.0
    ghz: float = 2.5
    """Base clock."""
    boost_ghz: float = 0.0
    """Highest clock; 0: not known."""
    maker: str = ""
    """Maker of the server; "": not known."""
    form: str = ""
    """Form of the server: ``1u``, ``2u``, ``4u``, ``tower``, ``blade``; "": not known."""
    nodes: float = 1.0
    """Machines that share a chassis and its power supplies; other fields describe one of them."""
    share: float = 1.0
    """This machine's share of the host's threads; 1 on bare metal."""
    memory_share: float = 1.0
    basis: str = "cpu"
    """What is known: ``cpu`` (its model, so its TDP), ``microarchitecture``, or ``class``."""
    why: tuple[str, ...] = ()
    """What is not known, in words; these are reasons for a wide band."""

    @property
    def tdp_total(self) -> float:
        """The TDP of all packages in watts."""
        return self.tdp_watts * self.chips
