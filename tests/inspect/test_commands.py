"""``vsebench gallery`` and ``vsebench explain`` as a user types them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands import vsebench
from PIL import Image

from vsebench.runs.load import LoadedRun

pytestmark = pytest.mark.slow


def test_pages_and_a_picture(run_of: Callable[[str], LoadedRun], tmp_path: Path) -> None:
    run = run_of("t2i")
    runs = run.folder.parent.parent
    made = vsebench("gallery", "looks/t2i", "--runs", runs, "--queries", "2", "-k", "3", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "wrote gallery.html" in made.stdout
    page = (tmp_path / "gallery.html").read_text()
    assert page.count('<article class="query">') == 12
    item = run.open_dataset().ids[0]
    for out in ("page.html", "heat.png"):
        done = vsebench("explain", run.folder, "--id", item, "--out", tmp_path / "new" / out, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert f"wrote {tmp_path / 'new' / out}" in done.stdout
    assert "SCAN: where each word looks" in (tmp_path / "new" / "page.html").read_text()
    with Image.open(tmp_path / "new" / "heat.png") as sheet:
        assert (sheet.size[0] - 10) % 154 == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["gallery", "looks/t2j"], "no finished run of a row 't2j'. Did you mean 't2i'?"),
        (["gallery", "looks/t2i", "--queries", "0"], "--queries must be from 1 to 200. Got 0."),
        (["explain", "looks/t2i", "--id", "item-470"], "has no item 'item-470'. Near: 'item-47'"),
        (["explain", "looks/t2i", "--id", "item-4", "--out", "a.gif"], "--out 'a.gif' must end in .html or .png."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_message(
    run_of: Callable[[str], LoadedRun], tmp_path: Path, arguments: list[str], text: str
) -> None:
    runs = run_of("t2i").folder.parent.parent
    done = vsebench(*arguments, "--runs", runs, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert text in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert not any(tmp_path.iterdir())
