"""The HTML page in a real browser: what a reader can do with it, how it looks, accessibility, speed.

One browser, and one page of each board: a test begins with the page as it opens.
"""

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
NAMES = [f"Row {i}" for i in range(6)]


class Opened:
    """A page in a browser, with what went wrong and what it asked for."""

    def __init__(self, result: Any, file: Path) -> None:
        self.address = file.as_uri()
        self.page = result.new_page()
        self.faults: list[str] = []
        self.requested: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.on("dialog", lambda dialog: (self.faults.append("dialog"), dialog.dismiss()))
        self.page.on("request", lambda request: self.requested.append(request.url))
        self.open()

    def open(self, state: str = "") -> None:
        """Load it anew."""
        self.page.goto("about:blank")
        self.page.goto(self.address + state)

    def names(self) -> list[str]:
        """Of the rows, as they stand."""
        result: list[str] = self.page.eval_on_selector_all(
            "#table-0 tbody tr:not(.opened) button.open > span:nth-child(2)", "nodes => nodes.map(n => n.textContent)"
        )
        return result

    def state(self) -> str:
        """Return what stands in the address, once it has been written."""
        self.page.wait_for_timeout(200)
        result: str = self.page.evaluate("decodeURIComponent(location.hash)")
        return result

    def menu(self, title: str) -> Any:
        """Fold out one of the first table's menus."""
        self.page.locator("#tools-0 details.menu > summary", has_text=title).click()
        return self.page.locator("#tools-0 details.menu[open] .list")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as result:
        context = result.new_context(viewport={"width": 1280, "height": 900})
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        yield context


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("html")
    snapshot = board()
    write_runs(folder / "runs", snapshot)
    (folder / "demo.html").write_text(page(BoardData(snapshot), runs=folder / "runs"), encoding="utf-8")
    return folder / "demo.html"


@pytest.fixture(scope="module")
def opened(chromium: Any, file: Path) -> Opened:
    return Opened(chromium, file)


@pytest.fixture
def shown(opened: Opened) -> Iterator[Opened]:
    opened.page.set_viewport_size({"width": 1280, "height": 900})
    opened.open()
    yield opened
    assert opened.faults == []


def test_sort(shown: Opened) -> None:
    assert shown.names() == NAMES
    head = shown.page.get_by_role("region", name="Systems").get_by_role("columnheader", name="Test accuracy %")
    head.get_by_role("button").click()
    assert (shown.names(), head.get_attribute("aria-sort")) == (NAMES, "descending")
    head.get_by_role("button").press("Enter")
    assert (shown.names(), head.get_attribute("aria-sort")) == (NAMES[::-1], "ascending")
    assert "sorted by Test accuracy %, lowest first" in shown.page.inner_text("#status-0")
    shown.page.get_by_role("columnheader", name="System").get_by_role("button").press("Space")
    assert shown.names() == NAMES
    assert head.get_attribute("aria-sort") is None


def test_filter(shown: Opened) -> None:
    shown.menu("Components")
    shown.page.get_by_label("Filter by Fusion").select_option(label="gated")
    assert shown.names() == ["Row 1", "Row 3", "Row 5"]
    assert "3 of 6 rows" in shown.page.inner_text("#status-0")
    search = shown.page.get_by_label("Filter rows by text")
    search.fill("row 3")
    assert shown.names() == ["Row 3"]
    shown.page.get_by_role("button", name="Clear").click()
    assert shown.names() == NAMES
    search.fill("0000000000050001")
    assert shown.names() == ["Row 5"]  # by a run's id
    search.fill("nothing like it")
    assert shown.names() == []
    assert "No row" in shown.page.inner_text("#table-0")


def test_settings_are_searched(shown: Opened) -> None:
    search = shown.page.get_by_label("Filter rows by text")
    search.fill("label_smoothing")
    assert shown.names() == NAMES, "all rows have it"
    search.fill("image_encoder=vit")
    assert shown.names() == ["Row 1", "Row 4"]
    search.fill("64")
    assert shown.names() == [], "a number alone is no setting"


