"""Miniatures of the official layouts of datasets, written by the tests themselves."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from vsebench.data.sound import encode_wav

LAYOUTS: dict[str, Callable[[Path], None]] = {}
#: Options without which a miniature is too small.
OPTIONS: dict[str, dict[str, int]] = {
    **{name: {"query_size": 8, "train_size": 20} for name in ("mirflickr25k", "iapr_tc12", "nus_wide")},
    "vqa": {"num_answers": 3, "unanswered": True},
}


def layout(name: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Register a writer of a builder's layout."""

    def keep(function: Callable[[Path], None]) -> Callable[[Path], None]:
        LAYOUTS[name] = function
        return function

    return keep


def picture(seed: int, size: tuple[int, int] = (24, 16), kind: str = "JPEG") -> bytes:
    """An image of noise, by seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def sound(seed: int, samples: int = 400, rate: int = 8000) -> bytes:
    """A WAV file of noise, by seed."""
    return encode_wav(np.random.default_rng(seed).integers(-3000, 3000, samples).astype(np.int16), rate)


def put(file: Path, content: bytes | str) -> None:
    """Write a file and the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())


def put_json(file: Path, content: object) -> None:
    """Write a JSON file, a line for each element of a list."""
    if isinstance(content, list):
        put(file, "[\n" + ",\n".join(json.dumps(row) for row in content) + "\n]\n")
    else:
        put(file, json.dumps(content))


def karpathy(root: Path, name: str, sizes: dict[str, int], path: Callable[[str, int], tuple[str, str]]) -> None:
    images, number = [], 0
    for split, size in sizes.items():
        for _ in range(size):
            filepath, filename = path(split, number)
            row = {
                "filename": filename,
                "imgid": number,
                "split": split,
                "sentids": [5 * number + k for k in range(5)],
                "sentences": [{"raw": f"Caption {k} of image {number}.", "tokens": ["caption"]} for k in range(5)],
            }
            if name == "coco":
                row |= {"filepath": filepath, "cocoid": 1000 + number}
            images.append(row)
            put(root / filepath / filename, picture(number))
            number += 1
    text = ",\n".join(json.dumps(row) for row in images)
    put(root / f"dataset_{name}.json", f'{{"images": [\n{text}\n], "dataset": "{name}"}}')


@layout("flickr30k")
def flickr30k(root: Path) -> None:
    karpathy(root, "flickr30k", {"train": 8, "val": 3, "test": 4}, lambda s, n: ("flickr30k-images", f"{100 + n}.jpg"))


@layout("flickr8k")
def flickr8k(root: Path) -> None:
    karpathy(root, "flickr8k", {"train": 8, "val": 3, "test": 4}, lambda s, n: ("Flicker8k_Dataset", f"{n}_a.jpg"))


@layout("coco")
def coco(root: Path) -> None:
    def path(split: str, number: int) -> tuple[str, str]:
        year = "train2014" if split == "train" else "val2014"
        return year, f"COCO_{year}_{number:012d}.jpg"

    karpathy(root, "coco", {"train": 6, "restval": 3, "val": 3, "test": 7}, path)
    categories = [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}]
    for year, ids in (("train2014", range(1000, 1006)), ("val2014", range(1006, 1019))):
        annotations = [{"image_id": i, "category_id": (1, 18)[i % 2]} for i in ids if i % 5]
        annotations += [{"image_id": i, "category_id": 1} for i in ids if i % 5]
        put_json(root / f"annotations/instances_{year}.json", {"categories": categories, "annotations": annotations})


