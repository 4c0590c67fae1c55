"""The base of all wings: units, errors, clock, records, exact arithmetic, files, settings."""
