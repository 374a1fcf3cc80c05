"""Records for tests: made up, but shaped as training leaves them."""

from pathlib import Path

import numpy as np
import pandas as pd

from hpo_vs_adapt.records.ledger import Ledger, Purpose, Spending
from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.records.trials import CURVE_COLUMNS, EndReason, TrialRecord, TrialSpec

BATCH = 64
EVERY = 18


def make_key(number: int) -> str:
    return f"{number:08x}".rjust(32, "0")[::-1]


def make_record(number: int = 0, metric=(0.1, 0.5, 0.9, 0.8), **fields) -> TrialRecord:
    """Return a record with one evaluation for each value of `metric`.

    Every step took a second gradient; the last evaluation is where it ended.
    """
    rows = len(metric)
    step = np.arange(rows) * EVERY
    samples = step * BATCH
    curve = pd.DataFrame({name: np.zeros(rows) for name in CURVE_COLUMNS})
    curve["step"], curve["samples"] = step, samples
    curve["sample_gradients"], curve["forward_samples"] = 2 * samples, 0 * samples
    curve["cost"], curve["flops"] = 2.0 * samples, 600.0 * samples
    curve["seconds"] = 0.01 * step
    curve["train_loss"] = [np.nan, *np.random.default_rng(number).random(rows - 1)]
    curve["validation_metric"] = np.array(metric, dtype=float)
    curve["momentum"] = np.nan
    curve["mu"] = np.linspace(0, 1, rows)  # a rule's own scalar
    total = int(samples[-1])
    ledger = Ledger(
        {
            Purpose.TRAINING: Spending(total, 0, int(step[-1]), 300.0 * total, 0.1),
            Purpose.SECOND_GRADIENT: Spending(total, 0, 0, 300.0 * total, 0.0),
            Purpose.EVALUATION: Spending(0, 700 * rows, 0, 7e4 * rows, 0.5),
        },
        forward_share=0.3,
    )
    spec = TrialSpec(
        "digits_mlp", "clara", (("base", "sgd"), ("lr", 0.1)), BATCH, number, 3.0, EVERY
    )
    record = {"key": make_key(number), "spec": spec, "end": EndReason.BUDGET}
    return TrialRecord(**{**record, "curve": curve, "ledger": ledger, **fields})


def file_of(store: RecordStore, number: int = 0) -> Path:
    """Return where a store in a folder keeps a record."""
    key = make_key(number)
    return Path(store.location) / "records" / key[:2] / f"{key}.parquet"


def assert_same(one: TrialRecord, other: TrialRecord) -> None:
    """Compare two records to the last bit."""
    for name in ("key", "spec", "end", "ledger", "lanes", "error"):
        assert getattr(one, name) == getattr(other, name)
        assert repr(getattr(one, name)) == repr(getattr(other, name))
    assert list(one.curve) == list(other.curve)
    assert list(one.curve.dtypes) == list(other.curve.dtypes)
    assert list(one.curve.index) == list(other.curve.index)
    for name in one.curve:
        assert one.curve[name].to_numpy().tobytes() == (
            other.curve[name].to_numpy().tobytes()
        )
