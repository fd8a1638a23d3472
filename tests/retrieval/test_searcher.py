"""Hits are those of the model's own embeddings; galleries of splits and folders; what may not be asked."""

from __future__ import annotations

import io
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from galleries import gallery, home, run_of
from PIL import Image

import vsebench
from vsebench.core.errors import ConfigError, DataError, QueryError
from vsebench.data.dataset import Dataset
from vsebench.engine.evaluate import predict
from vsebench.engine.loader import Loader
from vsebench.retrieval.build import embed_folder, embed_split, make_collection, near_chance
from vsebench.retrieval.searcher import Searcher

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEBENCH_HOME", str(home() / "home"))


@pytest.mark.parametrize("index", ["flat", "hnsw"])
def test_hits_are_those_of_evaluation(index: str) -> None:
    run = run_of("both")
    dataset = run.open_dataset()
    loader = Loader(dataset, "test", run.system, run.model.encoders)
    results = {m: v / np.linalg.norm(v, axis=1, keepdims=True) for m, v in _outputs(run, loader).items()}
    scores = results["text"] @ results["image"].T
    searcher = vsebench.Searcher.load(gallery(index=index))
    for row, position in list(enumerate(loader.positions))[:6]:
        hits = searcher.search(text=dataset.texts(int(position))[0], k=5)
        assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5]
        assert np.allclose([hit.score for hit in hits], np.sort(scores[row])[::-1][:5], atol=1e-5)
        assert all(hit.id == dataset.ids[int(loader.positions[hit.row])] for hit in hits)
        current = searcher.search(image=dataset.image_bytes(int(position)), k=1)[0]
        assert current.score == pytest.approx(1.0, abs=1e-3)


def _outputs(run: object, loader: Loader) -> dict[str, np.ndarray]:
    return dict(predict(run.model, loader, device=run.device).embeddings)  # type: ignore[attr-defined]


def test_a_gallery_of_captions() -> None:
    searcher = Searcher.load(gallery("text"))
    item = searcher.gallery.items[3]
    hit = searcher.search(text=item.caption, k=1)[0]
    assert hit.caption == item.caption
    assert hit.score == pytest.approx(1.0, abs=1e-3)


def test_second_captions_have_ids_of_their_own(tiny_file: Path) -> None:
    run = run_of("both")
    object.__setattr__(run, "dataset_path", tiny_file)
    object.__setattr__(run, "fingerprint", run_fingerprint(tiny_file))
    embedded = embed_split(run, "test", "text")
    dataset = run.open_dataset()
    wanted = [n for p in dataset.splits["test"] for n in (dataset.ids[p], f"{dataset.ids[p]}#2")]
    assert [item.id for item in embedded.items] == wanted
    assert embedded.items[1].caption.endswith("indeed")


def run_fingerprint(file: Path) -> str:
    from vsebench.data.dataset import Dataset

    return Dataset.open(file).fingerprint


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a.png", "more/b ü#?.jpg", "c.webp"):
        Image.fromarray(rng.integers(0, 255, (40, 30, 3), dtype=np.uint8)).save(folder / name)
    (folder / "a.txt").write_text("a red\nhat ")
    (folder / "notes.md").write_text("no picture")
    return folder


def test_a_folder_of_images(photos: Path, tmp_path: Path) -> None:
    run = run_of("both")
    embedded = embed_folder(run, photos, "image")
    assert [(item.id, item.caption) for item in embedded.items] == [
        ("a.png", "a red hat"),
        ("c.webp", ""),
        ("more/b ü#?.jpg", ""),
    ]
    make_collection(run, embedded, "image", tmp_path / "g")
    searcher = Searcher.load(tmp_path / "g")
    hit = searcher.search(image=photos / "a.png", k=1)[0]
    assert hit.id == "a.png"
    assert searcher.pictures.data(searcher.gallery.items[0]) == (photos / "a.png").read_bytes()
    small = searcher.pictures.thumbnail(searcher.gallery.items[0], 16)
    assert Image.open(io.BytesIO(small or b"")).size == (12, 16)
    (photos / "a.png").unlink()
    with pytest.raises(DataError, match="is no longer there"):
        searcher.pictures.data(searcher.gallery.items[0])


def test_bad_images_of_a_folder(photos: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"no image")
    (photos / "cut.png").write_bytes((photos / "a.png").read_bytes()[:300])
    with pytest.raises(DataError, match=r"2 images cannot be read; --skip-bad leaves them out") as error:
        embed_folder(run_of("both"), photos, "image")
    assert "bad.jpg" in str(error.value)
    assert "cut.png" in str(error.value)
    embedded = embed_folder(run_of("both"), photos, "image", skip_bad=True)
    assert len(embedded.items) == len(embedded.vectors) == 3
    assert embedded.notes == ["2 images could not be read and were left out"]


def test_a_folder_of_texts(photos: Path) -> None:
    (photos / "b.txt").write_text("one\n\n two \n")
    items = embed_folder(run_of("both"), photos, "text").items
    assert [(i.id, i.caption) for i in items] == [
        ("a.txt:1", "a red"), ("a.txt:2", "hat"), ("b.txt:1", "one"), ("b.txt:3", "two")
    ]  # fmt: skip


