"""The HTML page in a real browser: sorting, filtering, opening by keyboard, colours, width, accessibility, speed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from html_boards import HOSTILE, board, browser, data, write_runs

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.renderers.html import as_json, page

#: A quiet machine needs a third of a second; this leaves room for a loaded one.
LOADED_MS = 5_000


class Opened:
    """A page in a browser, with what went wrong and what it asked for."""

    def __init__(self, result: Any, file: Path, **options: Any) -> None:
        self.page = result.new_page(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.faults: list[str] = []
        self.requested: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.on("dialog", lambda dialog: (self.faults.append("dialog"), dialog.dismiss()))
        self.page.on("request", lambda request: self.requested.append(request.url))
        self.page.goto(file.as_uri())

    def names(self) -> list[str]:
        """Of the rows, as they stand."""
        result: list[str] = self.page.eval_on_selector_all(
            "#table-0 tbody tr:not(.opened) button.open > span:nth-child(2)", "nodes => nodes.map(n => n.textContent)"
        )
        return result


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as arrays:
        yield arrays


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("html")
    snapshot = board()
    write_runs(folder / "runs", snapshot)
    (folder / "demo.html").write_text(page(BoardData(snapshot), runs=folder / "runs"), encoding="utf-8")
    return folder / "demo.html"


def test_sort(chromium: Any, file: Path) -> None:
    shown = Opened(chromium, file)
    names = [f"Row {i}" for i in range(6)]
    assert shown.names() == names
    head = shown.page.get_by_role("region", name="Systems").get_by_role("columnheader", name="Test accuracy %")
    head.get_by_role("button").click()
    assert (shown.names(), head.get_attribute("aria-sort")) == (names, "descending")
    head.get_by_role("button").press("Enter")
    assert (shown.names(), head.get_attribute("aria-sort")) == (names[::-1], "ascending")
    assert "sorted by Test accuracy %, lowest first" in shown.page.inner_text("#status-0")
    shown.page.get_by_role("columnheader", name="System").get_by_role("button").press("Space")
    assert shown.names() == names
    assert head.get_attribute("aria-sort") is None
    assert shown.faults == []


def test_filter(chromium: Any, file: Path) -> None:
    shown = Opened(chromium, file)
    shown.page.get_by_label("Filter by Fusion").select_option(label="gated")
    assert shown.names() == ["Row 1", "Row 3", "Row 5"]
    assert "3 of 6 rows" in shown.page.inner_text("#status-0")
    shown.page.get_by_label("Filter rows by text").fill("row 3")
    assert shown.names() == ["Row 3"]
    shown.page.get_by_label("Filter by Fusion").select_option(index=0)
    shown.page.get_by_label("Filter rows by text").fill("0000000000050001")
    assert shown.names() == ["Row 5"]  # by a run's id
    shown.page.get_by_label("Filter rows by text").fill("nothing like it")
    assert shown.names() == []
    assert "No row" in shown.page.inner_text("#table-0")
    shown.page.get_by_role("button", name="Clear").click()
    assert len(shown.names()) == 6
    assert shown.faults == []


def test_columns(chromium: Any, file: Path) -> None:
    shown = Opened(chromium, file)
    head = shown.page.locator("#table-0 thead th", has_text="R@1").first
    assert not head.is_visible()
    button = shown.page.get_by_role("button", name="Retrieval")
    button.click()
    assert head.is_visible()
    assert button.get_attribute("aria-pressed") == "true"
    shown.page.locator("details.menu summary").click()
    shown.page.get_by_role("checkbox", name="Train s").uncheck()
    assert not shown.page.locator("#table-0 thead th", has_text="Train s").is_visible()


def test_a_row_opens_by_keyboard(chromium: Any, file: Path) -> None:
    shown = Opened(chromium, file)
    button = shown.page.locator("#row-row-1 button.open")
    button.focus()
    shown.page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    text = shown.page.inner_text(f"#{button.get_attribute('aria-controls')}")
    for message in (
        "000000000001" + "0001",
        "2 of 3",
        "abc1234",
        "image_encoder",
        "vit",
        "Training curves",
        "taken for",
    ):
        assert message in text, message
    assert "dataset is missing here" not in text  # it has classes to show instead
    assert shown.page.locator(".confusion tbody tr").count() == 3
    assert shown.page.locator(".chart svg[role=img][aria-label]").count() >= 3
    shown.page.keyboard.press("Space")
    assert button.get_attribute("aria-expanded") == "false"
    assert shown.page.locator("tr.opened").count() == 0
    assert shown.faults == []


def test_an_address_opens_its_row(chromium: Any, file: Path) -> None:
    shown = Opened(chromium, file)
    shown.page.goto(f"{file.as_uri()}#row-row-4")
    shown.page.reload()
    assert shown.page.locator("#row-row-4 button.open").get_attribute("aria-expanded") == "true"


def test_the_contents_open_a_section(chromium: Any, file: Path) -> None:
    shown = Opened(chromium, file)
    titles = shown.page.locator("nav.contents a").all_inner_texts()
    assert titles == [one.strip() for one in shown.page.locator("main h2").all_text_contents()]
    section = shown.page.locator("details.fold").last
    assert section.get_attribute("open") is None
    shown.page.locator("nav.contents a").last.click()
    assert section.get_attribute("open") is not None
    assert section.locator("h2").is_visible()


def test_what_is_not_there_is_said(chromium: Any, tmp_path: Path) -> None:
    (tmp_path / "x.html").write_text(page(BoardData(board()), runs=tmp_path / "none"), encoding="utf-8")
    shown = Opened(chromium, tmp_path / "x.html")
    shown.page.locator("button.open").first.click()
    assert "missing here" in shown.page.inner_text(".detail")
    assert shown.page.locator(".chart").count() == 0


def test_colours(chromium: Any, file: Path) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    light, dark = (Opened(chromium, file, color_scheme=scheme) for scheme in ("light", "dark"))
    assert light.page.evaluate(colour) == "rgb(255, 255, 255)"
    assert dark.page.evaluate(colour) == "rgb(18, 20, 24)"
    button = light.page.get_by_role("button", name="Dark colours")
    assert button.get_attribute("aria-pressed") == "false"
    button.click()
    assert light.page.evaluate(colour) == "rgb(18, 20, 24)"
    assert button.get_attribute("aria-pressed") == "true"


def test_on_a_phone(chromium: Any, file: Path) -> None:
    shown = Opened(chromium, file, viewport={"width": 375, "height": 800})
    shown.page.locator("button.open").first.click()
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 375
    region = shown.page.locator("#region-0")
    assert region.get_attribute("tabindex") == "0"
    assert shown.page.evaluate("document.querySelector('#region-0').scrollWidth > 375")
    region.evaluate("node => node.scrollLeft = 300")
    first = shown.page.locator("#row-row-2 th").bounding_box()
    assert first is not None
    assert 0 <= first["x"] < 40  # the first column stays
    assert shown.faults == []


def test_nothing_is_fetched(chromium: Any, file: Path) -> None:
    shown = Opened(chromium, file)
    shown.page.locator("button.open").first.click()
    assert {url.split(":")[0] for url in shown.requested} <= {"file", "data"}
    assert [url for url in shown.requested if url.startswith("file")] == [file.as_uri()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_accessibility(chromium: Any, file: Path, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe: accessibility is not tested")
    shown = Opened(chromium, file, color_scheme=scheme, viewport={"width": width, "height": 900})
    for step in ("as it opens", "a row opened", "sorted, columns listed"):
        if step == "a row opened":
            shown.page.locator("button.open").nth(1).click()
        if step == "sorted, columns listed":
            shown.page.locator("#table-0 thead button").nth(0).click()
            shown.page.locator("details.menu summary").click()
        result = axe.Axe().run(shown.page).response
        assert [(v["id"], v["nodes"][0]["html"]) for v in result["violations"]] == [], step
        assert len(result["passes"]) > 10


def test_hostile_text(chromium: Any, tmp_path: Path) -> None:
    snapshot = board(
        text=HOSTILE, title=HOSTILE, dataset=data(HOSTILE), board={"description": HOSTILE, "protocol": [HOSTILE]}
    )
    write_runs(tmp_path / "runs", snapshot)
    (tmp_path / "x.html").write_text(page(BoardData(snapshot), runs=tmp_path / "runs"), encoding="utf-8")
    shown = Opened(chromium, tmp_path / "x.html")
    shown.page.locator("button.open").first.click()
    shown.page.get_by_label("Filter rows by text").fill("onerror")
    assert len(shown.names()) == 6
    assert "onerror=alert(1)" in shown.names()[0]
    assert shown.page.locator("[onerror], img[src=x]").count() == 0
    assert shown.page.evaluate("[...document.links].filter(a => a.protocol === 'javascript:').length") == 0
    assert shown.page.locator("body script:not([type])").count() == 1
    assert shown.faults == []


def test_without_javascript(chromium: Any, file: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(file.as_uri())
    assert plain.locator("#table-0 tbody tr").count() == 6
    assert "Row 3" in plain.inner_text("#table-0")
    assert "R@1" in plain.inner_text("#table-0 thead")  # no column is hidden from who cannot show it
    assert not plain.locator("#theme").is_visible()


def test_two_thousand_rows(chromium: Any, tmp_path: Path) -> None:
    (tmp_path / "x.html").write_text(page(BoardData(board(2_000, 1))), encoding="utf-8")
    shown = Opened(chromium, tmp_path / "x.html")
    assert shown.page.evaluate("performance.getEntriesByName('ready')[0].startTime") < LOADED_MS
    assert "2,000 rows, the first 200 shown" in shown.page.inner_text("#status-0")
    timed = (
        "(() => { const from = performance.now(); %s; document.body.offsetHeight; return performance.now() - from; })()"
    )
    sorting = "document.querySelectorAll('#table-0 thead button')[0].click()"
    assert shown.page.evaluate(timed % sorting) < LOADED_MS / 2
    typing = "const s = document.querySelector('#search-0'); s.value = 'row 1999'; s.dispatchEvent(new Event('input'))"
    assert shown.page.evaluate(timed % typing) < LOADED_MS / 2
    assert shown.names() == ["Row 1999"]
    shown.page.get_by_role("button", name="Clear").click()
    shown.page.locator("#region-0").evaluate("node => node.scrollTop = node.scrollHeight")
    shown.page.wait_for_timeout(100)
    assert len(shown.names()) == 400  # more come as one scrolls
    shown.page.get_by_role("button", name="Show all").click()
    assert len(shown.names()) == 2_000
    assert shown.faults == []


def test_json_in_a_page() -> None:
    message = as_json({"a": "</script><!-- \u2028 & é"})
    assert not re.search("[<>&\u2028]", message)
    with pytest.raises(ValueError, match="JSON"):
        as_json(float("nan"))
