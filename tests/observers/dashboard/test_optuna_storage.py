"""Storages of Optuna studies: opening them, and writing whole trials."""

import json
import math

import optuna
import pytest
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from hpo_vs_adapt.observers.dashboard.rows import OtherWriter
from hpo_vs_adapt.observers.dashboard.storage import (
    add_trials,
    close_storage,
    open_storage,
)
from hpo_vs_adapt.observers.dashboard.studies import OptunaStudies, StorageProblem
from tests.observers.dashboard.studies import finish, mirrored, states


def test_a_second_writer_is_noticed(tmp_path):
    url = f"sqlite:///{tmp_path}/optuna.db"
    with mirrored(url) as one, mirrored(url) as other:
        finish(one, 0)
        with pytest.raises(OtherWriter, match=r"Trial 0 .* has 1 trials\. Let one run"):
            finish(other, 0)


def test_trials_are_written_as_optuna_itself_would_write_them(url):
    trials = [
        create_trial(
            state=state,
            value=value,
            params={"lr": 0.1, "base": "sgd", "k": 3},
            distributions={
                "lr": FloatDistribution(0.01, 1.0, log=True),
                "base": CategoricalDistribution(("adam", "sgd", None)),
                "k": IntDistribution(1, 9, step=2),
            },
            user_attrs={"key": "a", "settings": {"lr": [1, None]}},
            system_attrs={"note": 1},
            intermediate_values={0: -math.inf, 5: math.inf, 6: math.nan, 7: 1e-300},
        )
        for state, value in [
            (TrialState.COMPLETE, -math.inf),
            (TrialState.COMPLETE, 1e300),
            (TrialState.FAIL, None),
            (TrialState.PRUNED, 0.1 + 0.2),
            (TrialState.RUNNING, None),
        ]
    ]
    storage = open_storage(url)
    ours, theirs = (
        storage.create_new_study(
            [optuna.study.StudyDirection.MINIMIZE], study_name=name
        )
        for name in ("ours", "theirs")
    )
    for number, trial in enumerate(trials):
        trial.number = number
        storage.create_new_trial(theirs, trial)
    add_trials(storage, ours, trials)
    same = [storage.get_all_trials(study_id) for study_id in (ours, theirs)]
    for one, other in zip(*same, strict=True):
        # As text, since NaN is not equal to itself; ids differ between studies.
        one._trial_id = other._trial_id = 0
        assert repr(one) == repr(other)
    close_storage(storage)


def test_half_a_line_in_a_journal_is_cut_off_by_the_next_run(tmp_path):
    journal = tmp_path / "optuna.log"
    url = str(journal)
    with mirrored(url) as mirror:
        finish(mirror, 0)
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 4, "worker')
    assert states(url) == ["COMPLETE"]  # a reader changes nothing
    assert len(journal.read_bytes()) > len(whole)
    with mirrored(url) as mirror:
        finish(mirror, 1)
    assert states(url) == ["COMPLETE", "COMPLETE"]
    assert all(json.loads(line) for line in journal.read_bytes().splitlines())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", ["nonsense", "sqlite:///runs/optuna.db"]),
        ("nosuchdb://host/db", ["nosuchdb"]),
        ("sqlite:////proc/no/optuna.db", ["/proc/no"]),
        ("journal:/proc/no/optuna.log", ["/proc/no"]),
        ("postgresql+psycopg2://me:hidden@127.0.0.1:1/db", ["me:***@", "onnection"]),
        ("postgresql+pg8000://me:hidden@host/db", ["pg8000", "Install it"]),
    ],
)
def test_a_storage_that_does_not_open_is_named_without_its_password(url, words):
    with pytest.raises(StorageProblem, match=r"`storage\.optuna` must be") as problem:
        OptunaStudies(url)
    assert "hidden" not in str(problem.value)
    for word in words:
        assert word in str(problem.value)


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "optuna.db"
    path.write_text("no database, but long enough to be read as one" * 50)
    with pytest.raises(StorageProblem, match="not a database"):
        OptunaStudies(f"sqlite:///{path}")
