"""The APIs of carbon intensity on one port of this machine, with what real ones do wrong.

Made after their published documentation; none was recorded.
"""

from wattribute_testing.carbon.server import FakeCarbonApis, Faults

__all__ = ["FakeCarbonApis", "Faults"]
