"""docs/methods.md has every section, table row and source that code and pages refer to."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from vsebench.core.registry import KINDS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
#: ``methods 6.4``, ``methods 2 and 6.3``, ``methods 3.1, row sum``.
REFERENCE = re.compile(r"\bmethods ((?:\d+(?:\.\d+)*)(?:(?:, | and )\d+(?:\.\d+)*)*)(?:, row (\w+))?")
#: ``Hodosh et al. 2013``, ``Graves and Schmidhuber 2005``, ``Tucker 1966``.
CITATION = re.compile(r"(?:[vV]an )?([^\W\d_][\w’-]+)(?: et al\.| and [^\W\d_][\w-]+)? ((?:19|20)\d\d)\b")


@cache
def sections() -> dict[str, str]:
    """Number -> text, of chapters with all that is below them, and of their numbered paragraphs."""
    heads = list(re.finditer(r"^## (\d+) |^\*\*(\d+\.\d+)|(?<=\S )\*\*(\d+\.\d+) |^## References", PAGE, re.M))
    result = {}
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        number = next((group for group in head.groups() if group), None)
        if number is not None:
            result[number] = PAGE[head.start() : following.start() if following else len(PAGE)]
    for number in [n for n in result if "." not in n]:
        result[number] += "".join(text for below, text in result.items() if below.startswith(f"{number}."))
    return result


@cache
def references() -> set[tuple[str, str]]:
    """(last word of the author, year) of the list of references."""
    names = re.findall(r"^- \*\*(.+) (\d{4})\.\*\*", PAGE, re.M)
    return {(author.split()[-1], year) for author, year in names}


def rows(number: str) -> set[str]:
    """Names in the first column of a section's tables."""
    cells = re.findall(r"^\| ([^|]+) \|", sections()[number], re.M)
    return {name.strip("` ") for cell in cells for name in cell.split(",")}


def files() -> list[Path]:
    """Everything written by hand that may refer to a section."""
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "experiments").glob("*.yaml")]
    return [*texts, *(f for f in (ROOT / "vsebench").rglob("*") if f.suffix in (".py", ".yaml"))]


def test_every_reference_leads_to_a_section_and_row() -> None:
    seen = 0
    for file in files():
        for match in REFERENCE.finditer(file.read_text(encoding="utf-8")):
            numbers = re.split(r", | and ", match[1])
            where = f"{file.relative_to(ROOT)}: {match[0]}"
            assert set(numbers) <= sections().keys(), where
            assert match[2] is None or match[2] in rows(numbers[-1]), where
            seen += 1
    assert seen > 100
    assert not re.search(r"\bMETHODS \d", "".join(f.read_text(encoding="utf-8") for f in files()))


def test_sections_are_numbered_in_order() -> None:
    numbers = [tuple(map(int, number.split("."))) for number in sections()]
    assert numbers == sorted(numbers)
    assert len(numbers) == len(set(numbers))


def test_every_work_is_cited_in_full() -> None:
    """What brackets name by author and year is in the list."""
    text, _, listed = PAGE.partition("## References")
    for group in re.findall(r"\[([^\]\n]*\d{4})\]", text.replace("\n", " ")):
        for author, year in CITATION.findall(group):
            assert (author, year) in references(), f"docs/methods.md: [{group}]"
    for entry in re.split(r"\n(?=- )", listed.strip()):
        assert re.match(r"- \*\*.+ \d{4}\.\*\* \S+.*\. .+\.", entry.replace("\n", " ")), entry


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_source_of_a_component_is_cited_in_full(kind: str) -> None:
    for name in KINDS[kind].names():
        for clause in KINDS[kind].get(name).source.split(";"):
            if not re.search(r"arXiv:|doi:|https?:|RFC ", clause):
                for author, year in CITATION.findall(clause):
                    assert (author, year) in references(), f"{kind} '{name}': {clause.strip()}"
