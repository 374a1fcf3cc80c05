"""Any optimizer as a rule: settings from the constructor, closures, evaluation."""

import pytest
import pytorch_optimizer
import schedulefree
import torch

from hpo_vs_adapt.optim.base import Rule, build_rule, check_settings
from hpo_vs_adapt.optim.signatures import external_rule
from hpo_vs_adapt.optim.testing import RULE_CHECKS
from hpo_vs_adapt.optim.trial_problem import LAYOUT, Problem, steps
from tests.optim.bare import RUN, bare_steps, hosted_steps

CASES = [
    (torch.optim.SGD, {"momentum": 0.9, "schedule": "cosine", "warmup": 0.2}),
    (torch.optim.AdamW, {"betas": (0.8, 0.9)}),
    (torch.optim.Adafactor, {}),
    (torch.optim.Rprop, {}),
    (torch.optim.LBFGS, {"max_iter": 3}),
    (torch.optim.LBFGS, {"max_iter": 3, "line_search_fn": "strong_wolfe"}),
    (pytorch_optimizer.Lion, {}),
    (schedulefree.AdamWScheduleFree, {}),
]
HELD = [
    pytest.param(cls, settings, check, id=f"{cls.__name__}-{check.__name__}")
    for cls, settings in CASES
    for check in RULE_CHECKS
    if check.__name__ not in external_rule(cls).exemptions
]


@pytest.mark.parametrize(("cls", "settings", "check"), HELD)
def test_any_optimizer_keeps_the_contract(cls, settings, check):
    check(external_rule(cls), settings)


class Everything(torch.optim.Optimizer):
    """One of each kind of argument.

    The rest of the description.
    """

    adapts = "rate"

    def __init__(
        self,
        params,
        lr,
        steps: int = 3,
        share: float = 1,
        flag=False,
        mode="fast",
        maybe: float | None = None,
        most=float("inf"),
        pair=(0.5, 2),
        mixed=(None, 1.0),
        function=print,
        foreach=None,
        *,
        named=0.5,
        **rest,
    ):
        self.seen = {
            "steps": steps,
            "share": share,
            "flag": flag,
            "mode": mode,
            "maybe": maybe,
            "most": most,
            "pair": pair,
            "mixed": mixed,
            "named": named,
            "rest": rest,
        }
        super().__init__(params, {"lr": lr})

    def step(self):
        pass


def seen(**settings):
    rule = build_rule(external_rule(Everything), [{"lr": 0.5, **settings}], RUN)
    return rule.init(Problem((0,)).start().float(), LAYOUT).guests[0].optimizers[0]


def test_settings_follow_from_the_signature():
    rule = external_rule(Everything)
    assert issubclass(rule, Rule)
    own = ["lr", "steps", "share", "flag", "mode", "maybe", "most", "pair", "named"]
    assert list(rule.settings) == [*own, "schedule", "warmup"]
    assert rule.settings["steps"].integer
    assert not rule.settings["share"].integer
    assert rule.settings["flag"].choices == (False, True)
    assert rule.settings["pair"].length == 2
    assert rule.adapts == "rate"
    assert rule.__doc__ == "One of each kind of argument."


def test_defaults_are_the_constructors():
    assert seen().seen == {
        "steps": 3,
        "share": 1,
        "flag": False,
        "mode": "fast",
        "maybe": None,
        "most": float("inf"),
        "pair": (0.5, 2),
        "mixed": (None, 1.0),
        "named": 0.5,
        "rest": {},
    }


def test_settings_arrive_as_the_study_wrote_them():
    given = {
        "steps": 7,
        "share": 0.1,
        "flag": True,
        "mode": "slow",
        "maybe": 0.3,
        "most": 4.5,
        "pair": (1.0, 3.0),
        "named": 1e-3,
    }
    optimizer = seen(**given)
    assert {name: optimizer.seen[name] for name in given} == given
    assert type(optimizer.seen["steps"]) is int
    assert optimizer.param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "`lr` must be given: Everything has no default"),
        ({"lr": 1, "stepz": 3}, "Did you mean `steps`"),
        ({"lr": 1, "steps": 2.5}, "`steps` must be an integer"),
        ({"lr": 1, "flag": 1}, "`flag` must be false or true"),
        ({"lr": 1, "pair": (1.0,)}, "`pair` must be a list of 2 numbers"),
        ({"lr": 1, "mode": (1.0, "a")}, "`mode` must be a number, a word"),
    ],
    ids=str,
)
def test_wrong_settings_are_refused_with_a_sentence(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_settings(external_rule(Everything), settings)


def test_the_rule_belongs_to_the_optimizers_module():
    assert external_rule(Everything).__module__ == __name__
    assert external_rule(torch.optim.LBFGS).__module__ == "torch.optim.lbfgs"
    assert external_rule(Everything) is external_rule(Everything)


@pytest.mark.parametrize("wrong", [torch.nn.Linear, 3, "torch.optim:SGD"], ids=repr)
def test_only_optimizers_are_taken(wrong):
    with pytest.raises(ValueError, match=r"subclass of torch\.optim\.Optimizer"):
        external_rule(wrong)


def test_lbfgs_is_torchs_on_closures_of_the_minibatch():
    settings = {"lr": 0.5, "max_iter": 4, "line_search_fn": "strong_wolfe"}
    problem = Problem((0,))
    numbers = iter(range(100))

    def step(optimizer, _):
        number = next(numbers)
        (tensors,) = (group["params"] for group in optimizer.param_groups)

        def closure():
            w = torch.cat([t.detach().reshape(-1) for t in tensors])
            g = torch.split(problem.gradient(w, number), LAYOUT.sizes)
            for tensor, part in zip(tensors, g, strict=True):
                tensor.grad = part.view(tensor.shape).clone()
            return problem.loss(w, number).reshape(())

        optimizer.step(closure)

    bare = bare_steps(
        lambda tensors: torch.optim.LBFGS(tensors, **settings), 5, step=step
    )
    hosted = hosted_steps(external_rule(torch.optim.LBFGS), settings, 5)
    for (w, _), (also, *_) in zip(bare, hosted, strict=True):
        torch.testing.assert_close(w, also, rtol=1e-10, atol=1e-12)


def test_optimizers_with_two_modes_are_evaluated_in_the_other():
    ours = external_rule(schedulefree.SGDScheduleFree)
    assert ours.declares.mode_switch
    built = build_rule(ours, [{"lr": 0.1}], RUN, torch.float64)
    problem = Problem((0,))
    w = problem.start()
    w, state = steps(built, problem, w, built.init(w, LAYOUT), range(5))
    assert not torch.equal(built.weights(w, state), w)
    optimizer = state.guests[0].optimizers[0]
    assert optimizer.param_groups[0]["train_mode"]


def test_wrapping_optimizers_need_what_a_study_cannot_give():
    with pytest.raises(ValueError, match="`base_optimizer` must be given"):
        check_settings(external_rule(pytorch_optimizer.SAM), {})
