"""HTTP connections that have an end: uvicorn bounds neither how long a client takes to send a request's head, nor how
long it takes to read an answer, nor how many connections are open."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from vsebench.retrieval.server.limits import Limits


class BoundedProtocol(H11Protocol):
    """A connection that is closed when its client is too slow, or to make room for others.

    Attributes:
        limits: of the server; set on a subclass by :func:`bounded`.
        since: when it began to wait for a request's head; None while a request is under way.
    """

    limits = Limits()
    since: float | None = None
    _head: asyncio.TimerHandle | None = None
    _send: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, in the place of another one if there are too many."""
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > self.limits.connections:
            (self._slowest() or self)._end()

    def data_received(self, data: bytes) -> None:
        """Read; the time for a head runs on, however many bytes of it come."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        super().connection_lost(exc)
        self._stop_head()
        self.resume_writing()

    def pause_writing(self) -> None:
        """Begin to wait for a client that does not read."""
        super().pause_writing()
        self._stop_send()
        self._send = self.loop.call_later(self.limits.send_s, self._end)

    def resume_writing(self) -> None:
        """Resume writing: the client reads again."""
        super().resume_writing()
        self._stop_send()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, also one whose client has not read all that it was sent."""
        super().timeout_keep_alive_handler()
        if self._send is None and self.transport.get_write_buffer_size():
            self._send = self.loop.call_later(self.limits.send_s, self._end)

    def _watch(self) -> None:
        """Bound the time until a request's head is whole."""
        if self.transport.is_closing():
            self._stop_head()
            return
        waits = self.cycle is None or self.cycle.response_complete
        begun = self.cycle is None or bool(self.conn.trailing_data[0])  # an idle one has uvicorn's own clock
        if not waits or self.conn.their_state is not h11.IDLE:
            self.since = None
            self._stop_head()
        else:
            self.since = self.since or time.monotonic()
            if begun and self._head is None:
                self._head = self.loop.call_later(self.limits.head_s, self._end)

    def _slowest(self) -> BoundedProtocol | None:
        """Choose the connection that has waited longest for a head; without one, some connection whose body is not
        whole. None where every request is being answered.
        """
        others = [one for one in self.connections if isinstance(one, BoundedProtocol) and one is not self]
        waiting = [(one.since, one) for one in others if one.since is not None]
        if waiting:
            return min(waiting, key=lambda pair: pair[0])[1]
        return next((one for one in others if one.cycle is not None and one.cycle.more_body), None)

    def _end(self) -> None:
        self._stop_head()
        self._stop_send()
        self.transport.abort()

    def _stop_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _stop_send(self) -> None:
        if self._send is not None:
            self._send.cancel()
            self._send = None


def bounded(limits: Limits) -> type[Any]:
    """Return the protocol of a server with these limits."""
    return type("Bounded", (BoundedProtocol,), {"limits": limits})
