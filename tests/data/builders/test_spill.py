"""The temporary table of rows."""

from __future__ import annotations

import pytest

from vsebench.core.errors import DiskError
from vsebench.data.builders._spill import Spill


def test_a_full_disk_is_one_line() -> None:
    with Spill() as spill:
        spill.connection.execute("pragma max_page_count = 8")
        with pytest.raises(DiskError, match=r"full\. Free some space there, or set TMPDIR elsewhere\.$"):
            for number in range(100):
                spill.put("rows", str(number), "x" * 1000)
