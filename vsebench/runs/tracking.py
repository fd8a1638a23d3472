"""Where a run's numbers go while it runs: Weights & Biases, or nowhere. Losing the tracker loses nothing.

The store on disk has every number; W&B is a copy. Whatever it raises is caught once, said once, and the run goes on.
"""

from __future__ import annotations

import io
import logging
import re
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from vsebench.runs.wandb_options import Wandb

if TYPE_CHECKING:
    from vsebench.core.types import Result

#: The file of a W&B run that has its whole result; in its config: where it stands on the board.
RESULT_FILE, ROW_KEY = "vsebench-result.json", "vsebench/row"
#: In the config of the run that has the board: its results file without the results, as JSON.
BOARD_KEY = "vsebench/board"

log = logging.getLogger(__name__)


class Tracker(Protocol):
    """What a run tells while it runs."""

    def log(self, numbers: Mapping[str, float]) -> None:
        """One epoch's numbers."""
        ...

    def finish(self, result: Result | None) -> None:
        """Log what came of the run, None where it failed, and close it; nothing is logged after it."""
        ...


class NullTracker:
    """Tell nobody."""

    def log(self, numbers: Mapping[str, float]) -> None:
        """Do nothing."""

    def finish(self, result: Result | None) -> None:
        """Do nothing."""


class WandbTracker:
    """One W&B run.

    Args:
        wandb: where W&B files it, and what it may collect.
        folder: where offline files go.
        group, name, run_id: how W&B files it: a group per experiment, a run per system and seed.
        config: the resolved configuration.
        tags: of the run.
        job_type: ``train``, ``leaderboard`` or ``measure``.
        best: metric and mode that choose the epoch, for a run whose numbers come epoch by epoch: its curve is drawn
            over epochs, and its best value is the one in W&B's tables.
        files: the folder of the run that is tracked, from which a board can be made of W&B's runs, and whose
            predictions are drawn; None of what is no run of a system.
        label_names: of the classes in its predictions.

    A run that is done again continues the W&B run of its id: online, epochs that are there are not logged twice;
    offline, its folder replaces the one of the earlier attempt, whose epochs it repeats.
    """

    def __init__(
        self,
        wandb: Wandb,
        *,
        folder: Path,
        group: str,
        name: str,
        run_id: str,
        config: Mapping[str, Any],
        tags: Sequence[str] = (),
        job_type: str = "train",
        best: tuple[str, str] | None = None,
        files: Path | None = None,
        label_names: Sequence[str] = (),
    ) -> None:
        self.run: Any = None
        self.wandb, self.folder, self.files, self.label_names = wandb, folder, files, label_names
        self.lost, self.url = False, ""
        self.logged = 0.0
        folder.mkdir(parents=True, exist_ok=True)

        def start() -> None:
            import wandb as library

            if wandb.mode == "offline":
                _replace(folder, run_id)
            self.run = library.init(
                project=wandb.project,
                entity=wandb.entity or None,
                group=group,
                name=name,
                id=run_id,
                resume="allow" if wandb.mode == "online" else None,
                config=dict(config),
                tags=list(dict.fromkeys([*tags, *wandb.tags])),
                job_type=job_type,
                mode=wandb.mode,
                dir=str(folder),
                settings=library.Settings(
                    console="off",
                    silent=True,
                    x_disable_stats=not wandb.system,
                    x_disable_meta=not wandb.system,
                    disable_git=not wandb.system,
                    disable_code=not wandb.system,
                    init_timeout=30,
                ),
                reinit="create_new",
            )
            if wandb.mode == "online":
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
        if self.wandb.mode == "offline":
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
        """Log a table, such as the board; text is plain data."""
        from vsebench.runs.wandb_media import log_table

        self._try("log a table", lambda: log_table(self.run, name, columns, rows))

    def log_pictures(self, name: str, pictures: Sequence[tuple[bytes, str]]) -> None:
        """Log encoded pictures, each with what is said of it."""

        def send() -> None:
            import wandb
            from PIL import Image

            made = [wandb.Image(Image.open(io.BytesIO(data)), caption=text) for data, text in pictures]
            self.run.log({name: made})

        self._try("log pictures", send)

    def log_figure(self, name: str, figure: Any) -> None:
        """Log a plot: a matplotlib figure."""
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=120)
        self.log_pictures(name, [(drawn.getvalue(), "")])

    def log_html(self, name: str, text: str) -> None:
        """Log a page or a drawing as it is; the caller has escaped foreign text."""

        def send() -> None:
            import wandb

            self.run.log({name: wandb.Html(text, inject=False, data_is_not_path=True)})

        self._try("log a page", send)

    def finish(self, result: Result | None) -> None:
        """Log what came of a run: its result whole as a file, its numbers as the summary, what it depends on as
        configuration, charts of its predictions, and artifacts where they are asked for.
        """
        files = self.files
        if result is not None and files is not None:
            self._try("log the result", lambda: self._log_result(result, files))
        failed = result is None or result.status == "failed"
        self.close({} if result is None else _summary(result), failed=failed)

    def _log_result(self, result: Result, files: Path) -> None:
        from vsebench.runs.store import as_text
        from vsebench.runs.wandb_media import log_artifacts, log_charts

        facts = {"best_epoch": result.best_epoch, "commit": result.commit, "hardware": dict(result.hardware)}
        self.run.config.update({**facts, "versions": dict(result.versions)}, allow_val_change=True)
        file = Path(self.run.dir) / RESULT_FILE
        file.write_text(as_text(result), encoding="utf-8")
        self.run.save(str(file), base_path=self.run.dir, policy="now")
        if result.status == "finished":
            log_charts(self.run, files, self.label_names)
            if self.wandb.artifacts:
                log_artifacts(self.run, files, result)

    def close(self, summary: Mapping[str, Any], *, failed: bool = False) -> None:
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


def _summary(result: Result) -> dict[str, Any]:
    """Return a run's final numbers by their names in W&B."""
    if result.status == "pruned":
        return {"pruned_at_epoch": result.epochs}
    counts = {f"parameters/{name}": count for name, count in result.parameters.items()}
    return {**result.metrics, "train_s": result.train_s, **counts}


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
