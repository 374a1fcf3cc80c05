"""Optimizers of libraries as bytes, with all that they learnt.

`Optimizer.state_dict` is not enough: some libraries keep part of what they learn on the
optimizer itself, or key their state by tensors. A snapshot has every attribute of the
optimizers; parameters in it are numbers, so that it opens on other parameters. Its
bytes follow from the values alone: an optimizer that was saved and opened again gives
the snapshot that it would have given without.
"""

from __future__ import annotations

import copyreg
import io
import json
import pickle
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from typing_extensions import override

__all__ = ["open_snapshot", "stack_bytes", "take_snapshot", "unstack_bytes"]

_TEXT, _PARAMETER, _TENSOR = "s", "p", "t"  # what a persistent name stands for


def take_snapshot(
    optimizers: Sequence[Optimizer], parameters: Sequence[nn.Parameter]
) -> bytes:
    """Return all that optimizers of the same parameters hold.

    Tensors are kept by value, each object once; memory that they share is not.

    Raises:
        ValueError: If one of them holds what cannot be saved, such as a generator.
    """
    structure = io.BytesIO()
    pickler = _Pickler(structure, parameters)
    try:
        pickler.dump([_attributes(optimizer) for optimizer in optimizers])
    except (pickle.PicklingError, AttributeError, TypeError) as problem:
        raise ValueError(
            f"{type(optimizers[0]).__name__} must hold only what can be saved: "
            f"{problem}. With `resumable = False` on its class it trains without "
            "checkpoints."
        ) from problem
    tensors = [
        (str(t.dtype).removeprefix("torch."), list(t.shape), t.device.type)
        for t in pickler.tensors
    ]
    head = json.dumps({"structure": structure.tell(), "tensors": tensors}).encode()
    parts = [head, b"\n", structure.getvalue(), *map(_raw, pickler.tensors)]
    return b"".join(parts)


def open_snapshot(
    snapshot: bytes,
    optimizers: Sequence[Optimizer],
    parameters: Sequence[nn.Parameter],
) -> None:
    """Give optimizers that were built anew all that a snapshot holds.

    Args:
        snapshot: What `take_snapshot` returned.
        optimizers: As many optimizers, of the same classes.
        parameters: Theirs, in the same order and of the same shapes.
    """
    line, _, rest = snapshot.partition(b"\n")
    head = json.loads(line)
    end = head["structure"]
    tensors = []
    for dtype, shape, device in head["tensors"]:
        empty = torch.empty(shape, dtype=getattr(torch, dtype))
        begin, end = end, end + empty.numel() * empty.element_size()
        tensor = _filled(empty, rest[begin:end])
        # Counters on the host stay there, as torch keeps them.
        tensors.append(tensor if device == "cpu" else tensor.to(parameters[0].device))
    structure = io.BytesIO(rest[: head["structure"]])
    learnt = _Unpickler(structure, parameters, tensors).load()
    for optimizer, attributes in zip(optimizers, learnt, strict=True):
        vars(optimizer).update(attributes)


def stack_bytes(rows: Sequence[bytes]) -> tuple[Tensor, Tensor]:
    """Return byte strings as uint8, shape `(n, longest)`, and their sizes, `(n,)`."""
    tensors = [torch.frombuffer(bytearray(row), dtype=torch.uint8) for row in rows]
    padded = nn.utils.rnn.pad_sequence(tensors, batch_first=True)
    return padded, torch.tensor([len(row) for row in rows])


def unstack_bytes(padded: Tensor, sizes: Tensor) -> list[bytes]:
    """Return the byte strings that `stack_bytes` was given."""
    rows = zip(padded.cpu(), sizes.flatten().tolist(), strict=True)
    return [row[:size].numpy().tobytes() for row, size in rows]


class _Pickler(pickle.Pickler):
    """Writes text, parameters and tensors by name.

    Protocol 0 writes such names without remembering them: which equal strings are one
    object, which is chance, leaves no trace in the bytes.
    """

    def __init__(self, file: io.BytesIO, parameters: Sequence[nn.Parameter]) -> None:
        super().__init__(file, protocol=0)
        self.tensors: list[Tensor] = []
        self._names = {id(p): f"{_PARAMETER}{i}" for i, p in enumerate(parameters)}

    @override
    def persistent_id(self, obj: object) -> str | None:
        if type(obj) is str:
            return _TEXT + json.dumps(obj)
        if id(obj) not in self._names and type(obj) is Tensor:
            # `tensors` keeps the object alive, so that no other gets its id.
            self._names[id(obj)] = f"{_TENSOR}{len(self.tensors)}"
            self.tensors.append(obj)
        return self._names.get(id(obj))

    @override
    def reducer_override(self, obj: object) -> Any:
        if isinstance(obj, Optimizer):  # inside another, whose own state leaves it out
            return copyreg.__newobj__, (type(obj),), _attributes(obj)  # type: ignore[attr-defined]  # missing in typeshed
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(
        self,
        file: io.BytesIO,
        parameters: Sequence[nn.Parameter],
        tensors: Sequence[Tensor],
    ) -> None:
        super().__init__(file)
        self._parameters, self._tensors = parameters, tensors

    @override
    def persistent_load(self, pid: str) -> object:
        kind, rest = pid[0], pid[1:]
        if kind == _TEXT:
            return json.loads(rest)
        return (self._parameters if kind == _PARAMETER else self._tensors)[int(rest)]


def _attributes(optimizer: Optimizer) -> dict[str, Any]:
    """Return the attributes of an optimizer, without its hooks."""
    return {
        name: value
        for name, value in vars(optimizer).items()
        if not (name.startswith("_optimizer_") and name.endswith("_hooks"))
    }


def _raw(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()


def _filled(empty: Tensor, raw: bytes) -> Tensor:
    """Return a tensor of the type and shape of `empty`, at an aligned place."""
    if not raw:
        return empty
    values = torch.frombuffer(bytearray(raw), dtype=empty.dtype)
    return empty.copy_(values.reshape(empty.shape))
