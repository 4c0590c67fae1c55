"""What every wing stands on: units, errors, the clock, records, settings."""
