"""``wattribute top``: who uses the energy now."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from wattribute.cli.log import configure
from wattribute.cli.number import Number
from wattribute.cli.options import MEASURING, with_settings
from wattribute.cli.terminal import clean, print_table
from wattribute.cli.top.view import (
    SORTS,
    VIEWS,
    By,
    Choice,
    Picture,
    Sort,
    cells,
    chosen,
    columns,
    footing,
    heading,
)
from wattribute.core.errors import ConfigInvalid
from wattribute.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable


@click.command()
@click.option(
    "--agent",
    "url",
    metavar="URL",
    help="URL of the agent. Without it, http://127.0.0.1:9102 is asked; if no agent answers, this "
    "command measures by itself.",
)
@click.option("--local", is_flag=True, help="Measure without an agent, even if one is running.")
@click.option("--user", metavar="NAME", help="User name, if the agent requires a password.")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="File with the password of that user. Without it, the password is prompted for.",
)
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Certificates (PEM) to trust for an https URL.",
)
@click.option("--by", type=click.Choice(VIEWS), default="process", show_default=True,
              help="What one row of the table is.")  # fmt: skip
@click.option("--sort", type=click.Choice(SORTS), default="watts", show_default=True,
              help="Column to sort by.")  # fmt: skip
@click.option(
    "--filter",
    "filter_text",
    default="",
    metavar="TEXT",
    help="Show only rows that contain this text.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Show at most this many rows; 0 shows all.",
)
@click.option(
    "--every",
    "every_s",
    type=Number(min=0.2, max=60),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Seconds between updates, and between measurements if there is no agent.",
)
@click.option("--once", is_flag=True, help="Print one plain table and exit.")
@click.option("--json", "as_json", is_flag=True, help="Print one table as JSON and exit.")
@click.option(
    "--svg",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE",
    help="Write a picture of the live table to this file, and exit.",
)
@with_settings(*MEASURING)
def top(
    *,
    settings: Settings,
    url: str | None,
    local: bool,
    user: str | None,
    password_file: Path | None,
    ca_file: Path | None,
    by: By,
    sort: Sort,
    filter_text: str,
    limit: int,
    every_s: float,
    once: bool,
    as_json: bool,
    svg: Path | None,
) -> int:
    """Show live who uses the energy: watts, joules since the start, and CPU time.

    Keys: p, c, d, g for processes, containers, pods and GPUs; w, j, u, n for the
    order; / for a filter; q to quit. Estimates are marked, with their 90 % range.
    """
    from wattribute.cli.top.source import Login, opened, own_readings

    if local and url is not None:
        raise click.UsageError("Give either --local or --agent, not both.")
    configure(settings.log)
    choice = Choice(by=by, sort=sort, filter_text=filter_text, limit=limit)
    if local:
        source = own_readings(settings.node, every_s)
    else:
        login = Login(user, _password(user, password_file), ca_file)
        source = opened(url, login, settings.node, every_s)
    with source as read:
        if svg is not None:
            _draw(read(), choice, svg)
        elif as_json:
            click.echo(_json(read(), choice))
        elif once:
            _print(read(), choice)
        else:
            _live(read, choice, every_s)
    return 0


def _password(user: str | None, file: Path | None) -> str:
    if user is None:
        return ""
    if file is not None:
        return file.read_text(encoding="utf-8").strip()
    return str(click.prompt(f"password of {user}", hide_input=True, err=True))


def _print(picture: Picture, choice: Choice) -> None:
    click.echo(clean(heading(picture)))
    click.echo(clean(footing(picture)))
    click.echo()
    gpus, weights = bool(picture.gpus), picture.has_weights
    rows = [cells(row, choice.by, gpus=gpus, weights=weights) for row in chosen(picture, choice)]
    print_table(columns(choice.by, gpus=gpus, weights=weights), rows)


def _json(picture: Picture, choice: Choice) -> str:
    body = {
        "node": picture.node,
        "where": picture.where,
        "time_s": picture.time_s,
        "age_s": picture.age_s,
        "interval_s": picture.interval_s,
        "activity": picture.activity,
        "policy": picture.policy,
        "watts": picture.watts,
        "joules": picture.joules,
        "components": picture.parts,
        "gpus": picture.gpus,
        "by": choice.by,
        "rows": chosen(picture, choice),
    }
    return msgspec.json.format(msgspec.json.encode(body)).decode()


def _draw(picture: Picture, choice: Choice, file: Path) -> None:
    from wattribute.cli.top.app import screenshot

    try:
        file.write_text(screenshot(picture, choice), encoding="utf-8")
    except OSError as exc:
        raise ConfigInvalid(f"--svg {file}: cannot be written: {exc.strerror}") from exc


def _live(read: "Callable[[], Picture]", choice: Choice, every_s: float) -> None:
    from wattribute.cli.top.app import TopApp

    TopApp(read, choice, every_s).run()
