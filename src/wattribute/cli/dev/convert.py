"""``wattribute dev convert-config``: Kepler's configuration, in our words."""

import re
import sys
from collections.abc import Mapping
from typing import IO, Final

import click
import msgspec
import yaml

from wattribute.cli.dev.kepler import Converted, from_environment, from_tree
from wattribute.cli.terminal import clean
from wattribute.core.errors import ConfigInvalid
from wattribute.core.settings.yaml import parse

_ASSIGNMENT: Final = re.compile(r"(?:export\s+)?([A-Z][A-Z0-9_]*)=(.*)")


@click.command("convert-config")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--json", "as_json", is_flag=True, help="Print all in one JSON object.")
def convert_config(*, file: IO[str], as_json: bool) -> int:
    """Convert Kepler's configuration to Wattribute's.

    FILE is the YAML of Kepler 0.10 and later, the environment of 0.9 and before
    (KEY=VALUE lines), or a ConfigMap that holds one of the two; - reads standard
    input. The settings go to standard output; dropped settings, with
    the reason, go to standard error.
    """
    try:
        text = file.read()
    except UnicodeDecodeError as exc:
        raise ConfigInvalid(f"{file.name}: not UTF-8 text") from exc
    converted = convert(text, file.name)
    tree: dict[str, dict[str, object]] = {}
    for key, value in converted.settings.items():
        room, _, field = key.partition(".")
        tree.setdefault(room, {})[field] = value
    if as_json:
        body = {"settings": tree, "dropped": dict(converted.dropped), "notes": converted.notes}
        click.echo(msgspec.json.format(msgspec.json.encode(body)).decode())
        return 0
    for name, reason in converted.dropped:
        click.echo(f"dropped: {clean(name)}: {clean(reason)}", err=True)
    for note in converted.notes:
        click.echo(f"note: {note}", err=True)
    yaml.safe_dump(tree, sys.stdout, sort_keys=False)
    return 0


def convert(text: str, name: str) -> Converted:
    """The settings that a configuration of either generation stands for.

    Raises:
        ConfigInvalid: it is none of the known forms.
    """
    lines = [line.strip() for line in text.splitlines()]
    statements = [line for line in lines if line and not line.startswith("#")]
    assignments = [_ASSIGNMENT.fullmatch(line) for line in statements]
    if statements and all(assignments):
        return from_environment(
            {match[1]: match[2].strip().strip("\"'") for match in assignments if match}
        )
    document = parse(text, name)
    if document.get("kind") == "ConfigMap":
        return _from_config_map(document, name)
    if document and all(isinstance(key, str) and key.isupper() for key in document):
        return from_environment({str(key): value for key, value in document.items()})
    return from_tree(_flat(document))


def _from_config_map(document: Mapping[object, object], name: str) -> Converted:
    data = document.get("data")
    if not isinstance(data, dict) or not data:
        raise ConfigInvalid(f"{name}: the ConfigMap has no data")
    inner = next((key for key in data if str(key).endswith((".yaml", ".yml"))), None)
    if inner is not None:
        return convert(str(data[inner]), f"{name}: {inner}")
    return from_environment({str(key): value for key, value in data.items()})


def _flat(tree: Mapping[object, object], above: str = "") -> dict[str, object]:
    """Leaves by their dotted names; a list is a leaf."""
    flat: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{above}{key}."))
        elif value is not None:
            flat[f"{above}{key}"] = value
    return flat
