"""Which node a bill's resource is, cloud by cloud."""

import pytest

from wattribute.accounting.chargeback.join import ChargedPlace, Nodes

AZURE = (
    "azure:///subscriptions/S/resourceGroups/mc_rg/providers/Microsoft.Compute/"
    "virtualMachineScaleSets/aks-pool/virtualMachines/"
)
NODES = Nodes(
    [
        ChargedPlace(0, "c", "ip-1", "aws:///eu-west-1a/i-0abc"),
        ChargedPlace(1, "c", "ip-2", "aws:///eu-west-1a/i-0abcd"),
        ChargedPlace(2, "c", "gke-1", "gce://shop/europe-west1-b/gke-1"),
        ChargedPlace(3, "c", "gke-1", "gce://shop/europe-west1-c/gke-1"),
        ChargedPlace(4, "c", "aks-0", AZURE + "0"),
        ChargedPlace(5, "c", "aks-1", AZURE + "1"),
        ChargedPlace(6, "c", "Metal-1", ""),
    ]
)


@pytest.mark.parametrize(
    ("resource", "numbers"),
    [
        ("i-0abc", (0,)),
        ("I-0ABC", (0,)),
        ("arn:aws:ec2:eu-west-1:123:instance/i-0abcd", (1,)),
        ("xi-0abc", ()),
        ("//compute.googleapis.com/projects/shop/zones/europe-west1-b/instances/gke-1", (2,)),
        ("https://x/compute/v1/projects/shop/zones/europe-west1-c/instances/gke-1", (3,)),
        ("//compute.googleapis.com/projects/42/zones/europe-west1-b/instances/gke-1", (2,)),
        ("//compute.googleapis.com/projects/other/zones/europe-west1-b/instances/gke-1", ()),
        (AZURE.removeprefix("azure://").upper() + "1", (5,)),
        (AZURE.removeprefix("azure://").lower().removesuffix("/virtualmachines/"), (4, 5)),
        ("metal-1", (6,)),
        ("", ()),
        ("vol-1", ()),
    ],
)  # fmt: skip
def test_a_resource_is_found_by_its_last_segment_and_checked_by_cloud(
    resource: str, numbers: tuple[int, ...]
) -> None:
    assert NODES.find(resource) == numbers
