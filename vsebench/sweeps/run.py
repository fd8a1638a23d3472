"""What a sweep has to do, until its results are in the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from vsebench.config.experiment import Experiment
from vsebench.runs.store import Store
from vsebench.sweeps import attempts
from vsebench.sweeps.local import default_workers, run_all
from vsebench.sweeps.mend import mend
from vsebench.sweeps.plan import Plan, Run, is_over, make_plan
from vsebench.sweeps.tuning import Search
from vsebench.sweeps.worker import Event, Execute, Settings


class Sweep:
    """The runs of an experiment that are not in the store yet.

    ``whole`` has every run that is known of, ``plan`` those to be done; both grow while a search asks.

    Args:
        experiment: as read.
        described: the dataset.
        settings: of the runs.
        only: patterns of the rows that are run; all by default.
        on_event: told what is set aside and what the runs do.
    """

    def __init__(
        self,
        experiment: Experiment,
        described: Mapping[str, Any],
        settings: Settings,
        *,
        only: Sequence[str],
        on_event: Callable[[Event], None],
    ) -> None:
        self.settings, self.only, self.on_event = settings, only, on_event
        self.store = store = Store(settings.store_root, experiment.name)
        self.described = described
        experiment = experiment.on(described)
        for text in mend(store):
            on_event(Event("note", 0, text=text))
        self.search = Search(experiment, described, store) if experiment.space is not None else None
        self.whole = self.search.replay() if self.search is not None else make_plan(experiment, described, store)
        self.plan = self.whole if not only else make_plan(self.whole.experiment.only(only), described, store)
        _note_rows(store, self.whole)

    def run(self, execute: Execute | None, workers: int | None, on_plan: Callable[[Plan], None]) -> None:
        """Do what is missing; ``execute`` does, or ``workers`` processes of this machine.

        Raises: KeyboardInterrupt; ConfigError when a search finds nothing new.
        """

        def here(runs: Sequence[Run], settings: Settings, on_event: Callable[[Event], None]) -> None:
            if runs:  # how many workers suit a machine takes seconds to learn
                run_all(
                    runs, settings, workers=default_workers(settings) if workers is None else workers, on_event=on_event
                )

        execute = execute or here
        _run(self.plan, self.store, self.settings, execute, on_plan, self.on_event)
        search = self.search
        while search is not None and not self.only and (runs := search.ask()):
            part = Plan(search.known(), tuple(runs), self.described)
            self.whole = self.plan = replace(self.whole, experiment=part.experiment, runs=(*self.whole.runs, *runs))
            _note_rows(self.store, self.whole)
            if part.todo:
                _run(part, self.store, self.settings, execute, on_plan, self.on_event)


def _note_rows(store: Store, plan: Plan) -> None:
    """Keep which rows have which runs, so that all rows that share a run can be named."""
    rows: dict[str, dict[str, str]] = {}
    for run in plan.runs:
        rows.setdefault(run.name, {})[str(run.seed)] = run.run_id
    store.note_rows(rows)


def _run(
    plan: Plan,
    store: Store,
    settings: Settings,
    execute: Execute,
    on_plan: Callable[[Plan], None],
    on_event: Callable[[Event], None],
) -> None:
    for run in plan.todo:
        result = store.read(run.run_id)
        if result is not None and not is_over(run, result):
            store.forget(run.run_id)
            attempts.retry(store.run_folder(run.run_id))
    on_plan(plan)
    execute(plan.todo, settings, on_event)
