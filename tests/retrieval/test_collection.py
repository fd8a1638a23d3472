"""A gallery is written whole or not at all, and a damaged one is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from galleries import gallery, home, run_of

from vsebench.components.index.base import Index, unit_rows
from vsebench.core.errors import DataError
from vsebench.core.registry import INDEXES
from vsebench.retrieval.build import Embedded, make_collection
from vsebench.retrieval.collection import CollectionItem, read_collection

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEBENCH_HOME", str(home() / "home"))


def small(names: tuple[str, ...] = ("a", "ü/#2 <b>")) -> Embedded:
    items = [CollectionItem(name, f"caption of {name}\n", None) for name in names]
    return Embedded(items, np.eye(len(names), 3, dtype=np.float32), {"type": "folder", "path": "."})


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    manifest = make_collection(run_of("both"), small(), "image", tmp_path / "g", index="hnsw", options={"m": 4})
    back = read_collection(tmp_path / "g")
    assert back.manifest == manifest
    assert list(back.items) == list(small().items)
    assert (back.vectors == small().vectors).all()
    assert back.manifest.index == {"name": "hnsw", "options": {"m": 4, "ef_construction": 200, "ef_search": 64}}
    assert [f.name for f in tmp_path.iterdir()] == ["g"]


#: Sizes that suit few vectors.
FEW = {
    "pq": {"m": 2, "bits": 3},
    "opq": {"m": 2, "bits": 3, "rerank": 20},
    "ivf_pq": {"m": 2, "bits": 3, "nlist": 4, "nprobe": 2},
    "binary": {"center": True},
    "lsh": {"tables": 2, "bits": 3, "probes": 2},
    "kd_tree": {"max_leaves": 3},
    "spreading": {"k_neg": 20, "hidden": 16, "epochs": 2},
}


@pytest.mark.parametrize("name", INDEXES.names())
def test_a_gallery_of_any_index_finds_what_its_index_found(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = unit_rows(rng.normal(size=(40, 16)))
    embedded = Embedded([CollectionItem(str(i), "", None) for i in range(40)], vectors, {"type": "folder", "path": "."})
    make_collection(run_of("both"), embedded, "image", tmp_path / "g", index=name, options=FEW.get(name))
    index: Index = INDEXES.build(name, FEW.get(name), dim=16)
    index.train(vectors)
    index.add(np.arange(40), vectors)
    queries = rng.normal(size=(7, 16))
    for one, other in zip(
        read_collection(tmp_path / "g").index.search(queries, 5), index.search(queries, 5), strict=True
    ):
        assert (one == other).all()


def test_only_a_gallery_is_replaced_and_only_on_request(tmp_path: Path) -> None:
    run = run_of("both")
    make_collection(run, small(), "image", tmp_path / "g")
    with pytest.raises(DataError, match="there is a gallery already; --force replaces it"):
        make_collection(run, small(), "image", tmp_path / "g")
    assert make_collection(run, small(("x",)), "image", tmp_path / "g", force=True).count == 1
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(DataError, match="something is there that is no gallery"):
        make_collection(run, small(), "image", tmp_path / "mine", force=True)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


def test_nothing_is_left_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        make_collection(run_of("both"), small(), "image", tmp_path / "g")
    assert list(tmp_path.iterdir()) == []


def test_two_items_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'a': 2 items"):
        make_collection(run_of("both"), small(("a", "a")), "image", tmp_path / "g")


@pytest.mark.parametrize("part", ["vectors.npy", "items.jsonl", "index/ids.npy", "run/model.safetensors"])
def test_a_damaged_or_missing_part_is_named(tmp_path: Path, part: str) -> None:
    folder = Path(shutil.copytree(gallery(), tmp_path / "g"))
    data = bytearray((folder / part).read_bytes())
    data[-1] ^= 1
    (folder / part).write_bytes(data)
    with pytest.raises(DataError, match=f"{part}: this part of the gallery is damaged"):
        read_collection(folder)
    (folder / part).unlink()
    with pytest.raises(DataError, match="is missing"):
        read_collection(folder, verify=False)


def test_no_gallery_or_another_format(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no gallery; 'vsebench index RUN --out FOLDER' makes one"):
        read_collection(tmp_path)
    folder = Path(shutil.copytree(gallery(), tmp_path / "g"))
    plain = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(plain | {"format": 99}))
    with pytest.raises(DataError, match="gallery format 99; this version reads 1"):
        read_collection(folder)
    (folder / "manifest.json").write_text("{")
    with pytest.raises(DataError, match="not a whole manifest"):
        read_collection(folder)
