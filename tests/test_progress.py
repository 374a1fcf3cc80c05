from dataclasses import replace
from io import StringIO

from rich.console import Console

from hpo_vs_adapt.displays import (
    LiveProgress,
    PlainProgress,
    duration,
    make_progress,
)
from hpo_vs_adapt.progress import ArmProgress, Snapshot

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


def test_a_dumb_terminal_gets_lines():
    dumb = Console(file=StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    assert isinstance(make_progress(dumb), PlainProgress)


def test_a_plain_line_says_everything_about_the_whole_study():
    assert plain_lines(START) == [
        "6 of 100 trials (4 found on disk), 2 hits, training 17 lanes in 2 packs, "
        "0:01 elapsed, about 1:15 left"
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


def test_no_time_left_is_stated_when_nobody_knows_or_all_is_done():
    unknown = plain_lines(replace(START, remaining=None))[0]
    finished = plain_lines(replace(START, done=100, remaining=0.0))[0]
    assert "left" not in unknown
    assert "left" not in finished


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
        "about 1:15 left",
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


def test_a_low_terminal_hides_finished_arms_first_and_shows_all_at_the_end():
    done = tuple(ArmProgress("w", f"done{i}", 3, 3, 1, 0.5) for i in range(9))
    going = ArmProgress("w", "going", 1, 3, 0, None)
    console = terminal(height=12)
    progress = LiveProgress(console)
    progress.update(replace(START, arms=(*done, going)))
    frame = written(console)
    assert "going" in frame
    assert "done8" not in frame
    assert "and 5 more" in frame
    progress.close()
    assert "done8" in written(console)


def test_names_with_brackets_are_shown_as_they_are():
    console = terminal()
    progress = LiveProgress(console)
    odd = ArmProgress("w[red]", "[/bold]a", 0, 1, 0, None)
    progress.update(replace(START, arms=(odd,)))
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
