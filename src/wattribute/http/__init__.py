"""HTTP as all wings speak it: servers, clients, TLS, and who may ask."""
