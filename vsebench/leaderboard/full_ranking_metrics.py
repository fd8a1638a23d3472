"""What a board shows of metrics of the whole list: MAP, nDCG, precision and recall of sets and balls, where asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_TITLES = {
    "map": "MAP",
    "hamming_map": "Hamming MAP",
    "ndcg": "nDCG",
    "cross_precision": "P",
    "set_recall": "set recall",
    "hamming_lookup": "lookup",
}
_ARROWS = {"i2t": "i→t", "t2i": "t→i"}
_PARTS = {"precision": "P", "recall": "R", "f1": "F1"}
_KEY = re.compile(
    rf"^test/(?P<way>i2t|t2i)/(?P<name>{'|'.join(_TITLES)})(?P<rest>(@(?P<k>\d+|r))?(:\w+)?)"
    rf"(/(?P<part>{'|'.join(_PARTS)}))?$"
)
#: Of a metric of several parts, the one that has a column of a table.
_SHOWN = (None, "f1")


def columns_of(keys: Iterable[str]) -> list[tuple[str, str]]:
    """(title, key) of a column each, first one direction's, then the other's.

    Example:
        >>> columns_of(["test/t2i/map", "test/i2t/map@r", "test/i2t/recall@1"])
        [('i→t MAP@R', 'test/i2t/map@r'), ('t→i MAP', 'test/t2i/map')]
    """
    results = {key: match for key in keys if (match := _KEY.match(key)) and match["part"] in _SHOWN}
    return [(title_of(key), key) for key in sorted(results, key=lambda key: _order(results[key]))]


def title_of(key: str) -> str:
    """Return the column title of a number; the key itself for other numbers.

    Example:
        >>> title_of("test/i2t/hamming_lookup@2/f1"), title_of("test/rsum")
        ('i→t lookup@2 F1', 'test/rsum')
    """
    match = _KEY.match(key)
    return key if match is None else f"{_ARROWS[match['way']]} {_title(match)}"


def chances_of(metrics: Mapping[str, float], way: str) -> list[str]:
    """Return the metrics of a random order in a direction: ``MAP 1.2``, in percent."""
    results = [(title.split(" ", 1)[1], key) for title, key in columns_of(metrics) if key.startswith(f"test/{way}/")]
    levels = [(title, metrics.get(key.replace(f"/{way}/", f"/{way}/chance/"))) for title, key in results]
    return [f"{title} {100 * level:.1f}" for title, level in levels if level is not None]


def skipped_of(metrics: Mapping[str, float], way: str) -> int:
    """How many queries of a direction have no relevant item, and are left out."""
    return int(max((v for k, v in metrics.items() if k.startswith(f"test/{way}/skipped/")), default=0))


def _order(match: re.Match[str]) -> tuple[str, int, float, str, str]:
    k = match["k"]
    length = float("inf") if k is None else 0.0 if k == "r" else float(k)
    return match["way"], list(_TITLES).index(match["name"]), length, match["rest"], match["part"] or ""


def _title(match: re.Match[str]) -> str:
    part = "" if match["part"] is None else f" {_PARTS[match['part']]}"
    return _TITLES[match["name"]] + match["rest"].replace("@r", "@R") + part
