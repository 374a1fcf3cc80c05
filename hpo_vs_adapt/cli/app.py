"""The command line.

Exit status: 0 done; 1 trials crashed; 2 the study, the options, the data or a storage
are wrong; 70 a mistake of the project itself (`EX_SOFTWARE`); 130 interrupted.
"""

from __future__ import annotations

import gc
import importlib.metadata
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.text import Text

from hpo_vs_adapt.cli.messages import CRASHED, INTERRUPTED, complain, reporting, say
from hpo_vs_adapt.cli.options import Log, Watch, WatchCommand, logging_trials
from hpo_vs_adapt.observers.terminal.displays import make_console, make_progress
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.wording import Secrets, nearest

if TYPE_CHECKING:
    from hpo_vs_adapt.observers.logs.logs import TrialLogs
    from hpo_vs_adapt.results import Results

# torch, Ray and Optuna take seconds to import: commands import what they need, so that
# help texts and mistakes in a study file show at once.

__all__ = ["app", "main"]

_T = TypeVar("_T")

app = typer.Typer(
    name="hpo-vs-adapt",
    help="What tuning fixed hyperparameters costs until a target is met, against rules "
    "that adapt while they train.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StudyFile = Annotated[
    Path,
    typer.Argument(metavar="STUDY.yaml", help="The study file.", show_default=False),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Folder of the report.",
        show_default="reports/NAME OF THE STUDY",
    ),
]
Smoke = Annotated[
    bool,
    typer.Option(
        "--smoke",
        help="Take the study's smaller settings, to see that it works; the name and "
        "the report get `-smoke` behind them.",
    ),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="Show what libraries print, and tracebacks.")
]


class Kind(StrEnum):
    """What `list` can list."""

    WORKLOADS = "workloads"
    RULES = "rules"


def main() -> None:
    """Run the command that the process was called with."""
    try:
        app()
    finally:
        # All that is left ends with the process; sorting it out first takes seconds.
        gc.freeze()


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(importlib.metadata.version("hpo-vs-adapt"))
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take the options that go before a command."""


@app.command()
def run(
    study: StudyFile,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Join a running Ray cluster: auto or HOST:PORT.",
            show_default="this machine",
        ),
    ] = None,
    out: Out = None,
    log: Log = None,
    smoke: Smoke = False,
    verbose: Verbose = False,
) -> None:
    """Train what is missing of a study, then write the report.

    Trials that are on disk are not trained again. Ctrl-C leaves everything finished on
    disk; the same command goes on from there.
    """
    with reporting(verbose) as secrets:
        loaded = _load(study, secrets, smoke, log)
        with logging_trials(log, loaded) as logs:
            results = _train(loaded, address, verbose, logs)
            crashed = _show_results(results, out)
    missing = results.progress["done"] < results.progress["planned"]
    if crashed or missing.any():
        raise typer.Exit(CRASHED)


@app.command()
def plan(study: StudyFile, smoke: Smoke = False, verbose: Verbose = False) -> None:
    """Show what a run would train, and about how much that costs; train nothing."""
    with reporting(verbose) as secrets:
        loaded = _load(study, secrets, smoke)
        from hpo_vs_adapt.cli.views import plan_view
        from hpo_vs_adapt.run import plan_study

        make_console().print(plan_view(plan_study(loaded)))


@app.command()
def status(study: StudyFile, smoke: Smoke = False, verbose: Verbose = False) -> None:
    """Show what is done, running, missing and failed; train nothing."""
    with reporting(verbose) as secrets:
        loaded = _load(study, secrets, smoke)
        from hpo_vs_adapt.cli.views import status_view
        from hpo_vs_adapt.observers.dashboard.studies import running_trials
        from hpo_vs_adapt.run import load_results

        results = load_results(loaded)
        running = running_trials(loaded.storage.optuna, loaded.name)
        make_console().print(status_view(results.progress, results.records, running))
        _name_crashes(results)


@app.command(cls=WatchCommand)
def report(
    study: StudyFile,
    out: Out = None,
    watch: Watch = None,
    log: Log = None,
    smoke: Smoke = False,
    verbose: Verbose = False,
) -> None:
    """Write the report from the trials that are on disk, also while a run goes on."""
    with reporting(verbose) as secrets:
        loaded = _load(study, secrets, smoke, log)
        from hpo_vs_adapt.cli.watching import watch_report
        from hpo_vs_adapt.run import load_results

        with logging_trials(log, loaded) as logs:
            if watch and not watch_report(loaded, _folder(loaded, out), watch):
                return
            crashed = _show_results(load_results(loaded, logs), out)
    if crashed:
        raise typer.Exit(CRASHED)


@app.command()
def dashboard(
    study: StudyFile,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, help="Port on 127.0.0.1.", show_default="a free one"
        ),
    ] = 0,
    out: Out = None,
    verbose: Verbose = False,
) -> None:
    """Serve the study's part of optuna-dashboard, until Ctrl-C."""
    with reporting(verbose) as secrets:
        loaded = _load(study, secrets)
        from hpo_vs_adapt.observers.dashboard.serve import HOST, open_study_dashboard

        with open_study_dashboard(loaded, port, out) as server:
            url = f"http://{HOST}:{server.server_port}/"
            say(f"Optuna studies of {loaded.name}: {url} (Ctrl-C ends this)")
            try:
                server.serve_forever()
            except KeyboardInterrupt:  # the way to end it, so nothing went wrong
                return


