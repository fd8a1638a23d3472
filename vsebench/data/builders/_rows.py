"""Rows of a metadata file as drafts of items, with everything that is wrong with each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsebench.data.builders._build import VAL_SHARE, Draft
from vsebench.data.builders._cells import Cells, Labels
from vsebench.data.builders._columns import split_of
from vsebench.data.builders._features import FeatureSource
from vsebench.data.item import Item
from vsebench.data.table import Row
from vsebench.data.writer import DatasetWriter, Relevance

#: The splits are the first folder of the images' paths.
FROM_FOLDERS = object()


def columns_entry(what: str, columns: Sequence[str]) -> dict[str, Any]:
    """Return the provenance's entry of the columns of texts or of slices: one name, or a list."""
    return {what: columns[0] if len(columns) == 1 else list(columns)} if columns else {}


def writer_of_rows(
    out: Path,
    provenance: Mapping[str, Any],
    labels: Labels | None,
    *,
    name: str | None,
    title: str | None,
    relevance: Relevance | None,
    seed: int,
) -> DatasetWriter:
    """Open the dataset file that rows of a table are written to.

    Args:
        out: the dataset file.
        provenance: of the builder.
        labels: how labels are read; None for unlabelled data.
        name: of the dataset; the file's stem by default.
        title: the name by default.
        relevance: ``item`` by default.
        seed: of splits made by rule.
    """
    return DatasetWriter(
        out,
        name=name or out.stem,
        title=title or name or out.stem,
        label_names=None if labels is None else labels.names,
        multi_label=labels is not None and labels.multi,
        relevance=relevance or "item",
        provenance=provenance,
        seed=seed,
        val_share=VAL_SHARE,
    )


@dataclass(frozen=True)
class RowReader:
    """Turns rows into drafts.

    Args:
        columns: image, label and, where there are such, group, id -> column.
        texts: the columns of captions; none for images and labels alone.
        split: the column of the splits; ``FROM_FOLDERS``; None for splits by rule.
        cells: how cells are read.
        labels: how labels are read; None for unlabelled data.
        features: precomputed features in the image's place, or None.
        slices: the columns of the slices.
        each_row: every row is an item, so that a path that is named again is no id.
    """

    columns: Mapping[str, str]
    texts: Sequence[str]
    split: Any
    cells: Cells
    labels: Labels | None
    features: FeatureSource | None = None
    slices: Sequence[str] = ()
    each_row: bool = False

    def drafts(self, rows: Sequence[Row]) -> Iterator[Draft]:
        """Yield the rows in order."""
        seen: set[str] = set()
        for position, row in enumerate(rows):
            yield self._draft(row, position, seen)

    def _draft(self, row: Row, position: int, seen: set[str]) -> Draft:
        problems: list[str] = []
        path = self._text(row, "image", problems)
        one = self._text(row, "id", problems) if "id" in self.columns else path
        if self.each_row and "id" not in self.columns and one in seen:
            one = f"{path}#{row.number}"
        seen.add(one)
        number = f"row {row.number}"
        where = f"{number} (id '{one}')" if one else number
        if not one and "id" in self.columns:
            problems.append("empty id")
        texts = self.cells.texts([row.cells.get(column) for column in self.texts], problems) if self.texts else ()
        label = None if self.labels is None else self.labels.read(row.cells.get(self.columns["label"]), problems)
        item = Item(
            one,
            None,
            texts,
            label,
            split=self._split(row, path, problems),
            group=self._text(row, "group", problems) or None,
            features=self._features(one, position, problems),
            slices={name: self.cells.text(row.cells.get(name), "slice", problems) for name in self.slices},
        )
        image = path if "image" in self.columns else None
        # A row without id of its own is known by its image, which messages on the image name anyway.
        short = number if one == path or not one else None
        return Draft(where, item, image=image, problems=tuple(problems), file_where=short)

    def _split(self, row: Row, path: str, problems: list[str]) -> str | None:
        if self.split is None:
            return None
        value = path.partition("/")[0] if self.split is FROM_FOLDERS else row.cells.get(self.split)
        return split_of(value, problems, self.cells)

    def _features(self, one: str, position: int, problems: list[str]) -> dict[str, Any] | None:
        if self.features is None:
            return None
        try:
            return {"image": self.features.get(one, position)}
        except OSError as error:
            problems.append(str(error))
            return None

    def _text(self, row: Row, what: str, problems: list[str]) -> str:
        return self.cells.text(row.cells.get(self.columns[what]), what, problems) if what in self.columns else ""
