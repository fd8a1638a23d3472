"""What keeps a server standing: bounds on the size of a request, on the time of its body, and on work at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vsebench.core.sizes import in_words

T = TypeVar("T")
#: After a refusal so much of the body is still taken, and for so long, that the client reads the answer before the
#: connection closes.
LINGER_BYTES, LINGER_S = 4 << 20, 2.0


#: Bytes of a JSON body; the longest text takes a twentieth of it.
MAX_JSON = 64 << 10
#: Pixels of a picture that is decoded beside others; larger ones are decoded one after the other.
SMALL = 4_000_000


@dataclass(frozen=True)
class Limits:
    """Bounds of a server.

    Args:
        workers: threads that compute; > 0.
        queue: requests that may wait for one of them; ≥ 0. Beyond it the answer is 503.
        max_upload: of a request's body, in bytes.
        max_k: most hits of a query.
        head_s: seconds that a client may take to send a request's head, from the connection or its first byte on.
        body_s: seconds that a client may take to send a body.
        wait_s: seconds that a request may wait for a thread. Beyond it the answer is 503.
        send_s: seconds that a client may take to read what it was sent.
        connections: at most so many at a time. Beyond it the one that has sent no whole request for longest is closed.
        uploads: bytes of all bodies that are held at a time. Beyond it the answer is 503.
    """

    workers: int = 2
    queue: int = 64
    max_upload: int = 16_000_000
    max_k: int = 100
    head_s: float = 10.0
    body_s: float = 30.0
    wait_s: float = 20.0
    send_s: float = 30.0
    connections: int = 2_000
    uploads: int = 1 << 30


class Lane:
    """Threads for one kind of work, and a bounded number of requests that wait for them, the first one first.

    Args:
        threads: of this lane.
        queue: requests that may wait.
        wait_s: for so long.
    """

    def __init__(self, threads: int, queue: int, wait_s: float) -> None:
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="search")
        self.free = asyncio.Semaphore(threads)
        self.room, self.inside, self.wait_s = threads + queue, 0, wait_s

    async def work(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run it on one of the threads. To be called when the whole request has been read.

        Raises: HTTPException 503 with Retry-After, at once when too many wait, later when the wait is too long.
        """
        if self.inside >= self.room:
            raise _busy(f"{self.room} searches are under way already")
        self.inside += 1
        try:
            try:
                async with asyncio.timeout(self.wait_s):
                    await self.free.acquire()
            except TimeoutError:
                raise _busy(f"no search could begin within {self.wait_s:g} s") from None
            try:
                return await asyncio.get_running_loop().run_in_executor(self.pool, function, *arguments)
            finally:
                self.free.release()
        finally:
            self.inside -= 1

    def close(self) -> None:
        """Drop what waits."""
        self.pool.shutdown(wait=False, cancel_futures=True)


class Lanes:
    """A lane for texts, one for small pictures and one for large ones, so that none keeps the others waiting.

    Large pictures are decoded one after the other, small ones on at most four threads: together they never hold more
    than ``VSEBENCH_MAX_PIXELS`` + 16 million decoded pixels.
    """

    def __init__(self, limits: Limits) -> None:
        self.texts = Lane(limits.workers, limits.queue, limits.wait_s)
        self.small = Lane(min(limits.workers, 4), limits.queue, limits.wait_s)
        self.large = Lane(1, limits.queue, limits.wait_s)

    def of(self, pixels: int) -> Lane:
        """Return the lane of a picture."""
        return self.small if pixels <= SMALL else self.large

    def close(self) -> None:
        """Drop what waits."""
        for lane in (self.texts, self.small, self.large):
            lane.close()


def _busy(message: str, **headers: str) -> HTTPException:
    return HTTPException(503, f"{message}; try again in a moment.", headers={"Retry-After": "1", **headers})


class BodyLimit:
    """Refuse bodies that are too large: by their header without reading them, else as soon as they are; and those that
    together with all others are too large.

    Args:
        app: what is guarded.
        most: bytes of a body.
        together: bytes of all bodies at a time.
    """

    def __init__(self, app: ASGIApp, most: int, together: int) -> None:
        self.app, self.most, self.together = app, most, together
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        if length.isdigit() and int(length) > self.most:
            await self._refuse(receive, send)
            return
        taken, refused = 0, False

        async def counted() -> Message:
            nonlocal taken, refused
            message = await receive()
            size = len(message.get("body", b""))
            taken += size
            self.held += size
            refused = self.held > self.together or taken > self.most
            if self.held > self.together:
                raise _busy("too many uploads are under way already", Connection="close")
            if taken > self.most:
                raise HTTPException(413, self._message, headers={"Connection": "close"})
            return message

        async def answer(message: Message) -> None:
            if refused and message["type"] == "http.response.body":
                await _last_words(message["body"], receive, send)
            else:
                await send(message)

        try:
            await self.app(scope, counted, answer)
        finally:
            self.held -= taken

    @property
    def _message(self) -> str:
        return f"the upload is too large; at most {in_words(self.most)} are read."

    async def _refuse(self, receive: Receive, send: Send) -> None:
        body = json.dumps({"error": {"status": 413, "message": self._message}}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 413, "headers": [*headers, (b"connection", b"close")]})
        await _last_words(body, receive, send)


async def _last_words(body: bytes, receive: Receive, send: Send) -> None:
    """Send a whole answer, and keep the connection a little: it would be reset under the client's upload, and the
    answer with it."""
    await send({"type": "http.response.body", "body": body, "more_body": True})
    left = LINGER_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_S):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    break
    await send({"type": "http.response.body", "body": b"", "more_body": False})
