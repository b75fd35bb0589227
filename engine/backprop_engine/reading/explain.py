"""A step in mathematics, in numbers and in plain words: data for whoever draws or prints it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.values import Shape, Value, full_like, settle, shape_of
from backprop_engine.catalogue.subscripts import FROM_OPERAND, index_items_text
from backprop_engine.operation import OPERAND_LETTERS, Derivative, Operation, fill
from backprop_engine.trace import PassKind, Progress, Step, StepKind, Trace


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a step does. A text is empty where it does not apply to the step.

    `formula` is algebra and `numbers` the same with this run's figures; `product` is
    upstream × local = contribution. For arrays `vjp` stands in place of `numbers` and `product`.
    """

    headline: str
    """`%1 = x² sends to its operand x`"""
    sentence: str
    """Plain words on why."""
    formula: str = ""
    """`∂%1/∂x = 2·x`"""
    numbers: str = ""
    """`2 · 2 = 4`"""
    vjp: str = ""
    """`∂L/∂A = ∂L/∂Y @ Bᵀ`"""
    upstream_name: str = ""
    """`∂y/∂%1`"""
    upstream: str = ""
    """`1`"""
    local: str = ""
    """`4`"""
    contribution: str = ""
    """`4`"""
    product: str = ""
    """`1 × 4 = 4`"""
    target: str = ""
    """`∂y/∂x`: what the running sum is the sum of."""
    before: str = ""
    """The running sum before the step; empty where nothing has come in yet."""
    after: str = ""
    """The running sum after the step."""
    running: str = ""
    """`∂y/∂x: 3 → 3 + 4 = 7`"""
    notes: tuple[str, ...] = ()
    """Further facts: shapes, a sum over broadcast axes, another use of the same value."""


def expression(trace: Trace, node: int) -> str:
    """How `node` is made, over the labels of its operands: `x²`; its own digits for a leaf."""
    if trace.graph.operation[node] is None:
        return notation.constant_text(trace.graph.value[node])
    return _notation(trace, node, _names(trace, node))


def explain(trace: Trace, index: int) -> Explanation:
    """The explanation of step `index`, 0 ≤ index < len(trace)."""
    explanation = _explained(trace, index)
    node = trace.step(index).node
    iteration = "" if node is None else trace.iteration(node)
    if iteration and node is not None:
        note = f"{trace.label(node)} was made in iteration {iteration}"
        explanation = replace(explanation, notes=(*explanation.notes, note))
    return explanation


def _explained(trace: Trace, index: int) -> Explanation:
    match trace.step(index):
        case Step(kind=StepKind.FORWARD, node=int(node)):
            return _forward(trace, node)
        case Step(kind=StepKind.SEED, node=int(node)):
            return _seed(trace, node, trace.contribution(index))
        case Step(kind=StepKind.CONTRIBUTION) as step:
            return _contribution(trace, _edge(trace, step))
        case step:
            return _zero_grad(trace.passes[step.pass_index].name)


def _forward(trace: Trace, node: int) -> Explanation:
    label, value = trace.label(node), trace.graph.value[node]
    algebra = expression(trace, node)
    grad_fn = trace.graph.grad_fn(node)
    memory = "no operand requires grad, so the backward pass will not come here"
    if grad_fn:
        memory = f"requires grad, so the graph remembers how it was made: {grad_fn}"
    elif node in trace.graph.made_leaves:
        memory = "made a leaf: gradients come here, and go no further"
    if _has_array(trace, node):
        figures = notation.short(value)
        notes: tuple[str, ...] = (f"shape of {label}: {shape_of(value)}", memory)
    else:
        figures = _equation(_tidy(_notation(trace, node, _figures(trace, node))), value)
        notes = (memory,)
    return Explanation(
        headline=f"compute {label} = {algebra}",
        formula=f"{label} = {algebra}",
        numbers=figures,
        sentence=f"The forward pass computes {label}, {_operation(trace, node).words}.",
        notes=notes,
    )


def _seed(trace: Trace, node: int, seed: Value) -> Explanation:
    label, text = trace.label(node), notation.short(seed)
    target = _ratio(label, label)
    if text == "1":
        formula = f"{target} = 1"
        sentence = f"Backward starts at {label}: a value changes exactly as much as itself."
    else:
        formula = f"gradient of {label} = {text}"
        sentence = (
            f"Backward starts at {label} with the `gradient` argument in place of 1: what is "
            f"differentiated in this pass is the sum of {label} weighted with it."
        )
    return Explanation(
        headline=f"start backward at {label}",
        formula=formula,
        sentence=sentence,
        target=target,
        contribution=text,
        after=text,
        running=f"{target}: {text}",
    )


