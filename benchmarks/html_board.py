"""How fast a board's HTML page opens, sorts and filters in headless Chromium.

    python benchmarks/html_board.py [--rows 2000] [--times 5]

The board is generated, with one seed a row. Printed are the page's size, the time that
writing it takes, and the medians of: from navigation to the first row painted; to the table answering; of sorting and
filtering all rows, until the page is laid out again.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

from html_boards import ARGUMENTS, board
from playwright.sync_api import sync_playwright

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.renderers.html import page

TIMED = "(() => { const from = performance.now(); %s; document.body.offsetHeight; return performance.now() - from; })()"
SORT = "document.querySelectorAll('#table-0 thead button')[3].click()"
FILTER = "const s = document.querySelector('#search-0'); s.value = '19'; s.dispatchEvent(new Event('input'))"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--times", type=int, default=5)
    requested = parser.parse_args()
    start = time.perf_counter()
    text = page(BoardData(board(requested.rows, 1)))
    print(f"{requested.rows:,} rows: {len(text.encode()) / 1e6:.1f} MB, written in {time.perf_counter() - start:.1f} s")
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        sys.exit("no chromium on this machine")
    result: dict[str, list[float]] = {"first row painted": [], "table answers": [], "sort": [], "filter": []}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        file = Path(folder) / "board.html"
        file.write_text(text, encoding="utf-8")
        browser = play.chromium.launch(executable_path=executable, args=ARGUMENTS)
        for _ in range(requested.times):
            shown = browser.new_page(viewport={"width": 1280, "height": 900})
            shown.goto(file.as_uri())
            painted = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
            result["first row painted"].append(shown.evaluate(painted))
            result["table answers"].append(shown.evaluate("performance.getEntriesByName('ready')[0].startTime"))
            result["sort"].append(shown.evaluate(TIMED % SORT))
            result["filter"].append(shown.evaluate(TIMED % FILTER))
            shown.close()
        browser.close()
    for name, times in result.items():
        print(f"{name}: {statistics.median(times):.0f} ms (largest of {requested.times}: {max(times):.0f})")


if __name__ == "__main__":
    main()
