"""A YAML file as plain data, with the line of every key and value."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from vsebench.core.errors import Collector, ConfigError, Place, did_you_mean
from vsebench.core.errors import Path as KeyPath

COMMAND_LINE = "-o"
#: Environment variable -> its default: how many values a file may have with its aliases expanded, how deep they may be
#: nested, and how many bytes it may have. Nine aliases of nine each, nine levels deep, are 387 million values.
LIMITS = {"VSEBENCH_YAML_VALUES": 100_000, "VSEBENCH_YAML_DEPTH": 50, "VSEBENCH_YAML_BYTES": 10_000_000}
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
#: What a value may be; dates and other types of YAML 1.1 are text.
_PLAIN = {f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Loader(yaml.SafeLoader):
    """The safe loader with the numbers and truth values of YAML 1.2, and a limit of nesting."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth, self.deepest = 0, _limit("VSEBENCH_YAML_DEPTH")

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        """Compose a value and what is below it."""
        self.depth += 1
        if self.depth > self.deepest:
            raise yaml.MarkedYAMLError(
                problem=f"values are nested more than {self.deepest} deep (VSEBENCH_YAML_DEPTH changes the limit)",
                problem_mark=self.peek_event().start_mark,
            )
        node: yaml.Node | None = super().compose_node(parent, index)  # type: ignore[no-untyped-call]
        self.depth -= 1
        return node


# PyYAML reads YAML 1.1: on, off, yes and no are truth values, 010 is 8, 1:30 is 90, 1e-4 is text, and dates are none.
_LEFT_OUT = {f"{_TAG}{name}" for name in ("bool", "int", "float", "timestamp", "value")}
_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] not in _LEFT_OUT]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _name, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9_]*)|0x[0-9a-fA-F]+|0o[0-7]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9][0-9_]*\.[0-9]*)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
):
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(f"^(?:{_pattern})$"), list(_first))


class _Dumper(yaml.SafeDumper):
    """Quotes text that PyYAML or :class:`_Loader` would read as something else, such as the digest ``12e345``."""


for _initial, _resolvers in _Loader.yaml_implicit_resolvers.items():
    for _resolved, _regexp in _resolvers:
        _Dumper.add_implicit_resolver(_resolved, _regexp, [_initial])


def dump(data: Any) -> str:
    """Return plain data as YAML that :func:`load` reads back as it was, with keys in their order."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


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
        """Return the place of a path, or of the nearest parent that is written in the file."""
        table = self.keys if on_key else self.values
        while path and path not in table:
            path, table = path[:-1], self.values
        return table.get(path, Place(self.file, 1))

    def placed(self, error: ConfigError) -> ConfigError:
        """Return an error with the place that each of its faults' paths leads to."""
        return error.each(lambda fault: fault.at(self.place(fault.path, on_key=fault.on_key)))

    def has(self, path: KeyPath) -> bool:
        """Return whether the path is written in the file."""
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
        if self.data is None:
            self.data = {}
        node = self.data
        parts = name.split(".")
        for depth, part in enumerate(parts):
            last = depth == len(parts) - 1
            key: str | int = part
            above = f"'{'.'.join(parts[:depth])}'" if depth else "the file"
            if isinstance(node, list):
                if not re.fullmatch("[0-9]{1,9}", part) or int(part) >= len(node):
                    raise ConfigError(f"{above} has no position '{part}'.", place=place)
                key = int(part)
            elif not isinstance(node, dict):
                raise ConfigError(f"{above} is a single value, not a block.", place=place)
            path = (*path, key)
            # What the override writes, also the blocks that it makes on the way, stands on the command line in errors.
            if last or (isinstance(node, dict) and not isinstance(node.get(part), dict | list)):
                self.keys[path] = self.values[path] = place
            if last:
                node[key] = parsed.data  # type: ignore[index]
            elif isinstance(node, dict) and not isinstance(node.get(part), dict | list):
                # A component that was named alone becomes a block, so that fusion.temperature goes with fusion: gated.
                present = node.get(part)
                node[part] = {"name": present} if isinstance(present, str) else {}
                node = node[part]
            else:
                node = node[key]  # type: ignore[index]
        # Lines of what was below the path before would be shown for values that the file does not hold.
        for table in (self.keys, self.values):
            for stale in [p for p in table if len(p) > len(path) and p[: len(path)] == path]:
                del table[stale]
        for sub in parsed.values:
            self.keys[(*path, *sub)] = self.values[(*path, *sub)] = place


def load(path: Path | str) -> Document:
    """Read a YAML file.

    Raises: ConfigError when it is missing, too large, not UTF-8, not YAML, or repeats a key.
    """
    file, place = Path(path), Place(str(path))
    try:
        if file.exists() and not file.is_file():
            raise ConfigError("not a file.", place=place)
        if (size := file.stat().st_size) > (most := _limit("VSEBENCH_YAML_BYTES")):
            raise ConfigError(
                f"{size:,} bytes, and {most:,} are the most (VSEBENCH_YAML_BYTES changes the limit).", place=place
            )
        text = file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"no such file{_neighbours(file)}", place=place) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"not UTF-8: byte 0x{error.object[error.start]:02x} is no part of a character. Save it as UTF-8.",
            place=Place(str(path), line),
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"cannot be read: {reason}.", place=place) from None
    return parse(text, file=str(path))


