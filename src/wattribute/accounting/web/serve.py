"""Starts the server of statements."""

from wattribute.accounting.settings import AccountingSettings
from wattribute.accounting.web.app import PageService
from wattribute.accounting.web.authentication import Authentication
from wattribute.http.asgi import run


def serve(settings: AccountingSettings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigInvalid: a setting is wrong, or strangers could read statements.
        ListenFailed: the address cannot be listened on.
    """
    authentication = Authentication(settings.web)
    app = PageService(settings, authentication).app()
    run(app, settings.web.listen, "statements", "/", authentication.access.tls)
