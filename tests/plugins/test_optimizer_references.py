"""Optimizers of torch's kind, named in a study as `package.module:Class` or by file."""

import pytest
import torch

from hpo_vs_adapt.optim.base import Rule
from hpo_vs_adapt.plugins.identity import source_hash, sources_of
from hpo_vs_adapt.plugins.references import ReferenceProblem, find_rule
from tests.running import make_study, ray_here, records_of, train, write

OWN = '''
    """Half of SGD."""

    import torch

    class HalfSGD(torch.optim.Optimizer):
        """SGD at half of its rate."""

        def __init__(self, params, lr=0.1, note="plain"):
            super().__init__(params, {"lr": lr, "note": note})

        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.add_(p.grad, alpha=-0.5 * group["lr"])
'''


def test_an_installed_optimizer_is_a_rule_without_torch_in_its_identity():
    rule = find_rule("torch.optim:LBFGS")
    assert issubclass(rule, Rule)
    assert rule.settings["lr"].default == 1
    names = [source.name for source in sources_of(rule)]
    assert "hpo_vs_adapt.optim.external" in names
    assert not any(name.startswith("torch") for name in names)
    assert source_hash(rule) != source_hash(find_rule("torch.optim:Rprop"))


def test_an_optimizer_in_a_file_has_its_source_in_its_identity(tmp_path):
    file = write(tmp_path, "own_half.py", OWN)
    rule = find_rule(f"{file}:HalfSGD", tmp_path)
    assert set(rule.settings) >= {"lr", "schedule"}
    before = source_hash(rule)
    text = (tmp_path / file).read_text()
    (tmp_path / file).write_text("# A comment.\n" + text)
    assert source_hash(find_rule(f"{file}:HalfSGD", tmp_path)) == before
    (tmp_path / file).write_text(text.replace("-0.5", "-0.25"))
    assert source_hash(find_rule(f"{file}:HalfSGD", tmp_path)) != before


def test_what_is_neither_rule_nor_optimizer_is_refused():
    with pytest.raises(ReferenceProblem, match=r"or of torch\.optim\.Optimizer; got"):
        find_rule("torch.nn:Linear")


@pytest.mark.slow
def test_optimizers_by_reference_are_trained_shared_out_and_charged(tmp_path):
    write(tmp_path, "own_half.py", OWN)
    arms = [
        {"name": "half", "optimizer": {"rule": "own_half.py:HalfSGD", "lr": 0.2}},
        {"name": "sgd", "optimizer": {"rule": "sgd", "lr": 0.1}},
        {
            "name": "lbfgs",
            "optimizer": {"rule": "torch.optim:LBFGS", "lr": 0.1, "max_iter": 3},
        },
    ]
    study = make_study(tmp_path, arms, resources={"packs": 2, "lanes": 2})
    with ray_here():
        results, _ = train(study)
    rows = results.records.set_index("arm")
    assert (rows["end"] == "budget").all()
    # The half of 0.2 is 0.1, to the last bits of float32.
    assert rows.loc["half", "best_metric"] == rows.loc["sgd", "best_metric"]
    assert rows.loc["half", "cost"] == rows.loc["sgd", "cost"]
    # Three iterations a step evaluate the minibatch twice more than its own gradient.
    ratio = rows.loc["lbfgs", "cost"] / rows.loc["sgd", "cost"]
    assert 2 < ratio <= 3
    assert len(records_of(study)) == 3
    assert torch.is_grad_enabled()
