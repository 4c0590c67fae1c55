"""A BMC that speaks Redfish over HTTP or HTTPS, with the trees and the faults of real ones.

The trees are written after the DMTF's schemas and the vendors' published
guides; none was recorded.
"""

from wattribute.testing.bmc.server import FakeBmc
from wattribute.testing.bmc.trees import VENDORS, Tree, tree

__all__ = ["VENDORS", "FakeBmc", "Tree", "tree"]
