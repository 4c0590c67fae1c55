"""``wattribute serve``: statements as pages and as JSON, to each team its own."""
