"""The command ``wattribute``: each subcommand imports its part lazily."""
