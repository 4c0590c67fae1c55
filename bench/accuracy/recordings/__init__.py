"""Worlds made of recordings of real machines.

A recording gives programs: busy threads and power above idle, step by step, of one program that
ran alone. Readers exist for the CSV of ``wattribute dev record``, for nx12 (shipped) and for the
folders of two studies whose data carry no licence, so that whoever runs the bench fetches them.
"""
