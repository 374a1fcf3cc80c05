"""The trial problem as a model of four tensors, for optimizers of torch."""

import torch

from hpo_vs_adapt.optim.trial_problem import LAYOUT, Problem


class Model(torch.nn.Module):
    """Lane 1 of the trial problem: what a pack trains as one of its lanes."""

    def __init__(self, dtype=torch.float64):
        super().__init__()
        self.problem = Problem((0, 1, 2), torch.float64)
        w = self.problem.start()[1].to(dtype)
        self.tensors = torch.nn.ParameterList(
            w[place].reshape(shape).clone()
            for place, shape in zip(LAYOUT.slices, LAYOUT.shapes, strict=True)
        )

    @property
    def w(self):
        return torch.cat([p.detach().flatten() for p in self.tensors])

    def forward(self, step):
        w = torch.cat([p.flatten() for p in self.tensors])
        return self.problem.lane(1).loss(w.double(), step).squeeze()


def closure_of(model, optimizer, step):
    """What people write: clear, evaluate, backpropagate, return the loss."""

    def closure():
        optimizer.zero_grad()
        loss = model(step)
        loss.backward()
        return loss

    return closure


def train(model, optimizer, steps):
    """Take the numbered steps; return the rates after each."""
    rates = []
    for step in steps:
        optimizer.step(closure_of(model, optimizer, step))
        rates.append(float(optimizer.param_groups[0]["lr"]))
    return rates
