"""The log on standard error: text for people, JSON for collectors."""

import json
import logging
import re
import time
from typing import Final

from wattribute.cli.terminal import clean
from wattribute.settings import LogSettings


def configure(settings: LogSettings) -> None:
    """Send this program's log to standard error; what was set up before is replaced."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if settings.format == "json" else TextFormatter())
    logger = logging.getLogger("wattribute")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(settings.level.upper())


class TextFormatter(logging.Formatter):
    """``2026-01-31T12:00:00.123Z warning monitor: message``, one line whatever the names hold."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback (our bug) follows on lines of its own."""
        head = f"{_time(record)} {record.levelname.lower()} {_area(record)}: "
        line = head + clean(record.getMessage())
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, and traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one line of text."""
        entry = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


_WING: Final = re.compile(r"^wattribute\.(?:[a-z]+\.(?=[a-z]))?")


def _area(record: logging.LogRecord) -> str:
    """The logger without the package and its wing: ``monitor.loop``."""
    return _WING.sub("", record.name)


def _time(record: logging.LogRecord) -> str:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{stamp}.{int(record.msecs):03d}Z"
