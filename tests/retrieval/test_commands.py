"""``vsebench index`` and ``vsebench search`` as a user types them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import commands
import pytest
from galleries import home, runs
from PIL import Image

pytestmark = pytest.mark.slow


def vsebench(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return commands.vsebench(*arguments, cwd=cwd, env={"VSEBENCH_HOME": str(home() / "home")})


def test_index_and_search(tmp_path: Path) -> None:
    made = vsebench(
        "index", "tiny/both", "--runs", runs(), "--index", "hnsw", "--m", "8", "--out", tmp_path / "g", cwd=tmp_path
    )
    assert made.returncode == 0, made.stderr
    assert "images, 16 numbers each, hnsw" in made.stdout
    (tmp_path / "queries.txt").write_text("blue item\n\nxyzzy\n")
    Image.new("RGB", (40, 40), "red").save(tmp_path / "red.png")
    result = vsebench(
        *("search", "g", "--text", "red <i>item</i>", "--text-file", "queries.txt", "--image", "red.png", "-k", "3"),
        *("--html", "page.html", "--sheet", "hits.png"),
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line for line in lines if line.startswith("#")] == [
        "# red <i>item</i>",
        "# blue item",
        "# xyzzy",
        "# red.png",
    ]
    assert [line.split("\t")[0] for line in lines[1:4]] == ["1", "2", "3"]
    assert "note: xyzzy: no known word" in result.stderr
    assert "note: red <i>item</i>: unknown words (ignored): i" in result.stderr
    page = (tmp_path / "page.html").read_text()
    assert page.count("<figure>") == 12
    assert page.count("data:image/jpeg;base64,") == 13
    assert "red &lt;i&gt;item&lt;/i&gt;" in page
    assert "<i>item" not in page
    with Image.open(tmp_path / "hits.png") as sheet:
        assert sheet.size[0] == 4 * 154 + 10
    data = json.loads(vsebench("search", "g", "--text", "red", "-k", "2", "--json", cwd=tmp_path).stdout)
    assert data[0]["query"] == {"text": "red"}
    assert [hit["rank"] for hit in data[0]["hits"]] == [1, 2]
    assert set(data[0]["hits"][0]) == {"rank", "id", "score", "caption"}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["index", "tiny/boht", "--out", "g"], "no finished run of a row 'boht'. Did you mean 'both'?"),
        (["index", "tiny/both", "--out", "g", "--index", "hnws"], "unknown index 'hnws'. Did you mean 'hnsw'?"),
        (["index", "tiny/both", "--out", "g", "--index", "hnsw", "--n", "3"], "index 'hnsw' has an option '--n'"),
        (["index", "tiny/both", "--out", "g", "--splt=test"], "an option '--splt'. Did you mean '--split'?"),
        (["index", "tiny/both", "--out", "g", "--index", "pq", "--m", "3"], "16 numbers cannot be cut into 3"),
        (["index", "tiny/both", "--out", "g", "--index", "pq"], "2^8 centroids for each of 8 parts from at least 256"),
        (["index", "tiny/both", "--out", "g", "--modality", "imgae"], "--modality 'imgae' is unknown. Did you mean"),
        (["index", "tiny/both", "--out", "g", "--split", "test", "--from", "."], "give either --split or --from"),
        (["search", ".", "--text", "a"], "no gallery; 'vsebench index RUN --out FOLDER' makes one"),
        (["search", "g"], "nothing is asked: give --text, --image or --text-file"),
        (["search", "g", "--text", " "], "the text is empty"),
        (["search", "g", "--text", "a", "-k", "0"], "k, the number of hits, must be a whole number, at least 1"),
        (["search", "g", "--text-file", "no.txt"], "--text-file 'no.txt' cannot be read"),
        (["serve", "g", "--host", "256.0.0.1"], "cannot listen on 256.0.0.1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_message(tmp_path: Path, arguments: list[str], text: str) -> None:
    more = ["--runs", str(runs())] if arguments[0] == "index" else []
    done = vsebench(*arguments, *more, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert text in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
