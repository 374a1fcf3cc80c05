"""The adapter: what it provides, what it guards against, what it leaves alone."""

import random

import numpy as np
import pytest
import torch
from dog import PolynomialDecayAverager
from torch import nn

from hpo_vs_adapt.optim.base import Run, build_rule, check_settings
from hpo_vs_adapt.optim.baselines import BASELINES
from hpo_vs_adapt.optim.declarations import Declaration
from hpo_vs_adapt.optim.external import External
from hpo_vs_adapt.optim.signatures import external_rule
from hpo_vs_adapt.optim.trial_problem import LAYOUT, Problem, ProblemOracle, steps
from tests.optim.bare import RUN, bare_steps, flat, hosted_steps

NEEDY = [n for n, r in BASELINES.items() if r.declares.uses_loss]


def begin(rule, lanes=2, dtype=torch.float64, **settings):
    """A rule, its problem, weights and state for so many lanes."""
    problem = Problem(tuple(range(lanes)), dtype)
    built = build_rule(rule, [settings] * lanes, RUN, dtype)
    w = problem.start()
    return built, problem, w, built.init(w, LAYOUT)


def one_step(built, problem, w, state, number=0):
    g, oracle = problem.gradient(w, number), problem.oracle(w.clone(), number)
    return built.update(w, g, state, oracle)


class Gradient(torch.optim.Optimizer):
    """Plain gradient steps."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for p in self.param_groups[0]["params"]:
            p.sub_(p.grad, alpha=self.param_groups[0]["lr"])


class Careless(Gradient):
    """Seeds everything, forgets autograd's mode, and fails at the third step."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)
        self.steps = 0

    def step(self):
        super().step()
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002  # the generator that libraries seed
        torch.manual_seed(0)
        torch.set_grad_enabled(False)
        self.steps += 1
        if self.steps == 3:
            raise ArithmeticError("on purpose")


class Noisy(Gradient):
    """Adds random numbers of all three generators to its steps."""

    def step(self):
        super().step()
        for p in self.param_groups[0]["params"]:
            p.data.add_(torch.randn_like(p), alpha=0.01)
            p.data.add_(0.01 * random.random())
            p.data.add_(0.01 * np.random.rand())  # noqa: NPY002  # as libraries do


class Rehoming(Gradient):
    """Gives parameters new memory and takes their gradients away."""

    @torch.no_grad()
    def step(self):
        for p in self.param_groups[0]["params"]:
            p.data = p.detach().sub(p.grad, alpha=self.param_groups[0]["lr"])
            p.grad = None


