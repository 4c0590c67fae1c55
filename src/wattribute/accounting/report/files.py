"""Writes a statement to a file, in the format that the ending of its name says."""

from pathlib import Path

from wattribute.accounting.backends import REPORT_FORMATS
from wattribute.accounting.chargeback.statement import Statement
from wattribute.accounting.report.formats import ReportFormat
from wattribute.core.errors import ConfigInvalid, DataInvalid
from wattribute.core.files import write_whole


def check_name(path: Path) -> None:
    """Refuse a name whose ending is no format, before any work is done.

    Raises:
        ConfigInvalid: The table has no such format.
    """
    if path.suffix not in REPORT_FORMATS.names:
        endings = ", ".join(f"*{ending}" for ending in REPORT_FORMATS.names)
        raise ConfigInvalid(f"--out {path}: unknown format. Name the file {endings}")


def write(statement: Statement, path: Path) -> None:
    """Write a statement in the format that the file's name says.

    Raises:
        ConfigInvalid: The table has no such format.
        DataInvalid: The file cannot be written.
    """
    check_name(path)
    content = REPORT_FORMATS.load(path.suffix, ReportFormat).write(statement)
    try:
        write_whole(path, content)
    except OSError as exc:
        raise DataInvalid(f"{path}: cannot be written: {exc.strerror}") from exc
