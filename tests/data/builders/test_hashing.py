"""MIRFLICKR-25K, IAPR TC-12 and NUS-WIDE, and the protocol of cross-modal hashing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from builder_layouts import picture
from scipy.io import savemat
from scipy.sparse import csc_matrix

from vsebench.core.errors import ConfigError, DataError
from vsebench.data.builders._hashing import divide
from vsebench.data.builders._matrices import read_matrix
from vsebench.data.check import check
from vsebench.data.dataset import Dataset

Lay, Build = Callable[[str], Path], Callable[..., Dataset]


def test_the_protocol() -> None:
    result = divide(100, 10, 40, 0)
    splits = [s for s, _ in result]
    assert {s: splits.count(s) for s in set(splits)} == {"test": 10, "val": 4, "train": 36, "rest": 50}
    assert [sets for s, sets in result if s == "test"] == [("query",)] * 10
    assert {sets for s, sets in result if s != "test"} == {("database",)}
    assert divide(100, 10, 40, 0) == result
    assert divide(100, 10, 40, 1) != result
    with pytest.raises(DataError, match="49 items are too few for 10 queries and 40 training items"):
        divide(49, 10, 40, 0)


def roles(dataset: Dataset) -> dict[str, int]:
    return {**{k: len(v) for k, v in dataset.splits.items()}, **{k: len(v) for k, v in dataset.sets.items()}}


def test_mirflickr25k(lay: Lay, build: Build) -> None:
    root = lay("mirflickr25k")
    dataset = build("mirflickr25k", root)
    # photo 49 has no concept, photo 50 no tag; every odd photo has a tag that occurs once
    assert roles(dataset) == {"train": 18, "val": 2, "test": 8, "rest": 20, "query": 8, "database": 40}
    assert dataset.relevance == "label"
    assert dataset.multi_label
    assert len(dataset.label_names) == 24
    one, two = dataset.ids.index("im1"), dataset.ids.index("im2")
    assert dataset.texts(one) == ["sky blue"]
    assert dataset.provenance["tags"] == ["blue", "sea", "sky"]
    assert dataset.item_features("text", one).tolist() == [[1, 0, 1]]
    assert dataset.item_features("text", two).tolist() == [[0, 1, 1]]
    assert dataset.image_bytes(two) == picture(2)
    assert [dataset.label_names[k] for k in np.flatnonzero(dataset.labels[one])] == ["baby"]
    assert dataset.provenance["notes"][0] == "48 pairs, the official release has 20,015"
    relevant = build("mirflickr25k", root, labels="relevant", query_size=2, train_size=5)
    assert len(relevant.label_names) == 14
    assert len(relevant) == 14
    assert build("mirflickr25k", root, bag_of_tags=False).feature_dims == {}
    (root / "mirflickr/meta/tags/tags3.txt").unlink()
    file = root / "mirflickr25k_annotations_v080/sky.txt"
    with pytest.raises(DataError, match="photo|im3: no tags3.txt"):
        build("mirflickr25k", root)
    file.write_text(file.read_text() + "77\n")
    with pytest.raises(DataError, match=r"sky.txt: '77' is the number of no photo"):
        build("mirflickr25k", root)


def test_iapr_tc12(lay: Lay, build: Build) -> None:
    root = lay("iapr_tc12")
    dataset = build("iapr_tc12", root)
    assert roles(dataset) == {"train": 18, "val": 2, "test": 8, "rest": 12, "query": 8, "database": 32}
    assert dataset.label_names == ["grass", "man made", "sky"], "only concepts that occur"
    at = dataset.ids.index("00/1")
    assert dataset.texts(at) == ["a photo 1 with a café"]
    assert dataset.labels[at].tolist() == [1, 1, 0]
    (root / "annotations_complete_eng/01/25.eng").unlink()
    (root / "annotations_complete_eng/01/26.eng").write_text("<DOC></DOC>")
    with pytest.raises(DataError) as caught:
        build("iapr_tc12", root)
    assert list(caught.value.problems) == [
        "photo 01/26: no description",
        "photo 25: segmented, but without a description file",
    ]
    (root / "saiapr_tc-12/00/labels.txt").write_text("1 1 9\n")
    with pytest.raises(DataError, match=r"labels.txt:1: concept 9 is not in the list"):
        build("iapr_tc12", root)


def test_nus_wide(lay: Lay, build: Build) -> None:
    root = lay("nus_wide")
    dataset = build("nus_wide", root)
    assert dataset.label_names == [f"c{k:02d}" for k in range(21)], "the 21 most frequent of 30"
    assert len(dataset) == 47, "the last photo has no tag"
    assert dataset.ids[7] == "actor/0007.jpg"
    assert dataset.texts(7) == ["tag3 tag8"]
    assert dataset.item_features("text", 7)[0].nonzero()[0].tolist() == [3, 8]
    assert dataset.item_features("image", 3).tolist() == [[0, 3, 6, 2, 5, 1]]
    assert np.flatnonzero(dataset.labels[6]).tolist() == [0, 1, 2, 5]
    assert dataset.image_bytes(5) == picture(5)
    assert build("nus_wide", root, images=False).image_bytes(5) is None
    (root / "Low_Level_Features/BoW_int.dat").unlink()
    with pytest.raises(DataError, match="there is no image modality"):
        build("nus_wide", root, images=False)
    file = root / "NUS_WID_Tags/AllTags1k.txt"
    lines = file.read_text().split("\n")
    file.write_text("\n".join([*lines[:4], lines[4].replace("1", "2"), *lines[5:]]))
    with pytest.raises(DataError, match=r"AllTags1k.txt:5: 10 cells of 0 or 1 are needed"):
        build("nus_wide", root)


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.zeros((40, 24), np.uint8)
    labels[np.arange(40), np.arange(40) % 24] = 1
    return {"XAll": rng.normal(size=(40, 6)), "YAll": rng.integers(0, 2, (40, 9)).astype(float), "LAll": labels}


def files(form: str, folder: Path) -> dict[str, str]:
    data = arrays()
    if form == "npy":
        for key, values in data.items():
            np.save(folder / f"{key}.npy", values)
        names = {key: f"{key}.npy" for key in data}
    elif form == "mat":
        savemat(folder / "all.mat", {**data, "YAll": csc_matrix(data["YAll"])})
        names = {key: f"all.mat:{key}" for key in data}
    else:  # MATLAB 7.3 is HDF5, columns first
        with h5py.File(folder / "all.mat", "w") as file:
            for key, values in data.items():
                file[key] = values.T
        names = dict.fromkeys(data, "all.mat")
    return {"image_features": names["XAll"], "text_features": names["YAll"], "labels_file": names["LAll"]}


@pytest.mark.parametrize("form", ["npy", "mat", "mat73"])
@pytest.mark.parametrize("name", ["mirflickr25k", "iapr_tc12", "nus_wide"])
def test_from_arrays(form: str, name: str, build: Build, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    dataset = build(name, tmp_path / "in", **files(form, tmp_path / "in"))
    assert check(dataset) == []
    data = arrays()
    assert dataset.feature_dims == {"image": 6, "text": 9}
    for i in (0, 17, 39):
        np.testing.assert_allclose(dataset.item_features("image", i)[0], data["XAll"][i], rtol=1e-6)
        np.testing.assert_array_equal(dataset.item_features("text", i)[0], data["YAll"][i])
        np.testing.assert_array_equal(dataset.labels[i], data["LAll"][i])
    assert roles(dataset) == {"train": 18, "val": 2, "test": 8, "rest": 12, "query": 8, "database": 32}
    named = name == "mirflickr25k"
    assert dataset.label_names[1] == ("baby" if named else "1")


def test_arrays_that_do_not_fit(build: Build, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    options = files("npy", tmp_path / "in")
    with pytest.raises(ConfigError, match="features need --labels-file"):
        build("nus_wide", tmp_path / "in", image_features="XAll.npy")
    np.save(tmp_path / "in/XAll.npy", arrays()["XAll"][:39])
    with pytest.raises(DataError, match="different numbers of rows: image 39, text 40, labels 40"):
        build("nus_wide", tmp_path / "in", **options)
    bad = arrays()["XAll"]
    bad[7, 2] = np.nan
    np.save(tmp_path / "in/XAll.npy", bad)
    with pytest.raises(DataError, match="XAll.npy: row 8 holds NaN"):
        build("nus_wide", tmp_path / "in", **options)
    np.save(tmp_path / "in/XAll.npy", arrays()["XAll"])
    np.save(tmp_path / "in/LAll.npy", arrays()["LAll"] * 2)
    with pytest.raises(DataError, match="labels must be zeros and ones"):
        build("nus_wide", tmp_path / "in", **options)
    unlabelled = arrays()["LAll"]
    unlabelled[3] = 0
    np.save(tmp_path / "in/LAll.npy", unlabelled)
    with pytest.raises(DataError, match="row 3: no label"):
        build("nus_wide", tmp_path / "in", **options)


def test_matrices(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"one": np.eye(2), "two": np.eye(3)})
    with pytest.raises(DataError, match=r"several arrays; say which as FILE:KEY. Arrays: one, two"):
        read_matrix(tmp_path / "a.mat")
    with pytest.raises(DataError, match=r"no array 'tow'. Did you mean 'two'"):
        read_matrix(tmp_path / "a.mat", "tow")
    assert read_matrix(tmp_path / "a.mat", candidates=("x", "two")).shape == (3, 3)
    np.savez(tmp_path / "a.npz", x=np.ones((2, 2)))
    assert read_matrix(tmp_path / "a.npz").sum() == 4
    (tmp_path / "a.txt").write_text("1 2\n3 4\n")
    assert read_matrix(tmp_path / "a.txt").tolist() == [[1, 2], [3, 4]]
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="not a whole .npy file"):
        read_matrix(tmp_path / "o.npy")
    savemat(tmp_path / "c.mat", {"z": np.array([[1 + 2j]])})
    with pytest.raises(DataError, match="numbers are needed, not complex128"):
        read_matrix(tmp_path / "c.mat")
    for name in ("a.mat", "a.npz", "a.txt", "o.npy"):
        whole = (tmp_path / name).read_bytes()
        for left in (b"", whole[: len(whole) // 2], b"\x93NUMPY" + whole[::-1]):
            (tmp_path / name).write_bytes(left)
            message = name
            try:
                read_matrix(tmp_path / name)
            except DataError as error:
                message = str(error)
            assert name in message
    with pytest.raises(DataError, match="no such file"):
        read_matrix(tmp_path / "none.npy")
