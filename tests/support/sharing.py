"""How test processes share the tests: a file at a time, and many tests of one file in portions."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from xdist.scheduler import LoadScopeScheduling

#: Tests of a portion at most. What a file's tests share is made once in each portion's process.
PORTION = 100


class ByFile(LoadScopeScheduling):
    """Gives out portions in the order of the tests: neighbours of one file, 100 at most.

    pytest-xdist's own order, the portions with most tests first, would leave the long tests to the end.
    """

    def __init__(self, config: Any, log: Any) -> None:
        super().__init__(config, log)
        self.config.option.loadscopereorder = False
        self._portions: dict[str, str] = {}

    def schedule(self) -> None:
        """Divide the tests into portions when they are known, then give the first ones out."""
        if self.collection is None and self.registered_collections:
            self._portions = portions(next(iter(self.registered_collections.values())))
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return self._portions[nodeid]


def portions(tests: list[str], size: int = PORTION) -> dict[str, str]:
    """Return the name of each test's portion: neighbours of the same file have the same one, ``size`` at most."""
    names: dict[str, str] = {}
    for file, neighbours in groupby(tests, key=lambda test: test.partition("::")[0]):
        for i, test in enumerate(neighbours):
            names[test] = f"{file} {i // size}"
    return names