def test_numbers_are_filtered(shown: Opened) -> None:
    shown.menu("Numbers")
    shown.page.get_by_label("Test accuracy %, at least").fill("76")
    assert shown.names() == ["Row 0", "Row 1", "Row 2"]
    shown.page.get_by_label("Parameters, at most").fill("1000001")
    assert shown.names() == ["Row 0", "Row 1"]
    shown.page.get_by_role("button", name="Clear").click()
    assert shown.names() == NAMES


def test_rows_are_grouped(shown: Opened) -> None:
    shown.page.get_by_label("Group by").select_option(label="Group by: Fusion")
    assert shown.names() == ["Row 0", "Row 2", "Row 4", "Row 1", "Row 3", "Row 5"]
    heads = shown.page.locator("#table-0 tr.group")
    assert heads.all_inner_texts() == [
        "Fusion: concat · 3 rows · Test accuracy %: best 90.1, mean 76.8",
        "Fusion: gated · 3 rows · Test accuracy %: best 83.4, mean 70.1",
    ]


def test_columns(shown: Opened) -> None:
    head = shown.page.locator("#table-0 thead th", has_text="R@1").first
    assert not head.is_visible()
    button = shown.page.get_by_role("button", name="Retrieval")
    button.click()
    assert head.is_visible()
    assert button.get_attribute("aria-pressed") == "true"
    shown.menu("Columns")
    shown.page.get_by_role("checkbox", name="Train s").uncheck()
    assert not shown.page.locator("#table-0 thead th", has_text="Train s").is_visible()


def test_the_address_keeps_what_was_chosen(shown: Opened) -> None:
    shown.page.get_by_label("Filter rows by text").fill("row")
    shown.menu("Components")
    shown.page.get_by_label("Filter by Fusion").select_option(label="gated")
    shown.menu("Numbers")
    shown.page.get_by_label("Test accuracy %, at most").fill("80")
    shown.page.get_by_label("Group by").select_option(label="Group by: Image encoder")
    shown.page.keyboard.press("Escape")
    shown.page.locator("#table-0 thead button", has_text="Parameters").click()
    shown.page.get_by_role("button", name="Cost").click()
    shown.page.locator("#row-row-5 button.open").click()
    state = shown.state()
    assert state == (
        "#0.search=row&0.is.Fusion=gated&0.to.test/accuracy=80&0.by=Image+encoder&0.sort=parameters.total&"
        "0.hide=parameters.total&0.hide=train_s&open=row-row-5"
    )
    names = shown.names()
    shown.open(state)
    assert shown.names() == names == ["Row 3", "Row 5"]
    assert shown.state() == state, "what was read is written again"
    assert shown.page.locator("#row-row-5 button.open").get_attribute("aria-expanded") == "true"
    shown.page.evaluate("location.hash = ''")
    assert (shown.names(), shown.state()) == (NAMES, "")
    shown.open("#0.sort=nothing&0.is.Fusion=other&0.from.test/accuracy=x&%")
    assert shown.names() == NAMES, "what an address of another board says is passed over"


def test_an_address_opens_its_row(shown: Opened) -> None:
    shown.open("#row-row-4")
    assert shown.page.locator("#row-row-4 button.open").get_attribute("aria-expanded") == "true"
    assert shown.state() == "#row-row-4"


def test_copy(shown: Opened) -> None:
    def copied(form: str) -> list[str]:
        shown.menu("Copy").get_by_role("button", name=form, exact=True).click()
        shown.page.locator("#status-0", has_text=f"1 row copied as {form}.").wait_for()
        result: str = shown.page.evaluate("navigator.clipboard.readText()")
        return result.splitlines()

    shown.page.get_by_label("Filter rows by text").fill("row 1")
    assert copied("CSV") == ["System,test/accuracy,parameters.total,train_s", "Row 1,0.834333,1000001,4"]
    assert copied("Markdown") == [
        "| System | Test accuracy % | Parameters | Train s |",
        "| --- | --: | --: | --: |",
        "| Row 1 | 83.4 ± 1.3 | 1 M | 4 |",
    ]
    assert copied("LaTeX")[2:5] == [
        r"System & Test accuracy \% & Parameters & Train s \\",
        r"\hline",
        r"Row 1 & 83.4 $\pm$ 1.3 & 1 M & 4 \\",
    ]


