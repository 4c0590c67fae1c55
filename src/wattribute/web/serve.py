"""Starting the service."""

from wattribute.asgi import run
from wattribute.settings import Settings
from wattribute.web.access import Gate
from wattribute.web.app import Service


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigInvalid: a setting is wrong, or strangers could read statements.
        ListenFailed: the address cannot be listened on.
    """
    gate = Gate(settings.web)
    run(Service(settings, gate).app(), settings.web.listen, "statements", "/", gate.tls)
