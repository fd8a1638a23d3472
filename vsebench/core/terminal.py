"""Text from anywhere on a terminal: no control codes, no text that runs backwards."""

from __future__ import annotations

import re
import sys
import unicodedata

_ENDS = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
#: Of a line that a file brought; the rest of it is left out.
LONGEST = 2_000


def harmless(text: str) -> str:
    """Text without control codes, format characters (bidirectional ones among them) and halves of surrogate pairs.

    Ends of lines become line feeds; those and tabs stay. A line of more than ``LONGEST`` characters is cut.

    Example:
        >>> harmless("a\\x1b[31mb\\nc\\u202ed")
        'a[31mb\\ncd'
    """
    text = _ENDS.sub("\n", str(text))
    cleaned = "".join(c for c in text if c in "\n\t" or unicodedata.category(c)[0] != "C")
    return "\n".join(line if len(line) <= LONGEST else line[: LONGEST - 1] + "…" for line in cleaned.split("\n"))


def say(text: str, *, error: bool = False, lines: bool = False) -> None:
    """Print what may hold text of others, at once.

    Args:
        text: what is printed.
        error: to standard error.
        lines: it is of several lines. Else it stays one: a name with a line feed could say what the program did not.
    """
    text = harmless(text)
    print(text if lines else text.replace("\n", " "), file=sys.stderr if error else sys.stdout, flush=True)


def on_one_line(text: str) -> str:
    """Format a text on one line, for a cell or the name of a row.

    Example:
        >>> on_one_line("a\\nb\\tc")
        'a b c'
    """
    return harmless(" ".join(str(text).split()))