def parse(text: str, *, file: str) -> Document:
    """Read YAML text; ``file`` is the name that errors show.

    Raises: ConfigError that names every fault with its line. A fault of the syntax is told alone.
    """
    loader: _Loader | None = None
    document = Document(file, None)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()  # type: ignore[no-untyped-call]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(filter(None, (error.context, error.problem)))
        raise _invalid(document, problem, mark.line + 1 if mark else None) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        shown = error.character if isinstance(error.character, int) else ord(error.character)
        raise _invalid(document, f"character U+{shown:04X} may not stand in it", line) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise _invalid(document, str(error), loader.line + 1 if loader is not None else None) from None
    except RecursionError:  # the scanner's, of what compose_node does not see
        raise _invalid(document, "values are nested too deep", None) from None
    if node is not None:
        builder = _Builder(document)
        document.data = builder.build(node, ())
        builder.faults.check()
    return document


def _invalid(document: Document, problem: str, line: int | None) -> ConfigError:
    line = None if document.file.startswith(COMMAND_LINE) else line
    return ConfigError(f"not valid YAML: {' '.join(problem.split()).rstrip('.')}.", place=Place(document.file, line))


class _Builder:
    """Turns a node tree into data and notes the places; a value at fault becomes None."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.scalars = _Loader("")
        self.faults = Collector()
        self.left = self.most = _limit("VSEBENCH_YAML_VALUES")
        self.above: set[int] = set()

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        place = self.document.values[path] = self._place(node)
        self.left -= 1
        if self.left < 0:
            self.faults.check()
            raise ConfigError(
                f"more than {self.most:,} values, with aliases expanded (VSEBENCH_YAML_VALUES changes the limit).",
                place=place,
            )
        with self.faults:
            if id(node) in self.above:
                raise ConfigError("an anchor stands inside itself.", place=place)
            if node.tag not in _PLAIN:
                raise ConfigError(f"tag '{node.tag.replace(_TAG, '!!')}' is not known; leave it out.", place=place)
            if isinstance(node, yaml.ScalarNode):
                return self._scalar(node, place)
            if node.tag != f"{_TAG}{'map' if isinstance(node, yaml.MappingNode) else 'seq'}":
                raise ConfigError(f"a {node.id} cannot be read as {node.tag.replace(_TAG, '!!')}.", place=place)
            self.above.add(id(node))
            try:
                if isinstance(node, yaml.MappingNode):
                    return self._mapping(node, path)
                return [self.build(child, (*path, i)) for i, child in enumerate(node.value)]
            finally:
                self.above.discard(id(node))
        return None

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        try:
            value = self.scalars.construct_object(node, deep=True)  # type: ignore[no-untyped-call]
        except (yaml.YAMLError, ValueError, OverflowError, LookupError, TypeError) as error:
            kind = node.tag.replace(_TAG, "!!")
            why = " ".join(str(getattr(error, "problem", None) or error).split()).rstrip(".")
            raise ConfigError(f"value {_short(node.value)} cannot be read as {kind}: {why}.", place=place) from None
        if isinstance(value, str):
            self._refuse_surrogates(value, place)
        return value

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        result = self._merged(node, path)
        self.document.values[path] = self._place(node)  # a merged block noted its own
        places: dict[str, Place] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                continue
            with self.faults:
                key, place = self._key(key_node), self._place(key_node)
                if key in places:
                    raise ConfigError(f"key '{key}' stands twice; first at line {places[key].line}.", place=place)
                if key in result:
                    self._forget((*path, key))
                places[key] = place
                self.document.keys[(*path, key)] = place
                result[key] = self.build(value_node, (*path, key))
        return result

    def _key(self, node: yaml.Node) -> str:
        """Return a key as it is written: 010 and 2024-01-01 are names."""
        place = self._place(node)
        if not isinstance(node, yaml.ScalarNode):
            raise ConfigError("a key must be a single value, not a block or a list.", place=place)
        if node.tag not in _PLAIN:
            raise ConfigError(f"tag '{node.tag.replace(_TAG, '!!')}' is not known; leave it out.", place=place)
        key = str(node.value)
        self._refuse_surrogates(key, place)
        return key

    def _merged(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        """Return the keys that ``<<`` brings: of several blocks the first that has a key."""
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag != _MERGE:
                continue
            parents = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
            for parent in reversed(parents):
                place = self._place(parent)
                with self.faults:
                    if not isinstance(parent, yaml.MappingNode):
                        raise ConfigError("'<<' merges blocks of keys, and this is none.", place=place)
                    result |= self.build(parent, path) or {}
        return result

    def _forget(self, path: KeyPath) -> None:
        """Take the places of a merged value away, which another one replaces."""
        for table in (self.document.keys, self.document.values):
            for below in [p for p in table if p[: len(path)] == path]:
                del table[below]

    def _refuse_surrogates(self, text: str, place: Place) -> None:
        match = _SURROGATE.search(text)
        if match:
            code = ord(match.group())
            raise ConfigError(f"U+{code:04X} is half of a character (a surrogate) and no text.", place=place)

    def _place(self, node: yaml.Node) -> Place:
        if self.document.file.startswith(COMMAND_LINE):
            return Place(self.document.file)
        return Place(self.document.file, node.start_mark.line + 1)


def _limit(name: str) -> int:
    """Return a limit, as the environment or its default says.

    Raises: ConfigError where the environment says no number.
    """
    setting = os.environ.get(name, "").strip()
    if not setting:
        return LIMITS[name]
    if not re.fullmatch("[1-9][0-9]{0,11}", setting):
        raise ConfigError(f"the environment variable {name} must be a whole number above 0. Got '{setting}'.")
    return int(setting)


def _short(text: str) -> str:
    text = repr(text)
    return text if len(text) <= 40 else text[:37] + "…"


def _neighbours(file: Path) -> str:
    if not file.parent.is_dir():
        return f": there is no folder '{file.parent}'."
    names = sorted(p.name for p in file.parent.glob("*.y*ml"))
    return "." + did_you_mean(file.name, names) + (f" There are: {', '.join(names)}." if names else "")
