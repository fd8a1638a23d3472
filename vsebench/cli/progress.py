"""Progress of a sweep: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from vsebench.core.sizes import duration_in_words
from vsebench.core.terminal import harmless, on_one_line, say
from vsebench.runs.store import Store
from vsebench.sweeps.plan import Plan
from vsebench.sweeps.status import Watch
from vsebench.sweeps.worker import Event

#: In plain logs, a line per worker every so many seconds, not one per epoch.
EVERY_S = 10.0


class ProgressView:
    """Shows a sweep's events.

    Args:
        workers: how many runs go on at the same time; asked once there are runs to do.
        estimate: expected seconds of a plan's open runs, by id.
        console: a rich console, for tests.
    """

    def __init__(
        self,
        store: Store,
        workers: Callable[[], int],
        estimate: Callable[[Plan], Mapping[str, float | None]],
        console: Any = None,
    ) -> None:
        from rich.console import Console

        self.console = console or Console(stderr=True)
        self.workers = workers
        self.watch = Watch(store, 1)
        self.estimate = estimate
        self.live: Any = None
        self.printed_at: dict[int, float] = {}

    def plan(self, plan: Plan) -> None:
        """Say what will be done; a search says it for each of its rounds."""
        todo = {r.run_id for r in plan.todo}
        everything = {r.run_id for r in plan.runs}
        pruned = len({r.run_id for r in plan.runs if r.status == "pruned"})
        finished = len(everything) - len(todo) - pruned
        message = f"{finished} finished, " + (f"{pruned} pruned, " if pruned else "") + f"{len(todo)} to do"
        line = f"{plan.experiment.name}: {len(everything)} runs, {message}."
        if todo:
            self.watch.workers = self.workers()
        self.watch.add(plan, self.estimate(plan) if todo else {})
        left = self.watch.seconds_left() if todo else None
        say(line + (f" About {duration_in_words(left)}." if left is not None else ""))
        if todo and self.live is None and self.console.is_terminal and not self.console.is_dumb_terminal:
            from rich.live import Live

            self.live = Live(console=self.console, get_renderable=self.table, refresh_per_second=4, transient=True)
            self.live.start()

    def event(self, event: Event) -> None:
        """Show what a worker says."""
        self.watch.take(event)
        title = self.watch.title(event.run_id)
        if event.kind in ("crash", "note"):
            self._lines(event.text)
        elif event.kind == "end":
            mark = {"finished": "done", "pruned": "pruned"}.get(event.status, "FAILED")
            line = f"[{len(self.watch.ended)}/{len(self.watch.open)}] {mark} {title}: {event.text}"
            self._line(line if self.live is not None else f"{line} | {self.summary()}")
        elif (
            self.live is None
            and time.monotonic() - self.printed_at.setdefault(event.worker, time.monotonic()) >= EVERY_S
        ):
            self.printed_at[event.worker] = time.monotonic()
            self._line(f"  {title}: {event.text}")

    def summary(self) -> str:
        """Format counts, time left and the best row in one line."""
        watch = self.watch
        waiting = len(watch.open - watch.ended.keys())
        parts = [f"{len(watch.running)} running"] if watch.running else []
        parts += [f"{watch.count('failed')} failed"] if watch.count("failed") else []
        parts += [f"{watch.count('pruned')} pruned"] if watch.count("pruned") else []
        left = watch.seconds_left()
        if waiting:
            parts.append("time left unknown" if left is None else f"about {duration_in_words(left)} left")
        best = watch.best()
        if best is not None:
            parts.append(f"best so far: {best.text}")
        return " · ".join(parts) or "all done"

    def table(self) -> Any:
        """Return the live table: a line of counts and a row for each worker."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        watch = self.watch
        head = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=max(1, len(watch.open)), completed=len(watch.ended), width=30)
        head.add_row(bar, Text(f"{len(watch.ended)}/{len(watch.open)} runs"), Text(on_one_line(self.summary())))
        rows = Table(box=None, padding=(0, 1), show_header=False)
        for worker, running in sorted(watch.running.items()):
            spent = duration_in_words(watch.clock() - running.since)
            rows.add_row(
                Text(f"worker {worker}", style="dim"),
                Text(on_one_line(watch.title(running.run_id))),
                Text(on_one_line(running.text)),
                Text(spent),
            )
        return Group(head, rows)

    def close(self) -> None:
        """Take the live display away."""
        if self.live is not None:
            self.live.stop()
            self.live = None

    def _line(self, text: str) -> None:
        self._lines(" ".join(text.splitlines()))

    def _lines(self, text: str) -> None:
        if self.live is not None:
            from rich.text import Text

            self.live.console.print(Text(harmless(text)))
        else:
            say(text, error=True, lines=True)
