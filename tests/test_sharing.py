"""How test processes share the tests."""

from __future__ import annotations

from sharing import portions


def test_a_portion_is_of_one_file_and_not_too_large() -> None:
    tests = ["a.py::x", "a.py::y[::]", "a.py::C::z", "b.py::x"]
    assert portions(tests, size=2) == dict(zip(tests, ["a.py 0", "a.py 0", "a.py 1", "b.py 0"], strict=True))
    assert list(portions(tests)) == tests