class Unsaveable(Gradient):
    """Holds what cannot be saved."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)
        self.numbers = iter(lambda: 0, 1)
        self.scale = lambda x: x


class Whole(Unsaveable):
    """Says that it cannot be saved."""

    resumable = False


def generators():
    legacy = np.random.get_state()[1].tolist()  # noqa: NPY002  # theirs
    return random.getstate()[1], legacy, torch.randn(3)


def test_generators_and_autograd_are_left_as_they_were():
    built, problem, w, state = begin(external_rule(Careless))
    torch.manual_seed(5)
    expected = generators()
    torch.manual_seed(5)
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002  # theirs
    seeded = generators()[:2]
    torch.manual_seed(5)
    for number in range(2):
        w, state = one_step(built, problem, w, state, number)
        assert torch.is_grad_enabled()
    with pytest.raises(ArithmeticError, match="on purpose"):
        one_step(built, problem, w, state, 2)
    assert torch.is_grad_enabled()
    after = generators()
    assert after[:2] == seeded
    assert torch.equal(after[2], expected[2])


def test_random_numbers_of_a_lane_do_not_depend_on_its_pack():
    rule = external_rule(Noisy)
    pack, problem, w, state = begin(rule, 3)
    together, _ = steps(pack, problem, w, state, range(4))
    alone = build_rule(rule, [{}], RUN, torch.float64)
    single = Problem((2,))
    start = alone.init(single.start(), LAYOUT)
    apart, _ = steps(alone, single, single.start(), start, range(4))
    assert torch.equal(together[2], apart[0])
    plain, *_ = begin(external_rule(Gradient), 3)
    without, _ = steps(plain, problem, w, plain.init(w, LAYOUT), range(4))
    noise = together - without
    assert noise.abs().min() > 0
    assert not torch.allclose(noise[0], noise[1])


def test_new_memory_and_lost_gradients_are_noticed():
    ours = hosted_steps(external_rule(Rehoming), {}, 5)
    plain = hosted_steps(external_rule(Gradient), {}, 5)
    for (w, *_), (also, *_) in zip(ours, plain, strict=True):
        assert torch.equal(w, also)


@pytest.mark.parametrize("bad", [0.0, torch.nan, torch.inf], ids=str)
@pytest.mark.parametrize("name", BASELINES)
def test_a_bad_gradient_is_skipped_as_if_the_step_had_not_been(name, bad):
    built, problem, w, state = begin(BASELINES[name])
    clean, clean_state = steps(built, problem, w, state, range(6))
    w, state = steps(built, problem, w, state, range(3))
    g = problem.gradient(w, 3)
    g[0] = g[0] * bad
    w, state = built.update(w, g, state, problem.oracle(w.clone(), 3))
    assert built.observe(state)["skipped"].flatten().tolist() == [1, 0]
    # Lane 0 takes the remaining steps; lane 1 has taken one of them already.
    kept = {n: t[:1] for n, t in built.save(state).items()}
    single = build_rule(BASELINES[name], [{}], RUN, torch.float64)
    lane = single.resume(w[:1], kept)
    after, lane = steps(single, Problem((0,)), w[:1].clone(), lane, range(3, 6))
    assert torch.equal(after[0], clean[0])
    assert torch.equal(
        single.weights(after, lane)[0], built.weights(clean, clean_state)[0]
    )


def test_a_lane_without_finite_gradients_is_given_up():
    built, problem, w, state = begin(BASELINES["prodigy"])
    for number in range(20):
        g = problem.gradient(w, number)
        g[0] = torch.nan
        assert torch.isfinite(w).all()
        w, state = built.update(w, g, state, problem.oracle(w.clone(), number))
    assert torch.isnan(w[0]).all()
    assert torch.isfinite(w[1]).all()
    assert built.observe(state)["skipped"].flatten().tolist() == [20, 0]


def test_gradients_of_zero_give_up_nothing():
    built, problem, w, state = begin(BASELINES["prodigy"])
    for _ in range(25):
        oracle = problem.oracle(w.clone(), 0)
        w, state = built.update(w, torch.zeros_like(w), state, oracle)
    w, state = one_step(built, problem, w, state)
    assert torch.isfinite(w).all()


def test_a_finite_gradient_ends_the_count():
    built, problem, w, state = begin(BASELINES["prodigy"])
    for number in range(30):
        g = problem.gradient(w, number)
        if number % 10:
            g[0] = torch.inf
        w, state = built.update(w, g, state, problem.oracle(w.clone(), number))
    assert torch.isfinite(w).all()


@pytest.mark.parametrize("name", NEEDY)
def test_a_loss_that_is_not_finite_is_skipped_where_it_is_used(name):
    built, problem, w, state = begin(BASELINES[name])
    before = w.clone()
    oracle = ProblemOracle(problem, 0, torch.full((2, 1), torch.nan).double())
    w, state = built.update(w, problem.gradient(w, 0), state, oracle)
    assert torch.equal(w, before)
    assert built.observe(state)["skipped"].flatten().tolist() == [1, 1]


def test_gradients_of_the_pack_are_not_written_to():
    built, problem, w, state = begin(BASELINES["schedule_free_adamw"])
    g = problem.gradient(w, 0)
    kept = g.clone()
    built.update(w, g, state, problem.oracle(w.clone(), 0))
    assert torch.equal(g, kept)


@pytest.mark.parametrize("name", ["dog", "ldog"])
def test_the_average_is_that_of_the_library(name):
    class Model(nn.Module):
        def __init__(self, tensors):
            super().__init__()
            self.tensors = nn.ParameterList(tensors)

    make = {"dog": "DoG", "ldog": "LDoG"}[name]
    averagers = []

    def bare(tensors):
        import dog

        averagers.append(PolynomialDecayAverager(Model(tensors)))
        return getattr(dog, make)(tensors)

    def step(optimizer, _):
        optimizer.step()
        averager = averagers[0]
        # The averager looks at the model's own tensors.
        for own, stepped in zip(
            averager.model.parameters(),
            optimizer.param_groups[0]["params"],
            strict=True,
        ):
            assert own is stepped
        averager.step()

    trace = bare_steps(bare, 12, step=step)
    hosted = hosted_steps(BASELINES[name], {}, 12)
    for number, ((w, _), (also, rule, state)) in enumerate(
        zip(trace, hosted, strict=True)
    ):
        average = flat(list(averagers[0].averaged_model.parameters()))
        shown = rule.weights(also[None], state)[0]
        torch.testing.assert_close(shown, average, rtol=1e-13, atol=1e-15)
        assert torch.equal(average, w) == (number == 0)


@pytest.mark.parametrize(
    "name", ["schedule_free_sgd", "schedule_free_adamw", "schedule_free_radam"]
)
def test_evaluated_weights_are_those_of_eval_and_training_does_not_notice(name):
    built, problem, w, state = begin(BASELINES[name])
    undisturbed, _ = steps(built, problem, w, state, range(12))
    assert torch.equal(built.weights(w, state), w)  # no step: no average yet
    for number in range(12):
        w, state = one_step(built, problem, w, state, number)
        before = w.clone()
        shown = built.weights(w, state)
        assert torch.equal(w, before)
        optimizer = state.guests[0].optimizers[0]
        z = torch.cat([optimizer.state[p]["z"].reshape(-1) for p in _own(state)])
        # y = (1 - beta) z + beta x, and x is evaluated.
        torch.testing.assert_close(0.1 * z + 0.9 * shown[0], w[0])
    assert torch.equal(w, undisturbed)
    assert not torch.equal(shown, w)


def _own(state):
    return state.guests[0].parameters


class Recorded(ProblemOracle):
    """Counts the evaluations of each lane that are charged."""

    def __init__(self, problem, step, w):
        super().__init__(problem, step, problem.loss(w, step))
        self.charged = [0] * len(w)

    def lane(self, row):
        outer, inner = self, super().lane(row)

        class Lane(ProblemOracle):
            def __init__(self):
                self._loss = inner.loss

            def __call__(self, w):
                outer.charged[row] += 1
                return inner(w)

        return Lane()


class Twice(torch.optim.Optimizer):
    """Evaluates where it is twice, and then at a second place."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})
        self.losses = []

    def step(self, closure):
        first = float(closure())
        for p in self.param_groups[0]["params"]:
            p.grad.zero_()  # closures bring the gradient back
        again = float(closure())
        for p in self.param_groups[0]["params"]:
            p.data.sub_(p.grad, alpha=self.param_groups[0]["lr"])
        self.losses = [first, again, float(closure())]


