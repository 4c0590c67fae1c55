"""YAML with two corrections: ``off`` is a word, and a key that is written twice is an error."""

import re
from typing import Final

import yaml

from wattribute.core.errors import ConfigInvalid

_BOOL: Final = "tag:yaml.org,2002:bool"


class _Loader(yaml.SafeLoader):
    """A loader that reads ``kube: off`` as a word, as YAML 1.2 does. YAML 1.1 reads false."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's way to say it
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Build a mapping as PyYAML does, but raise an error for a key that occurs twice."""
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name!r} comes twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    _BOOL, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def parse(text: str, name: str) -> dict[object, object]:
    """Return the mapping that a document contains, or {} if it is empty.

    Raises:
        ConfigInvalid: not YAML, or not a mapping.
    """
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        problem = getattr(exc, "problem", None) or str(exc).partition("\n")[0]
        raise ConfigInvalid(f"{where}: not valid YAML: {problem}") from exc
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigInvalid(f"{name}: the document is not a mapping of keys to values")
    return document
