"""HTTP for all wings: servers, clients, TLS, and access rules."""
