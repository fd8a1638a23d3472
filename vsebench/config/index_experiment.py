"""An experiment that compares indexes over vectors: its file, read and validated whole before anything is measured.

A file with ``vectors`` is of this form; one with ``dataset`` is an experiment that trains systems.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt, MinLen
from pydantic import Field

from vsebench.config import document
from vsebench.config.axes import MAX_ROWS, label_of
from vsebench.config.choose import chosen
from vsebench.config.faults import one_of, validate
from vsebench.config.schema import Board, Spec, Strict
from vsebench.core.component import short
from vsebench.core.errors import Collector, ConfigError, Place, all_of
from vsebench.core.errors import Path as KeyPath
from vsebench.core.plugins import load_plugin
from vsebench.core.registry import INDEXES

#: The key that tells this form of experiment from the other.
MARK = "vectors"
SOURCES = ("run", "file", "generated")


class Generated(Strict):
    """Vectors drawn at random, the same for everybody."""

    kind: Literal["clusters", "gaussian"] = "clusters"
    count: Annotated[int, Gt(0)] = 100_000
    queries: Annotated[int, Gt(0)] = 1_000
    dim: Annotated[int, Gt(0)] = 128
    clusters: Annotated[int, Gt(0)] = 256  # of kind clusters
    latent: Annotated[int, Gt(0)] = 16  # of kind clusters: dimensions in which the vectors of a cluster differ
    seed: Annotated[int, Ge(0), Lt(2**32)] = 0


class VectorsBlock(Strict):
    """Where vectors come from: a finished run, two .npy files, or a generator."""

    run: str | None = None
    modality: Literal["image", "text"] = "image"  # of a run
    gallery: str = "train"  # of a run: the split that is searched
    file: str | None = None
    queries: str | None = None  # of a run: the split that asks, 'test' by default; of files: the other file
    generated: Generated | None = None


Index = Annotated[str | dict[str, Any], one_of("an index's name, or a block with 'name'")]


class GridBlock(Strict):
    """One index with every combination of some options' values."""

    index: Index
    options: Annotated[dict[str, Annotated[list[Any], MinLen(1)]], MinLen(1)]


class IndexFile(Strict):
    """The top level of the file."""

    experiment: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    title: str | None = None
    vectors: VectorsBlock
    k: Annotated[list[Annotated[int, Gt(0)]], MinLen(1)] = Field([1, 10, 100])
    indexes: dict[str, Index] = Field({})
    grid: dict[str, GridBlock] = Field({})
    seeds: Annotated[list[Annotated[int, Ge(0)]], MinLen(1)] = Field([0])
    plugins: list[str] = Field([])
    board: Board = Board()


@dataclass(frozen=True)
class IndexRow:
    """One index with its options: a row of the board.

    Args:
        name: shown on the board, unique in the experiment.
        spec: the index's name and all its options, defaults filled in.
        seeds: of its measurements.
        seeded: its option ``seed`` is the measurement's; False where the index draws nothing, or the row says the seed.
        path: where it stands in the file.
        axes: of a grid's point, option -> label of the value.
    """

    name: str
    spec: Spec
    seeds: tuple[int, ...]
    seeded: bool
    path: KeyPath
    axes: Mapping[str, str] = field(default_factory=dict)

    def options(self, seed: int) -> dict[str, Any]:
        """Return the options of one measurement."""
        return {**self.spec.options, "seed": seed} if self.seeded else dict(self.spec.options)


@dataclass(frozen=True)
class IndexExperiment:
    """A validated experiment: rows × their seeds are measured."""

    file: Path
    spec: IndexFile
    rows: tuple[IndexRow, ...]
    document: document.Document = field(repr=False)

    @property
    def name(self) -> str:
        """The experiment's name, which is also its board's."""
        return self.spec.experiment

    def place(self, row: IndexRow) -> Place:
        """Return where a row stands."""
        return self.document.place(row.path)

    def only(self, patterns: Sequence[str]) -> IndexExperiment:
        """Return the rows whose names match one of the shell patterns.

        Raises: ConfigError when a pattern matches no row.
        """
        names = set(chosen([row.name for row in self.rows], patterns, self.file))
        return replace(self, rows=tuple(row for row in self.rows if row.name in names))


def is_index_experiment(data: Any) -> bool:
    """Return whether a file's content is of this form."""
    return isinstance(data, dict) and MARK in data


def load_index_experiment(
    file: Path | str, *, overrides: Iterable[str] = (), plugins: Iterable[Path | str] = ()
) -> IndexExperiment:
    """Read and validate a file.

    Args:
        file: path of the experiment file.
        overrides: ``key=value`` as given with ``-o``.
        plugins: files given with ``--plugin``, beside those that the file names.

    Raises: ConfigError with file and line; PluginError.
    """
    doc = document.load(file)
    for assignment in overrides:
        doc.override(assignment)
    try:
        spec = validate(IndexFile, doc.data, "the experiment file (of indexes, because it has 'vectors')")
        _check(spec)
    except ConfigError as error:
        raise doc.placed(error) from None
    for plugin in plugins:
        load_plugin(plugin)
    for i, plugin in enumerate(spec.plugins):
        load_plugin(Path(file).parent / plugin, place=doc.place(("plugins", i)))
    faults = Collector()
    rows = [*_named_rows(spec, faults), *_grid_rows(doc, spec, faults)]
    if faults:
        raise doc.placed(all_of(faults.faults))
    if not rows:
        raise ConfigError("there is nothing to measure: give 'indexes', 'grid' or both.", place=doc.place(()))
    seen: set[str] = set()
    for row in rows:
        if row.name in seen:
            raise ConfigError(f"two rows are named '{row.name}'.", place=doc.place(row.path))
        seen.add(row.name)
    return IndexExperiment(Path(file), spec, tuple(rows), doc)


