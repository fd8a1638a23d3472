"""CSV and JSON lines as they come from spreadsheets and scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from vsebench.core.errors import DataError
from vsebench.data.table import read_table

SEPARATORS = "a\u2028b\x0bc\x0cd\x85e\x1cf"  # str.splitlines() cuts at each of them


def test_only_line_ends_end_a_line(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(f'x,y\r\n{SEPARATORS},1\r\n"two\nlines",2\r\nlast,3'.encode())
    table = read_table(tmp_path / "m.csv")
    assert [(r.number, r.cells) for r in table.rows] == [
        (2, {"x": SEPARATORS, "y": "1"}),
        (3, {"x": "two\nlines", "y": "2"}),
        (5, {"x": "last", "y": "3"}),
    ]
    (tmp_path / "m.jsonl").write_bytes('{"x": "a\u2028b\x85c"}\r\n\r\n{"x": 2, "y": 3}'.encode())
    table = read_table(tmp_path / "m.jsonl")
    assert [(r.number, r.cells) for r in table.rows] == [(1, {"x": "a\u2028b\x85c"}), (3, {"x": 2, "y": 3})]
    assert table.columns == ["x", "y"]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(b"\xef\xbb\xbfx\n1\n")
    assert read_table(tmp_path / "m.csv").columns == ["x"]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("m.csv", "x,y\n1\n2,3\n", "row 2: 1 cells, but the header has 2 columns"),
        ("m.csv", 'x,y\n"a" b,1\n2,3\n', "row 2: not readable as CSV (',' expected after '\"')"),
        ("m.csv", 'x,y\n2,3\n4,"never closed\n5,6\n', "row 3: not readable as CSV (unexpected end of data)"),
        ("m.jsonl", '{"x": 2}\n{"x": \n', "row 2: not JSON (Expecting value: line 1 column 7 (char 6))"),
        ("m.jsonl", '{"x": 2}\n[1]\n', "row 2: not a JSON object"),
        ("m.jsonl", '{"x": 2}\n{"x": "\\ud83d"}\n', "row 2: half of a surrogate pair (\\ud800 to \\udfff) is not a"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_read(tmp_path: Path, name: str, content: str, problem: str) -> None:
    (tmp_path / name).write_text(content)
    table = read_table(tmp_path / name)
    assert [p[: len(problem)] for p in table.problems] == [problem]
    assert len(table.rows) == 1


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("m.csv", b"", "m.csv:1: is empty; the first line must name the columns."),
        ("m.csv", b"x\n", "m.csv: has no rows."),
        ("m.csv", b"x,x\n1,2\n", "m.csv:1: column 'x' stands twice."),
        (
            "m.csv",
            b"x\nd\xe9j\xe0\n",
            "m.csv:2: not UTF-8 text (invalid continuation byte at byte 3). Save it as UTF-8.",
        ),
        ("m.csv", b'"x', "m.csv:1: not readable as CSV: unexpected end of data."),
        ("m.txt", b"x\n1\n", "m.txt: metadata must be a .csv or .jsonl file."),
    ],
)
def test_an_unreadable_file_gives_one_message(tmp_path: Path, name: str, content: bytes, text: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_table(tmp_path / name)
    assert str(caught.value) == f"{tmp_path}/{text}"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"m\.csv: no such file"):
        read_table(tmp_path / "m.csv")
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(DataError, match=r"d\.csv: cannot be read \(Is a directory\)"):
        read_table(tmp_path / "d.csv")


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars"), (",", None)])
@pytest.mark.parametrize("line", ["\n", "\r\n", "\r"])
def test_the_separator_is_told_from_the_rows(separator: str, name: str | None, line: str, tmp_path: Path) -> None:
    other = ";" if separator == "," else ","
    rows = [["x", "y", "label"], [f"red{other} blue", "2", "a"], [f'"quoted{separator} cell"', "3", f"b{other}"]]
    (tmp_path / "m.csv").write_bytes(line.join(separator.join(row) for row in rows).encode("utf-8-sig"))
    table = read_table(tmp_path / "m.csv")
    assert table.columns == ["x", "y", "label"]
    assert [list(r.cells.values()) for r in table.rows] == [
        [f"red{other} blue", "2", "a"],
        [f"quoted{separator} cell", "3", f"b{other}"],
    ]
    assert table.notes == ([] if name is None else [f"the cells are separated by {name}"])


def test_a_column_of_texts_alone_has_no_separator(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("text\none; two\nthree\n")
    assert [r.cells for r in read_table(tmp_path / "m.csv").rows] == [{"text": "one; two"}, {"text": "three"}]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_named(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes("x,y\n1,é\n".encode(encoding))
    with pytest.raises(DataError, match=r"UTF-16 text.* Save it as UTF-8"):
        read_table(tmp_path / "m.csv")


def test_lines_that_a_quote_took_are_counted(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text('x,y\n1,2\n3,"open\n4,5\n6,"so" on\n7,8\n')
    table = read_table(tmp_path / "m.csv")
    assert [r.cells["x"] for r in table.rows] == ["1", "7"]
    assert table.problems == ["row 3: not readable as CSV (',' expected after '\"'); it takes 2 more lines"]
    assert (table.lost, table.cut) == (2, False)
    (tmp_path / "m.csv").write_text('x,y\n1,2\n3,"open\n4,5\n6,7\n')
    table = read_table(tmp_path / "m.csv")
    assert table.problems == ["row 3: not readable as CSV (unexpected end of data); it takes 2 more lines"]
    assert (table.lost, table.cut) == (2, True)
    (tmp_path / "m.csv").write_text('x,y\n1,"open\n3,closed"\n5,6\n')
    (note,) = read_table(tmp_path / "m.csv").notes
    assert note.startswith("1 rows have a cell with a line break and commas: a quote that is not closed looks so")


def test_names_that_stand_twice_in_an_object(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"x": 1, "x": 2}\n{"x": 1}\n')
    assert read_table(tmp_path / "m.jsonl").problems == ["row 1: not JSON (the name 'x' stands twice)"]


def test_lost_letters_are_noted(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("x\ncaf\ufffd\n")
    (note,) = read_table(tmp_path / "m.csv").notes
    assert "U+FFFD" in note
