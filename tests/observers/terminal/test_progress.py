from dataclasses import replace
from io import BytesIO, StringIO, TextIOWrapper

from rich.console import Console

from hpo_vs_adapt.observers.terminal.displays import (
    LiveProgress,
    PlainProgress,
    make_progress,
)
from hpo_vs_adapt.observers.terminal.progress import (
    ArmProgress,
    Snapshot,
    WorkloadProgress,
)
from hpo_vs_adapt.observers.terminal.totals import duration, roughly

ARMS = (
    ArmProgress("digits_mlp", "sgd-grid", 6, 20, 2, 0.95125),
    ArmProgress("digits_mlp", "tlr", 0, 3, 0, None),
)
START = Snapshot(
    packs=2,
    lanes=17,
    done=6,
    planned=100,
    found=4,
    arms=ARMS,
    elapsed=1.0,
    remaining=75.0,
    workloads=(WorkloadProgress("digits_mlp", "accuracy", "max", 0.96, 17),),
)


def at(elapsed: float, done: int) -> Snapshot:
    return replace(START, elapsed=elapsed, done=done)


def plain_console() -> Console:
    return Console(file=StringIO(), force_terminal=False, width=200)


def terminal(height: int = 40, width: int = 120) -> Console:
    return Console(
        file=StringIO(),
        force_terminal=True,
        width=width,
        height=height,
        color_system=None,
        _environ={"TERM": "xterm"},
    )


def written(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def plain_lines(*snapshots: Snapshot) -> list[str]:
    console = plain_console()
    progress = PlainProgress(console)
    for snapshot in snapshots:
        progress.update(snapshot)
    return written(console).splitlines()


def test_a_terminal_gets_a_live_table_and_a_file_gets_lines():
    assert isinstance(make_progress(terminal()), LiveProgress)
    assert isinstance(make_progress(plain_console()), PlainProgress)


def test_a_terminal_that_cannot_draw_blocks_gets_lines():
    file = TextIOWrapper(BytesIO(), encoding="latin-1")
    old = Console(file=file, force_terminal=True, _environ={"TERM": "xterm"})
    assert isinstance(make_progress(old), PlainProgress)


def test_a_dumb_terminal_gets_lines():
    dumb = Console(file=StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    assert isinstance(make_progress(dumb), PlainProgress)


def test_a_plain_line_says_everything_about_the_whole_study():
    assert plain_lines(START) == [
        "6 of 100 trials (4 found on disk), 2 hits, training 17 lanes in 2 packs, "
        "0:01 elapsed, about 80 s left"
    ]


def test_plain_lines_are_never_closer_than_two_seconds():
    lines = plain_lines(at(1, 6), at(1.5, 50), at(2.9, 60), at(3.0, 61))
    assert [line.split()[0] for line in lines] == ["6", "61"]


def test_a_plain_line_follows_a_tenth_of_the_trials_or_half_a_minute():
    lines = plain_lines(at(1, 0), at(5, 9), at(6, 10), at(30, 11), at(36, 11))
    assert [line.split()[0] for line in lines] == ["0", "10", "11"]


def test_plain_lines_end_with_the_last_snapshot_and_its_arms():
    console = plain_console()
    progress = PlainProgress(console)
    progress.update(at(1, 6))
    progress.update(at(2, 7))
    progress.close()
    progress.close()
    lines = written(console).splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["6", "7"]
    assert lines[2:] == [
        "  digits_mlp sgd-grid: 6 of 20 trials, 2 hits, best 0.9513",
        "  digits_mlp tlr: 0 of 3 trials, 0 hits, best -",
    ]


def test_plain_progress_without_a_snapshot_prints_nothing():
    console = plain_console()
    PlainProgress(console).close()
    assert written(console) == ""


def test_a_time_left_that_nobody_knows_is_said_to_be_unknown():
    unknown = plain_lines(replace(START, remaining=None))[0]
    assert unknown.endswith("0:01 elapsed, time left unknown")


def test_nothing_is_said_of_time_left_when_all_is_done():
    assert "left" not in plain_lines(replace(START, done=100, remaining=0.0))[0]


def test_a_workload_that_nobody_has_measured_makes_the_time_left_a_lower_bound():
    line = plain_lines(replace(START, remaining=200.0, unmeasured=("cnn", "rnn")))[0]
    assert line.endswith("more than 3 min left (cnn, rnn unknown)")


def test_failures_are_counted_where_there_are_any():
    line = plain_lines(replace(START, diverged=3, crashed=1))[0]
    assert ", 2 hits, 3 diverged, 1 crashed, training" in line
    assert "diverged" not in plain_lines(START)[0]


def test_the_live_table_shows_lanes_packs_trials_hits_best_and_time_left():
    console = terminal()
    progress = LiveProgress(console)
    progress.update(START)
    frame = written(console)
    progress.close()
    for words in (
        "6 of 100 trials (4 found on disk)",
        "2 hits",
        "training 17 lanes in 2 packs",
        "about 80 s left",
        "sgd-grid",
        "6/20",
        "0.9513",
        "0/3",
    ):
        assert words in frame


def test_the_live_table_is_redrawn_in_place_and_its_last_frame_stays():
    console = terminal()
    progress = LiveProgress(console)
    progress.update(START)
    progress.update(at(9, 42))
    progress.close()
    text = written(console)
    assert "\x1b[1A" in text  # the cursor goes up to draw over the frame before
    last = text[text.rindex("\x1b[2K") :]
    assert "42 of 100 trials" in last
    assert text.rstrip("\n").endswith("\x1b[?25h")  # the cursor is shown again


def test_the_last_frame_has_all_arms_whatever_the_height_of_the_terminal():
    arms = tuple(ArmProgress("digits_mlp", f"arm{i}", 3, 3, 1, 0.5) for i in range(30))
    console = terminal(height=12)
    progress = LiveProgress(console)
    progress.update(replace(START, arms=arms))
    assert "arm29" not in written(console)
    progress.close()
    assert all(arm.arm in written(console) for arm in arms)


def test_names_with_brackets_are_shown_as_they_are():
    console = terminal()
    progress = LiveProgress(console)
    odd = ArmProgress("w[red]", "[/bold]a", 0, 1, 0, None)
    field = WorkloadProgress("w[red]", "accuracy", "max", 0.9)
    progress.update(replace(START, arms=(odd,), workloads=(field,)))
    progress.close()
    assert "w[red]" in written(console)
    assert "[/bold]a" in written(console)
    assert "  w[red] [/bold]a: 0 of 1 trials" in _plain_end(odd)


def _plain_end(arm: ArmProgress) -> str:
    console = plain_console()
    progress = PlainProgress(console)
    progress.update(replace(START, arms=(arm,)))
    progress.close()
    return written(console)


def test_closing_a_live_table_that_never_started_writes_nothing():
    console = terminal()
    LiveProgress(console).close()
    assert written(console) == ""


def test_durations_read_as_clock_times():
    assert [duration(s) for s in (0, 59.6, 3599, 3661, -4)] == [
        "0:00",
        "1:00",
        "59:59",
        "1:01:01",
        "0:00",
    ]


def test_estimated_times_are_no_more_exact_than_they_can_be():
    assert [roughly(s) for s in (-1, 4, 44, 90, 200, 5400, 7700, 90_000)] == [
        "10 s",
        "10 s",
        "40 s",
        "2 min",
        "3 min",
        "1 h 30 min",
        "2 h 10 min",
        "25 h",
    ]
