"""Keys of records that people already have: an edit that changes one loses them all."""

import pytest

from hpo_vs_adapt.plan.plan import Plan
from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.study import Study
from tests.own_files import forget_own_modules

WORKLOAD = '''
"""Points in a plane, with a width from beside this file."""
import numpy as np
from torch import nn

from hpo_vs_adapt.workloads import Arrays, Workload
from widths import WIDTH


class Plane(Workload):
    target = 0.9
    epochs = 2
    batch_size = 8

    def load(self, data):
        x = (np.arange(120, dtype=np.float32) % 7).reshape(60, 2)
        return Arrays(x, (x[:, 0] > x[:, 1]).astype(np.int64))

    def model(self):
        return nn.Sequential(nn.Linear(2, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 2))
'''
RULE = '''
"""An optimizer of one's own, of torch's kind."""
import torch


class Signs(torch.optim.Optimizer):
    def __init__(self, params, lr=0.01):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.add_(p.grad.sign(), alpha=-group["lr"])
'''
STUDY = {
    "name": "frozen",
    "seeds": [7],
    "workloads": [
        "digits_mlp",
        {"name": "noisy_ellipsoid", "label": "ellipsoid"},
        {"name": "iris_logreg", "split": "paper", "precision": "float64"},
        {"name": "plane.py:Plane", "evaluate_every": {"steps": 3}},
    ],
    "arms": [
        {
            "name": "sgd",
            "optimizer": {"rule": "sgd", "momentum": 0.9, "schedule": "cosine"},
            "tune": {"by": "grid", "grid": {"lr": [0.01]}},
        },
        {"name": "clara", "optimizer": {"rule": "clara", "base": "adam"}},
        {"name": "gala", "optimizer": {"rule": "gala"}},
        {"name": "prodigy", "optimizer": {"rule": "prodigy"}},
        {"name": "radam", "optimizer": {"rule": "torch.optim:RAdam", "lr": 0.01}},
        {"name": "signs", "optimizer": {"rule": "signs.py:Signs"}},
    ],
}
KEYS = {
    ("Plane", "clara"): "a4ef08a2632065212ee91e53b27cc3dc",
    ("Plane", "gala"): "396a67b2195dbc8becfe4cbb7fb7df47",
    ("Plane", "prodigy"): "b351678d92b0575c5e0707872334c98e",
    ("Plane", "sgd"): "807d8380742219e2bad9e1dc0fd7a2bd",
    ("Plane", "signs.py:Signs"): "67837cd90fae4439b9069a0617bf7458",
    ("Plane", "torch.optim:RAdam"): "9b3ae15198babf631d83fe72db60b9d4",
    ("digits_mlp", "clara"): "7229774ca650aa362ee8ba04944d4c2b",
    ("digits_mlp", "gala"): "a0fe962538345caefa6e67d64d73b124",
    ("digits_mlp", "prodigy"): "668f600eeef8804757e9284ff8eed0f0",
    ("digits_mlp", "sgd"): "99027603e431b445f138f453133adc67",
    ("digits_mlp", "signs.py:Signs"): "72696d43dc4c0677f1a4cc0f390372cb",
    ("digits_mlp", "torch.optim:RAdam"): "d8013849646354d454f3ef06378aa3ed",
    ("ellipsoid", "clara"): "35979abd676fbe455785f942cf1a929b",
    ("ellipsoid", "gala"): "631aa85c35fa63ed82c613b3de847bfd",
    ("ellipsoid", "prodigy"): "c567dbda9bd6a523aa0b483ffd732235",
    ("ellipsoid", "sgd"): "ae8c4f4a8e444e2638622eb187ee19e3",
    ("ellipsoid", "signs.py:Signs"): "fcd6f900d09fb3acc7f38157b39ae4ff",
    ("ellipsoid", "torch.optim:RAdam"): "ccc42db6e1fa2901cde6ea3a5e6b481f",
    ("iris_logreg", "clara"): "3013226e83c4deb943648e6962387fa8",
    ("iris_logreg", "gala"): "6c30a28275371c0d15fe43643bb1940c",
    ("iris_logreg", "prodigy"): "ea99eb1beb74196fb2cc8b5f2b318126",
    ("iris_logreg", "sgd"): "f8a82262f0a3a94965db72f0345c0a0d",
    ("iris_logreg", "signs.py:Signs"): "799caaa6d0a01c89e4ea638a604f5044",
    ("iris_logreg", "torch.optim:RAdam"): "d2ec4509e49fd473e3ac55aabab29baa",
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    yield from forget_own_modules(monkeypatch)


def test_trials_have_the_keys_that_their_records_lie_under(tmp_path):
    for name, text in {
        "plane.py": WORKLOAD,
        "signs.py": RULE,
        "widths.py": "WIDTH = 3\n",
    }.items():
        (tmp_path / name).write_text(text)
    study = Study.from_dict(STUDY, tmp_path)
    plan = Plan(study, RecordStore(str(tmp_path / "runs"), writable=False))
    plan.advance()
    keys = {}
    while job := plan.next_pack(1, lambda request: 1):
        [key], [spec] = job.keys, job.specs
        keys[job.arrays, spec.rule] = key
    assert keys == KEYS
