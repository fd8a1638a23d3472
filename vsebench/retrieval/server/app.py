"""A gallery over HTTP: a page, and JSON beneath it.

    GET  /api/info                       what the gallery is
    GET  /api/search?text=…&k=10         hits of a text
    POST /api/search                     JSON {"text": …, "k": …}, or a form with the file "image" and "k"
    GET  /api/item/ID/image?size=256     an item's picture, as JPEG

Every fault is JSON {"error": {"status": …, "message": …}}.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

import vsebench
from vsebench.core.errors import DataError, QueryError
from vsebench.core.sizes import in_words
from vsebench.data.pixels import pixel_count
from vsebench.data.query import MAX_TEXT, checked_image, checked_k, checked_text
from vsebench.retrieval.searcher import Hit, Searcher
from vsebench.retrieval.server.limits import MAX_JSON, BodyLimit, Lanes, Limits

#: The page loads nothing from elsewhere, and the browser holds it to that.
POLICY = (
    "default-src 'none'; img-src 'self' blob: data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DEFAULT_K = 10
SIDES = (32, 1024)


def make_app(searcher: Searcher, limits: Limits | None = None, *, hosts: Collection[str] | None = None) -> ASGIApp:
    """Build the application.

    Args:
        searcher: of the gallery.
        limits: bounds; the usual ones by default.
        hosts: names under which it may be called; any by default. A server on this machine alone names them, so that
            a page from elsewhere cannot reach it under a name of its own.
    """
    service = _Service(searcher, limits or Limits(), hosts)
    routes = [
        Route("/", service.page),
        Route("/api/info", service.info),
        Route("/api/search", service.search, methods=["GET", "POST"]),
        Route("/api/item/{id:path}/image", service.image),
    ]
    handlers: Any = {
        HTTPException: _http_fault,
        QueryError: _query_fault,
        ClientDisconnect: _gone,
        Exception: _our_fault,
    }
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=service.lifespan)
    app.router.redirect_slashes = False
    return BodyLimit(app, service.limits.max_upload, service.limits.uploads)


class _Service:
    def __init__(self, searcher: Searcher, limits: Limits, hosts: Collection[str] | None) -> None:
        self.searcher, self.limits, self.hosts = searcher, limits, hosts
        self.html = files("vsebench.retrieval.server").joinpath("page.html").read_text(encoding="utf-8")
        self.lanes = Lanes(limits)

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        yield
        self.lanes.close()

    async def page(self, request: Request) -> Response:
        self._check_host(request)
        headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
        return HTMLResponse(self.html, headers=headers)

    async def info(self, request: Request) -> Response:
        self._check_host(request)
        manifest = self.searcher.gallery.manifest
        return JSONResponse(
            {
                "run": dict(manifest.run),
                "modality": manifest.modality,
                "count": manifest.count,
                "dim": manifest.dim,
                "index": dict(manifest.index),
                "ask_with": list(self.searcher.modalities),
                "max_k": self.limits.max_k,
                "max_text": MAX_TEXT,
                "max_upload": self.limits.max_upload,
                "version": vsebench.__version__,
            }
        )

    async def search(self, request: Request) -> Response:
        self._check_host(request)
        begin = time.perf_counter()
        async with self._query(request) as query:  # read as a whole before it takes a place
            k = checked_k(query.get("k", DEFAULT_K), self.limits.max_k)
            text, image = query.get("text"), query.get("image")
            if (text is None) == (image is None):
                raise HTTPException(400, "give either 'text' or a file 'image'.")
            if isinstance(image, UploadFile):
                pixels = await self.lanes.small.work(_pixels_of, image)
                hits = await self.lanes.of(pixels).work(self._by_image, image, k)
                return JSONResponse(self._answer({"image": True}, hits, begin))
            if not isinstance(text, str):
                raise HTTPException(400, "'text' must be a text.")
            clean = checked_text(text)
            hits = await self.lanes.texts.work(self._by_text, clean, k)
            return JSONResponse(self._answer({"text": clean}, hits, begin))

    async def image(self, request: Request) -> Response:
        self._check_host(request)
        name, side = request.path_params["id"], request.query_params.get("size", "256")
        if not (side.isascii() and side.isdigit() and len(side) < 6 and SIDES[0] <= int(side) <= SIDES[1]):
            raise HTTPException(400, f"size must be a whole number of pixels from {SIDES[0]} to {SIDES[1]}.")
        item = self.searcher.item(name)
        if item is None:
            raise HTTPException(404, "there is no item of that id.")
        pictures = self.searcher.pictures
        try:
            lane = self.lanes.of(await self.lanes.small.work(pictures.pixels, item))
            data = await lane.work(pictures.thumbnail, item, int(side))
        except DataError as error:
            raise HTTPException(404, str(error)) from None
        if data is None:
            raise HTTPException(404, "this item has no picture.")
        headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
        return Response(data, media_type="image/jpeg", headers=headers)

    @asynccontextmanager
    async def _query(self, request: Request) -> AsyncIterator[dict[str, Any]]:
        """Parse the query's parts, from the address, JSON or a form. A picture stays in its file until it is
        decoded.
        """
        if request.method != "POST":
            yield dict(request.query_params)
            return
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in ("application/json", "multipart/form-data"):
            raise HTTPException(415, "send application/json, or multipart/form-data with the file 'image'.")
        try:
            async with asyncio.timeout(self.limits.body_s):
                query = await (_json(request) if kind == "application/json" else _form(request))
        except TimeoutError:
            message = f"the body did not arrive within {self.limits.body_s:g} s."
            raise HTTPException(408, message, headers={"Connection": "close"}) from None
        try:
            yield query
        finally:
            await request.close()  # removes the form's files

    def _by_text(self, text: str, k: int) -> list[Hit]:
        return self.searcher.search(text=text, k=k)

    def _by_image(self, image: UploadFile, k: int) -> list[Hit]:
        return self.searcher.search(image=_data_of(image), k=k)

    def _answer(self, query: dict[str, Any], hits: list[Hit], begin: float) -> dict[str, Any]:
        """Build the body of an answer. An item without a picture has no address of one."""
        items, text = self.searcher.gallery.items, query.get("text")
        pictures = [f"/api/item/{quote(h.id, safe='')}/image" if items[h.row].at is not None else None for h in hits]
        return {
            "query": query,
            "hits": [
                {"rank": hit.rank, "id": hit.id, "score": hit.score, "caption": hit.caption, "image": picture}
                for hit, picture in zip(hits, pictures, strict=True)
            ],
            "unknown_words": [] if text is None else self.searcher.unknown_words(text),
            "notes": [] if text is None else self.searcher.notes(text),
            "took_ms": round(1000 * (time.perf_counter() - begin), 2),
        }

    def _check_host(self, request: Request) -> None:
        if self.hosts is not None and request.url.hostname not in self.hosts:
            raise HTTPException(421, f"this server is not called '{request.url.hostname}'.")


async def _json(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_JSON:
            raise HTTPException(413, f"a JSON body is too large; at most {in_words(MAX_JSON)} are read.")
    try:
        data = json.loads(bytes(body))
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON.") from None
    if not isinstance(data, dict) or not data.keys() <= {"text", "k"}:
        raise HTTPException(400, 'the body must be an object such as {"text": "red dress", "k": 10}.')
    return data


async def _form(request: Request) -> dict[str, Any]:
    form = await request.form(max_files=1, max_fields=4)
    fields: dict[str, Any] = {key: value for key, value in form.items() if isinstance(value, str)}
    file = form.get("image")
    if isinstance(file, UploadFile):
        fields["image"] = file
    elif file is not None:
        raise HTTPException(400, "'image' must be a file.")
    return fields


def _data_of(image: UploadFile) -> bytes:
    image.file.seek(0)
    return image.file.read()


def _pixels_of(image: UploadFile) -> int:
    """Return how many pixels it would be decoded to. Raises: QueryError, for one that is no image or too large."""
    return pixel_count(checked_image(_data_of(image)))


def _fault(status: int, message: str, headers: Any = None) -> JSONResponse:
    return JSONResponse({"error": {"status": status, "message": message}}, status, headers=headers)


async def _http_fault(request: Request, error: HTTPException) -> Response:
    messages = {
        404: "there is nothing here; see /api/info and /api/search.",
        405: "this address does not take that method.",
    }
    plain = error.detail in ("Not Found", "Method Not Allowed")
    return _fault(error.status_code, messages[error.status_code] if plain else error.detail, error.headers)


async def _query_fault(request: Request, error: QueryError) -> Response:
    return _fault(400, str(error))


async def _gone(request: Request, error: ClientDisconnect) -> Response:
    return _fault(400, "the connection was closed before the body was whole.")


async def _our_fault(request: Request, error: Exception) -> Response:
    return _fault(500, "the server failed; its log says why.")
