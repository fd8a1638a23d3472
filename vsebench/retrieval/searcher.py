"""Asks a gallery."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vsebench.core.errors import DataError, Place, QueryError
from vsebench.core.types import Tokens
from vsebench.data.query import checked_k
from vsebench.data.vocabulary import WordTokenizer, split_words
from vsebench.engine.embed import embed, pair_inputs
from vsebench.engine.queries import embed_images, embed_texts, pixels_of, queryable, words_of
from vsebench.ops.freezing import weights_digest
from vsebench.retrieval.collection import RUN, Collection, CollectionItem, read_collection
from vsebench.retrieval.pictures import Pictures
from vsebench.runs.load import LoadedRun, load_run


@dataclass(frozen=True, slots=True)
class Hit:
    """One found item.

    Args:
        rank: from 1.
        id, caption: of the item.
        score: cosine of query and item; of what is re-ranked, its score as a pair.
        row: of the item in the gallery.
    """

    rank: int
    id: str
    score: float
    caption: str
    row: int


class Searcher:
    """Find a gallery's items by text or picture.

        searcher = Searcher.load("photos.index")
        for hit in searcher.search(text="red striped dress", k=10):
            print(hit.rank, hit.id, hit.score, hit.caption)

    Queries are embedded by the model that embedded the gallery. Any number of threads may search at once.

    Args:
        gallery: that is searched.
        run: whose model it was made with.

    Raises: DataError when the model is not the one that made the gallery.
    """

    def __init__(self, gallery: Collection, run: LoadedRun) -> None:
        if weights_digest(run.model) != gallery.manifest.model:
            raise DataError(
                f"the weights of run {run.run_id} are not those that made this gallery, as when frozen weights were "
                "replaced. Make it again.",
                place=Place(str(gallery.folder)),
            )
        self.gallery = gallery
        self.run = run
        self.pictures = Pictures(gallery.manifest)

    @classmethod
    def load(cls, folder: Path | str, *, device: torch.device | str = "cpu", trust: bool = False) -> Searcher:
        """Open a gallery that ``vsebench index`` has written.

        Args:
            folder: of the gallery.
            device: where the model runs.
            trust: import the plug-ins that its run names (see :func:`vsebench.runs.load.load_run`).

        Raises: DataError when it is missing, damaged, or does not fit the installed weights; UntrustedPlugin.
        """
        gallery = read_collection(Path(folder))
        return cls(gallery, load_run(gallery.folder / RUN, device=device, trust=trust))

    def __len__(self) -> int:
        return len(self.gallery.items)

    @property
    def modalities(self) -> tuple[str, ...]:
        """What may be asked with: ``text``, ``image`` or both."""
        return queryable(self.run.model)

    def search(
        self,
        *,
        text: str | None = None,
        image: Path | str | bytes | None = None,
        k: int = 10,
        rerank: int | None = None,
    ) -> list[Hit]:
        """Return the ``k`` items nearest to a text or a picture, the nearest first; all where there are fewer.

        Args:
            text: a few words.
            image: a file, or its bytes.
            k: ≥ 1.
            rerank: how many of the nearest the system's scorer ranks again, seeing query and item together; at least
                ``k`` are. None leaves the order of the embeddings.

        Raises: QueryError for an empty text, a file that is no image, k < 1, a modality that the system does not
            read, or ``rerank`` without a scorer; ValueError unless exactly one of text and image is given.
        """
        if (text is None) == (image is None):
            raise ValueError("give either text or image.")
        checked_k(k)
        model = self.run.model
        modality, raw = (
            ("text", words_of(model, [text])) if text is not None else ("image", pixels_of(model, image or b""))
        )
        vector = embed(model, modality, raw).cpu().numpy()
        if rerank is None:
            return self.nearest(vector, k)[0]
        self.refuse_rerank(rerank)
        _, rows = self.candidates(vector, max(k, rerank))
        result = rows[0][rows[0] >= 0]
        scores = self._pair_scores(modality, raw, result)
        order = np.lexsort((result, -scores))[:k]
        return list(self._hits(scores[order], result[order]))

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Texts as vectors. Shape: -> float32 (Q, D).

        Raises: QueryError.
        """
        return embed_texts(self.run.model, texts)

    def embed_image(self, image: Path | str | bytes) -> np.ndarray:
        """Encode a picture as a vector. Shape: -> float32 (1, D).

        Raises: QueryError.
        """
        return embed_images(self.run.model, [image])

    def refuse_rerank(self, rerank: int) -> None:
        """Say why pairs cannot be scored.

        Raises: QueryError.
        """
        if rerank < 1:
            raise QueryError(f"rerank must be at least 1. Got {rerank}.")
        if self.gallery.pair_inputs is None:
            raise QueryError(
                f"this gallery's system ('{self.run.row}') has no scorer of pairs to rank again with; a system with "
                "scorer and rerank_top has."
            )

    def _pair_scores(self, modality: str, raw: Any, rows: np.ndarray) -> np.ndarray:
        """Scores of a query with some items, float32 (len(rows),)."""
        gallery, model = self.gallery, self.run.model
        scorer = model.scorer
        assert gallery.pair_inputs is not None
        assert scorer is not None
        if modality == gallery.manifest.modality:
            raise QueryError(f"a scorer ranks images and texts with each other; this gallery is of {modality}s too.")
        query = pair_inputs(model, modality, raw)
        device = query.values.device
        values, mask = gallery.pair_inputs.take(rows)
        items = Tokens(torch.from_numpy(values).to(device), torch.from_numpy(mask).to(device))
        pair = (query, items) if modality == "image" else (items, query)
        return scorer.score_all(*pair).flatten().cpu().numpy()

    def nearest(self, vectors: np.ndarray, k: int) -> list[list[Hit]]:
        """Return the items nearest to vectors, for each of them the nearest first. Shape: (Q, D)."""
        scores, rows = self.candidates(vectors, k)
        return [list(self._hits(*pair)) for pair in zip(scores, rows, strict=True)]

    def candidates(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Scores and rows of the nearest items, as the index gives them; what looks at pairs re-orders these.

        Shape: (Q, D) -> float32 (Q, min(k, n)), int64 (Q, min(k, n)); row -1 where an approximate index found fewer.
        """
        return self.gallery.index.search(vectors, k)

    def unknown_words(self, text: str) -> list[str]:
        """Words of a text that the run has never read; they say nothing to the model. None for subword tokenizers."""
        return list(dict.fromkeys(w for w in split_words(text) if self._words is not None and w not in self._words))

    def notes(self, text: str) -> list[str]:
        """Return what to know of a text's hits: which of its words say nothing to the model."""
        unknown = self.unknown_words(text)
        if not unknown:
            return []
        if set(unknown) == set(split_words(text)):
            return ["no known word: the ranking means nothing."]
        return [f"unknown words (ignored): {', '.join(unknown)}"]

    def item(self, name: str) -> CollectionItem | None:
        """Return the item of an id."""
        row = self._rows.get(name)
        return None if row is None else self.gallery.items[row]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {item.id: row for row, item in enumerate(self.gallery.items)}

    @cached_property
    def _words(self) -> frozenset[str] | None:
        tokenizer = self.run.model.encoders["text"].tokenizer
        return frozenset(tokenizer.vocabulary.words) if isinstance(tokenizer, WordTokenizer) else None

    def _hits(self, scores: np.ndarray, rows: np.ndarray) -> Iterator[Hit]:
        for rank, (score, row) in enumerate(zip(scores.tolist(), rows.tolist(), strict=True), start=1):
            if row >= 0:
                item = self.gallery.items[row]
                yield Hit(rank, item.id, score, item.caption, row)
