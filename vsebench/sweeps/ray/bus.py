"""The post between the workers of a cluster and the driver: what they say, what they ask, and the answers.

One small process on the driver's node. Workers never see the driver's file system: curves for W&B and arrivals at
rungs go through here, and the driver, who alone writes, polls it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Message:
    """A worker's message about the run that it does.

    Args:
        assignment: of the assignment; the driver drops what comes of one that it has given up.
        kind: ``progress`` with ``text``; ``track``, ``log`` for the run's tracker; ``rung``, which waits
            for an answer; ``over``, the last message.
        epoch, value: of an arrival at a rung.
    """

    assignment: int
    kind: Literal["progress", "track", "log", "rung", "over"]
    text: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    epoch: int = 0
    value: float | None = None


class MessageBus:
    """An actor with two sides. All of it runs in one event loop, so that messages of a worker keep their order."""

    def __init__(self) -> None:
        self._said: list[Message] = []
        self._open: dict[tuple[int, int], asyncio.Future[bool]] = {}

    async def tell(self, message: Message) -> None:
        """Send a worker's message."""
        self._said.append(message)

    async def ask(self, message: Message) -> bool:
        """Ask the driver, as a worker, and wait for its answer."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._open[message.assignment, message.epoch] = answer
        self._said.append(message)
        return await answer

    async def take(self) -> list[Message]:
        """Take the messages since the last call, as the driver, in the order of their arrival."""
        message, self._said = self._said, []
        return message

    async def answer(self, assignment: int, epoch: int, promoted: bool) -> None:
        """Send the driver's answer to a question."""
        waiting = self._open.pop((assignment, epoch), None)
        if waiting is not None and not waiting.done():
            waiting.set_result(promoted)