def test_what_cannot_be_embedded(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no split 'tset'. Did you mean 'test'"):
        embed_split(run_of("both"), "tset", "image")
    with pytest.raises(ConfigError, match="has no text encoder. It reads: image"):
        embed_split(run_of("image only"), "test", "text")
    with pytest.raises(DataError, match="no images below it"):
        embed_folder(run_of("both"), tmp_path, "image")
    with pytest.raises(DataError, match="no such folder"):
        embed_folder(run_of("both"), tmp_path / "no", "image")


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def test_what_may_not_be_asked(tmp_path: Path) -> None:
    searcher = Searcher.load(gallery())
    with warnings.catch_warnings():
        bombs = [png(9000, 9000), png(12000, 12000), png(20000, 20000)]
        for message, query in [
            ("the text is empty", {"text": " \x00\n"}),
            ("the text has 1,001 characters; at most 1,000", {"text": "x" * 1001}),
            ("is not an image that can be read", {"image": b"no image"}),
            ("is not an image that can be read", {"image": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"}),
            ("cannot be read (No such file", {"image": tmp_path / "no.png"}),
            ("81,000,000 pixels; at most 64,000,000", {"image": bombs[0]}),
            ("144,000,000 pixels; at most 64,000,000", {"image": bombs[1]}),
            ("400,000,000 pixels; at most 64,000,000", {"image": bombs[2]}),
            ("the picture is damaged", {"image": png(200, 200)[:-30]}),
            ("k, the number of hits, must be a whole number, at least 1. Got 0", {"text": "a", "k": 0}),
        ]:
            with pytest.raises(QueryError) as error:
                searcher.search(**query)  # type: ignore[arg-type]
            assert message in str(error.value)
    with pytest.raises(ValueError, match="either text or image"):
        searcher.search()
    assert len(searcher.search(text="\ud800 red", k=10**9)) == len(searcher)


def test_unknown_words() -> None:
    searcher = Searcher.load(gallery())
    word = searcher.run.vocabulary.words[0]  # type: ignore[union-attr]
    assert searcher.unknown_words(f"Xyzzy {word} xyzzy plugh") == ["xyzzy", "plugh"]
    assert searcher.notes(word) == []
    assert searcher.notes(f"{word} xyzzy") == ["unknown words (ignored): xyzzy"]
    assert searcher.notes("Xyzzy, plugh!") == ["no known word: the ranking means nothing."]


def test_a_run_whose_recall_is_near_chance_is_named() -> None:
    run = run_of("both")

    def warning(modality: str, **metrics: float) -> str | None:
        return near_chance(replace(run, result=replace(run.result, metrics=metrics)), modality)

    chance = {"test/t2i/chance/recall@1": 0.01, "test/t2i/chance/recall@5": 0.05, "test/t2i/chance/recall@50": 0.5}
    poor = {**chance, "test/t2i/recall@1": 0.02, "test/t2i/recall@5": 0.09, "test/t2i/recall@50": 1.0}
    assert warning("image", **poor) == (
        "on the run's own test split, t2i recall@1 2.0 % (chance 1.0 %), recall@5 9.0 % (chance 5.0 %): its hits mean "
        "little. An objective that contrasts items, such as info_nce, gives embeddings that rank."
    )
    assert warning("image", **{**poor, "test/t2i/recall@5": 0.1}) is None
    assert warning("text", **poor) is None, "the other direction was not measured"


def test_a_picture_of_several_items_is_there_once(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of("both")
    whole = embed_split(run, "test", "image")
    assert whole.notes == ()
    bytes_of = Dataset.image_bytes
    position = {item.id: item.at for item in whole.items}
    first, second, last = (position[whole.items[row].id] for row in (0, 1, -1))

    def same(self: Dataset, at: int) -> bytes | None:
        return bytes_of(self, first if at in (second, last) else at)

    monkeypatch.setattr(Dataset, "image_bytes", same)
    fewer = embed_split(run, "test", "image")
    assert fewer.items == [whole.items[0], *whole.items[2:-1]]
    assert fewer.notes == ("2 items have the picture of an earlier item; each picture is there once",)
    np.testing.assert_allclose(fewer.vectors, np.delete(whole.vectors, [1, len(whole.vectors) - 1], 0), atol=1e-6)


def test_an_image_only_system_is_asked_with_images(tmp_path: Path) -> None:
    run = run_of("image only")
    make_collection(run, embed_split(run, "test", "image"), "image", tmp_path / "g")
    searcher = Searcher.load(tmp_path / "g")
    assert searcher.modalities == ("image",)
    with pytest.raises(QueryError, match="cannot be asked with text; it can be asked with image"):
        searcher.search(text="red")


def test_other_weights_are_refused(tmp_path: Path) -> None:
    import json

    folder = Path(shutil.copytree(gallery(), tmp_path / "g"))
    plain = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(plain | {"model": "0" * 16}))
    with pytest.raises(DataError, match="are not those that made this gallery"):
        Searcher.load(folder)
