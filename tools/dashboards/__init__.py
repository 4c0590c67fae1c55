"""The Grafana boards, written as code: one builder, one module for each board."""
