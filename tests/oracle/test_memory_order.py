"""Elements lie in memory as torch lays them out, and what is a view there is one here."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from random import Random
from typing import Any, Final

import numpy as np
import pytest
import torch
from tests.engine.traced import snippet
from tests.thorough import share

from backprop_engine.basics.memory_order import strides_of
from backprop_engine.basics.source import ScenarioError
from backprop_engine.run.sharing import Sharers
from backprop_engine.run.tape import graph_of

SHAPES: Final = ((2, 3), (3, 1), (1, 4), (2, 3, 4), (2, 1, 3), (4, 1, 1), (3, 2, 2), (2, 3, 2, 2))
HEAD: Final = ("import torch", "import torch.nn.functional as F")

VIEWS: Final = (
    "{x}.transpose({d}, {e})", "{x}.permute({order})", "{x}.movedim({d}, {e})", "{x}.mT",
    "{x}.unsqueeze({d})", "{x}.squeeze()", "{x}.squeeze({d})", "{x}.reshape(-1)",
    "{x}.reshape(-1, {last})", "{x}.reshape({first}, -1)", "{x}.flatten(0, 1)", "{x}.ravel()",
    "{x}.flatten(1)", "{x}[None]", "{x}[..., None]", "{x}[:, None]", "{x}[1:]", "{x}[:, ::2]",
    "{x}[..., :1]", "{x}[None, ..., 1:]", "{x}[0]", "{x}[..., 0]", "{x}.expand(2, {shape})",
    "{x}.expand(1, {shape})", "{x}[..., :1].expand({shape})", "{x}.diagonal()", "{x}.detach()",
    "{x}.unfold({d}, 1, 1)", "{x}.narrow({d}, 0, 1)", "{x}.select({d}, 0)", "{x}.view({shape})",
    "{x}.split(1, {d})[0]", "{x}.unbind({d})[0]", "{x}.contiguous()", "{x}.unflatten({d}, (-1, 1))",
)  # fmt: skip
ONE: Final = (
    "{x}.exp()", "-{x}", "{x} * 2", "2 - {x}", "{x} ** 2", "{x}.clamp(min=0)", "F.relu({x})",
    "{x}.clone()", "{x}.flip({d})", "torch.rot90({x}, {k})", "{x}.softmax({d})",
    "F.layer_norm({x}, ({last},))", "{x}.sort({d}).values", "{x}.cumsum({d})", "{x} > 0",
    "({x} > 0).float()", "F.gelu({x})", "{x}.sum({d}, keepdim=True)", "{x}.mean({d})",
    "{x}.max({d}).values", "{x}.amax({d}, keepdim=True)", "{x}.std({d}, correction=0)",
    "{x}.norm(dim={d})", "{x}.logsumexp({d})", "{x}.prod({d})", "{x}.tril()", "{x}.roll(1, {d})",
    "{x}.repeat({ones})", "{x}.round()", "{x}.sigmoid()", "F.normalize({x}, dim={d})",
    "{x}.index_select({d}, torch.tensor([0, 0]))", "{x}[torch.tensor([0, 1, 0]) % {first}]",
    "{x}[:, torch.tensor([[0, 0]])]", "{x}[[0, 0], ..., [0, 0]]", "{x}.nan_to_num()",
    "{x}.topk(1, {d}).values", "torch.zeros_like({x})", "torch.ones_like({x}) * 2",
    "F.glu(torch.stack([{x}, {x}], {d}), {d})", "{x}.masked_fill({x} > 0, 0.5)", "{x}.mT @ {x}",
    "F.softplus({x})", "F.elu({x})", "{x}.argsort({d})", "{x}[None] * {x}",
    "{x}.median({d}).values", "torch.nan_to_num({x})", "{x}.isnan()", "{x}.logical_not()",
    "F.dropout({x}, 0.5, False)",
)  # fmt: skip
SEVERAL: Final = (
    "{x} + {y}", "{x} * {y}", "{y} - {x}", "{x} / {y}", "torch.maximum({x}, {y})", "{x} < {y}",
    "torch.where({x} > 0, {x}, {y})", "torch.where({y} > {x}, 1.0, {y})", "torch.atan2({x}, {y})",
    "torch.lerp({x}, {y}, 0.3)", "torch.addcmul({x}, {y}, {x})", "torch.rsub({x}, {y})",
    "torch.sub({x}, {y}, alpha=2)", "torch.hypot({x}, {y})", "({x} > 0) * {y}", "{x} ** {y}",
    "F.mse_loss({x}, {y}, reduction='none')", "F.l1_loss({x}, {y}, reduction='none')",
    "F.smooth_l1_loss({x}, {y}, reduction='none')", "F.huber_loss({x}, {y}, reduction='none')",
    "F.binary_cross_entropy_with_logits({x}, {y}, reduction='none')", "torch.stack([{x}, {y}])",
    "F.kl_div({x}, {y}, reduction='none')", "torch.outer({x}.flatten(), {y}.flatten())",
    "torch.logaddexp({x}, {y})", "torch.clamp({x}, max={y})", "torch.eq({x}, {y})",
    "F.soft_margin_loss({x}, {y}, reduction='none')", "torch.logical_and({x}, {y})",
    "F.prelu({x}, {y}.flatten()[:1])", "torch.fmod({x}, {y})", "torch.isclose({x}, {y})",
    "F.poisson_nll_loss({x}, {y}, reduction='none')", "{x} @ {y}.mT", "torch.xlogy({x}, {y})",
    "F.cosine_similarity({x}, {y}, dim={d})", "torch.cat([{x}, {y}], {d})", "torch.hypot({y}, {x})",
    "F.hinge_embedding_loss({x}, {y}, reduction='none')", "torch.remainder({x}, {y})",
    "F.margin_ranking_loss({x}, {y}, {x}, reduction='none')", "torch.floor_divide({x}, {y})",
    "F.gaussian_nll_loss({x}, {y}, {x}.exp(), reduction='none')", "torch.copysign({x}, {y})",
)  # fmt: skip
IN_PLACE: Final = ("{x} += {y}", "{x}.mul_({y})", "{x}.exp_()", "{x}[0] = 1", "{x}.copy_({y})")


class Drawing:
    """A program that torch runs as it grows; what torch refuses is not in it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.names: dict[str, Any] = {}
        self.lines: list[str] = []
        for line in HEAD:
            self.run(line)
        for name in "xy":
            shape = self.random.choice(SHAPES)
            self.run(f"{name} = torch.arange(1., {np.prod(shape) + 1}.).reshape{shape} / 7")
        for at in range(8):
            self.run(f"v{at} = {self.filled(self.random.choice((VIEWS, ONE, SEVERAL)))}")
            if self.random.random() < 0.2:
                self.run(self.filled(IN_PLACE))

    def filled(self, templates: Sequence[str]) -> str:
        name, other = (self.random.choice(self.tensors()) for _ in range(2))
        shape = tuple(self.names[name].shape)
        rank = len(shape)
        d, e, k = (self.random.randrange(n) for n in (max(rank, 1), max(rank, 1), 4))
        return self.random.choice(templates).format(
            x=name, y=other, d=d, e=e, k=k, shape=", ".join(map(str, shape)),
            order=", ".join(map(str, self.random.sample(range(rank), rank))),
            first=(*shape, 1)[0], last=(1, *shape)[-1], ones=", ".join("1" * rank) or 1,
        )  # fmt: skip

    def tensors(self) -> list[str]:
        return [name for name, one in self.names.items() if isinstance(one, torch.Tensor)]

    def run(self, line: str) -> None:
        before = dict(self.names)
        try:
            exec(line, self.names)
        except (RuntimeError, IndexError, TypeError, ValueError):
            self.names = before
            return
        self.lines.append(line)
        if any(self.names[name].numel() > 500 for name in self.tensors()):
            self.lines.pop()
            self.names = before


