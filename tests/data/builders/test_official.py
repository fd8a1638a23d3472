"""What each official layout becomes: labels, captions, boxes, landmarks, splits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builder_layouts import pascal_page, picture

from vsebench.core.errors import ConfigError, DataError
from vsebench.data.builders.fashion_products import without_words
from vsebench.data.dataset import Dataset

Lay, Build = Callable[[str], Path], Callable[..., Dataset]


def test_in_shop_with_our_protocol(lay: Lay, build: Build) -> None:
    dataset = build("mmfrb", lay("mmfrb"))
    assert dataset.provenance["edition"] == "in_shop"
    assert dataset.label_names == ["MEN/Denim", "WOMEN/Dresses"]
    assert dataset.relevance == "group"
    assert {k: len(v) for k, v in dataset.splits.items()} == {"train": 60, "val": 6, "test": 6}
    assert dataset.sets == {}
    first = dataset.ids.index("img/WOMEN/Dresses/id_00000000/00_1_front.jpg")
    assert dataset.texts(first) == ["A fine garment 0. Wash cold.", "The blue one."]
    assert dataset.attributes(first) == {"partition": "train", "item": "id_00000000", "colours": "Red, Blue"}
    marks = dataset.landmarks(first)
    assert marks is not None
    assert marks.shape == (8, 3)
    assert marks[:6].tolist() == [[2 + k, 3 + k, float(k % 3 == 0)] for k in range(6)]
    assert not marks[6:].any()
    assert dataset.boxes(first).tolist() == [[2, 3, 20, 14]]
    assert any("52" not in note and "official release" in note for note in dataset.provenance["notes"])


def test_in_shop_with_the_official_protocol(lay: Lay, build: Build) -> None:
    dataset = build("mmfrb", lay("mmfrb"), protocol="official", edition="in_shop")
    status = [dataset.attributes(i)["partition"] for i in range(len(dataset))]
    query = [i for i, s in enumerate(status) if s == "query"]
    gallery = [i for i, s in enumerate(status) if s == "gallery"]
    assert dataset.sets["query"].tolist() == query
    assert dataset.sets["gallery"].tolist() == gallery
    assert sorted([*query, *gallery]) == dataset.splits["test"].tolist()
    assert len(dataset.splits["val"]) > 0
    items = {s: {dataset.attributes(int(i))["item"] for i in rows} for s, rows in dataset.splits.items()}
    assert not items["train"] & items["val"]


def test_in_shop_faults(lay: Lay, build: Build) -> None:
    with pytest.raises(ConfigError, match="takes no --from"):
        build("mmfrb", lay("mmfrb"), edition="single")
    root = lay("mmfrb")
    file = root / "Eval/list_eval_partition.txt"
    lines = file.read_text().split("\n")
    file.write_text("\n".join([lines[0], lines[1], lines[3].replace(" train", " trian"), *lines[3:]]))
    with pytest.raises(DataError) as caught:
        build("mmfrb", root)
    message = "\n".join(caught.value.problems)
    assert "line 3 (image 'img/WOMEN/Dresses/id_00000000/00_2_side.jpg'): unknown status 'trian'" in message
    assert "line 4 (image 'img/WOMEN/Dresses/id_00000000/00_2_side.jpg'): the image stands in line 3 already" in message
    file.write_text("\n".join(lines[:20]))
    with pytest.raises(DataError, match="line 1 says 72 rows, but there are 18"):
        build("mmfrb", root)


def test_deepfashion_multimodal(lay: Lay, build: Build) -> None:
    root = lay("deepfashion_multimodal")
    dataset = build("deepfashion_multimodal", root)
    assert dataset.label_names == ["MEN-Denim", "WOMEN-Tees_Tanks"]
    attributes = dataset.attributes(1)
    assert attributes["sleeve_length"] == "short"
    assert attributes["neckline"] == "square"
    assert attributes["fabric_upper"] == "cotton"
    assert attributes["fabric_outer"] == "NA"
    assert attributes["colour_upper"] == "graphic"
    assert dataset.landmarks(0)[1].tolist() == [2, 3, 0]
    assert dataset.landmarks(0)[3].tolist() == [6, 7, 1]
    assert dataset.groups[0] == dataset.groups[1] != dataset.groups[2], "photos of one garment"
    fabric = build("deepfashion_multimodal", root, label="fabric_upper")
    assert len(fabric) == 27, "three of thirty have no upper fabric"
    assert "3 photos whose fabric_upper is not applicable are left out" in fabric.provenance["notes"]
    with pytest.raises(ConfigError, match="unknown label 'fabric_uper'. Did you mean 'fabric_upper'"):
        build("deepfashion_multimodal", root, label="fabric_uper")
    file = root / "labels/shape/shape_anno_all.txt"
    lines = file.read_text().split("\n")
    file.write_text("\n".join([lines[0][:-1] + "9", *lines[2:]]))
    with pytest.raises(DataError) as caught:
        build("deepfashion_multimodal", root)
    assert [p.partition(": ")[2] for p in caught.value.problems] == [
        "shape labels out of range: navel_covered",
        "no shape labels",
    ]


def test_keypoints_follow_a_smaller_image(lay: Lay, build: Build) -> None:
    root = lay("deepfashion_multimodal")
    small = build("deepfashion_multimodal", root, resize=12)  # 24 x 16 before
    assert small.landmarks(0)[3].tolist() == [3.0, 3.5, 1.0]


def test_fashion_products(lay: Lay, build: Build) -> None:
    root = lay("fashion_products")
    dataset = build("fashion_products", root, min_class_size=2)
    assert dataset.label_names == ["Tshirts", "Watches"]
    assert dataset.provenance["notes"][-1] == "1 classes of fewer than 2 products (1) are left out"
    assert dataset.texts(7) == ["Brand 7 Watch, size 7"], "an unquoted comma belongs to the title"
    assert dataset.attributes(0)["season"] == "Fall"
    masked = build("fashion_products", root, min_class_size=2, mask_label=True)
    assert masked.texts(0) == ["Brand 0 Blue"]
    assert masked.texts(7) == ["Brand 7 size 7"]
    (root / "images" / "1003.jpg").write_bytes(picture(2))  # as 1002
    twins = build("fashion_products", root, min_class_size=2)
    assert twins.groups[2] == twins.groups[3]
    where = {int(i): s for s, rows in twins.splits.items() for i in rows}
    assert where[2] == where[3]


@pytest.mark.parametrize(
    ("text", "label", "left"),
    [
        ("Nike T-Shirt", "Tshirts", "Nike"),
        ("Ray-Ban Sunglasses for men", "Sunglasses", "Ray-Ban for men"),
        ("Dress", "Dresses", "Dress"),
        ("A dressy dress", "Dresses", "A dressy"),
        ("Casual shoes and shoe laces", "Casual Shoes", "and laces"),
    ],
)
def test_masked_titles(text: str, label: str, left: str) -> None:
    assert without_words(text, label) == left


def test_visual_genome(lay: Lay, build: Build) -> None:
    root = lay("visual_genome")
    dataset = build("visual_genome", root)
    assert dataset.label_names == ["man.n.01", "tree.n.01"], "two boxes of 9 and 12 outweigh one of 16"
    two = dataset.ids.index("2")
    assert dataset.texts(two) == ["region 0 of 2", "region 1 of 2", "region 2 of 2"]
    assert dataset.boxes(two).tolist() == [[k, 1, k + 5, 5] for k in range(3)]
    assert dataset.attributes(two) == {"relationships": "man near tree"}
    assert dataset.provenance["boxes"] == "of each text"
    attributes = build("visual_genome", root, label="attributes", num_labels=2)
    assert attributes.label_names == ["blue", "bright"]
    assert attributes.labels[attributes.ids.index("1")].tolist() == [1, 1]
    assert attributes.labels[attributes.ids.index("2")].tolist() == [1, 0]
    subset = build("visual_genome", root, subset=12, seed=1)
    assert len(subset) == 12
    assert set(build("visual_genome", root, subset=12, seed=1).ids) == set(subset.ids)
    assert set(build("visual_genome", root, subset=12, seed=2).ids) != set(subset.ids)
    with pytest.raises(DataError, match="subset of 50, but only 30 images qualify"):
        build("visual_genome", root, subset=50)
    assert len(build("visual_genome", root, min_regions=2)) == 20


def test_pascal_sentences(lay: Lay, build: Build, tmp_path: Path) -> None:
    root = lay("pascal_sentences")
    dataset = build("pascal_sentences", root)
    assert dataset.label_names == ["aeroplane", "cat"]
    assert dataset.texts(0) == [f"Sentence {k} of 0." for k in range(5)]
    assert {k: len(v) for k, v in dataset.splits.items()} == {"train": 32, "val": 4, "test": 4}
    (root / "sentence/cat/2008_000001.txt").unlink()
    (root / "dataset/cat/2008_000003.jpg").unlink()
    with pytest.raises(DataError) as caught:
        build("pascal_sentences", root)
    assert list(caught.value.problems) == [
        "image 'dataset/cat/2008_000001.jpg': image without sentences",
        "image 'dataset/cat/2008_000003.jpg': image 'dataset/cat/2008_000003.jpg' does not exist",
    ]
    pascal_page(tmp_path / "page")
    page = build("pascal_sentences", tmp_path / "page")
    assert len(page) == 40
    assert page.texts(0) == [f"Sentence {k} of 0 & more." for k in range(5)]
    assert page.label_names == ["aeroplane", "cat"]


def test_wikipedia(lay: Lay, build: Build) -> None:
    root = lay("wikipedia")
    dataset = build("wikipedia", root)
    assert {k: len(v) for k, v in dataset.splits.items()} == {"train": 36, "val": 4, "test": 12}
    assert dataset.feature_dims == {"image": 8, "text": 3}
    assert dataset.relevance == "label"
    assert dataset.texts(0) == []
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(dataset.item_features("image", 1)[0], rng.random((40, 8))[1].astype(np.float32))
    lists = root / "testset_txt_img_cat.list"
    lists.write_text(lists.read_text().replace("image-test-3\t2", "image-test-3\t7", 1))
    with pytest.raises(DataError, match=r"testset_txt_img_cat.list:4 \(id 'text-test-3-1.3'\): category 7, but there"):
        build("wikipedia", root)
    lists.write_text("\n".join(lists.read_text().split("\n")[1:]))
    with pytest.raises(DataError, match="'I_te' has 12 rows, but testset_txt_img_cat.list has 11"):
        build("wikipedia", root)


def test_wikipedia_with_texts_and_images(lay: Lay, build: Build) -> None:
    root = lay("wikipedia")
    for split, size in (("train", 40), ("test", 12)):
        for n in range(size):
            text = root / "texts" / f"text-{split}-{n}-1.{n}.xml"
            text.parent.mkdir(exist_ok=True)
            text.write_text(f"<document><text>Article {n} &amp; more\n</text></document>")
            image = root / "images" / ("art", "biology")[n % 2] / f"image-{split}-{n}.jpg"
            image.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(picture(n))
    dataset = build("wikipedia", root)
    assert dataset.texts(5) == ["Article 5 & more"]
    assert dataset.image_bytes(5) == picture(5)


def test_the_real_wikipedia_features(shared: Path, build: Build) -> None:
    dataset = build("wikipedia", shared / "data" / "wikipedia")
    assert {k: len(v) for k, v in dataset.splits.items()} == {"train": 1956, "val": 217, "test": 693}
    assert dataset.feature_dims == {"image": 128, "text": 10}
    assert dataset.num_classes == 10
    assert not any("official release" in note for note in dataset.provenance["notes"])
