"""A window of the monitor around a piece of work: a command, or a block of Python."""

from wattribute.node.measuring.block import Measure
from wattribute.node.measuring.command import run_command
from wattribute.node.measuring.result import ComponentEnergy, Measurement

__all__ = ["ComponentEnergy", "Measure", "Measurement", "run_command"]
