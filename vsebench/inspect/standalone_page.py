"""HTML that stands alone: one file, no script, nothing loaded from elsewhere, light and dark."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence

STYLE = """
:root { color-scheme: light dark; --line: #d5d8dd; --muted: #5b6470; --card: #f6f7f9; --accent: #1f5fbf; }
:root { --good: #14804a; }
@media (prefers-color-scheme: dark) {
  :root { --line: #363b44; --muted: #a2abb8; --card: #1d2026; --accent: #8ab4f8; --good: #4ccb87; }
}
* { box-sizing: border-box; }
body { overflow-wrap: anywhere; }
body { font: 16px/1.45 system-ui, sans-serif; max-width: 80rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.25rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .75rem; }
.about, figcaption small { color: var(--muted); }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; overflow: hidden; }
figure img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: #fff; }
figcaption { padding: .5rem .65rem .65rem; font-size: .875rem; overflow-wrap: anywhere; }
""".strip()


#: Control characters, and those that turn the direction of what follows. Marks that scripts and emoji need stay.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def escape(text: str) -> str:
    """Text as HTML, in an element or in a quoted attribute.

    Example:
        >>> escape("<b>\\u202e'x'")
        '&lt;b&gt;&#x27;x&#x27;'
    """
    return html.escape(_UNSEEN.sub("", text))


def document(title: str, parts: Sequence[str], *, style: str = "") -> str:
    """Return a whole page as HTML.

    Args:
        title: of the window, as text.
        parts: of the body, as HTML.
        style: CSS beside what all pages share.
    """
    head = [
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">",
        f"<title>{escape(title)}</title>\n<style>\n{STYLE}\n{style}\n</style>",
    ]
    return "\n".join([*head, *parts, "</html>", ""])


def jpeg_uri(data: bytes) -> str:
    """Return a JPEG as an image element inside the page.

    Example:
        >>> jpeg_uri(b"abc")
        'data:image/jpeg;base64,YWJj'
    """
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
