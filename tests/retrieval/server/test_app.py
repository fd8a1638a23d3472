"""Each endpoint and each fault of a client, without a network."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from galleries import gallery, home
from PIL import Image
from starlette.testclient import TestClient

from vsebench.retrieval.searcher import Searcher
from vsebench.retrieval.server.app import make_app
from vsebench.retrieval.server.limits import Limits

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def searcher() -> Searcher:
    return Searcher.load(gallery())


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEBENCH_HOME", str(home() / "home"))


@pytest.fixture
def client(searcher: Searcher) -> Iterator[TestClient]:
    with TestClient(make_app(searcher, Limits(max_upload=200_000)), raise_server_exceptions=False) as client:
        yield client


def picture(side: int = 40, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), "red").save(buffer, form)
    return buffer.getvalue()


def test_search_by_text_three_ways_is_the_searcher(client: TestClient, searcher: Searcher) -> None:
    wanted = [(h.rank, h.id, pytest.approx(h.score)) for h in searcher.search(text="red item", k=4)]
    for reply in (
        client.get("/api/search", params={"text": "red item", "k": 4}),
        client.post("/api/search", json={"text": " red item ", "k": 4}),
        client.post("/api/search", data={"text": "red item", "k": "4"}, files={"other": b""}),
    ):
        assert reply.status_code == 200, reply.text
        assert [(h["rank"], h["id"], h["score"]) for h in reply.json()["hits"]] == wanted
        assert reply.json()["query"] == {"text": "red item"}


def test_search_by_picture(client: TestClient, searcher: Searcher) -> None:
    data = searcher.pictures.data(searcher.gallery.items[2])
    reply = client.post("/api/search", files={"image": ("photo.png", data)}, data={"k": "3"})
    assert reply.status_code == 200
    assert reply.json()["hits"][0]["score"] == pytest.approx(1.0, abs=1e-3)
    assert len(reply.json()["hits"]) == 3


def test_pictures_and_info(client: TestClient, searcher: Searcher) -> None:
    hit = client.get("/api/search", params={"text": "red"}).json()["hits"][0]
    reply = client.get(hit["image"], params={"size": 32})
    assert reply.headers["content-type"] == "image/jpeg"
    assert max(Image.open(io.BytesIO(reply.content)).size) == 32
    info = client.get("/api/info").json()
    assert info["count"] == len(searcher)
    assert info["ask_with"] == ["text", "image"]


def test_the_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    reply = client.get("/")
    assert reply.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert "http://" not in reply.text
    assert "https://" not in reply.text


FAULTS: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/api/search?text=", {}, 400, "the text is empty"),
    ("GET", "/api/search?text=%20%00", {}, 400, "the text is empty"),
    ("GET", "/api/search", {}, 400, "give either"),
    ("GET", "/api/search?text=" + "x" * 1001, {}, 400, "at most 1,000"),
    ("GET", "/api/search?text=a&k=0", {}, 400, "from 1 to 100. Got 0"),
    ("GET", "/api/search?text=a&k=-3", {}, 400, "Got -3"),
    ("GET", "/api/search?text=a&k=1000000000", {}, 400, "Got 1000000000"),
    ("GET", "/api/search?text=a&k=--5", {}, 400, "Got '--5'"),
    ("GET", "/api/search?text=a&k=ten", {}, 400, "Got 'ten'"),
    ("GET", "/api/search?text=a&k=", {}, 400, "Got ''"),
    ("GET", "/api/search?text=a&k=1e3", {}, 400, "Got '1e3'"),
    ("GET", "/api/search?text=a&k=" + "9" * 5000, {}, 400, "whole number"),
    ("POST", "/api/search", {"json": {"text": "a", "k": 10**9}}, 400, "Got 1000000000"),
    ("POST", "/api/search", {"json": {"text": "a", "k": True}}, 400, "Got True"),
    ("POST", "/api/search", {"json": {"text": "a", "k": 2.5}}, 400, "Got 2.5"),
    ("POST", "/api/search", {"json": {"text": ["a"]}}, 400, "'text' must be a text"),
    ("POST", "/api/search", {"json": {"txet": "a"}}, 400, "the body must be an object such as"),
    ("POST", "/api/search", {"json": [1]}, 400, "the body must be an object such as"),
    ("POST", "/api/search", {"content": "{", "headers": {"content-type": "application/json"}}, 400, "is not JSON"),
    (
        "POST",
        "/api/search",
        {"content": "[" * 60_000, "headers": {"content-type": "application/json"}},
        400,
        "is not JSON",
    ),
    ("POST", "/api/search", {"content": b"abc"}, 415, "send application/json"),
    ("POST", "/api/search", {"files": {"image": b"no image"}}, 400, "is not an image that can be read"),
    ("POST", "/api/search", {"files": {"image": b""}}, 400, "is not an image that can be read"),
    ("POST", "/api/search", {"files": {"image": picture()}, "data": {"text": "a"}}, 400, "give either"),
    ("POST", "/api/search", {"data": {"image": "a"}, "files": {"x": b""}}, 400, "'image' must be a file"),
    ("POST", "/api/search", {"files": [("image", b"a"), ("image", b"b")]}, 400, "Too many files"),
    (
        "POST",
        "/api/search",
        {"content": b"abc", "headers": {"content-type": "multipart/form-data"}},
        400,
        "boundary",
    ),
    ("POST", "/api/search", {"files": {"image": b"x" * 300_000}}, 413, "at most 200 KB"),
    ("POST", "/api/search", {"content": iter([b"x" * 90_000] * 9)}, 415, "send application/json"),
    ("GET", "/nothing", {}, 404, "there is nothing here"),
    ("GET", "/api/search/", {}, 404, "there is nothing here"),
    ("GET", "/api/item/nope/image", {}, 404, "no item of that id"),
    ("GET", "/api/item/..%2F..%2Fetc%2Fpasswd/image", {}, 404, "no item of that id"),
    ("DELETE", "/api/search", {}, 405, "does not take that method"),
    ("POST", "/", {}, 405, "does not take that method"),
]


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "text"), FAULTS, ids=[f"{i} {f[4]}" for i, f in enumerate(FAULTS)]
)
def test_faults(client: TestClient, method: str, path: str, more: dict[str, Any], status: int, text: str) -> None:
    reply = client.request(method, path, **more)
    assert reply.status_code == status, reply.text
    assert reply.json()["error"]["status"] == status
    assert text in reply.json()["error"]["message"]


def test_bombs_and_damaged_pictures(client: TestClient) -> None:
    for side, message in ((9000, "at most 64,000,000"), (20000, "at most 64,000,000")):
        buffer = io.BytesIO()
        Image.new("1", (side, side)).save(buffer, "PNG")
        reply = client.post("/api/search", files={"image": buffer.getvalue()})
        assert reply.status_code == 400, side
        assert message in reply.json()["error"]["message"]
    reply = client.post("/api/search", files={"image": picture(200)[:-40]})
    assert "the picture is damaged" in reply.json()["error"]["message"]


def test_an_endless_body_is_cut_off(client: TestClient) -> None:
    def parts() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        yield from [b"x" * 50_000] * 40

    reply = client.post("/api/search", content=parts(), headers={"content-type": "multipart/form-data; boundary=b"})
    assert reply.status_code == 413
    assert "at most 200 KB" in reply.json()["error"]["message"]


def test_sizes_of_pictures_are_bounded(client: TestClient, searcher: Searcher) -> None:
    for size in ("0", "31", "1025", "1e3", "-5", "", "9" * 400):
        reply = client.get(f"/api/item/{searcher.gallery.items[0].id}/image", params={"size": size})
        assert reply.status_code == 400, size


def test_only_its_own_names(searcher: Searcher) -> None:
    with TestClient(make_app(searcher, hosts={"localhost"}), base_url="http://evil.example") as client:
        assert client.get("/api/info").status_code == 421
    with TestClient(make_app(searcher, hosts={"localhost"}), base_url="http://localhost:8000") as client:
        assert client.get("/api/info").status_code == 200


def test_a_full_house_is_said_at_once(searcher: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Searcher, "search", lambda *_, **__: time.sleep(0.5) or [])
    with TestClient(make_app(searcher, Limits(workers=1, queue=1))) as client:
        codes: list[tuple[int, str | None]] = []

        def ask() -> None:
            reply = client.get("/api/search?text=red")
            codes.append((reply.status_code, reply.headers.get("retry-after")))

        threads = [threading.Thread(target=ask) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(codes, key=str) == [(200, None)] * 2 + [(503, "1")] * 3
        assert client.get("/api/search?text=red").status_code == 200


def test_a_slow_body_does_not_keep_a_place(searcher: Searcher) -> None:
    app = make_app(searcher, Limits(body_s=0.1))
    sent: list[dict[str, Any]] = []

    async def call() -> None:
        async def receive() -> dict[str, Any]:
            await asyncio.sleep(60)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"content-type", b"application/json"), (b"host", b"x"), (b"content-length", b"10")]
        scope = {
            "type": "http", "method": "POST", "path": "/api/search", "raw_path": b"/api/search", "query_string": b"",
            "headers": headers, "scheme": "http", "server": ("x", 80), "http_version": "1.1", "root_path": "",
        }  # fmt: skip
        await app(scope, receive, send)

    asyncio.run(call())
    assert sent[0]["status"] == 408


def test_a_fault_of_ours_is_500_and_says_nothing_of_it(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def burst(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Searcher, "search", burst)
    reply = client.get("/api/search?text=red")
    assert reply.status_code == 500
    assert "secret" not in reply.text
    assert reply.json()["error"]["status"] == 500
