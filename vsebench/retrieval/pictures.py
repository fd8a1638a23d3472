"""The pictures of a gallery's items, from where they lie: a dataset file or a folder."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path

from vsebench.core.errors import DataError, Place
from vsebench.data.dataset import Dataset
from vsebench.data.pixels import jpeg, pixel_count
from vsebench.retrieval.collection import CollectionItem, Manifest

KEPT = 1024


class Pictures:
    """Finds the picture of an item. The source may have gone since the gallery was made; search works without.

    Args:
        manifest: of the gallery.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.source = manifest.source
        self._dataset: Dataset | None = None
        self._lock = threading.Lock()  # HDF5 reads one at a time anyway
        self._thumbnail = lru_cache(KEPT)(self._make_thumbnail)

    def data(self, item: CollectionItem) -> bytes | None:
        """Return the encoded picture as it came; None for an item without one.

        Raises: DataError when the source is missing or has changed.
        """
        if item.at is None:
            return None
        if isinstance(item.at, int):
            with self._lock:
                return self._open().image_bytes(item.at)
        root = Path(self.source["path"]).resolve()
        file = (root / item.at).resolve()
        if not file.is_relative_to(root) or not file.is_file():
            raise DataError(f"the picture of '{item.id}' is no longer there.", place=Place(str(file)))
        return file.read_bytes()

    def pixels(self, item: CollectionItem) -> int:
        """Return how many pixels its picture has, from the header alone; 0 without one, or for one that cannot be read.

        Raises: DataError as above.
        """
        data = self.data(item)
        try:
            return 0 if data is None else pixel_count(data)
        except OSError:
            return 0

    def thumbnail(self, item: CollectionItem, side: int) -> bytes | None:
        """As JPEG, at most ``side`` pixels wide and high; small ones are not enlarged. The last 1,024 are kept.

        Raises: DataError as above, or when it cannot be decoded.
        """
        return self._thumbnail(item, side)

    def _make_thumbnail(self, item: CollectionItem, side: int) -> bytes | None:
        data = self.data(item)
        if data is None:
            return None
        try:
            return jpeg(data, side)
        except OSError as error:
            raise DataError(f"the picture of '{item.id}': {error}") from None

    def _open(self) -> Dataset:
        if self._dataset is None:
            dataset = Dataset.open(self.source["path"])
            if dataset.fingerprint != self.source["fingerprint"]:
                raise DataError(
                    f"dataset '{dataset.name}' has changed since the gallery was made; its pictures may be others.",
                    place=Place(str(self.source["path"])),
                )
            self._dataset = dataset
        return self._dataset
