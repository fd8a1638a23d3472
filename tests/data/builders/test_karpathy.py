"""Flickr30k, Flickr8k and COCO with Karpathy's splits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from builder_layouts import picture
from scipy.io import savemat

from vsebench.core.errors import ConfigError, DataError
from vsebench.data.dataset import Dataset

Lay, Build = Callable[[str], Path], Callable[..., Dataset]


def edit(file: Path, change: Callable[[list[dict]], None]) -> None:
    data = json.loads(file.read_text())
    change(data["images"])
    file.write_text(json.dumps(data))


def test_flickr30k(lay: Lay, build: Build) -> None:
    dataset = build("flickr30k", lay("flickr30k"))
    assert {k: len(v) for k, v in dataset.splits.items()} == {"train": 8, "val": 3, "test": 4}
    assert dataset.ids[0] == "100"
    assert dataset.texts(0) == [f"Caption {k} of image 0." for k in range(5)]
    assert dataset.image_bytes(3) == picture(3)
    assert dataset.num_classes == 0
    assert dataset.sets == {}
    assert dataset.provenance["notes"] == [
        "8 train images, the official release has 29,000",
        "3 val images, the official release has 1,014",
        "4 test images, the official release has 1,000",
    ]
    assert build("flickr30k", lay("flickr30k"), captions=2).texts(0) == dataset.texts(0)[:2]


def test_coco_folds_restval_and_instances(lay: Lay, build: Build) -> None:
    root = lay("coco")
    dataset = build("coco", root, labels="instances", fold_size=3)
    assert {k: len(v) for k, v in dataset.splits.items()} == {"train": 9, "val": 3, "test": 7}
    test = dataset.splits["test"]
    assert [dataset.ids[i] for i in dataset.sets["fold_0"]] == [dataset.ids[i] for i in test[:3]]
    assert dataset.sets["fold_1"].tolist() == test[3:6].tolist()
    assert "fold_2" not in dataset.sets, "seven test images make two whole folds of three"
    assert dataset.multi_label
    assert dataset.label_names == ["dog", "person"]
    ids = {one: i for i, one in enumerate(dataset.ids)}
    assert dataset.labels[ids["1001"]].tolist() == [1, 1]
    assert dataset.labels[ids["1002"]].tolist() == [0, 1]
    assert dataset.labels[ids["1005"]].tolist() == [0, 0], "an image without instances"
    rest = build("coco", root, restval="rest")
    assert {k: len(v) for k, v in rest.splits.items()} == {"train": 6, "val": 3, "test": 7, "rest": 3}
    assert rest.num_classes == 0


def test_faults_by_row(lay: Lay, build: Build) -> None:
    root = lay("flickr8k")

    def spoil(images: list[dict]) -> None:
        images[1]["sentences"] = []
        images[2]["split"] = "tset"
        images[3]["filename"] = images[4]["filename"]
        images[5]["sentences"][1]["raw"] = "  "
        del images[6]["filename"]

    edit(root / "dataset_flickr8k.json", spoil)
    with pytest.raises(DataError, match="5 faults") as caught:
        build("flickr8k", root)
    message = list(caught.value.problems)
    assert message[0] == "images[1] (id '1_a'): image without captions"
    assert message[1].startswith("images[2] (id '2_a'): unknown split 'tset'. Did you mean 'test'?")
    assert message[2] == "images[4] (id '4_a'): the id stands in images[3] already"
    assert message[3] == "images[5] (id '5_a'): empty text"
    assert message[4] == "images[6]: 'filename': Field required"
    assert len(build("flickr8k", root, skip_bad=True)) == 10


def test_a_split_file_cut_short(lay: Lay, build: Build, tmp_path: Path) -> None:
    root = lay("flickr8k")
    file = root / "dataset_flickr8k.json"
    file.write_bytes(file.read_bytes()[:-400])
    with pytest.raises(DataError, match=r"dataset_flickr8k\.json: not whole JSON .* rows were read before"):
        build("flickr8k", root, skip_bad=True)
    assert not (tmp_path / "built.h5").exists()


REGIONS = {str(n): np.random.default_rng(n).normal(size=(1 + n % 4, 6)).astype(np.float32) for n in range(15)}


def features_of(kind: str, folder: Path) -> str:
    """Features of the 15 images, in each form that is known."""
    names = [f"{n}_a" for n in range(15)]
    folder.mkdir()
    if kind == "folder":
        for n, name in enumerate(names):
            np.save(folder / f"{name}.npy", REGIONS[str(n)])
        return str(folder)
    padded = np.zeros((15, 4, 6), np.float32)
    for n in range(15):
        padded[n, : len(REGIONS[str(n)])] = REGIONS[str(n)]
    if kind == "npy":
        np.save(folder / "f.npy", padded)
        return str(folder / "f.npy")
    if kind == "mat":
        savemat(folder / "f.mat", {"a": np.zeros(3), "regions": padded})
        return f"{folder / 'f.mat'}:regions"
    with h5py.File(folder / "f.h5", "w") as file:
        if kind == "h5 by id":
            for n, name in enumerate(names):
                file[name] = REGIONS[str(n)]
        else:
            file["features"], file["ids"] = padded[::-1], names[::-1]
            file["num_boxes"] = [len(REGIONS[str(n)]) for n in range(15)][::-1]
    return str(folder / "f.h5")


@pytest.mark.parametrize("kind", ["folder", "npy", "mat", "h5 by id", "h5 with ids"])
def test_precomputed_features(kind: str, lay: Lay, build: Build, tmp_path: Path) -> None:
    root = lay("flickr8k")
    dataset = build("flickr8k", root, features=features_of(kind, tmp_path / "f"), images=False)
    assert dataset.feature_dims == {"image": 6}
    assert dataset.image_bytes(0) is None
    for n in range(15):
        result = dataset.item_features("image", n)
        if kind in ("npy", "mat"):  # these say nothing of the number of regions
            assert result.shape == (4, 6)
            result = result[: len(REGIONS[str(n)])]
        np.testing.assert_array_equal(result, REGIONS[str(n)])
    order = np.array([9, 2, 2, 14])
    values, offsets = dataset.features("image", order)
    for i, n in enumerate(order):
        np.testing.assert_array_equal(values[offsets[i] : offsets[i + 1]], dataset.item_features("image", n))


def test_features_that_do_not_fit(lay: Lay, build: Build, tmp_path: Path) -> None:
    root = lay("flickr8k")
    with pytest.raises(ConfigError, match="without images there must be --features"):
        build("flickr8k", root, images=False)
    folder = Path(features_of("folder", tmp_path / "f"))
    (folder / "3_a.npy").unlink()
    np.save(folder / "4_a.npy", np.full((2, 6), np.nan, np.float32))
    np.save(folder / "5_a.npy", np.array(["x"]))
    with pytest.raises(DataError) as caught:
        build("flickr8k", root, features=str(folder))
    assert [p.partition(": ")[2] for p in caught.value.problems] == [
        "no features '3_a.npy' or '3_a.npz' in f",
        "features in 4_a.npy hold NaN or infinite values",
        "features '5_a.npy': numbers are needed, not <U1.",
    ]
    np.save(tmp_path / "short.npy", np.zeros((14, 2, 6), np.float32))
    with pytest.raises(DataError, match="14 rows of features"):
        build("flickr8k", root, features=str(tmp_path / "short.npy"))
    np.save(tmp_path / "long.npy", np.zeros((16, 2, 6), np.float32))
    with pytest.raises(DataError, match="16 rows of features for 15 items"):
        build("flickr8k", root, features=str(tmp_path / "long.npy"), skip_bad=True)
    np.save(folder / "3_a.npy", np.zeros((2, 7), np.float32))
    np.save(folder / "4_a.npy", np.zeros((2, 6), np.float32))
    np.save(folder / "5_a.npy", np.zeros((2, 6), np.float32))
    with pytest.raises(DataError, match=r"features of shape \(2, 7\); those before have \(any, 6\)"):
        build("flickr8k", root, features=str(folder))


def test_names_that_no_file_can_have(lay: Lay, build: Build) -> None:
    root = lay("coco")
    names = ["a" * 300, "a\0b.jpg", "../../secret.jpg"]
    edit(root / "dataset_coco.json", lambda rows: [row.update(filename=n) for row, n in zip(rows, names, strict=False)])
    with pytest.raises(DataError) as caught:
        build("coco", root)
    first, second, third = caught.value.problems
    assert first.endswith("cannot be read (File name too long)")
    assert "cannot be read (" in second
    assert third.endswith("lies outside the folder")
