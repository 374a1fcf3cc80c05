"""What every update rule must keep to: checks for the package's rules and for others.

Each check takes a rule and settings beside its defaults, trains a few lanes on a small
noisy problem, and raises AssertionError where the rule breaks the contract::

    @pytest.mark.parametrize("check", RULE_CHECKS, ids=lambda check: check.__name__)
    def test_my_rule_keeps_the_contract(check):
        check(MyRule, {"momentum": 0.9})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from hpo_vs_adapt.optim.base import Rule, Run, State, build_rule
from hpo_vs_adapt.optim.trial_problem import (
    LAYOUT,
    Problem,
    ZeroOracle,
    count_scalar_reads,
    steps,
)

if TYPE_CHECKING:
    from hpo_vs_adapt.records.trials import Value

__all__ = ["RULE_CHECKS", "Check"]

Check: TypeAlias = "Callable[[type[Rule], Mapping[str, Value]], None]"

RUN = Run(steps=12, steps_per_epoch=4)
LANES = 5
_NUDGE = 2.0**-40
"""Relative change of starting weights: that of some thousand roundings."""


def _lanes(rule: type[Rule], settings: Mapping[str, Value]) -> list[dict[str, Value]]:
    """Return settings of lanes that differ in their rate, if the rule has one."""
    if "lr" not in rule.settings or "lr" in settings:
        return [dict(settings) for _ in range(LANES)]
    return [{**settings, "lr": 10.0 ** (-1 - lane / 2)} for lane in range(LANES)]


def _begin(
    rule: type[Rule], settings: Mapping[str, Value], dtype: torch.dtype = torch.float64
) -> tuple[Rule, Problem, Tensor, State]:
    problem = Problem(tuple(range(LANES)), dtype)
    built = build_rule(rule, _lanes(rule, settings), RUN, dtype)
    w = problem.start()
    return built, problem, w, built.init(w.clone(), LAYOUT)


def _assert_same(
    rule: Rule, one: tuple[Tensor, State], other: tuple[Tensor, State]
) -> None:
    """Bitwise, NaN included."""
    assert torch.equal(one[0].nan_to_num(7e7), other[0].nan_to_num(7e7))
    saved, also = rule.save(one[1]), rule.save(other[1])
    assert saved.keys() == also.keys()
    for name, tensor in saved.items():
        assert torch.equal(tensor.nan_to_num(7e7), also[name].nan_to_num(7e7)), name


def check_it_learns(rule: type[Rule], settings: Mapping[str, Value]) -> None:
    """At its usual rates every lane moves, and stays finite."""
    built, problem, w, state = _begin(rule, settings)
    moved, _ = steps(built, problem, w, state, range(RUN.steps))
    assert torch.isfinite(moved).all()
    assert (moved != w).any(-1).all()


def check_zero_gradients_are_harmless(
    rule: type[Rule], settings: Mapping[str, Value]
) -> None:
    """Steps without a gradient leave finite weights that can still be trained."""
    built, problem, w, state = _begin(rule, settings)
    for start in (0, 4):
        for _ in range(3):
            w, state = built.update(w, torch.zeros_like(w), state, ZeroOracle(w))
        assert torch.isfinite(w).all()
        assert torch.isfinite(built.observe(state)["lr"]).all()
        before = w
        w, state = steps(built, problem, w, state, range(start, start + 4))
        assert torch.isfinite(w).all()
        assert (w != before).any()


def check_nan_stays_in_its_lane(
    rule: type[Rule], settings: Mapping[str, Value]
) -> None:
    """A lane whose gradient is NaN changes no bit elsewhere; its rate stays finite."""
    built, problem, w, state = _begin(rule, settings)
    clean = steps(built, problem, w, state, range(8))
    w, state = steps(built, problem, w, state, range(3))
    g = problem.gradient(w, 3)
    g[2] = torch.nan
    w, state = built.update(w, g, state, problem.oracle(w, 3))
    w, state = steps(built, problem, w, state, range(4, 8))
    others = torch.tensor([0, 1, 3, 4])
    _assert_same(
        built,
        _select(built, built, (w, state), others),
        _select(built, built, clean, others),
    )
    assert torch.isfinite(built.observe(state)["lr"]).all()


def check_a_state_is_enough_to_resume(
    rule: type[Rule], settings: Mapping[str, Value]
) -> None:
    """A rule built anew at every step continues bitwise from copies of the state."""
    built, problem, w, state = _begin(rule, settings)
    straight = steps(built, problem, w, state, range(9))
    for step in range(9):
        anew = build_rule(rule, _lanes(rule, settings), RUN, w.dtype)
        shuffled = dict(sorted(built.save(state).items(), reverse=True))
        w, state = steps(anew, problem, w, anew.resume(w, shuffled), [step])
        built = anew
    _assert_same(built, straight, (w, state))


def check_a_pack_shrinks(rule: type[Rule], settings: Mapping[str, Value]) -> None:
    """Lanes that stay when others leave continue bitwise."""
    for dtype in (torch.float32, torch.float64):
        built, problem, w, state = _begin(rule, settings, dtype)
        whole = steps(built, problem, w, state, range(9))
        half = steps(built, problem, w, state, range(4))
        kept = torch.tensor([0, 3, 4])
        lanes = _lanes(rule, settings)
        fewer = build_rule(rule, [lanes[i] for i in kept.tolist()], RUN, dtype)
        rest = Problem((0, 3, 4), dtype)
        after = steps(fewer, rest, *_select(built, fewer, half, kept), range(4, 9))
        _assert_same(fewer, after, _select(built, fewer, whole, kept))


def check_a_pack_equals_its_lanes(
    rule: type[Rule], settings: Mapping[str, Value]
) -> None:
    """Lanes run singly, on weights `(P,)`, give what they give in a pack.

    But for rounding: they may differ as far as starts lead that differ by `_NUDGE`.
    """
    built, problem, w, state = _begin(rule, settings)
    whole = _shown(built, steps(built, problem, w, state, range(9)))
    room = _room(rule, settings, whole)
    for lane, lane_settings in enumerate(_lanes(rule, settings)):
        single = build_rule(rule, lane_settings, RUN, w.dtype)
        alone = steps(
            single,
            Problem((lane,)),
            w[lane],
            single.init(w[lane].clone(), LAYOUT),
            range(9),
        )
        for name, tensor in _shown(single, alone).items():
            packed, far = whole[name][lane], room[name][lane].item()
            assert tensor.shape == packed.shape
            torch.testing.assert_close(tensor, packed, rtol=0, atol=far, equal_nan=True)


def _shown(rule: Rule, run: tuple[Tensor, State]) -> dict[str, Tensor]:
    return {"weights": run[0], **rule.observe(run[1])}


def _room(
    rule: type[Rule], settings: Mapping[str, Value], whole: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return how far rounding may lead in nine steps, one number a lane, `(lanes,)`.

    A rule whose rate explodes makes much of little: no fixed tolerance would hold for
    all rules, or on every processor.
    """
    far = {name: _NUDGE * tensor.abs().amax(-1) for name, tensor in whole.items()}
    for seed in range(4):
        built, problem, w, _ = _begin(rule, settings)
        source = torch.Generator().manual_seed(seed)
        w = w * (1 + _NUDGE * torch.randn(w.shape, generator=source, dtype=w.dtype))
        run = steps(built, problem, w, built.init(w.clone(), LAYOUT), range(9))
        for name, tensor in _shown(built, run).items():
            apart = (tensor - whole[name]).abs().nan_to_num(0).amax(-1)
            far[name] = torch.maximum(far[name].nan_to_num(0), apart)
    return far


