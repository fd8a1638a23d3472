"""A real server in a process of its own: a thousand requests at once, huge uploads, and a browser."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from galleries import gallery, home
from PIL import Image

pytestmark = pytest.mark.slow
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Address and process id."""
    log = tmp_path_factory.mktemp("server") / "log"
    folder = gallery()
    command = [sys.executable, "-m", "vsebench", "serve", str(folder), "--port", "0", "--workers", "1", "--queue", "20"]
    environment = {**os.environ, "VSEBENCH_HOME": str(home() / "home"), "PYTHONUNBUFFERED": "1"}
    with log.open("w") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=environment)
    try:
        for _ in range(600):
            message = log.read_text()
            if "Ctrl+C" in message or process.poll() is not None:
                break
            time.sleep(0.1)
        assert process.poll() is None, message
        address = message.split(" on ")[1].split(" ")[0].rstrip("/")
        wait_until_it_answers(address)
        yield address, process.pid
        assert process.poll() is None, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        process.terminate()
        process.wait(10)


def wait_until_it_answers(address: str) -> None:
    for _ in range(100):
        try:
            httpx.get(f"{address}/api/info")
            return
        except httpx.TransportError:
            time.sleep(0.1)


def test_a_thousand_requests_at_once(server: tuple[str, int]) -> None:
    address, _ = server

    async def everybody() -> Counter[int]:
        limits = httpx.Limits(max_connections=1000)
        async with httpx.AsyncClient(base_url=address, timeout=120, limits=limits) as client:

            async def ask(number: int) -> httpx.Response:
                return await client.get("/api/search", params={"text": f"red item {number}", "k": 5})

            replies = await asyncio.gather(*(ask(number) for number in range(1000)))
        for reply in replies:
            if reply.status_code == 503:
                assert reply.headers["retry-after"] == "1"
                assert "try again in a moment" in reply.json()["error"]["message"]
            else:
                assert len(reply.json()["hits"]) == 5
        return Counter(reply.status_code for reply in replies)

    codes = asyncio.run(everybody())
    assert set(codes) <= {200, 503}, codes
    assert codes[200] >= 1
    assert httpx.get(f"{address}/api/search", params={"text": "red"}, timeout=30).status_code == 200


def memory(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def test_an_upload_of_100_megabytes_is_refused_unread(server: tuple[str, int]) -> None:
    address, process = server
    before = memory(process) if Path("/proc").is_dir() else 0
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        head = (
            "POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            "Content-Length: 100000000\r\n\r\n"
        )
        connection.sendall(head.encode())
        reply = b""  # nothing of the body was sent; the answer comes in one piece or two
        while b"at most" not in reply and (part := connection.recv(65536)):
            reply += part
        assert reply.startswith(b"HTTP/1.1 413")
        assert b"at most 16 MB are read" in reply
    answer = httpx.post(f"{address}/api/search", files={"image": io.BytesIO(bytes(100_000_000))}, timeout=60)
    assert answer.status_code == 413
    if before:
        assert memory(process) - before < 60_000_000


def test_a_very_long_text_in_the_address(server: tuple[str, int]) -> None:
    reply = httpx.get(f"{server[0]}/api/search", params={"text": "x" * 60_000})
    assert reply.status_code == 400
    assert "at most 1,000" in reply.json()["error"]["message"]


def test_in_a_browser(server: tuple[str, int], tmp_path: Path) -> None:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no chromium on this machine: the page is not tested in a browser")
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: the page is not tested in a browser")
    Image.new("RGB", (50, 40), "blue").save(tmp_path / "blue.png")
    (tmp_path / "bad.png").write_text("no image")
    address = server[0]
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=executable, args=[*ARGUMENTS, "--disable-component-update"])
        faults: list[str] = []
        requested: list[str] = []
        page = browser.new_page(viewport={"width": 380, "height": 800})
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: requested.append(request.url))
        page.goto(address)
        page.wait_for_selector("#start strong")
        assert "pictures" in page.inner_text("#about")
        page.get_by_role("button", name="Search", exact=True).click()
        assert "Type a few words" in page.inner_text("#fault")
        page.fill("#text", "red <b>item</b>")
        page.press("#text", "Enter")
        page.wait_for_selector(".hit")
        assert page.locator(".hit").count() == 10
        assert "“red <b>item</b>”" in page.inner_text("#said")
        until(page, "document.querySelector('.hit img').naturalWidth > 0")
        page.select_option("#k", "20")
        until(page, "document.querySelectorAll('.hit').length > 10")
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
        page.set_input_files("#file", str(tmp_path / "blue.png"))
        until(page, "document.querySelector('#said').textContent.includes('for the picture')")
        assert page.is_visible("#preview")
        page.set_input_files("#file", str(tmp_path / "bad.png"))
        page.wait_for_selector("#fault:not([hidden])")
        assert "not an image" in page.inner_text("#fault")
        page.get_by_role("button", name="Remove the picture").click()
        drop(page)
        until(page, "document.querySelector('#said').textContent.includes('for the picture')")
        page.goto(f"{address}/?text=blue&k=20")
        page.wait_for_selector(".hit")
        assert page.input_value("#text") == "blue"
        unnamed = page.evaluate(
            "[...document.querySelectorAll('button,select,input,img')].filter(e => !(e.labels?.length || "
            "e.textContent.trim() || e.getAttribute('aria-label') || e.alt)).map(e => e.outerHTML)"
        )
        assert unnamed == []
        assert faults == []
        assert all(url.startswith((address, "blob:", "data:")) for url in requested)
        browser.close()


def until(page: object, condition: str) -> None:
    """Wait for it from here: the page's policy forbids code that polls inside."""
    for _ in range(100):
        if page.evaluate(condition):  # type: ignore[attr-defined]
            return
        time.sleep(0.1)
    raise AssertionError(f"never came true: {condition}")


def drop(page: object) -> None:
    """Drop a picture anywhere on the page, as a file manager does."""
    page.evaluate(  # type: ignore[attr-defined]
        """async () => {
            const canvas = new OffscreenCanvas(30, 30);
            canvas.getContext('2d').fillRect(0, 0, 9, 9);
            const data = new DataTransfer();
            data.items.add(new File([await canvas.convertToBlob()], 'dropped.png', { type: 'image/png' }));
            for (const kind of ['dragenter', 'dragover', 'drop'])
                document.body.dispatchEvent(
                    new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true })
                );
        }"""
    )
