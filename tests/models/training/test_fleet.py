"""Recordings of metered machines: what they teach, and what they cannot spoil."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from wattribute.core.errors import DataInvalid
from wattribute.core.records import Load, Machine
from wattribute.core.units import nanoseconds, watts
from wattribute.models.training.fleet import deviation, learn
from wattribute.models.training.recordings import Read, read_recordings
from wattribute.models.training.train import encode
from wattribute.node.estimates.power_model import SHIPPED, read_artefact
from wattribute.node.estimator.artefact import Artefact, decode
from wattribute.node.estimator.model import ArtefactEstimator
from wattribute.node.estimator.power_recording import (
    MAX_BYTES,
    QUARANTINE,
    LoadPoint,
    Recording,
    decode_recording,
    encode_recording,
)

EPYC = Machine(
    vendor="AuthenticAMD", family=25, model=17, cpu_name="AMD EPYC 9354 32-Core Processor",
    architecture="x86_64", packages=2, cores=64, threads=128, memory_bytes=384 * 10**9,
    base_mhz=3250, dmi_vendor="Dell Inc.",
)  # fmt: skip
LOADS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)


def package_w(load: float, memory_gb: float) -> float:
    """What the simulated machines really draw: less than the model says when busy, more when
    idle; a little more with more memory, so that two of them differ."""
    return (150 + 330 * load**1.3) * (1 + memory_gb / 10_000)


def dram_w(load: float, memory_gb: float) -> float:
    return (15 + 30 * load) * (memory_gb / 384)


def recorded(
    machine: Machine, digest: str = "0" * 16, factor: float = 1.0, tdp: float = 0.0
) -> Recording:
    memory_gb = machine.memory_bytes / 1e9
    points = [
        LoadPoint(scope="pkg", utilisation=u, watts=factor * package_w(u, memory_gb), seconds=30)
        for u in LOADS
    ]
    points += [
        LoadPoint(scope="dram", utilisation=u, watts=factor * dram_w(u, memory_gb), seconds=30)
        for u in LOADS
    ]
    return Recording(
        schema=1, version="0", recorded_at="2026-01-02T03:04:05Z", how="steps",
        machine_digest=digest, machine=machine, tdp_watts=tdp, points=points,
    )  # fmt: skip


def read(*recordings: Recording) -> list[Read]:
    files = [encode_recording(recording) for recording in recordings]
    return [
        Read(f"{i}.json", sha256(f).hexdigest(), decode_recording(f)) for i, f in enumerate(files)
    ]


@pytest.fixture(scope="module")
def shipped() -> Artefact:
    return read_artefact()


def cpu_w(artefact: Artefact, machine: Machine, load: float) -> float:
    powers = ArtefactEstimator(artefact).predict(machine, Load(nanoseconds(1), load))
    return watts(powers["cpu"].idle_uw + powers["cpu"].dynamic_uw)


def test_two_recorded_machines_teach_the_model_for_a_guest_of_a_third(shipped: Artefact) -> None:
    pair = read(
        recorded(EPYC, "a" * 16), recorded(replace(EPYC, memory_bytes=768 * 10**9), "b" * 16)
    )
    guest = replace(EPYC, hypervisor="kvm", cores=8, threads=16, packages=1,
                    memory_bytes=64 * 10**9, dmi_vendor="QEMU")  # fmt: skip

    learned = learn(shipped, pair).artefact

    for load in (0.0, 0.3, 0.6, 1.0):
        truth = package_w(load, 512) * 16 / 128
        before = abs(cpu_w(shipped, guest, load) / truth - 1)
        after = abs(cpu_w(learned, guest, load) / truth - 1)
        assert after < before / 2
        assert after < 0.12


def test_what_it_is_worth_is_told_by_holding_out_each_machine(shipped: Artefact) -> None:
    pair = read(
        recorded(EPYC, "a" * 16), recorded(replace(EPYC, memory_bytes=768 * 10**9), "b" * 16)
    )

    gains = {gain.scope: gain for gain in learn(shipped, pair).gains}

    assert set(gains) == {"pkg", "dram"}
    assert gains["pkg"].before_pct > 20
    assert gains["pkg"].after_pct < 8
    assert learn(shipped, pair[:1]).gains == ()


def test_what_the_recordings_make_worse_is_not_learned(shipped: Artefact) -> None:
    one, other = recorded(EPYC, "a" * 16), recorded(EPYC, "b" * 16)
    opposite = [
        msgspec.structs.replace(p, watts=p.watts * (9 if r is one else 1 / 9))
        if p.scope == "dram"
        else p
        for r in (one, other)
        for p in r.points
    ]
    half = len(one.points)
    pair = read(
        msgspec.structs.replace(one, points=opposite[:half]),
        msgspec.structs.replace(other, points=opposite[half:]),
    )

    learned = learn(shipped, pair)

    assert [gain.scope for gain in learned.gains if not gain.helps] == ["dram"]
    assert learned.artefact.fleet is not None
    assert learned.artefact.fleet.cpu["epyc-9354"].keys() == {"pkg"}


def test_another_cpu_of_its_microarchitecture_learns_half_and_others_nothing(
    shipped: Artefact,
) -> None:
    learned = learn(shipped, read(recorded(EPYC))).artefact
    like = replace(EPYC, cpu_name="AMD EPYC 9554 64-Core Processor", cores=128, threads=256)
    other = replace(EPYC, cpu_name="Intel(R) Xeon(R) Platinum 8280 CPU @ 2.70GHz",
                    vendor="GenuineIntel", family=6, model=85)  # fmt: skip

    moved = cpu_w(learned, EPYC, 0.5) / cpu_w(shipped, EPYC, 0.5)
    like_moved = cpu_w(learned, like, 0.5) / cpu_w(shipped, like, 0.5)

    assert like_moved == pytest.approx(moved ** (1.2 / 2), rel=0.01)
    assert cpu_w(learned, other, 0.5) == cpu_w(shipped, other, 0.5)


def test_a_cpu_that_the_table_lacks_is_learned_with_its_tdp(shipped: Artefact) -> None:
    new = replace(EPYC, cpu_name="AMD EPYC 9Z99 32-Core Processor")

    learned = learn(shipped, read(recorded(new, tdp=280.0))).artefact

    assert "epyc-9z99 280 32 3.25 0" in learned.cpus["zen4"]
    assert "epyc-9z99" in (learned.fleet.cpu if learned.fleet else {})
    assert cpu_w(learned, new, 0.5) == pytest.approx(package_w(0.5, 384), rel=0.1)


def test_one_forged_machine_among_five_moves_little(shipped: Artefact) -> None:
    honest = [recorded(EPYC, digest * 16) for digest in "abcd"]
    forged = recorded(EPYC, "e" * 16, factor=50)

    learned = learn(shipped, read(*honest, forged)).artefact

    assert cpu_w(learned, EPYC, 0.5) == pytest.approx(package_w(0.5, 384), rel=0.06)


def test_many_recordings_of_one_machine_count_as_one(shipped: Artefact) -> None:
    one = learn(shipped, read(recorded(EPYC)))
    again = msgspec.structs.replace(recorded(EPYC), recorded_at="2026-02-02T03:04:05Z")
    twice = learn(shipped, read(recorded(EPYC), again))

    assert len(twice.machines) == 1
    assert twice.artefact.fleet == one.artefact.fleet


def test_the_taught_artefact_is_an_artefact_and_the_same_bytes_each_time(
    shipped: Artefact,
) -> None:
    two = read(recorded(EPYC, "a" * 16), recorded(EPYC, "b" * 16, factor=1.1))

    data = encode(learn(shipped, two).artefact)

    assert encode(learn(shipped, two[::-1]).artefact) == data
    artefact = decode(data)
    assert artefact.version.startswith(shipped.version.partition("+")[0] + "+")
    again = learn(artefact, two).artefact
    assert again.fleet == artefact.fleet  # learned anew from the model below, not on top
    assert len(again.sources) == len(artefact.sources)
    assert deviation(shipped, two[0].recording).keys() == {"pkg", "dram"}


def test_the_shipped_artefact_has_learned_from_nobodys_machines() -> None:
    root = Path(__file__).parents[3] / "src/wattribute/node/estimator"

    assert decode((root / SHIPPED).read_bytes()).fleet is None


def test_a_quarantine_gives_only_what_is_accepted(tmp_path: Path) -> None:
    files = [encode_recording(recorded(EPYC, d * 16)) for d in "abc"]
    for i, file in enumerate(files):
        (tmp_path / f"{i}.json").write_bytes(file)
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "notes.txt").write_text("not looked at")

    assert len(read_recordings(tmp_path).taken) == 3

    (tmp_path / QUARANTINE).touch()
    found = read_recordings(tmp_path)
    assert (len(found.taken), len(found.waiting), len(found.broken)) == (0, 3, 1)
    first = sha256(files[0]).hexdigest()
    found = read_recordings(tmp_path, [first[:10]])
    assert [one.digest for one in found.taken] == [first]
    assert len(read_recordings(tmp_path, ["all"]).taken) == 3
    with pytest.raises(DataInvalid, match="not one recording whose SHA-256 begins with 'zz'"):
        read_recordings(tmp_path, ["zz"])
    with pytest.raises(DataInvalid, match="No such file"):
        read_recordings(tmp_path / "gone")
    with pytest.raises(DataInvalid, match="no recording to learn from"):
        learn(read_artefact(), [])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: {**r, "schema": 2}, "recording schema 2; this version reads 1"),
        (lambda r: {**r, "points": []}, "length >= 1"),
        (lambda r: {**r, "points": [{**r["points"][0], "watts": -1}]}, "> 0"),
        (lambda r: {**r, "points": [{**r["points"][0], "scope": "moon"}]}, "moon"),
        (lambda r: {**r, "points": [{**r["points"][0], "utilisation": 1.5}]}, "<= 1"),
        (lambda r: {**r, "machine": {**r["machine"], "cpu_name": "x\x1b[2J"}}, "not one line"),
        (lambda r: {**r, "machine": {**r["machine"], "cores": 0}}, "at least one package"),
        (lambda r: {**r, "machine": {**r["machine"], "memory_bytes": -1}}, "memory_bytes is -1"),
        (lambda r: {**r, "machine": {**r["machine"], "hypervisor": "kvm"}}, "virtual machine"),
        (lambda r: {**r, "machine_digest": "../../etc"}, "not a power recording"),
        (lambda _: [], "not a power recording"),
    ],
)
def test_what_is_no_recording_is_refused_in_one_line(
    change: Callable[[object], object], message: str
) -> None:
    tree = msgspec.json.decode(encode_recording(recorded(EPYC)))

    with pytest.raises(DataInvalid, match=message) as refused:
        decode_recording(msgspec.json.encode(change(tree)), "it")

    assert "\n" not in str(refused.value)


def test_a_recording_that_is_too_large_is_not_parsed() -> None:
    with pytest.raises(DataInvalid, match="at most 65536"):
        decode_recording(b"[" * (MAX_BYTES + 1))
    with pytest.raises(DataInvalid, match="not a power recording"):
        decode_recording(b"[" * MAX_BYTES)
    with pytest.raises(DataInvalid, match="not a power recording"):
        decode_recording(b"\xff{")
