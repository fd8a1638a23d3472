"""Declared versions and the code that they stand for: a table, a check, and a command that keeps the table true.

    python -m vsebench.testing.versions                 # after a version was raised, or a component added
    python -m vsebench.testing.versions --same-numbers  # after code has changed that gives the same numbers
    python -m vsebench.testing.versions --check         # say what is not in order

A change of code needs one of the first two. ``--same-numbers`` trains the tiny systems of what has changed with the
code of an earlier commit and with today's, compares every number and weight bit for bit, and writes only what is equal.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsebench.config.code_files import PACKAGE, WITHOUT_EFFECT, closure, digest_of_files, imports_of, source_file
from vsebench.config.identity import ENGINE_VERSION, PRETRAIN_VERSION, component_version
from vsebench.core.errors import VsebenchError
from vsebench.core.files import write_atomically
from vsebench.core.registry import KINDS

TABLE = PACKAGE.parent / "tests" / "code_versions.json"
#: Kinds that are no part of a run's id: a dataset counts by its fingerprint, measurements are made of finished runs,
#: executors only start them.
_NO_PART = ("dataset", "measurement", "corruption", "executor")
#: What trains and evaluates a run, whatever its components.
_ENGINE = ("vsebench.engine.train", "vsebench.engine.fit_data")
_RUN = ("run_one", "run_fitted", "run_untrained", "stacking", "final")
COMMAND = "python -m vsebench.testing.versions"


@dataclass(frozen=True)
class Entry:
    """A line of the table.

    Args:
        version: as declared.
        code: digest of the code when that version was declared.
        same_numbers: digest of later code that has been shown to give the same numbers; empty for none.
    """

    version: int
    code: str
    same_numbers: str = ""

    def covers(self, now: Entry) -> bool:
        """Return whether today's code is the declared one, or has been shown to give its numbers."""
        return self.version == now.version and now.code in (self.code, self.same_numbers)


def current() -> dict[str, Entry]:
    """Return today's version and code of the engine and of every component."""
    engine = frozenset().union(*map(closure, _ENGINE)) | {PACKAGE / "sweeps" / f"{name}.py" for name in _RUN}
    parts = {
        "engine": (ENGINE_VERSION, engine),
        "pretrain": (PRETRAIN_VERSION, closure("vsebench.engine.pretrain") - engine),
        "ensembles": (_constant("results/ensembles/make.py"), frozenset((PACKAGE / "results/ensembles").glob("*.py"))),
        "index_benchmark": (
            _constant("retrieval/index_benchmark/measure.py"),
            closure("vsebench.retrieval.index_benchmark.measure") - engine,
        ),
    }
    for kind, registry in KINDS.items():
        for name in registry.names() if kind not in _NO_PART else ():
            file = source_file(kind, name)
            if file.is_relative_to(PACKAGE):
                parts[f"{kind}.{name}"] = component_version(kind, name), _files(kind, file) - engine
    return {name: Entry(version, digest_of_files(files)) for name, (version, files) in parts.items()}


def _files(kind: str, file: Path) -> frozenset[Path]:
    without = tuple(start for start in WITHOUT_EFFECT if kind != "metric" or "metric" not in start)
    return frozenset({file, *imports_of(file, without)})


def _constant(file: str) -> int:
    """Return ``VERSION`` of a module, read without importing what it imports."""
    lines = (PACKAGE / file).read_text(encoding="utf-8").splitlines()
    return next(int(line.partition("=")[2]) for line in lines if line.startswith("VERSION ="))


def read_table(file: Path = TABLE) -> dict[str, Entry]:
    """Return the committed table."""
    return {name: Entry(**entry) for name, entry in json.loads(file.read_text(encoding="utf-8")).items()}


def write_table(table: Mapping[str, Entry], file: Path = TABLE) -> None:
    """Write the table, a line for each entry."""
    lines = [f"{json.dumps(name)}: {json.dumps(_plain(entry))}" for name, entry in sorted(table.items())]
    write_atomically(file, "{\n" + ",\n".join(lines) + "\n}\n")


def _plain(entry: Entry) -> dict[str, Any]:
    return {key: value for key, value in vars(entry).items() if value}


def changed(table: Mapping[str, Entry], now: Mapping[str, Entry]) -> list[str]:
    """Return what has other code under the same version, without a line that its numbers are the same."""
    same = [name for name, entry in now.items() if name in table and table[name].version == entry.version]
    return [name for name in same if not table[name].covers(now[name])]


def renewed(table: Mapping[str, Entry], now: Mapping[str, Entry]) -> list[str]:
    """Return what is new, gone, or has another version than in the table."""
    return [n for n in sorted({*table, *now}) if n not in table or n not in now or table[n].version != now[n].version]


def faults(table: Mapping[str, Entry], now: Mapping[str, Entry]) -> list[str]:
    """Return what is not in order, each with the command that mends it."""
    lines = []
    if names := changed(table, now):
        lines.append(
            f"the code of {_listed(names)} has changed. Where its numbers are the same, run "
            f"'{COMMAND} --same-numbers', which trains tiny systems before and after and compares them; else raise "
            f"{_raise(names)} and run '{COMMAND}'."
        )
    if names := renewed(table, now):
        lines.append(f"{_listed(names)}: new, gone or of another version than in {TABLE.name}. Run '{COMMAND}'.")
    return lines


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _raise(names: list[str]) -> str:
    places = {
        "engine": "ENGINE_VERSION (config/identity.py)",
        "pretrain": "PRETRAIN_VERSION (config/identity.py)",
        "ensembles": "VERSION (results/ensembles/make.py)",
        "index_benchmark": "VERSION (retrieval/index_benchmark/measure.py)",
    }
    known = [places[name] for name in names if name in places]
    return " and ".join([*known, *(["'version' in the component's decorator"] if len(known) < len(names) else [])])


def main(arguments: list[str] | None = None) -> int:
    """Check or renew the table. Returns the exit status."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--check", action="store_true", help="say what is not in order; write nothing")
    parser.add_argument("--same-numbers", action="store_true", help="show that changed code gives the same numbers")
    parser.add_argument("--all", action="store_true", help="with --same-numbers: compare everything, changed or not")
    parser.add_argument("--against", metavar="REV", help="commit to compare with; by default the table's last one")
    given = parser.parse_args(arguments)
    now = current()
    table = read_table() if TABLE.is_file() else {}
    if given.check:
        lines = faults(table, now)
        print("\n".join(lines) or f"{len(now)} entries are in order")
        return bool(lines)
    if given.same_numbers:
        from vsebench.testing.same_numbers import compare

        names = [n for n in now if n in table] if given.all else changed(table, now)
        equal, lines = compare(names, given.against, TABLE)
        print("\n".join(lines))
        for name in equal:
            before = table[name]
            if before.version == now[name].version:
                same = "" if now[name].code == before.code else now[name].code
                table[name] = Entry(before.version, before.code, same)
    for name in renewed(table, now):
        table.pop(name, None)
        if name in now:
            table[name] = now[name]
    write_table(table)
    lines = faults(table, now)
    print("\n".join(lines) or f"{TABLE.name}: {len(table)} entries are in order")
    return bool(lines)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except VsebenchError as error:
        sys.exit(f"error: {error}")
