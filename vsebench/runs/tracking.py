"""Where a run's numbers go while it runs: Weights & Biases, or nowhere. Losing the tracker loses nothing.

The store on disk has every number; W&B is a copy. Whatever it raises is caught once, said once, and the run goes on.
"""

from __future__ import annotations

import io
import logging
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import quote

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
        """Log the final numbers and close the run; nothing is logged after it."""
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
    setting = os.environ.get("WANDB_MODE", "").lower()
    if setting in ("online", "offline", "disabled"):
        return setting  # type: ignore[return-value]
    return "online" if logged_in() else "offline"


def logged_in() -> bool:
    """Return whether W&B would find an API key, without asking the network."""
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
        job_type: ``train``, ``leaderboard`` or ``measure``.
        best: metric and mode that choose the epoch, for a run whose numbers come epoch by epoch: its curve is drawn
            over epochs, and its best value is the one in W&B's tables.

    A run that is done again continues the W&B run of its id: online, epochs that are there are not logged twice;
    offline, its folder replaces the one of the earlier attempt, whose epochs it repeats.
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
        job_type: str = "train",
        best: tuple[str, str] | None = None,
    ) -> None:
        self.run: Any = None
        self.mode, self.folder = mode, folder
        self.lost, self.url = False, ""
        self.logged = 0.0
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
            if mode == "offline":
                _replace(folder, run_id)
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
            self.url = f"{self.run.project_url}/groups/{quote(group)}"
            if best is not None:
                self._describe(*best)

        self._try("start", start)

    def place(self) -> str:
        """Return where W&B shows the group of this run, or how what it wrote offline gets there; empty where W&B is
        lost.
        """
        if self.lost:
            return ""
        if self.mode == "offline":
            # By its absolute path: given a relative one, wandb 0.31 sends the numbers without the media.
            runs = shlex.quote(str(self.folder.resolve() / "wandb"))
            return f"offline; send it with: wandb sync {runs}/offline-run-*"
        return self.url

    def _describe(self, metric: str, mode: str) -> None:
        """Tell W&B what the numbers are, and find what a continued run has already."""
        self.run.define_metric("epoch", hidden=True)
        self.run.define_metric("*", step_metric="epoch")
        self.run.define_metric(metric, step_metric="epoch", summary=mode)
        if self.run.resumed:
            self.logged = float(self.run.summary.get("epoch") or 0)

    def log(self, numbers: Mapping[str, float]) -> None:
        """One epoch's numbers; ``epoch`` is the step."""
        if self.logged and numbers.get("epoch", float("inf")) <= self.logged:
            return
        self._try("log", lambda: self.run.log(dict(numbers)))

    def log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Log a table, such as the board. Cells that are encoded pictures (bytes) become pictures; text is plain
        data.
        """

        def send() -> None:
            import wandb

            data: list[Any] = [[_cell(value) for value in row] for row in rows]
            with _kept_in(Path(self.run.dir).parent):
                self.run.log({name: wandb.Table(columns=list(columns), data=data)})

        self._try("log a table", send)

    def log_figure(self, name: str, figure: Any) -> None:
        """Log a plot: a matplotlib figure."""

        def send() -> None:
            import wandb
            from PIL import Image

            drawn = io.BytesIO()
            figure.savefig(drawn, format="png", dpi=120)
            self.run.log({name: wandb.Image(Image.open(drawn))})

        self._try("log a figure", send)

    def log_html(self, name: str, text: str) -> None:
        """Log a page or a drawing as it is; the caller has escaped foreign text."""

        def send() -> None:
            import wandb

            self.run.log({name: wandb.Html(text, inject=False, data_is_not_path=True)})

        self._try("log a page", send)

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


def _cell(value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    import wandb
    from PIL import Image

    return wandb.Image(Image.open(io.BytesIO(value)))


@contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    """W&B's staged files in a run's own folder. It keeps tables and their pictures in the user's home until they are
    synced; an offline run would lose them where that home is not kept, as in a container."""
    setting = os.environ.get("WANDB_DATA_DIR")
    os.environ["WANDB_DATA_DIR"] = setting or str(folder)
    try:
        yield
    finally:
        if setting is None:
            del os.environ["WANDB_DATA_DIR"]


def _replace(folder: Path, run_id: str) -> None:
    """Remove what earlier attempts at a run wrote to be synced: the one that begins now says all of it again, and
    ``wandb sync`` of both would put one over the other in no certain order."""
    name = re.compile(rf"offline-run-\d{{8}}_\d{{6}}-{re.escape(run_id)}")
    for old in folder.glob("wandb/offline-run-*"):
        if name.fullmatch(old.name) and not old.is_symlink():
            shutil.rmtree(old)


def wandb_id(experiment: str, run_id: str) -> str:
    """Return the id of a run in W&B, always the same for the same run."""
    return f"{experiment}-{run_id}"
