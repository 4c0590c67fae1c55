"""Starting the service."""

from wattribute.accounting.settings import AccountingSettings
from wattribute.accounting.web.access import Gate
from wattribute.accounting.web.app import Service
from wattribute.http.asgi import run


def serve(settings: AccountingSettings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigInvalid: a setting is wrong, or strangers could read statements.
        ListenFailed: the address cannot be listened on.
    """
    gate = Gate(settings.web)
    run(Service(settings, gate).app(), settings.web.listen, "statements", "/", gate.tls)
