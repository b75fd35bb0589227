"""A trace that nobody of ours made: a recorded network without formulas, whole or summed up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from backprop_engine.basics.source import Place, Source, Span
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known, dtype_of
from backprop_engine.trace import NO_NODE, Group, GroupKind, Heading, Missing, Pass, PassKind, Trace
from backprop_engine.trace.abilities import Ability

SCRIPT = Source("train.py", "h = fc(x)\nloss = 2 * relu(h).sum()\nloss.backward()\n")
MODEL = Source("model.py", "def fc(x):\n    return F.linear(x, weight, bias)\n")


@dataclass(frozen=True, eq=False)
class ForeignNodes:
    """Columns as a recorder would have them."""

    value: Sequence[Known]
    operands: Sequence[tuple[int, ...]]
    operations: Sequence[str]
    grad_fns: Sequence[str]
    places: Sequence[Place | None]
    requires_grad: bytes
    names: dict[int, str]
    inputs: dict[str, int]
    keeping_grad: tuple[int, ...]
    made_leaves: frozenset[int] = frozenset()
    modules: dict[int, str] = field(default_factory=dict)

    @property
    def is_number(self) -> bytes:
        """Tensors alone."""
        return bytes(len(self))

    @property
    def computed(self) -> np.ndarray:
        """Those with an operation."""
        return np.flatnonzero([bool(name) for name in self.operations]).astype(np.int32)

    @property
    def operand_columns(self) -> tuple[np.ndarray, np.ndarray]:
        """Of what is written down node by node."""
        flat = [operand for operands in self.operands for operand in operands]
        return np.array([len(operands) for operands in self.operands]), np.array(flat, int)

    def __len__(self) -> int:
        return len(self.value)

    def operation_name(self, node: int) -> str:
        """Torch's own name for the call."""
        return self.operations[node]

    def grad_fn(self, node: int) -> str:
        """Torch's autograd node."""
        return self.grad_fns[node]

    def dtype_of(self, node: int) -> str:
        """As it was recorded."""
        return dtype_of(self.value[node])

    def place(self, node: int) -> Place | None:
        """In one of two files."""
        return self.places[node]

    def groups(self, node: int) -> tuple[Group, ...]:
        """Its module."""
        name = self.modules.get(node)
        return () if name is None else (Group(GroupKind.MODULE, name),)

    def edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Every edge to what requires grad."""
        found = [
            (node, position, operand)
            for node in range(len(self) - 1, -1, -1)
            for position, operand in enumerate(self.operands[node])
            if self.requires_grad[operand]
        ]
        consumers, positions, receivers = zip(*found, strict=True)
        return np.array(consumers), np.array(positions, np.int16), np.array(receivers)


class Recorder:
    """A producer that can do nothing but what it has written down."""

    def ability(self, trace: Trace, ability: type[Ability], node: int | None) -> Ability | Missing:
        """None of them."""
        del trace, node
        return Missing(f"a recording cannot do this ({ability.__name__})", "open a scenario")


def summed_up(value: Known) -> Known:
    """What a recorder of a large model keeps of an array."""
    if not isinstance(value, np.ndarray):
        return value
    finite = value[np.isfinite(value)] if np.isfinite(value).any() else np.full(1, np.nan)
    return Summary(
        shape=value.shape,
        dtype=str(value.dtype),
        minimum=float(finite.min()),
        maximum=float(finite.max()),
        mean=float(finite.mean()),
        norm=float(np.linalg.norm(value)),
        zeros=int((value == 0).sum()),
        nans=int(np.isnan(value).sum()),
        infinities=int(np.isinf(value).sum()),
    )


def foreign_trace(
    keep: Callable[[Known], Known] = lambda value: value, *, spoilt: bool = False
) -> Trace:
    """`loss = 2·Σ relu(linear(x, weight, bias))`, and one backward pass; `spoilt`: x has a nan."""
    random = np.random.default_rng(3)
    weight, x, bias = random.normal(size=(2, 3)), random.normal(size=3), random.normal(size=2)
    if spoilt:
        x[1] = np.nan
    h = weight @ x + bias
    r = np.maximum(h, 0)
    total = float(r.sum())
    values: list[Known] = [weight, x, bias, h, r, total, 2 * total]
    to_r = np.full(2, 2.0)
    to_h = to_r * (h > 0)
    sent: list[Known | None] = [None] * 4
    sent += [1.0, 2.0, to_r, to_h, np.outer(to_h, x), to_h]
    kept = [None if value is None else keep(value) for value in sent]

    def place(source: Source, text: str) -> Place:
        start = source.text.index(text)
        return Place(source, Span(start, start + len(text)))

    nodes = ForeignNodes(
        value=[keep(value) for value in values],
        operands=[(), (), (), (1, 0, 2), (3,), (4,), (5,)],
        operations=["", "", "", "torch.nn.functional.linear", "relu", "Tensor.sum", "Tensor.mul"],
        grad_fns=["", "", "", "AddmmBackward0", "ReluBackward0", "SumBackward0", "MulBackward0"],
        places=[
            None,
            None,
            None,
            place(MODEL, "F.linear(x, weight, bias)"),
            place(SCRIPT, "relu(h)"),
            place(SCRIPT, "relu(h).sum()"),
            place(SCRIPT, "2 * relu(h).sum()"),
        ],
        requires_grad=bytes([1, 0, 1, 1, 1, 1, 1]),
        names={0: "fc.weight", 1: "x", 2: "fc.bias", 3: "h", 6: "loss"},
        inputs={"fc.weight": 0, "x": 1, "fc.bias": 2},
        keeping_grad=(0, 2),
        modules={3: "fc"},
    )
    return Trace(
        heading=Heading(
            title="", about="", name="train.py", files=(SCRIPT, MODEL), hints={}, note=""
        ),
        nodes=nodes,
        assigned={"h": 3, "loss": 6},
        passes=(
            Pass(0, PassKind.FORWARD, "forward", 0, 4),
            Pass(1, PassKind.BACKWARD, "backward loss", 4, 10, 6, {0: kept[8], 2: kept[9]}),
        ),
        senders=np.array([3, 4, 5, 6, 6, 6, 5, 4, 3, 3], np.int32),
        receivers=np.array([*[NO_NODE] * 4, 6, 5, 4, 3, 0, 2], np.int32),
        positions=np.array([*[NO_NODE] * 5, 0, 0, 0, 1, 2], np.int16),
        contributions=kept,
        totals=kept,
        producer=Recorder(),
    )


WHOLE = foreign_trace()
SUMMED_UP = foreign_trace(summed_up)
