"""What a gallery may be asked. Everything that a stranger can send is checked here, before any work is done."""

from __future__ import annotations

import re
from pathlib import Path

from vsebench.core.errors import QueryError
from vsebench.data.limits import PIXELS
from vsebench.data.pixels import FORMATS, pixel_count

MAX_TEXT = 1_000


def checked_text(text: str) -> str:
    """Clean a text: no surrounding space and no halves of surrogate pairs.

    Raises: QueryError when it is empty or longer than 1,000 characters.

    Example:
        >>> checked_text("  red dress ")
        'red dress'
    """
    clean = text.encode("utf-8", "replace").decode().replace("\x00", " ").strip()
    if not clean:
        raise QueryError("the text is empty; say in a few words what to look for.")
    if len(clean) > MAX_TEXT:
        raise QueryError(f"the text has {len(clean):,} characters; at most {MAX_TEXT:,} are read.")
    return clean


def checked_image(image: Path | str | bytes) -> bytes:
    """Check that a picture can be decoded safely, as far as its header says, and return its bytes.

    Raises: QueryError when it is missing, not an image, or has more pixels than are read.
    """
    data = image if isinstance(image, bytes) else _read(Path(image))
    what = "the picture" if isinstance(image, bytes) else f"'{image}'"
    try:
        pixels = pixel_count(data)
    except OSError:
        raise QueryError(f"{what} is not an image that can be read ({', '.join(FORMATS)}).") from None
    if pixels > PIXELS.value():
        raise QueryError(f"{what} has {PIXELS.refuse(pixels)}.")
    return data


def checked_k(k: object, most: int | None = None) -> int:
    """Parse the number of hits.

    Raises: QueryError when it is not a whole number from 1 to ``most``.

    Example:
        >>> checked_k("10", 100)
        10
    """
    limit = "at least 1" if most is None else f"from 1 to {most}"
    if isinstance(k, str) and len(k) <= 20 and re.fullmatch(r"\s*-?[0-9]+\s*", k):
        k = int(k)
    if not isinstance(k, int) or isinstance(k, bool) or k < 1 or (most is not None and k > most):
        shown = repr(k) if len(repr(k)) <= 40 else repr(k)[:40] + "…"
        raise QueryError(f"k, the number of hits, must be a whole number, {limit}. Got {shown}.")
    return k


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise QueryError(f"'{file}' cannot be read ({error.strerror or error}).") from None
