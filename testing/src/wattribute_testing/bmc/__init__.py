"""A BMC that speaks Redfish over HTTP or HTTPS, with the trees and the faults of real ones.

The trees are written after the DMTF's schemas and the vendors' published
guides; none was recorded.
"""

from wattribute_testing.bmc.server import FakeBmc
from wattribute_testing.bmc.trees import VENDORS, Tree, tree

__all__ = ["VENDORS", "FakeBmc", "Tree", "tree"]
