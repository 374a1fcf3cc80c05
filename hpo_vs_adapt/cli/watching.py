"""Following a study that others run, by the records that they leave."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from hpo_vs_adapt.cli.messages import say
from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.results import Results
from hpo_vs_adapt.run import load_results
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.wording import counted, mask_uri

__all__ = ["is_complete", "watch_report", "watch_results"]


def watch_report(study: Study, directory: Path, seconds: float) -> bool:
    """Write a report whenever trials have ended, and print a line each time.

    The page stays a static file: nothing in it reloads it under a reader's eyes.

    Args:
        study: What is compared.
        directory: Of the report.
        seconds: As in `watch_results`.

    Returns:
        Whether the study is complete, its last report not yet written; else it was
        Ctrl-C, and the report is what the last line said.
    """
    place = mask_uri(study.storage.records)
    say(f"Watching {place} for trials of {study.name} (Ctrl-C ends it)")
    try:
        for results in watch_results(study, seconds):
            if is_complete(results):
                break
            page = results.write_report(directory)
            say(f"{datetime.now():%H:%M:%S}  {_so_far(results)}: {page}")
    except KeyboardInterrupt:  # the way to end it, so nothing went wrong
        return False
    return True


def watch_results(study: Study, seconds: float) -> Iterator[Results]:
    """Yield the results of a study as they are, and again whenever trials have ended.

    Ends after the results of the last trial. Any process on any machine may be training
    them: only the names of the records are looked at, until there is a new one.

    Args:
        study: What is compared.
        seconds: Time between two looks. Where reading the records, and what is done
            with the results, takes longer, as much again is waited: this process is
            never busy for more than half of the time.

    Raises:
        DataProblem: If a workload's data cannot be had.
        StorageProblem: If the records cannot be read.
    """
    store = RecordStore(study.storage.records, writable=False)
    seen: list[str] | None = None
    trials = -1
    while True:
        begun = time.monotonic()
        keys = store.keys()
        if keys != seen:
            seen = keys
            results = load_results(study)
            if len(results.records) != trials:  # else the new ones are other studies'
                trials = len(results.records)
                yield results
            if is_complete(results):
                return
        time.sleep(max(seconds, time.monotonic() - begun))


def is_complete(results: Results) -> bool:
    """Whether every trial that a study plans has ended."""
    progress = results.progress
    return bool((progress["done"] >= progress["planned"]).all())


def _so_far(results: Results) -> str:
    done, planned = results.progress[["done", "planned"]].sum()
    policy = results.records["role"] == "policy"
    hits = int(results.records.loc[policy, "hit"].sum())
    return f"{done} of {planned} trials, {counted(hits, 'hit')}"