def seen(shape: Sequence[int], strides: Sequence[int]) -> list[int]:
    """The strides, as far as there is another element to go to."""
    return [stride for size, stride in zip(shape, strides, strict=True) if size > 1]


def differing(seed: int) -> str:
    """What of a random program differs, and the program; nothing where it is refused."""
    drawn = Drawing(seed)
    text = "\n".join([*drawn.lines, "w = torch.ones(1, requires_grad=True)", "w.backward()"])
    try:
        trace = snippet(text)
    except ScenarioError as error:
        return "" if error.problems[0].fix else f"{error.render()}\n{text}"
    graph, sharers = graph_of(trace), Sharers(graph_of(trace))
    nodes = {name: {**graph.inputs, **trace.assigned}[name] for name in drawn.tensors()}
    is_changed = any(change in text for change in ("_(", "] = ", "+="))
    for name, node in nodes.items():
        theirs, value = drawn.names[name], np.asarray(graph.value[node])
        if node in graph.open_order or not value.size:
            continue
        if seen(theirs.shape, theirs.stride()) != seen(value.shape, strides_of(value)):
            return f"{name}: torch {theirs.stride()}, we {strides_of(value)}\n{text}"
        memory = theirs.untyped_storage().data_ptr()
        for other, its in nodes.items() if not is_changed else ():
            is_shared = drawn.names[other].untyped_storage().data_ptr() == memory
            if is_shared != (sharers.base(its) == sharers.base(node)):
                return f"{name}: torch shares it with {other}: {is_shared}\n{text}"
    return ""


@pytest.mark.parametrize("part", range(4))
def test_elements_lie_in_memory_as_torch_lays_them_out(part):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(part, share(usual=240, thorough=8000), 4):
            assert not differing(seed)
