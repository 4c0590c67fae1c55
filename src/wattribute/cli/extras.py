"""A command whose libraries are not installed says which extra has them."""

from collections.abc import Iterator
from contextlib import contextmanager

from wattribute.core.errors import ConfigInvalid


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around imports of what ``wattribute[extra]`` brings.

    Raises:
        ConfigInvalid: it is not installed; in one line, with what installs it.
    """
    try:
        yield
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.startswith("wattribute"):
            raise
        raise ConfigInvalid(
            f"{exc.name} is not installed: this command needs wattribute[{extra}]; "
            "in a clone: make setup-all"
        ) from exc