def test_two_rows_are_compared(shown: Opened) -> None:
    for number in (1, 2, 4):
        shown.page.locator(f"#row-row-{number} button.pin").click()
    unpin = shown.page.locator("#pins button.quiet")
    assert unpin.all_text_contents() == ["Row 2 ✕: unpin", "Row 4 ✕: unpin"]
    shown.page.get_by_role("button", name="Compare", exact=True).click()
    box = shown.page.get_by_role("dialog")
    lines = [
        line.split("\t") for line in box.get_by_role("region", name="Numbers of both rows").inner_text().splitlines()
    ]
    assert ["Number", "A: Row 2", "B: Row 4", "A − B"] in lines
    assert ["Test accuracy %", "76.8 ± 1.3", "63.4 ± 1.3", "+13.3"] in lines
    settings = box.get_by_role("region", name="Settings that differ").inner_text()
    assert "image_encoder\tfeatures\tvit" in settings
    assert "fusion\t" not in settings, "both have the same"
    assert box.locator(".confusion").count() == 2
    state = shown.state()
    assert state == "#pin=row-row-2,row-row-4&compare=1"
    shown.open(state)
    assert box.is_visible()
    box.get_by_role("button", name="Close").click()
    unpin.first.click()
    assert shown.state() == "#pin=row-row-4"
    assert "pin another row" in shown.page.inner_text("#pins")


def test_any_number_against_any(shown: Opened) -> None:
    plot = shown.page.locator("details.scatter").first
    plot.locator("summary").click()
    for label, choice in (("x", "Train s"), ("y", "i→t R@5"), ("colour", "Fusion")):
        plot.get_by_label(label, exact=True).select_option(label=choice)
    assert plot.locator("svg[role=img]").get_attribute("aria-label") == "i→t R@5 against Train s of 6 rows"
    assert plot.locator("figcaption").inner_text().split() == ["concat", "gated"]
    shown.page.get_by_label("Filter rows by text").fill("row 3")
    assert plot.locator("svg[role=img] title").all_text_contents() == ["Row 3: Train s 6, i→t R@5 17.5 ± 0.3"]
    assert shown.state() == "#0.search=row+3&0.x=train_s&0.y=test/i2t/recall@5&0.colour=Fusion"
    plot.locator("svg[role=img] circle").click()
    assert shown.page.locator("#row-row-3 button.open").get_attribute("aria-expanded") == "true"
    shown.open("#0.x=train_s&0.y=test/i2t/recall@5&0.log=x")
    assert plot.locator("svg[role=img] circle").count() == 6


def test_a_row_opens_by_keyboard(shown: Opened) -> None:
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


def test_the_contents_open_a_section(shown: Opened) -> None:
    titles = shown.page.locator("nav.contents a").all_inner_texts()
    assert titles == [one.strip() for one in shown.page.locator("main h2").all_text_contents()]
    section = shown.page.locator("details.fold").last
    assert section.get_attribute("open") is None
    shown.page.locator("nav.contents a").last.click()
    assert section.get_attribute("open") is not None
    assert section.locator("h2").is_visible()


def test_colours(shown: Opened) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    shown.page.emulate_media(color_scheme="dark")
    assert shown.page.evaluate(colour) == "rgb(18, 20, 24)"
    shown.page.emulate_media(color_scheme="light")
    assert shown.page.evaluate(colour) == "rgb(255, 255, 255)"
    button = shown.page.get_by_role("button", name="Dark colours")
    assert button.get_attribute("aria-pressed") == "false"
    button.click()
    assert shown.page.evaluate(colour) == "rgb(18, 20, 24)"
    assert button.get_attribute("aria-pressed") == "true"
    shown.page.evaluate("localStorage.clear()")


