"""Client of the Prometheus HTTP API: raw samples."""
