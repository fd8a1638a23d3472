"""A gallery's folder may be damaged or come from anybody: it is read as it was written, or refused in one line."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import as_bytes, changed, damaged, fuzzed

from vsebench.core.errors import DataError, UntrustedPlugin, VsebenchError
from vsebench.core.registry import INDEXES
from vsebench.retrieval.collection import CollectionItem, Manifest, read_collection, write_collection

COUNT, DIM = 12, 4


def written(folder: Path, index: str = "flat", options: dict[str, Any] | None = None) -> Path:
    """A small gallery, without a model."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(COUNT, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    checked = INDEXES.get(index).validate(options or {})
    built = INDEXES.build(index, checked, dim=DIM)
    built.train(vectors)
    built.add(np.arange(COUNT), vectors)
    run = folder.parent / "of-run"
    run.mkdir(exist_ok=True)
    for name in ("run.yaml", "result.json"):
        (run / name).write_text("{}")
    manifest = Manifest(
        run={"run_id": "a1", "experiment": "tiny", "row": "both", "seed": 0},
        model="0" * 16,
        modality="image",
        count=COUNT,
        dim=DIM,
        index={"name": index, "options": checked},
        source={"type": "folder", "path": "/pictures"},
    )
    items = [CollectionItem(f"item-{i}", f"text {i}", f"{i}.png") for i in range(COUNT)]
    write_collection(folder, manifest, items, vectors, built, run_files=sorted(run.iterdir()))
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("galleries")
    written(folder / "lsh", "lsh", {"bits": 64})
    return written(folder / "flat")


def copy_of(folder: Path, place: Path) -> Path:
    return Path(shutil.copytree(folder, place / "g"))


def resealed(folder: Path) -> Path:
    """The digests as its files are now, as somebody would make them who wants it to be read."""
    manifest = folder / "manifest.json"
    plain = json.loads(manifest.read_text())
    plain["sha256"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in plain["sha256"]}
    manifest.write_text(json.dumps(plain))
    return folder


def test_it_comes_back(whole: Path) -> None:
    gallery = read_collection(whole)
    assert len(gallery.items) == COUNT
    assert gallery.items[3] == CollectionItem("item-3", "text 3", "3.png")
    assert gallery.index.search(np.asarray(gallery.vectors[:1]), 1)[1][0, 0] == 0


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("run", {"run_id": "/x", "experiment": "a", "row": "b", "seed": 0}, "'run.run_id' must be a plain name"),
        ("run", {"run_id": "x", "experiment": "../a", "row": "b", "seed": 0}, "'run.experiment' must be a plain name"),
        ("sha256", {"../../secret": "0" * 64}, "has the part '..'"),
        ("sha256", {"/etc/passwd": "0" * 64}, "is not a plain path below the folder"),
        ("sha256", {}, "lacks vectors.npy, items.jsonl, run/run.yaml, run/result.json"),
        ("count", -1, "'count' must be greater than or equal to 0"),
        ("modality", "sound", "'modality' must be 'image' or 'text'"),
        ("index", "flat", "'index' must be"),
        ("source", {"type": "web", "path": "x"}, "'source.type' must be 'dataset' or 'folder'"),
        ("format", 9, "gallery format 9; this version reads 1"),
        ("more", 1, "it has an unknown field 'more'"),
        ("count", 7, "its parts do not belong together"),
    ],
)
def test_a_manifest_of_another_form_is_named(whole: Path, tmp_path: Path, field: str, value: Any, text: str) -> None:
    folder = copy_of(whole, tmp_path)
    plain = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**plain, field: value}))
    with pytest.raises(DataError) as error:
        read_collection(folder)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("items.jsonl", b"{", "items.jsonl:1: not a JSON line"),
        ("items.jsonl", b'{"id": 3, "caption": "", "at": null}\n', "'id' must be a valid string"),
        ("items.jsonl", b'{"id": "a", "caption": "", "at": null}\n' * 2, "an id is there twice"),
        ("vectors.npy", b"no array", "vectors.npy: not an array"),
        ("vectors.npy", b"", "vectors.npy: not an array"),
    ],
)
def test_content_of_another_form_is_named(whole: Path, tmp_path: Path, name: str, content: bytes, text: str) -> None:
    folder = copy_of(whole, tmp_path)
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match="this part of the gallery is damaged"):
        read_collection(folder)
    with pytest.raises(DataError) as error:
        read_collection(resealed(folder))
    assert text in str(error.value)


def test_an_index_of_a_plugin_is_named(whole: Path, tmp_path: Path) -> None:
    folder = copy_of(whole, tmp_path)
    plain = json.loads((folder / "manifest.json").read_text())
    plain["index"] = {"name": "theirs", "options": {}}
    (folder / "manifest.json").write_text(json.dumps(plain))
    with pytest.raises(UntrustedPlugin, match=r"run a1 needs index 'theirs'.* Name its file with --plugin"):
        read_collection(folder)


def refusal(folder: Path) -> str | None:
    try:
        read_collection(folder)
    except VsebenchError as error:
        return str(error)
    return None


@fuzzed()
@given(data=st.data())
def test_changed_manifests_are_refused_or_read(
    data: st.DataObject, whole: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = copy_of(whole, tmp_path_factory.mktemp("changed"))
    file = folder / "manifest.json"
    file.write_bytes(as_bytes(data.draw(changed(json.loads(file.read_text())))))
    refused = refusal(folder)
    assert refused is None or len(refused) < 1_000


@fuzzed()
@given(data=st.data(), index=st.sampled_from(("flat", "lsh")), sealed=st.booleans())
def test_damaged_files_are_refused_or_whole(
    data: st.DataObject, index: str, sealed: bool, whole: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also where somebody has made the digests fit; then a number may be another, but nothing bursts."""
    original = whole.parent / index
    folder = copy_of(original, tmp_path_factory.mktemp("damaged"))
    files = sorted(f.relative_to(folder) for f in folder.rglob("*") if f.is_file() and f.name != "manifest.json")
    file = folder / data.draw(st.sampled_from(files))
    before = file.read_bytes()
    file.write_bytes(data.draw(damaged(before)))
    refused = refusal(resealed(folder) if sealed else folder)
    if not sealed:
        assert (refused is None) == (file.read_bytes() == before)
