"""Small files that decode to much are refused by their headers, at build, check and query."""

from __future__ import annotations

import io
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from picture_files import encoded, png, tiff
from PIL import Image

from vsebench.core.errors import ConfigError
from vsebench.core.types import Preprocessing
from vsebench.data.builders._images import look_at
from vsebench.data.check import check
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.limits import PIXELS, Room
from vsebench.data.pixels import decode, decoded, open_rgb, pixel_count

PLAIN = Preprocessing((16, 16), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bilinear")


def bomb(side: int, form: str = "PNG") -> bytes:
    """A picture whose header claims ``side`` by ``side`` pixels, without having them."""
    size = side.to_bytes(4, "big")
    if form == "PNG":
        data = bytearray(png([b"\0"], (1, 1), bits=8, colour=0))
        data[16:24] = size + size
        data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
        return bytes(data)
    data = bytearray(encoded(Image.new("RGB", (8, 8)), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = size[2:] * 2
    return bytes(data)


@pytest.mark.parametrize(("side", "form"), [(9_000, "PNG"), (20_000, "PNG"), (1_000_000, "PNG"), (60_000, "JPEG")])
def test_a_bomb_is_refused_by_its_header(side: int, form: str) -> None:
    data = bomb(side, form)
    assert pixel_count(data) == side**2
    with pytest.raises(OSError, match=rf"^image has {side**2:,} pixels; at most 64,000,000 are read \(\$VSEBENCH_MAX"):
        open_rgb(data)
    assert "pixels; at most" in str(look_at(data, "image 'a.png'").problem)


def test_a_tile_larger_than_its_picture_counts() -> None:
    data = tiff(bytes(64), bits=8)
    assert pixel_count(data) == 64
    wide = bytearray(data)
    for tag, other in ((278, 322), (279, 323)):  # rows a strip and bytes a strip become width and length of a tile
        at = wide.index(tag.to_bytes(2, "little") + b"\x03\x00")
        wide[at : at + 12] = other.to_bytes(2, "little") + b"\x03\x00\x01\x00\x00\x00" + (60_000).to_bytes(4, "little")
    assert pixel_count(bytes(wide)) == 60_000**2


def test_the_environment_changes_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.new("RGB", (20, 10)), "PNG")
    monkeypatch.setenv("VSEBENCH_MAX_PIXELS", "199")
    with pytest.raises(OSError, match="200 pixels; at most 199"):
        open_rgb(data)
    monkeypatch.setenv("VSEBENCH_MAX_PIXELS", "200")
    assert open_rgb(data).size == (20, 10)
    for wrong in ("0", "-1", "1e6", "many", "9" * 30):
        monkeypatch.setenv("VSEBENCH_MAX_PIXELS", wrong)
        with pytest.raises(
            ConfigError, match=r"^\$VSEBENCH_MAX_PIXELS: the limit of pixels must be a whole number > 0"
        ):
            open_rgb(data)


def test_a_large_jpeg_is_decoded_smaller_where_that_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    ramp = np.tile(np.linspace(0, 255, 800).astype(np.uint8), (400, 1))
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = encoded(Image.fromarray(ramp).convert("RGB"), "JPEG", quality=95, exif=exif)
    whole = decode(photo, PLAIN).astype(int)
    monkeypatch.setenv("VSEBENCH_MAX_PIXELS", "30000")
    with decoded(photo, side=150) as (picture, longest):
        assert picture.size == (100, 200)
        assert longest == 800
    assert np.abs(decode(photo, PLAIN) - whole).max() <= 3
    loaded = look_at(photo, "a.jpg", 160)
    assert (loaded.size, loaded.longest, loaded.scale, loaded.problem) == ((80, 160), 800, 0.2, None)
    for side in (300, None):  # an eighth has too few pixels, or all are needed
        with pytest.raises(OSError, match="320,000 pixels"), decoded(photo, side=side):
            pass
    slow = encoded(Image.fromarray(ramp), "JPEG", progressive=True)  # held whole by the decoder
    assert "320,000 pixels" in str(look_at(slow, "a.jpg", 160).problem)


def test_threads_share_the_room_for_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEBENCH_MAX_PIXELS", "100")  # 2 × 1,600 bytes
    room, most, lock = Room(), [0, 0], threading.Lock()

    def work() -> None:
        with room.taken(1_500):
            with lock:
                most[0] += 1
                most[1] = max(most)
            time.sleep(0.01)
            with lock:
                most[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == [0, 2]
    with room.taken(10_000):  # alone, whatever its size
        assert room.used == 10_000


def test_check_names_a_bomb(tmp_path: Path, items: Callable[..., list[Item]], write: Callable[..., Dataset]) -> None:
    dataset = write(tmp_path / "a.h5", items({"image": bomb(20_000)}))
    assert check(dataset) == [f"id 'id-0': image has {PIXELS.refuse(4e8)}"]


def test_damaged_text_of_a_png_is_no_bomb() -> None:
    """A few kilobytes of text that inflate to more than Pillow allows."""
    from PIL import PngImagePlugin

    buffer, texts = io.BytesIO(), PngImagePlugin.PngInfo()
    texts.add_text("a", "x" * (PngImagePlugin.MAX_TEXT_CHUNK + 1), zip=True)
    Image.new("L", (8, 8)).save(buffer, "PNG", pnginfo=texts)
    with pytest.raises(OSError, match="image cannot be decoded"):
        open_rgb(buffer.getvalue())
