"""Hostile texts on a terminal: no code reaches it, nothing is taken for markup, one text is one line."""

from __future__ import annotations

import ast
import io
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import rich.console
from hostile_strings import CONTROL, STRINGS
from PIL import Image
from planned import plan, record, run

import vsebench
from vsebench.cli import app as cli
from vsebench.cli import cache, data, search
from vsebench.cli.plan import print_plan
from vsebench.cli.progress import ProgressView
from vsebench.core.errors import DataError, Place
from vsebench.core.terminal import LONGEST, harmless, on_one_line, say
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter
from vsebench.engine import feature_cache
from vsebench.engine.feature_cache import Entry
from vsebench.retrieval.index_benchmark import sweep
from vsebench.retrieval.report import Answer
from vsebench.retrieval.searcher import Hit
from vsebench.runs.store import Store
from vsebench.sweeps.worker import Event

every = pytest.mark.parametrize("text", STRINGS.values(), ids=STRINGS)
#: What rich writes on a terminal without colours to move its cursor; texts may have none.
MOVES = re.compile(r"\x1b\[(\?25[lh]|2K|\d*A|1?G|0m|[1-9;]*m)|\r")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a rich console that takes itself for a terminal writes."""
    file = io.StringIO()
    console = rich.console.Console
    monkeypatch.setattr(
        rich.console,
        "Console",
        lambda **_: console(file=file, force_terminal=True, color_system=None, width=100_000, legacy_windows=False),
    )
    return file


def assert_shown(written: str, text: str) -> None:
    """The text stands there as it is, and no control code of its own."""
    plain = MOVES.sub("", written)
    assert not CONTROL.search(plain), CONTROL.search(plain)
    assert "".join(on_one_line(text).split())[:200] in "".join(plain.split())


@every
def test_what_is_said(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    say(text)
    say(text, error=True, lines=True)
    shown = capsys.readouterr()
    assert shown.out.count("\n") == 1
    for message in shown:
        assert not CONTROL.search(message)
        assert max(map(len, message.splitlines())) <= LONGEST
    assert "\n" not in on_one_line(text)
    assert harmless("a\n\tb é 红 …") == "a\n\tb é 红 …"


@every
def test_errors(text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(**_: Any) -> None:
        raise DataError(text, problems=[text], place=Place(text))

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit):
        cli.main()
    assert_shown(capsys.readouterr().err, text)


@every
def test_a_sweeps_progress(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = text.replace("\ud800", "")  # no file can hold it
    monkeypatch.setattr(Store, "run_folder", lambda self, run_id: tmp_path / str(abs(hash(run_id))))
    for is_terminal in (True, False):
        monkeypatch.setenv("TERM", "xterm" if is_terminal else "dumb")
        file = io.StringIO()
        console = rich.console.Console(file=file, force_terminal=True, width=50_000, color_system=None)
        view = ProgressView(Store(tmp_path, "e"), lambda: 2, lambda _: {}, console)
        first, second = run(text, 0), run(f"{text} 2", 0)
        view.plan(plan(first, second))
        try:
            tmp_path.joinpath(str(abs(hash(first.run_id)))).mkdir(exist_ok=True)
            record(tmp_path, first, value=0.75)
            view.event(Event("start", 0, first.run_id))
            view.event(Event("end", 0, first.run_id, text, "finished"))
            view.event(Event("progress", 1, second.run_id, text))
            assert len(capsys.readouterr().err.splitlines()) <= 2, "a line each"
            view.event(Event("crash", 1, second.run_id, text))
            if is_terminal:
                view.console.print(view.table())
        finally:
            view.close()
        written = capsys.readouterr()
        assert_shown(file.getvalue() if is_terminal else written.err, text)
        assert not CONTROL.search(written.out + written.err)


@every
def test_plans(text: str, tmp_path: Path, terminal: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    one = run(text, 0, "finished")
    sweep = SimpleNamespace(method="tpe", budget=1, seed=0, round=1)
    spec = SimpleNamespace(sweeps={"": sweep}, prune=SimpleNamespace(text=text))
    row = SimpleNamespace(name=text, path="", system=one.system)
    experiment: Any = SimpleNamespace(name=text, rows=[row], spec=spec, space=None)
    made: Any = SimpleNamespace(experiment=experiment, dataset={"title": text}, runs=[one], todo=[])
    print_plan(made, tmp_path, 1)
    assert_shown(terminal.getvalue(), text)
    message = capsys.readouterr().out
    assert_shown(message, text)


@every
def test_plans_of_indexes_and_the_cache(text: str, terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    row = SimpleNamespace(name=text, spec=SimpleNamespace(name="flat", options={text: text}))
    experiment: Any = SimpleNamespace(name=text, rows=[row], spec=SimpleNamespace(k=10))
    described = {"title": text, "splits": {"gallery": 1, "queries": 1}, "dim": 2}
    sweep._print_plan(experiment, [], SimpleNamespace(described=described))  # type: ignore[arg-type]
    assert_shown(terminal.getvalue(), text)
    monkeypatch.setattr(feature_cache, "entries", lambda: [Entry(text, text, text, text, 1, 1, 1, 0.0)])
    terminal.seek(0)
    terminal.truncate(0)
    cache.list_()
    assert_shown(terminal.getvalue(), text)


@every
def test_a_dataset(text: str, tmp_path: Path, terminal: io.StringIO) -> None:
    known = text.encode("utf-8", "replace").decode().replace("\x00", "")
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    with DatasetWriter(tmp_path / "a.h5", name="a", title=known, provenance={"notes": [known]}) as writer:
        for number, split in enumerate(("train", "val", "test")):
            writer.add(Item(f"{number} {known[:50]}", buffer.getvalue(), (known,), known, split=split))
    data.show(str(tmp_path / "a.h5"), tmp_path / "x.png", "train", 0)
    assert_shown(terminal.getvalue(), known)
    assert terminal.getvalue().count(on_one_line(known)[:50].strip()) >= 3, "title, note and label"


@every
def test_progress_bars(text: str, terminal: io.StringIO) -> None:
    bar = data._Bar(text)
    bar.update(1, 2)
    bar.close()
    assert_shown(terminal.getvalue(), text)


@every
def test_hits(text: str, terminal: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    answer = Answer(text, [Hit(1, text, 0.5, text, 0)])
    search._print([answer])
    assert_shown(terminal.getvalue(), text)
    columns = search._columns(answer.hits[0])
    assert not any(re.search("[\t\n]", column) for column in columns)


def test_hits_as_json_come_back_equal(capsys: pytest.CaptureFixture[str]) -> None:
    for text in STRINGS.values():
        message = search.json_of([Answer(text, [Hit(1, text, 0.5, text, 0)])])
        assert not CONTROL.search(message)
        assert json.loads(message)[0]["hits"][0]["caption"] == text


def test_commands_print_through_the_terminal_alone() -> None:
    """What has text of others goes through ``say``; only fixed words, and what the package says of itself, do not."""
    root = Path(vsebench.__file__).parent
    current = {"components.py", "doctor.py"}
    for file in [*(root / "cli").glob("*.py"), *(root / "retrieval" / "server").glob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                assert file.name in current or all(isinstance(a, ast.Constant) for a in node.args), (file, node.lineno)
