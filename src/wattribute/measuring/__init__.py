"""A window of the monitor around a piece of work: a command, or a block of Python."""

from wattribute.measuring.block import Measure
from wattribute.measuring.command import run_command
from wattribute.measuring.result import ComponentEnergy, Measurement

__all__ = ["ComponentEnergy", "Measure", "Measurement", "run_command"]
