"""Pascal Sentences: 1,000 images of 20 classes with five sentences each."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Gt

from vsebench.core.errors import DataError, Place
from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import Build, Draft, counted, source_folder
from vsebench.data.builders.base import Progress
from vsebench.data.files import read_inside
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter

IMAGES = 1_000
PAGES = ("index.html", "pascal-sentences.html", "index.htm")
SUFFIXES = (".jpg", ".jpeg", ".png")


@DATASETS.register(
    "pascal_sentences",
    source="Rashtchian et al. 2010, Collecting image annotations using Amazon's Mechanical Turk",
    get="https://vision.cs.uiuc.edu/pascal-sentences/ (the page with its images)",
    licence="images under the terms of PASCAL VOC 2008 and Flickr; research",
    layout="index.html and CLASS/NAME.jpg as published, or\ndataset/CLASS/NAME.jpg with sentence/CLASS/NAME.txt",
    marker=(*PAGES, "sentence"),
)
def pascal_sentences(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str = "pascal_sentences",
    title: str = "Pascal Sentences",
    seed: int = 0,
    resize: Annotated[int, Gt(0)] | None = None,
    skip_bad: bool = False,
) -> None:
    """Build Pascal Sentences: the folder of an image is its class, its sentences are its captions.

    Published splits differ from paper to paper: 80/10/10 by rule, stratified (40/5/5 of each class).

    Args:
        out: the dataset file (wired).
        progress: told of every image (wired).
        source: the folder: the page as published, or image and sentence files side by side.
        name: of the dataset.
        title: how boards call it.
        seed: of the splits.
        resize: longest side of stored images in pixels; larger ones are scaled down.
        skip_bad: leave bad images out, and count them, instead of stopping.

    Raises: DataError that lists every fault: missing or corrupt image, image without sentences, sentences without
    image; a page without images.

    Example:
        >>> pascal_sentences(Path("out.h5"), lambda done, total: None, source="pascal")  # doctest: +SKIP
    """
    root = source_folder(source)
    page = next((root / p for p in PAGES if (root / p).is_file()), None)
    rows = _from_page(page) if page is not None else _from_folders(root)
    place = page or root / "sentence"
    if not rows:
        raise DataError("no image with sentences.", place=Place(str(place)))

    def drafts() -> Iterator[Draft]:
        seen: set[str] = set()
        for path, texts in rows:
            problems = ["stands twice"] if path in seen else []
            seen.add(path)
            if not texts:
                problems.append("image without sentences")
            label = Path(path).parent.name
            if not label:
                problems.append("the image is in no class folder")
            item = Item(f"{label}/{Path(path).stem}", None, texts, label)
            yield Draft(f"image '{path}'", item, image=path, problems=tuple(problems))

    provenance: dict[str, Any] = {"builder": "pascal_sentences", "layout": place.name, "resize": resize, "notes": []}
    writer = DatasetWriter(out, name=name, title=title, provenance=provenance, seed=seed)
    with Build(root, writer, progress, str(place), skip_bad=skip_bad, resize=resize) as build:
        build.notes += counted("images", IMAGES, len(rows))
        build.add(drafts(), len(rows))


def _from_folders(root: Path) -> list[tuple[str, tuple[str, ...]]]:
    rows = []
    pictures = {p.relative_to(root / "dataset").with_suffix(""): p for p in sorted((root / "dataset").glob("*/*"))}
    sentences = {
        p.relative_to(root / "sentence").with_suffix(""): p for p in sorted((root / "sentence").glob("*/*.txt"))
    }
    for stem in sorted({*pictures, *sentences}):
        texts: tuple[str, ...] = ()
        if stem in sentences:
            try:
                lines = read_inside(root, str(sentences[stem].relative_to(root)), "sentences").decode().split("\n")
            except (OSError, UnicodeDecodeError) as error:
                raise DataError(f"cannot be read ({error}).", place=Place(str(sentences[stem]))) from None
            texts = tuple(line.strip() for line in lines if line.strip())
        # Sentences without a picture name the picture that should be there.
        picture = pictures.get(stem, root / "dataset" / stem.with_suffix(SUFFIXES[0]))
        rows.append((str(picture.relative_to(root)), texts))
    return rows


def _from_page(file: Path) -> list[tuple[str, tuple[str, ...]]]:
    parser = _Page()
    try:
        parser.feed(file.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror}).", place=Place(str(file))) from None
    parser.close()
    return [(path, tuple(texts)) for path, texts in parser.rows]


class _Page(HTMLParser):
    """The published page: a table row with an image, then cells with a sentence each."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[str, list[str]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an item at an image; end the sentence at a cell or row."""
        self._flush()
        source = dict(attrs).get("src") if tag == "img" else None
        if source and source.lower().endswith(SUFFIXES):
            self.rows.append((source, []))

    def handle_endtag(self, tag: str) -> None:
        """End a sentence at the end of its cell."""
        if tag in ("td", "tr", "table", "body"):
            self._flush()

    def handle_data(self, data: str) -> None:
        """Text of a cell."""
        self.text.append(data)

    def close(self) -> None:
        """Finish the page."""
        super().close()
        self._flush()

    def _flush(self) -> None:
        sentence = " ".join("".join(self.text).split())
        self.text = []
        if sentence and self.rows:
            self.rows[-1][1].append(sentence)