@app.command()
def calibrate(
    study: StudyFile,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where the settings are written.",
            show_default="the package's own file",
        ),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Choose settings of rules once across the workloads of a study, and freeze them.

    Every tuned arm is a rule to calibrate; arms with `calibrated: true` then take what
    did best over all workloads.
    """
    with reporting(verbose) as secrets:
        loaded = _load(study, secrets)
        from hpo_vs_adapt.study.calibrations import FROZEN
        from hpo_vs_adapt.tables.calibrate import choose, write_calibrations

        file = out or FROZEN
        chosen = choose(_train(loaded, None, verbose).given)
        write_calibrations(chosen, file)
    for rule, one in chosen.items():
        say(f"{rule}: {', '.join(f'{n} {v}' for n, v in one.settings.items())}")
    say(f"Written to {file}.")


@app.command()
def compare(
    reports: Annotated[
        list[Path],
        typer.Argument(
            metavar="REPORT",
            help="Folders of two or more reports; all are compared with the first.",
            show_default=False,
        ),
    ],
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write all comparisons there, too."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show what does not differ, too.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Show what differs between reports, beyond noise.

    Of other studies, or of the same one before and after a change; arms and workloads
    are compared where they have the same name. Only the reports are read.
    """
    with reporting(verbose):
        from hpo_vs_adapt.cli.compare_view import comparison_view
        from hpo_vs_adapt.records.files import write_whole
        from hpo_vs_adapt.report.compare import compare_reports, read_report

        comparison = compare_reports([read_report(folder) for folder in reports])
        if csv is not None:
            text = comparison.changes.to_csv(index=False, lineterminator="\n")
            write_whole(csv, text)
        make_console().print(comparison_view(comparison, everything))


@app.command("list")
def list_(
    kind: Annotated[Kind, typer.Argument(show_default=False)],
    names: Annotated[
        list[str] | None, typer.Argument(help="Only these.", show_default=False)
    ] = None,
) -> None:
    """Show what a study can name, with settings and defaults."""
    from hpo_vs_adapt.cli.views import rules_view, workloads_view

    with reporting(verbose=False):
        if kind is Kind.WORKLOADS:
            from hpo_vs_adapt.workloads import WORKLOADS

            view = workloads_view(_only(names, WORKLOADS, "workload"))
        else:
            from hpo_vs_adapt.optim import RULES

            view = rules_view(_only(names, RULES, "rule"))
        make_console().print(view)


def _load(
    file: Path,
    secrets: Secrets,
    smoke: bool = False,
    logs: Sequence[str] | None = None,
) -> Study:
    """Return the study in a file; hide its secrets and those of logs from now on."""
    for log in logs or ():
        secrets.learn(log.partition("=")[2])
    study = Study.from_yaml(file, smoke=smoke)
    secrets.learn(study.storage.records)
    secrets.learn(study.storage.optuna)
    return study


def _only(
    names: Sequence[str] | None, known: Mapping[str, _T], kind: str
) -> Mapping[str, _T]:
    """Return what is asked for by name, or everything.

    Raises:
        ReferenceProblem: If there is no such name.
    """
    from hpo_vs_adapt.plugins.problem import ReferenceProblem

    for name in names or ():
        if name not in known:
            raise ReferenceProblem(f"Unknown {kind} `{name}`; {nearest(name, known)}")
    return {name: known[name] for name in names} if names else known


def _train(
    study: Study, address: str | None, verbose: bool, logs: TrialLogs | None = None
) -> Results:
    """Return the results of a whole study.

    Raises:
        typer.Exit: If it was interrupted, after saying how to go on.
    """
    from hpo_vs_adapt.run import run_study

    progress = make_progress(make_console(stderr=True))
    try:
        return run_study(study, address, progress, verbose, logs)
    except KeyboardInterrupt:
        complain(
            "Interrupted. To go on, run the same command again: "
            f"{progress.done} finished trials are kept."
        )
        raise typer.Exit(INTERRUPTED) from None


def _show_results(results: Results, out: Path | None) -> bool:
    """Write the report, show its gist, and return whether trials have crashed."""
    from hpo_vs_adapt.cli.views import arms_view

    with make_console(stderr=True).status("Report", refresh_per_second=4) as status:
        page = results.write_report(
            _folder(results.study, out),
            lambda part: status.update(Text(f"Report: {part}")),
        )
    summary = results.summary()
    console = make_console()
    console.print(arms_view(summary, console.width))
    for verdict in summary["verdict"]:
        console.print(Text(verdict["sentence"]), soft_wrap=not console.is_terminal)
    crashed = _name_crashes(results)
    say(f"\nReport: {page}")
    return crashed


def _folder(study: Study, out: Path | None) -> Path:
    return out or Path("reports") / study.name


def _name_crashes(results: Results) -> bool:
    """Name the trials that have crashed, and return whether there are any."""
    records = results.records
    crashed = records[records["end"] == "crashed"].to_dict("records")
    for trial in crashed:
        complain(
            f"Crashed: {trial['workload']}, {trial['arm']}, {trial['role']} trial "
            f"{trial['number']}, seed {trial['seed']}: {trial['error']}"
        )
    return bool(crashed)
