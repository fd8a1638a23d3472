"""Identifiers: one standard word for one thing, and none that is named for the grammar of its origin."""

import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Banned identifier -> what to write instead.
BANNED = {
    "found": "what was found: result, metrics, matches, paths",
    "said": "what it is: message, lines, hint, answers",
    "told": "what it is: message, executor",
    "asked": "requested, queries",
    "kept": "what is kept: cached, remaining, a mask keep",
    "own": "whose it is and what: query, local_keys, run_result",
    "there": "present, existing",
    "Feed": "Loader",
    "feed": "loader",
    "Material": "FitData",
    "Team": "ProcessGroup",
    "Crew": "TorchProcessGroup",
    "Desk": "Scheduler",
    "Parcel": "ArtifactBundle",
    "Outcomes": "ItemScores",
    "Standing": "RankedRow",
    "standings": "ranked_rows",
    "Headline": "PrimaryMetric",
    "headline": "primary_metric, closing_line",
    "goodness": "selection_value",
    "offered": "ranked_gallery, gallery_items",
    "Waves": "Waveforms",
}
#: File -> identifiers that are right in it.
ALLOWED = {
    "vsebench/runs/schemas/board.py": {"asked"},  # a key of the results files
    "vsebench/data/builders/pascal_sentences.py": {"feed"},  # a method of html.parser
    "tests/support/hostile_strings.py": {"feed"},  # the same
}


def banned_in(file: Path) -> Iterator[tuple[int, str]]:
    """Yield line and name of each banned identifier of a file."""
    with file.open("rb") as stream:
        for token in tokenize.tokenize(stream.readline):
            if token.type == tokenize.NAME and token.string in BANNED:
                yield token.start[0], token.string


@pytest.mark.parametrize("folder", ["vsebench", "tests", "benchmarks"])
def test_no_identifier_is_banned(folder: str) -> None:
    faults = [
        f"{path}:{line}: '{name}'; write {BANNED[name]}"
        for file in sorted((ROOT / folder).rglob("*.py"))
        for path in [file.relative_to(ROOT).as_posix()]
        for line, name in banned_in(file)
        if name not in ALLOWED.get(path, ())
    ]
    assert not faults, "\n".join(faults)


def test_words_in_strings_and_comments_are_free(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    file.write_text('"""What is found."""\nfound_by = "found"  # found\n\nfound = 1\n')
    assert list(banned_in(file)) == [(4, "found")]
