"""HTML that stands alone: one file, no script, nothing loaded from elsewhere, light and dark."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from importlib.resources import files

#: Colours of all pages, light and dark; boards' too.
COLOURS = files("vsebench.inspect").joinpath("colours.css").read_text(encoding="utf-8")
STYLE = """
* { box-sizing: border-box; }
body { overflow-wrap: anywhere; margin: 0; background: var(--page); color: var(--text); }
body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 80rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
h1 { font-size: clamp(1.35rem, 1rem + 1.6vw, 1.9rem); line-height: 1.2; margin: 0 0 .25rem; text-wrap: balance; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .7rem; }
.about, figcaption small { color: var(--muted); }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; overflow: hidden; }
figure img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--mat); }
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
        f"<title>{escape(title)}</title>\n<style>\n{COLOURS}{STYLE}\n{style}\n</style>",
    ]
    return "\n".join([*head, "<main>", *parts, "</main>", "</html>", ""])


def jpeg_uri(data: bytes) -> str:
    """Return a JPEG as an image element inside the page.

    Example:
        >>> jpeg_uri(b"abc")
        'data:image/jpeg;base64,YWJj'
    """
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