def check_types_and_shapes_stay(
    rule: type[Rule], settings: Mapping[str, Value]
) -> None:
    """Weights keep their precision, the state its tensors, with the lanes first."""
    for dtype in (torch.float32, torch.float64):
        built, problem, w, state = _begin(rule, settings, dtype)
        moved, after = steps(built, problem, w, state, range(4))
        assert moved.dtype == dtype
        assert moved.shape == w.shape
        state, after = built.save(state), built.save(after)
        assert state.keys() == after.keys()
        for name, tensor in after.items():
            assert tensor.shape[0] == LANES, name
            assert tensor.shape == state[name].shape, name
            assert tensor.dtype == state[name].dtype, name


def check_nothing_is_read_back(rule: type[Rule], settings: Mapping[str, Value]) -> None:
    """A step reads no value back from the device."""
    built, problem, w, state = _begin(rule, settings)
    gradients = [problem.gradient(w, step) for step in range(3)]

    def train(w: Tensor = w, state: State = state) -> None:
        for g in gradients:
            w, state = built.update(w, g, state, ZeroOracle(w))

    assert count_scalar_reads(train) == 0


def check_it_shows_its_rate(rule: type[Rule], settings: Mapping[str, Value]) -> None:
    """What is logged has the rate, one number a lane, before and after steps."""
    for dtype in (torch.float32, torch.float64):
        built, problem, w, state = _begin(rule, settings, dtype)
        for seen in (state, steps(built, problem, w, state, range(5))[1]):
            shown = built.observe(seen)
            assert torch.isfinite(shown["lr"]).all()
            for name, tensor in shown.items():
                assert tensor.shape == (LANES, 1), name
                assert tensor.dtype == dtype, name


def _select(
    rule: Rule, fewer: Rule, run: tuple[Tensor, State], kept: Tensor
) -> tuple[Tensor, State]:
    w, saved = run[0], rule.save(run[1])
    w = w[kept]
    return w, fewer.resume(w, {name: tensor[kept] for name, tensor in saved.items()})


RULE_CHECKS: tuple[Check, ...] = (
    check_it_learns,
    check_zero_gradients_are_harmless,
    check_nan_stays_in_its_lane,
    check_a_state_is_enough_to_resume,
    check_a_pack_shrinks,
    check_a_pack_equals_its_lanes,
    check_types_and_shapes_stay,
    check_nothing_is_read_back,
    check_it_shows_its_rate,
)
"""The contract of rules, one function a clause."""
