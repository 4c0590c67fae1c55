"""Kepler's names for what a snapshot holds, for people whose dashboards have them.

Two generations, each of them a view: it reads the snapshot and nothing reads it. Their names
collide, so one path never shows both.
"""