def _zero_grad(name: str) -> Explanation:
    if name == PassKind.ZERO_GRAD:
        return Explanation(
            headline="zero_grad: clear .grad of every input",
            formula=".grad = None",
            sentence="Backward passes add to .grad; zero_grad forgets the sum, so that the next "
            "pass starts afresh.",
        )
    leaf = name.partition(".")[0]
    if name.endswith("= None"):
        return Explanation(
            headline=name,
            formula=name,
            sentence=f"{leaf}.grad is forgotten; the next backward pass starts afresh.",
        )
    return Explanation(
        headline=name,
        formula=f"{leaf}.grad = 0",
        sentence=f"{leaf}.grad is filled with zeros; the next backward pass adds to them.",
    )


@dataclass(frozen=True, slots=True)
class _Edge:
    """A contribution step with all that its explanation is about."""

    node: int
    operand: int
    position: int
    derivative: Derivative
    root: str
    """The label of the pass's output, what everything is differentiated of."""
    upstream: Value
    before: Value | None
    sent: Value
    after: Value
    progress: Progress


def _edge(trace: Trace, step: Step) -> _Edge:
    node, operand, position = trace.edge(step.index)
    in_pass = trace.passes[step.pass_index]
    upstream = trace.gradient(node, step.index)
    if upstream is None or in_pass.output is None:
        raise ValueError(f"step {step.index} sends before its node has a gradient")
    return _Edge(
        node=node,
        operand=operand,
        position=position,
        derivative=_operation(trace, node).derivative(position),
        root=trace.label(in_pass.output),
        upstream=upstream,
        before=trace.gradient(operand, step.index),
        sent=trace.contribution(step.index),
        after=trace.total_after(step.index),
        progress=trace.progress(operand, step.index + 1),
    )


def _contribution(trace: Trace, edge: _Edge) -> Explanation:
    label, operand_label = trace.label(edge.node), trace.label(edge.operand)
    target = _ratio(edge.root, operand_label)
    common = Explanation(
        headline=f"{label} = {expression(trace, edge.node)} sends to its operand {operand_label}",
        sentence=edge.derivative.words,
        upstream_name=_ratio(edge.root, label),
        upstream=notation.short(edge.upstream),
        target=target,
        contribution=notation.short(edge.sent),
        before="" if edge.before is None else notation.short(edge.before),
        after=notation.short(edge.after),
        running=_running(target, edge),
        notes=(*_place_note(trace, edge), *_use_notes(operand_label, edge.progress)),
    )
    add_detail = _in_arrays if _has_array(trace, edge.node) else _in_numbers
    return add_detail(common, trace, edge)


def _in_numbers(common: Explanation, trace: Trace, edge: _Edge) -> Explanation:
    """The scalar case: local derivative in algebra and figures, then upstream × local."""
    local = _local_value(trace, edge)
    template = edge.derivative.local or edge.derivative.vjp or ""
    algebra = fill(template, {**_names(trace, edge.node), "g": "1"})
    figures = _tidy(fill(template, {**_figures(trace, edge.node), "g": "1"}))
    local_text = notation.short(local)
    is_plain_number = figures in (local_text, notation.in_brackets(local_text))
    return replace(
        common,
        formula=f"{_ratio(trace.label(edge.node), trace.label(edge.operand))} = {algebra}",
        numbers=local_text if is_plain_number else _equation(figures, local),
        local=local_text,
        product=f"{common.upstream} × {notation.in_brackets(local_text)} = {common.contribution}",
    )


def _in_arrays(common: Explanation, trace: Trace, edge: _Edge) -> Explanation:
    """The array case: the vector-Jacobian product, with shapes and any sum over broadcast axes."""
    values = trace.graph.value
    label, operand_label = trace.label(edge.node), trace.label(edge.operand)
    from_shape, to_shape = shape_of(values[edge.node]), shape_of(values[edge.operand])
    texts = {**_names(trace, edge.node), "g": common.upstream_name}
    notes = [f"shapes: {label} {from_shape}, {operand_label} {to_shape}"]
    formula = ""
    if edge.derivative.local is None:
        product = fill(edge.derivative.vjp or "", texts)
    else:
        local = fill(edge.derivative.local, texts)
        formula = f"{_ratio(label, operand_label)} = {local}, element by element"
        product = _elementwise_product(common.upstream_name, local)
        axes = _broadcast_axes(from_shape, to_shape)
        if axes:
            named = f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(map(str, axes))}"
            product = f"Σ over {named} of {product}"
            notes.append(
                f"summed over {named} because {operand_label} was broadcast "
                f"from {to_shape} to {from_shape}"
            )
    return replace(
        common, formula=formula, vjp=f"{common.target} = {product}", notes=(*notes, *common.notes)
    )


def _elementwise_product(upstream: str, local: str) -> str:
    if local == "1":
        return upstream
    if local == "−1":
        return f"−{upstream}"
    return f"{upstream} ⊙ {f'({local})' if ' ' in local or local.startswith('−') else local}"


