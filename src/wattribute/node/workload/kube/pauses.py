"""How long a client waits between two tries, so that many clients do not return at one instant."""

import random
from typing import Final

_MOST_DOUBLINGS: Final = 10


class Pauses:
    """Pauses that double with each failure in a row, and are random within bounds."""

    def __init__(
        self, first_s: float = 1.0, longest_s: float = 30.0, spread_s: float = 10.0
    ) -> None:
        """Begin with ``first_s`` on average; ``spread_s`` is for the first pause after a watch.

        The defaults are those of client-go: names are back within a minute after the server is. A
        server that shuts down ends the watches of all agents at one instant; they reconnect over
        ``spread_s``. The name of a new container is awaited for three times as long
        (``monitor.birth_hold``).
        """
        self._first_s = first_s
        self._longest_s = longest_s
        self._spread_s = spread_s
        self._in_a_row = 0
        self._spread = False

    def reset(self, *, spread: bool = False) -> None:
        """Begin anew, because the server answered.

        Args:
            spread: the next pause is anything up to ``spread_s``, because the server has probably
                left all its clients at this instant.
        """
        self._in_a_row, self._spread = 0, spread

    def next_s(self) -> float:
        """Return the next pause in seconds."""
        self._in_a_row += 1
        if self._spread:
            self._spread = False
            return random.uniform(0.0, self._spread_s)  # noqa: S311 - spreads load, guards nothing
        doublings = min(self._in_a_row - 1, _MOST_DOUBLINGS)
        return jittered(min(self._longest_s, self._first_s * 2**doublings))


def jittered(pause_s: float) -> float:
    """Return a random pause of half to one and a half times ``pause_s``."""
    return pause_s * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, guards nothing
