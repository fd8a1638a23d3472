"""A YAML file as plain data, with the line of every key and value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from vsebench.errors import ConfigError, Place
from vsebench.errors import Path as KeyPath

COMMAND_LINE = "-o"


class _Loader(yaml.SafeLoader):
    """The safe loader, reading ``1e-4`` as the number that YAML 1.2 says it is."""


# YAML 1.2: true and false alone are truth values. PyYAML takes on, off, yes and no for such too, keys included.
_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:bool"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)


@dataclass
class Document:
    """Plain data and where each part of it stands.

    ``keys`` and ``values`` map a path (keys and list positions) to the place of the key and of the value.
    """

    file: str
    data: Any
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    values: dict[KeyPath, Place] = field(default_factory=dict)

    def place(self, path: KeyPath, *, on_key: bool = False) -> Place:
        """The place of a path, or of the nearest parent that is written in the file."""
        table = self.keys if on_key else self.values
        while path and path not in table:
            path, table = path[:-1], self.values
        return table.get(path, Place(self.file, 1))

    def has(self, path: KeyPath) -> bool:
        """Whether the path is written in the file."""
        return path in self.values

    def override(self, assignment: str) -> None:
        """Set a value as ``-o train.epochs=3`` does; the value is read as YAML.

        Raises: ConfigError when the assignment has no ``=``, or the path runs through something that is not a
        mapping or list.
        """
        name, equals, text = assignment.partition("=")
        place = Place(f"{COMMAND_LINE} {assignment}")
        if not equals or not name:
            raise ConfigError("an override is written key=value, for example train.epochs=3.", place=place)
        parsed = parse(text, file=str(place))
        path: KeyPath = ()
        node = self.data
        parts = name.split(".")
        for depth, part in enumerate(parts):
            last = depth == len(parts) - 1
            key: str | int = part
            if isinstance(node, list):
                if not part.isdigit() or int(part) >= len(node):
                    raise ConfigError(f"'{'.'.join(parts[:depth])}' has no position '{part}'.", place=place)
                key = int(part)
            elif not isinstance(node, dict):
                raise ConfigError(f"'{'.'.join(parts[:depth])}' is a single value, not a block.", place=place)
            path = (*path, key)
            self.keys[path] = self.values[path] = place
            if last:
                node[key] = parsed.data  # type: ignore[index]
            elif isinstance(node, dict) and not isinstance(node.get(part), dict | list):
                present = node.get(part)
                node[part] = {"name": present} if isinstance(present, str) else {}
                node = node[part]
            else:
                node = node[key]  # type: ignore[index]
        for sub in parsed.values:
            self.keys[(*path, *sub)] = self.values[(*path, *sub)] = place


def load(path: Path | str) -> Document:
    """Read a YAML file.

    Raises: ConfigError when it is missing, not UTF-8, not YAML, or repeats a key.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"no such file{_neighbours(file)}", place=Place(str(path))) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", place=Place(str(path))) from None
    return parse(text, file=str(path))


def parse(text: str, *, file: str) -> Document:
    """Read YAML text; ``file`` is the name that errors show."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(filter(None, (error.context, error.problem)))
        raise ConfigError(f"not valid YAML: {problem}.", place=Place(file, mark.line + 1 if mark else None)) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {error}.", place=Place(file)) from None
    document = Document(file, None)
    if node is not None:
        document.data = _Builder(document).build(node, ())
    return document


class _Builder:
    """Turns a node tree into data and notes the places."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.scalars = _Loader("")

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        self.document.values[path] = self._place(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*path, i)) for i, child in enumerate(node.value)]
        try:
            return self.scalars.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError) as error:
            raise ConfigError(f"value cannot be read: {error}", place=self._place(node)) from None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        own: dict[str, Place] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                parents = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                for parent in parents:
                    merged = self.build(parent, path)
                    result.update({k: v for k, v in merged.items() if k not in result})
                continue
            key = self.scalars.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                key = str(key)
            place = self._place(key_node)
            if key in own:
                raise ConfigError(f"key '{key}' stands twice; first at line {own[key].line}.", place=place)
            own[key] = place
            self.document.keys[(*path, key)] = place
            result[key] = self.build(value_node, (*path, key))
        return result

    def _place(self, node: yaml.Node) -> Place:
        if self.document.file.startswith(COMMAND_LINE):
            return Place(self.document.file)
        return Place(self.document.file, node.start_mark.line + 1)


def _neighbours(file: Path) -> str:
    from vsebench.errors import did_you_mean

    if not file.parent.is_dir():
        return f": there is no folder '{file.parent}'."
    names = sorted(p.name for p in file.parent.glob("*.y*ml"))
    return "." + did_you_mean(file.name, names) + (f" There are: {', '.join(names)}." if names else "")
