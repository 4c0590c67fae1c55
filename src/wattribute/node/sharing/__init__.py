"""What every zone used, shared among those who used it.

``metering`` turns readings into intervals; ``sharer`` turns intervals into attributions. Their
input is narrow (who ran, for how long), so that the agent's loop and a window around one command
share by the same code.
"""
