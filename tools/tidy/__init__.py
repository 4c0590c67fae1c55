"""Checks that keep the tree in order, where no linter has a rule for it."""
