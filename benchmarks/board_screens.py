"""What a reader of a board sees first: how much of it, on which screen, in headless Chromium.

    python benchmarks/board_screens.py [NAME …] [--board leaderboard] [--form html] [--pictures FOLDER]

Each board is shown as Markdown, much as GitHub shows it, and as HTML, in a column of 1012 pixels and on a phone of 390.
The bars: the first screen holds the answer ("At a glance"), the plot, and the score of the best five rows, in the table
or in the plot; no table is wider than a column of 1012 pixels, and on a phone the score is seen without scrolling
sideways; what is not folded takes at most five screens. Exits with 1 when a bar fails.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from vsebench.leaderboard.page import Page, unmarked
from vsebench.leaderboard.pages import board_page
from vsebench.leaderboard.render import board_of, snapshots_of
from vsebench.leaderboard.renderers.html import page as html_page
from vsebench.leaderboard.renderers.markdown import page_text

#: Width and height of what a reader sees at once, and the empty space around a Markdown page.
PHONE = 390
VIEWS = {1012: (900, 0), PHONE: (844, 16)}
FORMS = ("markdown", "html")
#: The bars.
ROWS, SCREENS = 5, 5.0
STYLE = """
:root { color-scheme: light dark } body { margin: 0; background: light-dark(#fff, #0d1117) }
article { font: 16px/1.5 -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif;
  overflow-wrap: break-word; color: light-dark(#1f2328, #f0f6fc) }
article::after { content: ""; display: table; clear: both }
p, ul, table, details { margin: 0 0 16px } h1, h2 { line-height: 1.25; border-bottom: 1px solid #8886 }
h1, h2, h3 { margin: 24px 0 16px; font-weight: 600 } article > :first-child { margin-top: 0 }
h1 { font-size: 2em; padding-bottom: .3em } h2 { font-size: 1.5em; padding-bottom: .3em } ul { padding-left: 2em }
table { display: block; width: max-content; max-width: 100%; overflow: auto; border-collapse: collapse }
th, td { padding: 6px 13px; border: 1px solid #8886 } img { max-width: 100%; box-sizing: content-box }
img[align=right] { padding-left: 20px } code { font: 85% ui-monospace, Menlo, monospace; padding: .2em .4em }
a { color: light-dark(#0969da, #4493f8) }
"""
#: Where answer, first plot and the score of each row end, whether a score is hidden, tables wider than their column.
SEEN = """([titles, rows]) => {
  const shown = e => e.checkVisibility && e.checkVisibility() && e.getClientRects().length > 0;
  const bottom = e => e ? e.getBoundingClientRect().bottom + scrollY : Infinity;
  const answer = [...document.querySelectorAll('p')].find(p => p.textContent.startsWith('At a glance'));
  const picture = document.querySelector('article img, main figure img');
  const tables = [...document.querySelectorAll('table')].filter(shown);
  const table = tables[0], heads = table ? [...table.querySelectorAll('thead th')] : [];
  const text = e => e.textContent.replace(/[↕↑↓]/g, '').trim();
  const at = heads.findIndex(th => text(th) === titles.score);
  const lines = table ? [...table.querySelectorAll('tbody > tr')].slice(0, rows) : [];
  const right = Math.min(innerWidth, document.documentElement.clientWidth);
  const cells = lines.map(tr => tr.children[at]);
  const hidden = cells.some(e => !e || !shown(e) || e.getBoundingClientRect().right > right + 1);
  const ends = cells.map(e => hidden ? Infinity : bottom(e));
  const wide = tables.map(t => t.closest('.region, .wide') || t).filter(t => t.scrollWidth > t.clientWidth + 1);
  return {answer: bottom(answer), picture: bottom(picture), ends, hidden: hidden ? 1 : 0,
          wide: wide.map(t => t.scrollWidth), height: document.documentElement.scrollHeight,
          across: document.documentElement.scrollWidth - innerWidth};
}"""


@dataclass(frozen=True)
class Seen:
    """What is seen of one board in one form and width.

    Args:
        screens: height of what is not folded.
        answer, plot: whether the first screen holds them.
        scores: of the best rows, how many the first screen holds; ``rows``: how many it should.
        hidden: whether a score is seen only by scrolling sideways.
        wide: width of each table that is wider than its column, and of a page that is.
    """

    name: str
    form: str
    width: int
    screens: float
    answer: bool
    plot: bool
    scores: int
    rows: int
    hidden: bool
    wide: Sequence[int]

    def failures(self) -> list[str]:
        """Return the bars that fail."""
        checks = {
            "no answer on the first screen": self.answer,
            "no plot on the first screen": self.plot,
            f"{self.scores} of {self.rows} scores on the first screen": self.scores >= self.rows,
            "scores hidden to the right": not self.hidden,
            f"wider than the column: {', '.join(map(str, self.wide))} px": not self.wide,
            f"{self.screens:.1f} screens": self.screens <= SCREENS,
        }
        return [message for message, holds in checks.items() if not holds]


def github(text: str, pad: int) -> str:
    """Return Markdown as a page, much as GitHub shows it."""
    body = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
    head = '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return f'{head}<style>{STYLE} article {{ padding: {pad}px }}</style><article class="markdown-body">{body}</article>'


def measure(browser: Any, page: Page, folder: Path, form: str, picture: Path | None = None) -> Iterator[Seen]:
    """Yield what is seen of a page at each width.

    Args:
        browser: of Playwright.
        page: of the board.
        folder: where it lies as ``WIDTH.html``, beside the folder of its plots.
        form: how it was written.
        picture: folder for pictures of the first screens; None draws none.
    """
    first = next(iter(page.tables()), None)
    score = next((i for i, c in enumerate(first.columns) if c.strong and c.group != "name"), None) if first else None
    rows = [] if first is None or score is None else [line.cells[score].text for line in first.lines[:ROWS]]
    title = unmarked(first.columns[score].title) if first and score is not None else ""
    figures = page.figures()
    drawn = (folder / figures[0].file).read_text(encoding="utf-8") if figures else ""
    for width, (height, _) in VIEWS.items():
        shown = browser.new_page(viewport={"width": width, "height": height})
        shown.goto((folder / f"{width}.html").as_uri())
        seen = shown.evaluate(SEEN, [{"score": title}, len(rows)])
        plot = seen["picture"] <= height
        numbers = [plot and f">{text.split(' ')[0]}</text>" in drawn for text in rows]
        scores = sum(end <= height or drawn_too for end, drawn_too in zip(seen["ends"], numbers, strict=True))
        if picture is not None:
            shown.screenshot(path=picture / f"{page.experiment}-{form}-{width}.png")
        shown.close()
        wide = [*(seen["wide"] if width > PHONE else []), *([width + seen["across"]] if seen["across"] > 0 else [])]
        hidden = bool(rows and seen["hidden"])
        yield Seen(page.experiment, form, width, seen["height"] / height, seen["answer"] <= height, plot, scores,
                   len(rows), hidden, wide)  # fmt: skip


def seen_of(
    browser: Any, board: Path, names: Sequence[str], forms: Sequence[str] = FORMS, picture: Path | None = None
) -> Iterator[Seen]:
    """Yield what is seen of some boards of a folder, of all without names."""
    for snapshot in snapshots_of(board, names):
        content = board_of(snapshot, board)
        page = board_page(content)
        for form in forms:
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "plots").symlink_to((board / "plots").resolve())
                for width, (_, pad) in VIEWS.items():
                    text = github(page_text(page), pad) if form == "markdown" else html_page(content, folder=board)
                    (Path(folder) / f"{width}.html").write_text(text, encoding="utf-8")
                yield from measure(browser, page, Path(folder), form, picture)


def main() -> int:
    """Measure, print, and return whether a bar fails."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--board", type=Path, default=Path("leaderboard"))
    parser.add_argument("--form", action="append", choices=FORMS)
    parser.add_argument("--pictures", type=Path)
    requested = parser.parse_args()
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        sys.exit("no chromium on this machine")
    failed = False
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for one in seen_of(browser, requested.board, requested.names, requested.form or FORMS, requested.pictures):
            failures = one.failures()
            failed = failed or bool(failures)
            print(
                f"{one.name:18} {one.form:8} {one.width:5} px {one.screens:5.1f} screens  {'; '.join(failures) or 'ok'}"
            )
        browser.close()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
