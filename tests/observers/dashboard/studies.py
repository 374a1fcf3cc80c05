"""Writing one Optuna study as a run does, and reading it as another program does."""

import contextlib

from hpo_vs_adapt.observers.dashboard.storage import close_storage, open_storage
from hpo_vs_adapt.observers.dashboard.studies import OptunaStudies
from hpo_vs_adapt.study import Space

SPACE = {
    "lr": Space("float", low=1e-5, high=1.0, log=True),
    "batch_size": (16, 32, 64),
    "nesterov": (True, False),
}
ATTRS = {"workload": "digits", "arm": "sgd", "kind": "tuned", "metric": "accuracy"}
NAME = "quick/digits/sgd/0"


@contextlib.contextmanager
def mirrored(url, definition="d1", name=NAME, space=SPACE):
    """Open one study of a storage, as a run does."""
    with OptunaStudies(url) as studies:
        mirror = studies.open(name, definition, "maximize", ATTRS, space)
        yield mirror
        mirror.close()


def params(number):
    return {"lr": 0.001 * (number + 1), "batch_size": 32, "nesterov": number % 2 == 0}


def finish(mirror, number, value=0.5, state="COMPLETE", steps=(0, 10), **attrs):
    mirror.finish(
        number,
        params(number),
        value,
        state,
        {step: value or 0.0 for step in steps},
        {"record": f"key-{number}", **attrs},
    )


def read(url, name=NAME):
    """Return a study's trials as another program sees them."""
    storage = open_storage(url)
    trials = storage.get_all_trials(storage.get_study_id_from_name(name))
    close_storage(storage)
    return trials


def names(url):
    storage = open_storage(url)
    found = [study.study_name for study in storage.get_all_studies()]
    close_storage(storage)
    return sorted(found)


def states(url, name=NAME):
    return [trial.state.name for trial in read(url, name)]