def _broadcast_axes(from_shape: Shape, to_shape: Shape) -> tuple[int, ...]:
    """The axes of the output along which an operand of `to_shape` was repeated."""
    added = len(from_shape) - len(to_shape)
    return tuple(
        axis
        for axis, size in enumerate(from_shape)
        if axis < added or (to_shape[axis - added] == 1 and size != 1)
    )


def _place_note(trace: Trace, edge: _Edge) -> tuple[str, ...]:
    """Said where one value stands in several places of an operation, as in `x·x`."""
    places = [at for at, one in enumerate(trace.graph.operands[edge.node]) if one == edge.operand]
    if len(places) < 2:
        return ()
    place, label = places.index(edge.position) + 1, trace.label(edge.operand)
    made = expression(trace, edge.node)
    return (f"{label} stands in {len(places)} places of {made}; this step is for place {place}",)


def _use_notes(label: str, progress: Progress) -> tuple[str, ...]:
    """Said where a value has several uses: its gradient is a sum."""
    if progress.expected < 2:
        return ()
    times = "twice" if progress.expected == 2 else f"{progress.expected} times"
    missing = progress.expected - progress.received
    rest = f"{missing} still to come" if missing else "this is the last of them"
    return (
        f"{label} is used {times}, so its gradient is the sum of what all uses send back; {rest}",
    )


def _running(target: str, edge: _Edge) -> str:
    now = notation.short(edge.after)
    if edge.before is None:
        return f"{target}: – → {now}"
    was, sent = notation.short(edge.before), notation.in_brackets(notation.short(edge.sent))
    return f"{target}: {was} → {was} + {sent} = {now}"


def _local_value(trace: Trace, edge: _Edge) -> Value:
    return _local(trace, edge.node, edge.position)


def local_derivative(trace: Trace, index: int) -> Value | None:
    """∂node/∂operand of contribution step `index`; None where elements mix and it is a Jacobian."""
    node, _, position = trace.edge(index)
    operation = _operation(trace, node)
    if operation.derivative(position).local is None and _has_array(trace, node):
        return None
    return _local(trace, node, position)


def _local(trace: Trace, node: int, position: int) -> Value:
    """∂node/∂operand: the rule, with an upstream gradient of one."""
    graph = trace.graph
    output = graph.value[node]
    operands = [graph.value[operand] for operand in graph.operands[node]]
    with np.errstate(all="ignore"):
        local = _operation(trace, node).send(
            position, full_like(output, 1.0), output, operands, graph.attributes_of(node)
        )
    return settle(local, graph.dtype)


def _operation(trace: Trace, node: int) -> Operation:
    operation = trace.graph.operation[node]
    if operation is None:
        raise ValueError(f"node {node} is a leaf")
    return operation


def _has_array(trace: Trace, node: int) -> bool:
    graph = trace.graph
    return any(isinstance(graph.value[one], np.ndarray) for one in (node, *graph.operands[node]))


def _ratio(above: str, below: str) -> str:
    return f"∂{above}/∂{below}"


def _equation(figures: str, value: Value) -> str:
    return f"{figures} = {notation.short(value)}"


def _tidy(figures: str) -> str:
    """Room around dots, so that `2·2` does not read as `2.2`, and no bracket twice."""
    return re.sub(r"\(\(([^()]*)\)\)", r"(\1)", figures).replace("·", " · ")


def _notation(trace: Trace, node: int, texts: dict[str, str]) -> str:
    return fill(_operation(trace, node).notation, texts)


def _names(trace: Trace, node: int) -> dict[str, str]:
    """The texts of a template, as labels."""
    return _texts(trace, node, lambda one: notation.in_brackets(trace.label(one)))


def _figures(trace: Trace, node: int) -> dict[str, str]:
    """The texts of a template, as numbers."""
    return _texts(
        trace, node, lambda one: notation.in_brackets(notation.short(trace.graph.value[one]))
    )


def _texts(trace: Trace, node: int, text: Callable[[int], str]) -> dict[str, str]:
    operands = trace.graph.operands[node]
    attributes = trace.graph.attributes_of(node)
    texts = {name: _attribute_text(value) for name, value in attributes.items()}
    names = [text(one) for one in operands]
    if "items" in attributes:
        items = attributes["items"]
        indices = names[len(names) - items.count(FROM_OPERAND) :]
        texts["items"] = index_items_text(items, tuple(indices))
    texts["y"] = text(node)
    texts.update(zip(OPERAND_LETTERS, names, strict=False))
    return texts


def _attribute_text(value: object) -> str:
    """`0.5` as it would be written, `(−2)` in brackets; `1.0` is `1`."""
    return notation.in_brackets(notation.number(value)) if type(value) is float else str(value)
