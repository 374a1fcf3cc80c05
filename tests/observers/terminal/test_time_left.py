from dataclasses import replace

import pytest

from hpo_vs_adapt.observers.terminal.race import Work
from hpo_vs_adapt.observers.terminal.time_left import TimeLeft
from hpo_vs_adapt.plan.events import Training
from hpo_vs_adapt.records.ledger import Spending
from tests.record_examples import make_record

WORK = Work("digits_mlp", "a", trials=10, rounds=1, samples=1000)


def test_nothing_is_said_of_time_left_before_training_was_watched_for_a_while():
    left = TimeLeft()
    training = {"digits_mlp": Training(1, 4, Spending(100, 0, 1, 0.0, 0.1))}
    assert left.estimate(50.0, [WORK], {}) == (None, ())
    assert left.estimate(51.0, [WORK], training) == (None, ())
    assert left.estimate(52.0, [WORK], training) == (None, ())


def test_time_left_is_samples_at_the_seconds_they_took_by_the_packs_at_work():
    left = TimeLeft()
    begun = {"digits_mlp": Training(2, 8, Spending(1000, 0, 9, 0.0, 2.0))}
    later = {"digits_mlp": Training(2, 8, Spending(6000, 0, 9, 0.0, 12.0))}
    left.estimate(0.0, [WORK], begun)
    # 2 ms a sample, 10 000 samples to go, 12 s of them done; 10 s of work in 5 s.
    assert left.estimate(5.0, [WORK], later) == (pytest.approx((20 - 12) / 2), ())


def test_trials_that_must_follow_one_another_make_the_time_left_longer():
    left = TimeLeft()
    record = make_record(metric=(0.1,) * 11, lanes=4)
    samples = float(record.curve["samples"].iloc[-1])
    left.take("digits_mlp", "a", record)
    running = {"digits_mlp": Training(1, 1, Spending(1, 0, 1, 0.0, 0.1))}
    left.estimate(0.0, [], running)
    for _ in range(80):
        left.take("digits_mlp", "a", record)
    seconds = record.ledger.charged().seconds
    work = Work("digits_mlp", "a", trials=8, rounds=8, samples=int(samples))
    whole, _ = left.estimate(4.0, [work], {})
    assert whole == pytest.approx(8 * 4 * seconds)  # its lanes took four times as long
    together = 80 * seconds / 4
    many = replace(work, trials=1000, rounds=1)
    estimate, _ = left.estimate(4.0, [many], {})
    assert estimate == pytest.approx(1000 * seconds / together, rel=0.02)


def test_a_trial_that_trains_alone_takes_the_rest_of_its_time():
    left = TimeLeft()
    first = {"digits_mlp": Training(10, 10, Spending(1000, 0, 9, 0.0, 0.1))}
    left.estimate(0.0, [WORK], first)
    record = make_record(metric=(0.1,) * 11)  # 0.1 s
    for _ in range(90):
        left.take("digits_mlp", "a", record)
    samples = 100 * int(record.curve["samples"].iloc[-1])  # so 10 s
    work = Work("digits_mlp", "a", trials=1, rounds=1, samples=samples)
    last = {"digits_mlp": Training(1, 1, Spending(0, 0, 0, 0.0, 4.0))}
    # Four packs were at work together on average, but they cannot help it now.
    assert left.estimate(3.0, [work], last)[0] == pytest.approx(10 - 4)


def test_a_workload_whose_speed_nobody_knows_is_named_and_left_out():
    left = TimeLeft()
    training = {"digits_mlp": Training(1, 4, Spending(100, 0, 1, 0.0, 0.1))}
    more = {"digits_mlp": Training(1, 4, Spending(9000, 0, 1, 0.0, 9.0))}
    other = Work("cnn", "a", trials=10, rounds=1, samples=1000)
    left.estimate(0.0, [WORK], training)
    known, unmeasured = left.estimate(9.0, [WORK, other, other], more)
    assert unmeasured == ("cnn",)
    assert known == left.estimate(9.0, [WORK], more)[0]