def test_on_a_phone(shown: Opened) -> None:
    shown.page.set_viewport_size({"width": 375, "height": 800})
    shown.open()
    shown.page.locator("button.open").first.click()
    shown.menu("Numbers")
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 375
    region = shown.page.locator("#region-0")
    assert region.get_attribute("tabindex") == "0"
    assert shown.page.evaluate("document.querySelector('#region-0').scrollWidth > 375")
    region.evaluate("node => node.scrollLeft = 300")
    first = shown.page.locator("#row-row-2 th").bounding_box()
    assert first is not None
    assert 0 <= first["x"] < 40  # the first column stays


def test_nothing_is_fetched(shown: Opened) -> None:
    shown.page.locator("button.open").first.click()
    assert {url.split(":")[0] for url in shown.requested} <= {"file", "data", "about"}
    assert {url.split("#")[0] for url in shown.requested if url.startswith("file")} == {shown.address}


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("dark", 375)])
def test_accessibility(shown: Opened, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe: accessibility is not tested")
    shown.page.emulate_media(color_scheme=scheme)
    shown.page.set_viewport_size({"width": width, "height": 900})
    shown.open("#0.by=Fusion&0.sort=-test/accuracy&open=row-row-1")
    shown.page.evaluate("for (const one of document.querySelectorAll('details.fold')) one.open = true")
    shown.menu("Numbers")
    axe_finds_nothing(axe, shown)
    shown.open("#0.x=train_s&0.y=test/accuracy&pin=row-row-1,row-row-2&compare=1")
    axe_finds_nothing(axe, shown)
    shown.page.emulate_media(color_scheme="light")


def axe_finds_nothing(axe: Any, shown: Opened) -> None:
    result = axe.Axe().run(shown.page).response
    assert [(v["id"], v["nodes"][0]["html"]) for v in result["violations"]] == []
    assert len(result["passes"]) > 10


def test_what_is_not_there_is_said(chromium: Any, tmp_path: Path) -> None:
    (tmp_path / "x.html").write_text(page(BoardData(board()), runs=tmp_path / "none"), encoding="utf-8")
    shown = Opened(chromium, tmp_path / "x.html")
    shown.page.locator("button.open").first.click()
    assert "missing here" in shown.page.inner_text(".detail")
    assert shown.page.locator(".chart").count() == 0
    shown.page.close()


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
    shown.page.close()


def test_without_javascript(chromium: Any, file: Path) -> None:
    context = chromium.browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(file.as_uri())
    assert plain.locator("#table-0 tbody tr").count() == 6
    assert "Row 3" in plain.inner_text("#table-0")
    assert "R@1" in plain.inner_text("#table-0 thead")  # no column is hidden from who cannot show it
    assert not plain.locator("#theme").is_visible()
    context.close()


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
    typing = "const s = document.querySelector('#search-0'); s.value = '%s'; s.dispatchEvent(new Event('input'))"
    assert shown.page.evaluate(timed % (typing % "label_smoothing")) < LOADED_MS / 2
    assert shown.page.evaluate(timed % (typing % "row 1999")) < LOADED_MS / 2
    assert shown.names() == ["Row 1999"]
    shown.page.get_by_role("button", name="Clear").click()
    shown.page.locator("#region-0").evaluate("node => node.scrollTop = node.scrollHeight")
    shown.page.wait_for_timeout(100)
    assert len(shown.names()) == 400  # more come as one scrolls
    shown.page.get_by_role("button", name="Show all").click()
    assert len(shown.names()) == 2_000
    assert shown.faults == []
    shown.page.close()


def test_json_in_a_page() -> None:
    message = as_json({"a": "</script><!-- \u2028 & é"})
    assert not re.search("[<>&\u2028]", message)
    with pytest.raises(ValueError, match="JSON"):
        as_json(float("nan"))