def test_a_closure_is_free_where_the_step_starts_and_charged_elsewhere():
    built, problem, w, state = begin(external_rule(Twice))
    start = w.clone()
    oracle = Recorded(problem, 0, start)
    g = problem.gradient(start, 0)
    w, state = built.update(w, g, state, oracle)
    assert oracle.charged == [1, 1]
    torch.testing.assert_close(w, start - 0.1 * problem.gradient(start, 0))
    for row, guest in enumerate(state.guests):
        before, after = problem.loss(start, 0)[row], problem.loss(w, 0)[row]
        expected = [before.item(), before.item(), after.item()]
        assert guest.optimizers[0].losses == pytest.approx(expected, rel=1e-14)


def test_a_skipped_lane_is_not_charged():
    built, problem, w, state = begin(external_rule(Twice))
    oracle = Recorded(problem, 0, w.clone())
    g = problem.gradient(w, 0)
    g[1] = 0
    built.update(w, g, state, oracle)
    assert oracle.charged == [1, 0]


def test_what_cannot_be_saved_says_so():
    built, _, _, state = begin(external_rule(Unsaveable))
    with pytest.raises(ValueError, match=r"Unsaveable must hold only.*resumable"):
        built.save(state)


def test_what_says_that_it_cannot_be_saved_is_believed():
    rule = external_rule(Whole)
    assert not rule.resumable
    built, problem, w, state = begin(rule)
    one_step(built, problem, w, state)
    with pytest.raises(ValueError, match="Whole must train in one piece"):
        built.save(state)


def test_a_missing_library_is_named_with_what_to_install():
    class Missing(External):
        declares = Declaration()
        source = "no_such_library:Optimizer"
        install = "hpo-vs-adapt[some-extra]"

    Missing.settings = {}
    with pytest.raises(ValueError, match=r"pip install 'hpo-vs-adapt\[some-extra\]'"):
        check_settings(Missing, {})


@pytest.mark.parametrize("name", ["mechanic_sgd", "mechanic_adam"])
def test_mechanic_is_installed_by_an_extra(name):
    assert BASELINES[name].install == "hpo-vs-adapt[mechanic]"


def test_schedule_free_counts_its_warm_up_in_shares_of_the_run():
    rule = build_rule(
        BASELINES["schedule_free_sgd"], [{"warmup": 0.1}], Run(200, 10), torch.float64
    )
    problem = Problem((0,))
    w = problem.start()
    state = rule.init(w, LAYOUT)
    group = state.guests[0].optimizers[0].param_groups[0]
    assert group["warmup_steps"] == 20
    assert rule.observe(state)["lr"].item() == pytest.approx(1 / 20)
    w, state = one_step(rule, problem, w, state)
    assert rule.observe(state)["lr"].item() == pytest.approx(2 / 20)


def test_what_is_left_to_the_user_is_counted():
    free = {name: BASELINES[name].free_hyperparameters() for name in BASELINES}
    assert free["dog"] == ("reps_rel", "eps", "weight_decay")
    assert free["momo_adam"] == (
        "lr",
        "betas",
        "eps",
        "weight_decay",
        "lb",
        "use_fstar",
    )
    assert "warmup" in free["schedule_free_sgd"]  # its own
    assert "warmup" not in free["prodigy"]  # of a schedule, as any rule has


def test_unused_parameters_have_gradients_of_zero():
    # DoG fails on a parameter without a gradient.
    built, problem, w, state = begin(BASELINES["dog"])
    start = w.clone()
    for number in range(3):
        g = problem.gradient(w, number)
        g[:, -2:] = 0
        w, state = built.update(w, g, state, problem.oracle(w.clone(), number))
    assert torch.equal(w[:, -2:], start[:, -2:])
    assert (w[:, :-2] != start[:, :-2]).all()
