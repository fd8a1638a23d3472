"""Answers to visual questions in one form, by the rules of the official evaluation."""

from __future__ import annotations

import re

#: Taken out, or a space in their place; full stops and apostrophes have rules of their own.
PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
DIGITS = {
    "none": "0",
    "zero": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
}
ARTICLES = {"a", "an", "the"}
_NOT = [
    "are",
    "ca",
    "could",
    "did",
    "does",
    "do",
    "had",
    "has",
    "have",
    "is",
    "might",
    "must",
    "need",
    "should",
    "was",
    "were",
    "wo",
    "would",
]
_SUBJECTS = {
    "m": ["i"],
    "ve": ["i", "you", "they", "we", "could", "should", "would", "might", "must"],
    "re": ["you", "they"],
    "ll": ["you", "they", "that"],
    "d": ["you", "they"],
    "s": ["he", "she", "that", "there", "what", "where", "when", "who", "why", "how", "somebody", "everyone"],
}
#: Only where the form without an apostrophe is no other word (not its, were, ill, well, id, shed, lets).
CONTRACTIONS = {
    **{f"{verb}nt": f"{verb}n't" for verb in _NOT},
    **{f"{one}{end}": f"{one}'{end}" for end, subjects in _SUBJECTS.items() for one in subjects},
}
_COMMA = re.compile(r"\d,\d")
_STOP = re.compile(r"\.(?!\d)")


def normalised(answer: str) -> str:
    """Normalise an answer to the form in which answers are compared.

    In this order: white space at the ends goes, line breaks and tabs become spaces. Each mark of :data:`PUNCTUATION`
    goes where it stands beside a space anywhere in the answer, or where the answer has a comma between digits; else it
    becomes a space. A full stop goes unless a digit follows. Letters become lower case, number words up to ten digits;
    articles go; contractions get their apostrophe. An answer of which nothing would be left stays as it is.

    Differs from the official evaluation: it has a list of contractions, here they are made from verbs and pronouns.

    Example:
        >>> [normalised(a) for a in ("The Red hat.", "two", "1,000", "t-shirt", "3.5", "dont know", "A")]
        ['red hat', '2', '1000', 't shirt', '3.5', "don't know", 'a']
    """
    given = answer.replace("\n", " ").replace("\t", " ").strip()
    grouped = _COMMA.search(given) is not None
    text = given
    for mark in PUNCTUATION:
        gone = grouped or f"{mark} " in given or f" {mark}" in given
        text = text.replace(mark, "" if gone else " ")
    words = [DIGITS.get(word, word) for word in _STOP.sub("", text).lower().split()]
    remaining = [CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES]
    return " ".join(remaining) or given.lower()
