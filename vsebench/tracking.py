"""Where a run's numbers go while it runs: Weights & Biases, or nowhere. Losing the tracker loses nothing.

The store on disk has every number; W&B is a copy. Whatever it raises is caught once, said once, and the run goes on.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

#: In a run's summary: its whole result, as JSON; in its config: where it stands on the board.
RESULT_KEY, ROW_KEY = "vsebench/result", "vsebench/row"
#: In the config of the run that has the board: its results file without the results, as JSON.
BOARD_KEY = "vsebench/board"
Mode = Literal["auto", "online", "offline", "disabled"]

log = logging.getLogger(__name__)


class Tracker(Protocol):
    """What a run tells while it runs."""

    def log(self, numbers: Mapping[str, float]) -> None:
        """One epoch's numbers."""
        ...

    def finish(self, summary: Mapping[str, Any], *, failed: bool = False) -> None:
        """The final numbers; nothing is logged after it."""
        ...


class NullTracker:
    """Tell nobody."""

    def log(self, numbers: Mapping[str, float]) -> None:
        """Do nothing."""

    def finish(self, summary: Mapping[str, Any], *, failed: bool = False) -> None:
        """Do nothing."""


def resolve_mode(mode: Mode) -> Literal["online", "offline", "disabled"]:
    """``auto`` is W&B's own ``WANDB_MODE`` where it is set, online when somebody is logged in, offline otherwise."""
    if mode != "auto":
        return mode
    said = os.environ.get("WANDB_MODE", "").lower()
    if said in ("online", "offline", "disabled"):
        return said  # type: ignore[return-value]
    return "online" if logged_in() else "offline"


def logged_in() -> bool:
    """Whether W&B would find an API key, without asking the network."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    import netrc
    from urllib.parse import urlparse

    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or "api.wandb.ai"
    try:
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


class WandbTracker:
    """One W&B run.

    Args:
        mode: ``online`` or ``offline``.
        folder: where offline files go.
        project, group, name, run_id: how W&B files it: a group per experiment, a run per system and seed.
        config: the resolved configuration.
    """

    def __init__(
        self,
        *,
        mode: Literal["online", "offline"],
        folder: Path,
        project: str,
        group: str,
        name: str,
        run_id: str,
        config: Mapping[str, Any],
        tags: Sequence[str] = (),
        job_type: str = "run",
    ) -> None:
        self.run: Any = None
        self.lost = False
        folder.mkdir(parents=True, exist_ok=True)

        def start() -> None:
            import wandb

            settings = wandb.Settings(
                console="off",
                silent=True,
                x_disable_stats=True,
                x_disable_meta=True,
                disable_git=True,
                disable_code=True,
                init_timeout=30,
            )
            self.run = wandb.init(
                project=project,
                group=group,
                name=name,
                id=run_id,
                resume="allow" if mode == "online" else None,
                config=dict(config),
                tags=list(tags),
                job_type=job_type,
                mode=mode,
                dir=str(folder),
                settings=settings,
                reinit="create_new",
            )

        self._try("start", start)

    def log(self, numbers: Mapping[str, float]) -> None:
        """One epoch's numbers; ``epoch`` is the step."""
        self._try("log", lambda: self.run.log(dict(numbers)))

    def log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table, such as the board."""

        def send() -> None:
            import wandb

            self.run.log({name: wandb.Table(columns=list(columns), data=[list(r) for r in rows])})

        self._try("log a table", send)

    def log_figure(self, name: str, figure: Any) -> None:
        """A plot: a matplotlib figure."""

        def send() -> None:
            import wandb
            from PIL import Image

            drawn = io.BytesIO()
            figure.savefig(drawn, format="png", dpi=120)
            self.run.log({name: wandb.Image(Image.open(drawn))})

        self._try("log a figure", send)

    def finish(self, summary: Mapping[str, Any], *, failed: bool = False) -> None:
        """Put the final numbers into the run's summary and close it."""

        def close() -> None:
            self.run.summary.update(dict(summary))
            self.run.finish(exit_code=1 if failed else 0)

        self._try("finish", close)

    def _try(self, what: str, action: Callable[[], None]) -> None:
        if self.lost:
            return
        try:
            action()
        except Exception as error:  # W&B may fail in any way; the run's own files have everything.
            self.lost = True
            log.warning("W&B lost (could not %s: %s). The run goes on; its numbers are in its folder.", what, error)


def wandb_id(experiment: str, run_id: str) -> str:
    """The id of a run in W&B: the same run always has the same."""
    return f"{experiment}-{run_id}"
