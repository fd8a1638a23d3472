"""What keeps a server standing: bounds on the size of a request, on the time of its body, and on work at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vsebench.sizes import in_words

T = TypeVar("T")
#: After a refusal so much of the body is still taken, and for so long, that the client reads the answer before the
#: connection closes.
LINGER_BYTES, LINGER_S = 4 << 20, 2.0


@dataclass(frozen=True)
class Limits:
    """Bounds of a server.

    Args:
        workers: threads that compute; > 0.
        queue: requests that may wait for one of them; ≥ 0. Beyond it the answer is 503.
        max_upload: of a request's body, in bytes.
        max_k: most hits of a query.
        body_s: seconds that a client may take to send a body.
    """

    workers: int = 2
    queue: int = 64
    max_upload: int = 16_000_000
    max_k: int = 100
    body_s: float = 30.0


class Gate:
    """Lets so many requests in as can be worked on or wait; refuses the rest at once.

    Args:
        workers: threads. queue: how many may wait.
    """

    def __init__(self, workers: int, queue: int) -> None:
        self.pool = ThreadPoolExecutor(workers, thread_name_prefix="search")
        self.room = workers + queue
        self.inside = 0

    @contextmanager
    def enter(self) -> Iterator[None]:
        """A place, taken before anything of the request's body is read.

        Raises: HTTPException 503 with Retry-After when all are taken.
        """
        if self.inside >= self.room:
            message = f"{self.room} searches are under way already; try again in a moment."
            raise HTTPException(503, message, headers={"Retry-After": "1"})
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

    async def work(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run it on one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, function, *arguments)

    def close(self) -> None:
        """Drop what waits."""
        self.pool.shutdown(wait=False, cancel_futures=True)


class BodyLimit:
    """Refuse bodies that are too large: by their header without reading them, else as soon as they are.

    Args:
        app: what is guarded.
        most: bytes.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        said = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        if said.isdigit() and int(said) > self.most:
            await self._refuse(receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.most:
                raise HTTPException(413, self._message, headers={"Connection": "close"})
            return message

        async def answer(message: Message) -> None:
            if taken > self.most and message["type"] == "http.response.body":
                await _last_words(message["body"], receive, send)
            else:
                await send(message)

        await self.app(scope, counted, answer)

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
