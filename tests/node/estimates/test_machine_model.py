"""The power model of this machine, and which components it fills in."""

from collections.abc import Mapping, Sequence

import pytest

from wattribute.core.errors import MeterAbsent
from wattribute.core.records import EstimatorInfo, Load, Machine, Power, Zone
from wattribute.core.units import Microwatts, Nanoseconds
from wattribute.node.estimates.choose import choose_estimated, zone_of
from wattribute.node.estimates.machine_model import MachineModel
from wattribute.node.estimator.calibration import Measured

MACHINE = Machine(cores=2, threads=2)
HALF = Load(Nanoseconds(10**9), 0.5)


class Straight:
    """1 W idle, 10 W at full load, for the components that it knows."""

    def __init__(self, *components: str, name: str = "straight", scale: float = 1.0) -> None:
        self.name = name
        self._components = components
        self._scale = scale

    def predict(self, _machine: Machine, load: Load) -> Mapping[str, Power]:
        dynamic_uw = Microwatts(round(9e6 * load.utilisation * self._scale))
        power = Power(Microwatts(1_000_000), dynamic_uw, Microwatts(1), Microwatts(99), "cpu")
        return dict.fromkeys(self._components, power)

    def explain(self, machine: Machine) -> EstimatorInfo:
        return EstimatorInfo(
            model=self.name, version="1", basis="cpu", profile="typical", cpu="cpu",
            microarchitecture="", instance_type=machine.instance_type, share=1.0,
            calibrated=self._scale != 1.0, why_wide=(),
        )  # fmt: skip

    def calibrated(self, _measured: Sequence[Measured]) -> "Straight":
        return Straight(*self._components, name=self.name, scale=2.0)


class Server:
    """A model server that has one newer model."""

    def __init__(self, newer: Straight) -> None:
        self._newer: Straight | None = newer
        self.closed = False

    def news(self) -> Straight | None:
        newer, self._newer = self._newer, None
        return newer

    def close(self) -> None:
        self.closed = True


def model(*components: str) -> MachineModel:
    return MachineModel(Straight(*(components or ("cpu", "dram", "other"))), MACHINE)


def test_a_model_says_the_power_of_a_load() -> None:
    assert model("cpu").powers(HALF)["cpu"].dynamic_uw == 4_500_000


def test_a_newer_model_is_taken_when_power_is_asked_for() -> None:
    machine_model, server = model("cpu"), Server(Straight("cpu", name="newer"))
    machine_model.follow(server)
    assert machine_model.name == "straight"

    machine_model.powers(HALF)

    assert machine_model.name == "newer"
    machine_model.close()
    assert server.closed


def test_the_clusters_word_for_the_instance_type_is_kept() -> None:
    machine_model = model()
    machine_model.adopt_instance_type("m5.large")
    machine_model.adopt_instance_type("")

    assert machine_model.machine.instance_type == "m5.large"
    assert "m5.large" in machine_model.describe()


def test_what_meters_show_corrects_the_model() -> None:
    machine_model = model("cpu")
    for _ in range(30):
        machine_model.observe({"pkg": 5_000_000}, 0.5)

    assert machine_model.info.calibrated
    assert "calibrated" in machine_model.describe()


def test_components_without_a_meter_are_estimated_and_the_others_stand_by() -> None:
    estimated, finding = choose_estimated(("auto",), {"cpu"}, model())

    assert (estimated.missing, estimated.standby) == (("dram", "other"), ("cpu",))
    assert finding.state == "works"
    assert finding.message == "dram-0, other-0; straight 1: cpu"


def test_a_platform_meter_makes_an_estimate_of_the_rest_needless() -> None:
    estimated, finding = choose_estimated(("auto",), {"cpu", "dram", "platform"}, model())

    assert estimated.missing == ()
    assert estimated.standby == ("cpu", "dram")
    assert finding.state == "not used"
    assert finding.message.startswith("all components are measured; stands by; ")


def test_an_estimate_that_is_named_stands_by_for_no_other_meter() -> None:
    estimated, _ = choose_estimated(("rapl", "estimate"), {"cpu"}, model())

    assert (estimated.missing, estimated.standby) == (("dram", "other"), ())


def test_an_estimate_that_is_not_named_is_none() -> None:
    estimated, finding = choose_estimated(("rapl",), {"cpu"}, model())

    assert (estimated.missing, estimated.standby) == ((), ())
    assert (finding.state, finding.message) == (
        "not used",
        "not one of the meters that --meters names",
    )


def test_what_the_model_does_not_know_is_said_and_an_error_where_it_was_named() -> None:
    _, finding = choose_estimated(("auto",), {"cpu"}, model("gpu"))
    assert finding.message == "straight knows nothing of dram, other, cpu here"
    with pytest.raises(MeterAbsent, match="meter estimate, named in --meters: straight knows"):
        choose_estimated(("estimate",), (), model("gpu"))


def test_an_estimate_that_is_named_beside_meters_of_everything_is_an_error() -> None:
    with pytest.raises(MeterAbsent, match="all components are measured"):
        choose_estimated(("rapl", "estimate"), {"cpu", "dram", "other"}, model())


def test_an_estimated_zone_is_the_whole_nodes() -> None:
    assert zone_of("cpu") == Zone("package", "0", "trained_power_model")