@layout("mmfrb")
def in_shop(root: Path) -> None:
    rows, marks, boxes, described = [], [], [], []
    statuses = ("train", "train", "train", "train", "query", "gallery")
    for item in range(24):
        category = ("WOMEN/Dresses", "MEN/Denim")[item % 2]
        one = f"id_{item:08d}"
        status = statuses[item // 2 % 6] if item // 2 % 6 < 4 else None
        for view, shown in enumerate(("1_front", "2_side", "4_full")):
            name = f"img/{category}/{one}/{item:02d}_{shown}.jpg"
            rows.append(f"{name} {one} {status or ('query' if view == 0 else 'gallery')}")
            points = (6, 4, 8)[item % 3]
            marks.append(f"{name} {item % 3 + 1} 1 " + " ".join(f"{k % 3} {2 + k} {3 + k}" for k in range(points)))
            boxes.append(f"{name} 1 1 2 3 20 14")
            put(root / "Img" / name, picture(3 * item + view))
        described.append({"item": one, "color": "Red", "description": [f"A fine garment {item}.", "", "Wash cold."]})
    described.append({"item": "id_00000000", "color": "Blue", "description": ["The blue one."]})
    head = "image_name item_id evaluation_status"
    put(root / "Eval/list_eval_partition.txt", "\n".join([str(len(rows)), head, *rows]) + "\n")
    head = "image_name clothes_type variation_type landmark_visibility_1 landmark_location_x_1 landmark_location_y_1"
    put(root / "Anno/list_landmarks_inshop.txt", "\n".join([str(len(marks)), head, *marks]) + "\n")
    head = "image_name clothes_type pose_type x_1 y_1 x_2 y_2"
    put(root / "Anno/list_bbox_inshop.txt", "\n".join([str(len(boxes)), head, *boxes]) + "\n")
    put_json(root / "Anno/list_description_inshop.json", described)


@layout("deepfashion_multimodal")
def deepfashion_multimodal(root: Path) -> None:
    captions, shape, fabric, pattern, points, visible = {}, [], [], [], [], []
    for n in range(30):
        name = f"{('MEN-Denim', 'WOMEN-Tees_Tanks')[n % 2]}-id_{n // 2:08d}-01_{n % 2 + 1}_front.jpg"
        captions[name] = f"This person wears a shirt, number {n}."
        shape.append(f"{name} " + " ".join(str((n + k) % 3) for k in range(12)))
        fabric.append(f"{name} {n % 8} {(n + 1) % 8} 7")
        pattern.append(f"{name} {n % 8} 7 7")
        points.append(f"{name} " + " ".join(str(k) for k in range(42)))
        visible.append(f"{name} " + " ".join(str(k % 3) for k in range(21)))
        put(root / "images" / name, picture(n))
    put_json(root / "captions.json", captions)
    put(root / "labels/shape/shape_anno_all.txt", "\n".join(shape) + "\n")
    put(root / "labels/texture/fabric_ann.txt", "\n".join(fabric) + "\n")
    put(root / "labels/texture/pattern_ann.txt", "\n".join(pattern) + "\n")
    put(root / "keypoints/keypoints_loc.txt", "\n".join(points) + "\n")
    put(root / "keypoints/keypoints_vis.txt", "\n".join(visible) + "\n")


@layout("fashion_products")
def fashion_products(root: Path) -> None:
    lines = ["id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,productDisplayName"]
    for n in range(40):
        article = ("Tshirts", "Watches")[n % 2]
        title = f"Brand {n} {('T-shirt', 'Watch')[n % 2]}, size {n}" if n == 7 else f"Brand {n} {article} Blue"
        lines.append(f"{1000 + n},Men,Apparel,Topwear,{article},Blue,Fall,2011,Casual,{title}")
        put(root / f"images/{1000 + n}.jpg", picture(n))
    lines.append("2000,Men,Apparel,Topwear,Rare,Blue,Fall,2011,Casual,A rare thing")
    put(root / "images/2000.jpg", picture(99))
    put(root / "styles.csv", "\n".join(lines) + "\n")


@layout("vqa")
def vqa(root: Path) -> None:
    """Train: images 0 to 29, of which every third has two questions; val: 100 to 109; test: 200, without answers."""
    parts = {"train2014": range(30), "val2014": range(100, 110), "test2015": range(200, 201)}
    for part, images in parts.items():
        questions, annotations = [], []
        for image in images:
            put(root / part / f"COCO_{part}_{image:012d}.jpg", picture(image))
            for which in range(1 + (image % 3 == 1)):
                question = 1000 * image + which
                questions.append({"question_id": question, "image_id": image, "question": f"Is it number {question}?"})
                right = ("Yes", "two", "a red hat.", f"rare {question}")[(image + which) % 4]
                lines = [right] * 7 + ["no", "No.", "blue, red"]
                answers = [
                    {"answer": a, "answer_confidence": "yes", "answer_id": k} for k, a in enumerate(lines, start=1)
                ]
                annotation = {"question_id": question, "image_id": image, "multiple_choice_answer": right}
                annotation |= {"answers": answers, "question_type": "is it", "answer_type": "other"}
                annotations.append(annotation)
        head = {"info": {"version": "2.0"}, "data_subtype": part}
        put_json(root / f"v2_OpenEnded_mscoco_{part}_questions.json", {**head, "questions": questions})
        if part != "test2015":
            put_json(root / f"v2_mscoco_{part}_annotations.json", {**head, "annotations": annotations})


@layout("visual_genome")
def visual_genome(root: Path) -> None:
    images, regions, objects, attributes, relationships = [], [], [], [], []
    for n in range(1, 31):
        images.append({"image_id": n, "width": 24, "height": 16, "url": "x", "coco_id": None, "flickr_id": None})
        results = [
            {"region_id": 10 * n + k, "x": k, "y": 1, "width": 5, "height": 4, "phrase": f"region {k} of {n}"}
            for k in range(1 + n % 3)
        ]
        regions.append({"id": n, "regions": results})
        main = ("man.n.01", "tree.n.01")[n % 2]
        boxes = [
            {"object_id": 1, "x": 0, "y": 0, "w": 4, "h": 4, "names": ["sky"], "synsets": ["sky.n.01"]},
            {"object_id": 2, "x": 0, "y": 0, "w": 3, "h": 3, "names": ["it"], "synsets": [main]},
            {"object_id": 3, "x": 0, "y": 0, "w": 3, "h": 4, "names": ["it"], "synsets": [main]},
        ]
        objects.append({"image_id": n, "objects": boxes})
        lines = [{"object_id": 1, "attributes": ["Blue", "bright"][: 1 + n % 2]}, {"object_id": 2, "names": ["man"]}]
        attributes.append({"image_id": n, "attributes": lines})
        message = {"predicate": "NEAR", "subject": {"name": "man"}, "object": {"names": ["tree"]}, "synsets": []}
        relationships.append({"image_id": n, "relationships": [message]})
        put(root / ("VG_100K" if n % 2 else "VG_100K_2") / f"{n}.jpg", picture(n))
    put_json(root / "image_data.json", images)
    put_json(root / "region_descriptions.json", regions[::-1])
    put_json(root / "objects.json", objects)
    put_json(root / "attributes.json", attributes)
    put_json(root / "relationships.json", relationships[::-1])


@layout("pascal_sentences")
def pascal_sentences(root: Path) -> None:
    for n in range(40):
        stem = f"{('aeroplane', 'cat')[n % 2]}/2008_{n:06d}"
        put(root / f"dataset/{stem}.jpg", picture(n))
        put(root / f"sentence/{stem}.txt", "".join(f"Sentence {k} of {n}.\n" for k in range(5)))


def pascal_page(root: Path) -> None:
    """Pascal Sentences as the page was published."""
    rows = []
    for n in range(40):
        stem = f"{('aeroplane', 'cat')[n % 2]}/2008_{n:06d}"
        put(root / f"{stem}.jpg", picture(n))
        cells = "".join(f"<tr><td> Sentence {k} of {n} &amp; more.</td></tr>" for k in range(5))
        rows.append(f'<tr><td><img src="{stem}.jpg"></td><td><table>{cells}</table></td></tr>')
    put(root / "index.html", f"<html><body><h1>Pascal Sentences</h1><table>{''.join(rows)}</table></body></html>")


@layout("wikipedia")
def wikipedia(root: Path) -> None:
    rng = np.random.default_rng(0)
    sizes = {"train": 40, "test": 12}
    arrays = {}
    for split, size in sizes.items():
        short = split[:2]
        arrays[f"I_{short}"], arrays[f"T_{short}"] = rng.random((size, 8)), rng.random((size, 3))
        rows = [f"text-{split}-{n}-1.{n}\timage-{split}-{n}\t{n % 2 + 1}" for n in range(size)]
        put(root / f"{split}set_txt_img_cat.list", "\n".join(rows) + "\n")
    put(root / "categories.list", "art\nbiology\n")
    savemat(root / "raw_features.mat", arrays)


@layout("audio")
def audio(root: Path) -> None:
    for n in range(30):
        put(root / f"{('dog', 'cat')[n % 2]}/{n:02d}.wav", sound(n))


@layout("spoken_digits")
def spoken_digits(root: Path) -> None:
    for digit in range(3):
        for speaker in ("ann", "bob", "cyd"):
            for take in range(0, 14, 2):
                put(root / f"recordings/{digit}_{speaker}_{take}.wav", sound(100 * digit + take))


@layout("av_digits")
def av_digits(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    count = 60
    length = rng.integers(50, 90, count)
    offset = np.concatenate([[0], np.cumsum(length)[:-1]])
    np.savez(
        root / "av_digits.npz",
        audio=rng.integers(-900, 900, length.sum()).astype(np.int16),
        audio_offset=offset,
        audio_length=length,
        image=rng.integers(0, 255, (count, 28, 28)).astype(np.uint8),
        label=np.arange(count) % 3,
    )
    with (root / "metadata.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "label", "speaker", "take", "split", "sr"])
        for n in range(count):
            writer.writerow([f"{n % 3}_{n}", n % 3, ("ann", "bob", "cyd")[n // 3 % 3], n // 3, "train", 8000])


@layout("folder")
def folder(root: Path) -> None:
    lines = ["file_name,text,label"]
    for n in range(30):
        put(root / f"images/{n}.jpg", picture(n))
        lines.append(f"images/{n}.jpg,a text {n},{('cat', 'dog')[n % 2]}")
    put(root / "metadata.csv", "\n".join(lines) + "\n")


@layout("mirflickr25k")
def mirflickr25k(root: Path) -> None:
    from vsebench.data.builders.mirflickr25k import CONCEPTS

    for n in range(1, 51):
        put(root / f"mirflickr/im{n}.jpg", picture(n))
        tags = ["Sky", "blue", f"rare{n}"] if n % 2 else ["sea", "sky"]
        put(root / f"mirflickr/meta/tags/tags{n}.txt", "\n".join([] if n == 50 else tags) + "\n")
    for c, concept in enumerate(CONCEPTS):
        numbers = [n for n in range(1, 51) if n % 24 == c and n != 49]
        put(root / f"mirflickr25k_annotations_v080/{concept}.txt", "".join(f"{n}\n" for n in numbers))
        if c < 14:
            put(root / f"mirflickr25k_annotations_v080/{concept}_r1.txt", "".join(f"{n}\n" for n in numbers[:1]))


@layout("iapr_tc12")
def iapr_tc12(root: Path) -> None:
    concepts = ("sky", "man made", "grass", "never seen")
    put(root / "saiapr_tc-12/wlist.txt", "".join(f"{k + 1} {c}\n" for k, c in enumerate(concepts)))
    for folder in ("00", "01"):
        rows = []
        for n in range(20):
            one = int(folder) * 20 + n
            put(root / f"images/{folder}/{one}.jpg", picture(one))
            text = f"<DOC>\n<TITLE>T</TITLE>\n<DESCRIPTION>a photo {one};\nwith a café</DESCRIPTION>\n</DOC>\n"
            put(root / f"annotations_complete_eng/{folder}/{one}.eng", text.encode("iso-8859-1"))
            rows += [f"{one} {region + 1} {(one + region) % 3 + 1}" for region in range(1 + n % 2)]
        put(root / f"saiapr_tc-12/{folder}/labels.txt", "\n".join(rows) + "\n")


@layout("nus_wide")
def nus_wide(root: Path) -> None:
    names = [f"actor\\{n:04d}.jpg" for n in range(48)]
    put(root / "ImageList/Imagelist.txt", "\n".join(names) + "\n")
    for n in range(48):
        put(root / f"Flickr/actor/{n:04d}.jpg", picture(n))
    for k in range(30):  # the later a concept, the rarer
        put(
            root / f"Groundtruth/AllLabels/Labels_c{k:02d}.txt",
            "".join(f"{int(n % (k + 1) == 0)}\n" for n in range(48)),
        )
    put(root / "NUS_WID_Tags/TagList1k.txt", "".join(f"tag{t}\n" for t in range(10)))
    rows = [" ".join(str(int((n + t) % 5 == 0 and n != 47)) for t in range(10)) for n in range(48)]
    put(root / "NUS_WID_Tags/AllTags1k.txt", "\n".join(rows) + "\n")
    counts = [" ".join(str((n * w) % 7) for w in range(6)) for n in range(48)]
    put(root / "Low_Level_Features/BoW_int.dat", "\n".join(counts) + "\n")
