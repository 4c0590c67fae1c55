import json
import logging
import re

import pytest

from wattribute.cli.log import configure
from wattribute.settings import LogSettings


@pytest.fixture(autouse=True)
def _as_before() -> object:
    logger = logging.getLogger("wattribute")
    before = (list(logger.handlers), logger.propagate, logger.level)
    yield
    logger.handlers[:], logger.propagate, logger.level = before
    logger.setLevel(before[2])


def test_text_is_one_line_whatever_a_name_holds(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogSettings())

    logging.getLogger("wattribute.node.monitor").warning("gone: %s", "a\nb\x1b[2J")

    line = capsys.readouterr().err
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning monitor: gone: a\\nb\\x1b\[2J\n", line
    )


def test_json_is_one_object_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogSettings(format="json"))

    logging.getLogger("wattribute.node.meter").error("a\nb")

    entry = json.loads(capsys.readouterr().err)
    assert (entry["level"], entry["logger"], entry["message"]) == (
        "error",
        "wattribute.node.meter",
        "a\nb",
    )


def test_below_the_level_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogSettings(level="warning"))

    logging.getLogger("wattribute.node.meter").info("x")

    assert capsys.readouterr().err == ""


def test_a_bug_is_shown_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    for log in (LogSettings(), LogSettings(format="json")):
        configure(log)
        try:
            raise ZeroDivisionError  # noqa: TRY301 - a bug
        except ZeroDivisionError:
            logging.getLogger("wattribute").exception("bug")

        assert "ZeroDivisionError" in capsys.readouterr().err
