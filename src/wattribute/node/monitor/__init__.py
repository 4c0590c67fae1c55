"""The loop: one tick = one instant, read meters, read activity, attribute, publish."""