def _check(spec: IndexFile) -> None:
    faults = Collector()
    for key, values in (("k", spec.k), ("seeds", spec.seeds)):
        with faults:
            if len(set(values)) < len(values):
                raise ConfigError(f"'{key}' repeats a value. Got {values}.", path=(key,))
    with faults:
        _check_vectors(spec)
    faults.check()


def _check_vectors(spec: IndexFile) -> None:
    fields = spec.vectors.model_fields_set
    sources = [name for name in SOURCES if name in fields]
    if len(sources) != 1:
        got = " and ".join(sources) or "none of them"
        raise ConfigError(f"'vectors' needs one of run, file and generated. Got {got}.", path=(MARK,))
    belongs = {"run": {"modality", "gallery", "queries"}, "file": {"queries"}, "generated": set()}[sources[0]]
    for key in sorted(fields - set(sources) - belongs):
        raise ConfigError(f"'{key}' does not go with vectors.{sources[0]}.", path=(MARK, key), on_key=True)
    if sources[0] == "file" and spec.vectors.queries is None:
        raise ConfigError("vectors.file needs 'queries', the file of the vectors that ask.", path=(MARK, "file"))
    drawn = spec.vectors.generated
    if drawn is not None and drawn.kind == "gaussian":
        for key in sorted({"clusters", "latent"} & drawn.model_fields_set):
            raise ConfigError(f"'{key}' goes with kind clusters.", path=(MARK, "generated", key), on_key=True)
    if drawn is not None and drawn.kind == "clusters" and drawn.latent > drawn.dim:
        raise ConfigError(
            f"'latent' must be at most dim, {drawn.dim}. Got {drawn.latent}.", path=(MARK, "generated", "latent")
        )


def _named_rows(spec: IndexFile, faults: Collector) -> list[IndexRow]:
    rows = []
    for name, block in spec.indexes.items():
        with faults:
            rows.append(_row(name, block, spec, ("indexes", name)))
    return rows


def _grid_rows(doc: document.Document, spec: IndexFile, faults: Collector) -> list[IndexRow]:
    rows = []
    for name, grid in spec.grid.items():
        with faults:
            rows += _grid(doc, name, grid, spec)
    return rows


def _grid(doc: document.Document, name: str, grid: GridBlock, spec: IndexFile) -> list[IndexRow]:
    """Every combination of one grid's values."""
    path: KeyPath = ("grid", name)
    base = {"name": grid.index} if isinstance(grid.index, str) else grid.index
    for option, values in grid.options.items():
        if option in base:
            raise ConfigError(f"'{option}' stands in 'index' and in 'options'.", path=(*path, "options", option))
        labels = [label_of(value) for value in values]
        if len(set(labels)) < len(labels):
            raise ConfigError(f"'{option}' repeats a value. Got {short(values)}.", path=(*path, "options", option))
    total = math.prod(len(values) for values in grid.options.values())
    if total > MAX_ROWS:
        raise ConfigError(f"the grid has {total:,} points; {MAX_ROWS:,} is the most.", path=path)
    rows, faults = [], Collector()
    for positions in itertools.product(*(range(len(values)) for values in grid.options.values())):
        with faults:
            rows.append(_point(doc, name, base, dict(zip(grid.options, positions, strict=True)), spec))
    faults.check()
    return rows


def _point(
    doc: document.Document, name: str, base: Mapping[str, Any], at: Mapping[str, int], spec: IndexFile
) -> IndexRow:
    """Return a combination of a grid's values, given as their positions."""
    options = spec.grid[name].options
    axes = {option: label_of(options[option][i]) for option, i in at.items()}
    block = {**base, **{option: options[option][i] for option, i in at.items()}}
    title = " · ".join([name, *(f"{option} {label}" for option, label in axes.items())])
    path: KeyPath = ("grid", name)

    def placed(fault: ConfigError) -> ConfigError:
        option = fault.path[-1] if fault.path else ""
        if option not in at or fault.place is not None:
            return fault
        where: KeyPath = (*path, "options", option) if fault.on_key else (*path, "options", option, at[str(option)])
        return fault.at(doc.place(where, on_key=fault.on_key))

    try:
        return _row(title, block, spec, (*path, "index"), axes)
    except ConfigError as error:
        raise error.each(placed) from None


def _row(
    name: str, block: str | Mapping[str, Any], spec: IndexFile, path: KeyPath, axes: Mapping[str, str] | None = None
) -> IndexRow:
    options = {"name": block} if isinstance(block, str) else dict(block)
    kind = options.pop("name", None)
    if not isinstance(kind, str):
        raise ConfigError(f"index '{name}' needs a 'name', such as flat.", path=path)
    named: KeyPath = (*path, "name") if isinstance(block, Mapping) else path
    try:
        component = INDEXES.get(kind)
    except ConfigError as error:
        raise error.under(*named) from None
    try:
        whole = component.checked(options)
    except ConfigError as error:
        raise error.under(*path) from None
    seeded = "seed" in whole and "seed" not in options
    seeds = tuple(spec.seeds) if seeded else (int(whole["seed"] if "seed" in whole else spec.seeds[0]),)
    return IndexRow(name, Spec(name=kind, options=whole), seeds, seeded, path, axes or {})
