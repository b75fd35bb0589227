"""Recurrent layers and cells, opened: one fused call, spelled out step by step.

A call of `nn.LSTM` is one function of torch's for all layers and all steps in time. Its operands
are run once more through the equations of torch's documentation, under torch's names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from backprop_engine.basics.dataclass import dataclass

RESULTS: Final[Mapping[str, tuple[str, ...]]] = {
    "lstm": ("output", "h_n", "c_n"),
    "gru": ("output", "h_n"),
    "rnn_tanh": ("output", "h_n"),
    "rnn_relu": ("output", "h_n"),
    "lstm_cell": ("h_1", "c_1"),
    "gru_cell": ("h_1",),
    "rnn_tanh_cell": ("h_1",),
    "rnn_relu_cell": ("h_1",),
}
"""By function what it gives, as torch's documentation calls it."""
_MOST_STEPS: Final = 128
"""Of all layers: a step is some twenty nodes."""
_HOLE: Final = r"\{\d+\}"
_BOOL: Final = "(True|False)"
_LAYER: Final = re.compile(
    rf"torch\.\w+\({_HOLE}, (?:\({_HOLE}, {_HOLE}\)|{_HOLE}), \[((?:{_HOLE}(?:, )?)+)\], "
    rf"{_BOOL}, (\d{{1,3}}), ([\d.e-]{{1,24}}), {_BOOL}, {_BOOL}, {_BOOL}\)"
)
"""Weights, biases, layers, dropout, train, bidirectional, batch_first."""
_PACKED: Final = re.compile(rf"torch\.\w+\({_HOLE}, {_HOLE}, (?:\({_HOLE}, {_HOLE}\)|{_HOLE}), \[")


class UnfitError(ValueError):
    """A layer that cannot be spelled out; `instead` is what to do."""

    def __init__(self, reason: str, instead: str = "") -> None:
        super().__init__(reason)
        self.instead = instead


@dataclass(frozen=True)
class Spelled:
    """A layer as a program."""

    inputs: tuple[str, ...]
    """Names of the operands, in their order."""
    text: str


def spelled(name: str, template: str, shapes: Sequence[tuple[int, ...]]) -> Spelled:
    """The call `template` of function `name` on operands of `shapes`. Raises UnfitError."""
    kind, is_cell = name.removesuffix("_cell"), name.endswith("_cell")
    states = ("h_0", "c_0") if kind == "lstm" else ("h_0",)
    if is_cell:
        return _cell(kind, ("x", *states), len(shapes))
    told = _LAYER.fullmatch(template)
    if told is None and _PACKED.match(template):
        raise UnfitError("its sequences are packed", "run it without pack_padded_sequence")
    if told is None or not shapes or len(shapes[0]) != 3:
        raise UnfitError(f"this {name} is written in a way that is not known")
    weights, biases, layers, dropout, train, both_ways, batch_first = told.groups()
    if float(dropout) > 0 and train == "True":
        raise UnfitError("the random numbers that its dropout drew are not kept", "set dropout=0")
    directions, each = 1 + (both_ways == "True"), 4 if biases == "True" else 2
    if weights.count("{") != int(layers) * directions * each:
        raise UnfitError("it projects its state", "leave out proj_size")
    steps = shapes[0][1 if batch_first == "True" else 0]
    count = steps * int(layers) * directions
    if not 0 < count <= _MOST_STEPS:
        raise UnfitError(
            f"its {count:,} steps are more than the {_MOST_STEPS} that are spelled out",
            "record a shorter sequence",
        )
    cells = [
        _Cell(kind, f"_l{layer}{way}", each == 4, layer * directions + at, steps)
        for layer in range(int(layers))
        for at, way in enumerate(("", "_reverse")[:directions])
    ]
    names = [name for cell in cells for name in cell.weights]
    lines = _layers(kind, cells, directions, is_turned=batch_first == "True")
    return Spelled(("x", *states, *names), "\n".join(lines) + "\n")


def _cell(kind: str, given: tuple[str, ...], count: int) -> Spelled:
    has_biases = count - len(given) == 4
    cell = _Cell(kind, "", has_biases, 0, 1)
    if count != len(given) + len(cell.weights):
        raise UnfitError("this cell is called in a way that is not known")
    starts = [f"{state[0]} = {state}" for state in given[1:]]
    ends = [f"{state[0]}_1 = {state[0]}" for state in given[1:]]
    return Spelled((*given, *cell.weights), "\n".join([*starts, *cell.step("x"), *ends]) + "\n")


@dataclass(frozen=True)
class _Cell:
    """One layer in one direction."""

    kind: str
    suffix: str
    has_biases: bool
    index: int
    """In `h_0`, `c_0`."""
    steps: int

    @property
    def weights(self) -> tuple[str, ...]:
        """Torch's names."""
        parts = ("weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if self.has_biases else ()))
        return tuple(part + self.suffix for part in parts)

    @property
    def is_reverse(self) -> bool:
        """Whether time runs backwards."""
        return self.suffix.endswith("_reverse")

    def step(self, x: str) -> Iterator[str]:
        """From `h` and `c` to those after one step in time, in which `x` comes in."""
        w_ih, w_hh, *biases = self.weights
        b_ih, b_hh = (f", {bias}" for bias in biases) if biases else ("", "")
        of_x, of_h = f"F.linear({x}, {w_ih}{b_ih})", f"F.linear(h, {w_hh}{b_hh})"
        if self.kind == "lstm":
            yield f"i, f, g, o = ({of_x} + {of_h}).chunk(4, -1)"
            yield "c = sigmoid(f) * c + sigmoid(i) * tanh(g)"
            yield "h = sigmoid(o) * tanh(c)"
        elif self.kind == "gru":
            yield f"r_x, z_x, n_x = {of_x}.chunk(3, -1)"
            yield f"r_h, z_h, n_h = {of_h}.chunk(3, -1)"
            yield "z = sigmoid(z_x + z_h)"
            yield "n = tanh(n_x + sigmoid(r_x + r_h) * n_h)"
            yield "h = (1 - z) * n + z * h"
        else:
            yield f"h = {self.kind.removeprefix('rnn_')}({of_x} + {of_h})"


def _layers(
    kind: str, cells: Sequence[_Cell], directions: int, *, is_turned: bool
) -> Iterator[str]:
    states = "hc" if kind == "lstm" else "h"
    below = "x"
    for cell in cells:
        suffix, turned = cell.suffix, is_turned and below == "x"
        for state in states:
            yield f"{state} = {state}_0[{cell.index}]"
        yield "steps = []"
        yield f"for t in range({f'{cell.steps - 1}, -1, -1' if cell.is_reverse else cell.steps}):"
        yield from (f"    {line}" for line in cell.step(f"{below}[{':, ' * turned}t]"))
        yield "    steps.append(h)"
        for state in states:
            yield f"{state}{suffix} = {state}"
        is_last = cell.index >= len(cells) - 1 and not is_turned
        stacked = "torch.stack(steps)" + ".flip(0)" * cell.is_reverse
        if directions == 1:
            below = "output" if is_last else f"out{suffix}"
            yield f"{below} = {stacked}"
        else:
            yield f"out{suffix} = {stacked}"
        if cell.is_reverse:
            forwards = suffix.removesuffix("_reverse")
            below = "output" if is_last else f"both{forwards}"
            yield f"{below} = torch.cat([out{forwards}, out{suffix}], -1)"
    if is_turned:
        yield f"output = {below}.transpose(0, 1)"
    for state in states:
        listed = ", ".join(f"{state}{cell.suffix}" for cell in cells)
        yield f"{state}_n = torch.stack([{listed}])"
