"""The clouds' tables of instance types -> one line per family."""

from pathlib import Path

from wattribute.models.training.instance_table import collect_instances, shipped_instances
from wattribute.node.estimator.identity import Cpu


def test_the_largest_type_of_a_family_is_the_host(tmp_path: Path) -> None:
    aws = tmp_path / "aws-instances-2026.csv"
    aws.write_text(
        "Category,Instance Type,vCPUs,Memory (GiB),Platform CPU Name\n"
        "General,m6a.large,2,8,AMD EPYC 7R13\n"
        'General,m6a.48xlarge,192,"1,768",AMD EPYC 7R13\n'
        "General,odd,4,8,AMD EPYC 7R13\n"
        "General,m9.large,,8,AMD EPYC 7R13\n"
    )
    azure = tmp_path / "azure-instances.csv"
    azure.write_text(
        "Virtual Machine,Microarchitecture,Platform vCPUs (highest vCPU possible),Platform Memory\n"
        "D2 v3,Broadwell,64,256\n"
        "H8,,8,\n"
    )
    (tmp_path / "notes.csv").write_text("a,b\n")

    table = collect_instances(list(tmp_path.glob("*.csv")), "made")

    assert table.hosts == {
        "aws:m6a": ("AMD EPYC 7R13", 192, 1768),
        "azure:d_v3": ("Broadwell", 64, 256),
        "azure:h": ("", 8, 0),
    }
    assert set(table.data_sha256) == {aws.name, azure.name}
    cpus = {"epyc-7r13": Cpu("epyc-7r13", "zen3", 225, 48, 2.65, 0)}
    assert table.packed(cpus) == {
        "aws:m6a": "epyc-7r13 192 1768",
        "azure:d_v3": "broadwell 64 256",
        "azure:h": "- 8 0",
    }
    assert table.rented() == ["epyc-7r13"]


def test_the_shipped_table_tells_of_every_cloud() -> None:
    table = shipped_instances()

    assert {family.partition(":")[0] for family in table.hosts} == {"aws", "azure", "gcp"}
    assert table.hosts["aws:m5"] == ("Intel Xeon Platinum 8175M", 96, 384)
    assert "2026" in table.source
