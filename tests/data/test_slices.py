"""Slices: stored beside the items, named by builders' options, and no part of what the items are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from builder_layouts import picture, put
from dataset_files import seal_as

from vsebench.core.errors import DataError
from vsebench.core.registry import DATASETS
from vsebench.data.check import check
from vsebench.data.dataset import Dataset
from vsebench.data.export import export
from vsebench.data.item import Item

Items = Callable[..., list[Item]]
Write = Callable[..., Dataset]
LANGUAGES = ("en", "de", "", "en")


def build(name: str, out: Path, **options: Any) -> Dataset:
    DATASETS.get(name).build(options, out=out, progress=lambda done, total: None)
    return Dataset.open(out)


def lay_out(root: Path, *, twice: bool = False) -> Path:
    """40 pictures with a language each; the last row may name the first picture in another one."""
    lines = [
        {"file_name": f"{i}.png", "text": f"caption {i}", "label": "ab"[i % 2], "lang": LANGUAGES[i % 4], "use": "x/y"}
        for i in range(40)
    ]
    for i in range(40):
        put(root / f"{i}.png", picture(i, kind="PNG"))
    if twice:
        lines.append({**lines[0], "text": "another", "lang": "fr"})
    put(root / "metadata.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    return root


def languages(dataset: Dataset) -> list[str]:
    values = [*dataset.slices.values["lang"], ""]
    return [values[code] for code in dataset.slices.codes[:, list(dataset.slices.values).index("lang")]]


def test_naming_slices_changes_nothing_else(items: Items, write: Write, tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.h5", items())
    named = write(tmp_path / "named.h5", [replace(item, slices={"kind": item.id[-1]}) for item in items()])
    assert (named.fingerprint, len(plain.slices.values)) == (plain.fingerprint, 0)
    assert list(named.slices.values) == ["kind"]
    assert "slices" not in plain.describe()
    assert named.describe()["slices"] == {"kind": sorted("0123456789")}
    assert {k: v for k, v in named.describe().items() if k != "slices"} == plain.describe()
    assert check(named) == []


def test_a_column_of_a_folder_and_of_a_table(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "in")
    plain = build("folder", tmp_path / "plain.h5", source=str(root))
    dataset = build("folder", tmp_path / "named.h5", source=str(root), slice_column="lang, use")
    assert dataset.fingerprint == plain.fingerprint
    assert dataset.slices.values == {"lang": ("de", "en"), "use": ("x/y",)}
    assert languages(dataset) == [LANGUAGES[i % 4] for i in range(40)]
    assert dataset.provenance["columns"]["slice"] == ["lang", "use"]
    with pytest.raises(DataError, match=r"no column 'lng' for the slice \(--slice-column\). Did you mean 'lang'"):
        build("folder", tmp_path / "no.h5", source=str(root), slice_column="lng")
    exported = export(dataset, tmp_path / "parquet")
    again = build("hub", tmp_path / "again.h5", source=str(exported), slice_column="slice_lang", text_column="texts")
    expected = dict(zip(dataset.ids, languages(dataset), strict=True))
    values = [*again.slices.values["slice_lang"], ""]
    assert [values[code] for code in again.slices.codes[:, 0]] == [expected[one] for one in again.ids]


def test_rows_of_one_file_in_different_slices_are_named(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "in", twice=True)
    assert len(build("folder", tmp_path / "plain.h5", source=str(root))) == 40
    with pytest.raises(DataError) as error:
        build("folder", tmp_path / "named.h5", source=str(root), slice_column="lang")
    assert "stands in the item of row 1, with another slice (--one-item-per row makes" in str(error.value)
    rows = build("folder", tmp_path / "rows.h5", source=str(root), slice_column="lang", one_item_per="row")
    assert languages(rows)[0] == "en"
    assert languages(rows)[40] == "fr"


def test_too_many_values_are_no_category(items: Items, write: Write, tmp_path: Path) -> None:
    many = [replace(item, slices={"id": f"{item.id}"}) for item in items(n=60)]
    with pytest.raises(DataError, match="the slice 'id' has 60 values, such as 'id-0'; a category of at most 50"):
        write(tmp_path / "many.h5", many)
    assert not (tmp_path / "many.h5").exists()


@pytest.mark.parametrize(
    ("values", "codes", "message"),
    [
        (b'{"kind": ["a"]}', np.full((12, 1), 1, np.int32), "codes that are not of their values"),
        (b'{"kind": ["a"]}', np.zeros((11, 1), np.int32), "'slices/codes' has 11 rows for 12 items"),
        (b'{"kind": "a"}', np.zeros((12, 1), np.int32), "no lists of values by field"),
        (b"{", np.zeros((12, 1), np.int32), "'slices': "),
    ],
)
def test_another_form_is_refused(
    values: bytes, codes: np.ndarray, message: str, items: Items, write: Write, tmp_path: Path
) -> None:
    path = write(tmp_path / "d.h5", [replace(item, slices={"kind": "a"}) for item in items()]).path
    with h5py.File(path, "r+") as file:
        for name, content in (("slices/values", np.frombuffer(values, np.uint8)), ("slices/codes", codes)):
            del file[name]
            file[name] = content
    seal_as(path, {"bytes": "byte_offsets"})
    with pytest.raises(DataError, match=message):
        Dataset.open(path)


def test_the_scenes_name_their_kinds(tmp_path: Path) -> None:
    dataset = build("mmfrb", tmp_path / "scenes.h5", edition="scenes", scenes=20, image_size=48)
    codes = dataset.slices.codes[:, 0]
    kinds = [dataset.slices.values["kind"][code] for code in codes]
    assert kinds == [dataset.attributes(i)["kind"] for i in range(len(dataset))]
