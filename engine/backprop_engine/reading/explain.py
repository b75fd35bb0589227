"""A step in mathematics, in numbers and in plain words: data for whoever draws or prints it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import groupby

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Place
from backprop_engine.basics.values import Known, broadcast_axes, shape_of
from backprop_engine.mathematics.parser import parse
from backprop_engine.mathematics.text import text_of
from backprop_engine.mathematics.tree import (
    Branch,
    Text,
    Tree,
    call,
    chain,
    filled,
    partial,
    prefix,
    run_on,
    statement,
)
from backprop_engine.reading.local_derivatives import has_array, sent_for_one
from backprop_engine.reading.sending import (
    Edge,
    parts_sent,
    place_note,
    running,
    shapes_note,
    use_notes,
)
from backprop_engine.trace import Missing, Pass, Step, StepKind, Trace
from backprop_engine.trace.abilities import Explains, Quotes


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a step does. A text is empty, and a formula None, where it does not apply to the step.

    `formula` is algebra and `numbers` the same with this run's figures; `product` is
    upstream × local = contribution. For arrays `vjp` stands in place of `numbers` and `product`.
    """

    headline: str
    """`%1 = x² sends to its operand x`"""
    sentence: str
    """Plain words on why."""
    name: Tree | None = None
    """`∂%1/∂x`: what `algebra` is."""
    algebra: Tree | None = None
    """`2·x`"""
    numbers: Tree | None = None
    """`2 · 2 = 4`"""
    vjp: Branch | None = None
    """`∂L/∂A = ∂L/∂Y @ Bᵀ`"""
    upstream_name: Branch | None = None
    """`∂y/∂%1`"""
    upstream: str = ""
    """`1`"""
    local: str = ""
    """`4`"""
    contribution: str = ""
    """`4`"""
    product: Branch | None = None
    """`1 × 4 = 4`"""
    target: Branch | None = None
    """`∂y/∂x`: what the running sum is the sum of."""
    before: str = ""
    """The running sum before the step; empty where nothing has come in yet."""
    after: str = ""
    """The running sum after the step."""
    left: int = 0
    """How many contributions to it are still to come."""
    running: str = ""
    """`∂y/∂x: 3 → 3 + 4 = 7`"""
    notes: tuple[str, ...] = ()
    """Further facts: shapes, a sum over broadcast axes, another use of the same value."""

    @property
    def formula(self) -> Branch | None:
        """`∂%1/∂x = 2·x`"""
        if self.name is None or self.algebra is None:
            return None
        return statement(self.name, self.algebra)


def expression(trace: Trace, node: int) -> str:
    """How `node` is made, over the labels of its operands: `x²`; its own digits for a leaf."""
    if not trace.is_leaf(node) and not isinstance(explains := trace.can(Explains, node), Missing):
        return explains.output(node).text(trace.label)
    return text_of(_made(trace, node))


def _made(trace: Trace, node: int) -> Tree:
    """The same as a tree."""
    if trace.is_leaf(node):
        return Text(notation.constant_text(trace.nodes.value[node]))
    explains = trace.can(Explains, node)
    if isinstance(explains, Missing):
        operands = [Text(trace.label(operand)) for operand in trace.nodes.operands[node]]
        return call(trace.nodes.operation_name(node), *operands)
    return explains.output(node).tree(trace.label)


def explain(trace: Trace, index: int) -> Explanation:
    """The explanation of step `index`, 0 ≤ index < len(trace)."""
    explanation = _explained(trace, index)
    node = trace.step(index).node
    kinds = () if node is None else groupby(trace.nodes.groups(node), key=lambda group: group.kind)
    told = [f"{kind} {', '.join(group.name for group in groups)}" for kind, groups in kinds]
    if told and node is not None:
        note = f"{trace.label(node)} was made in {', '.join(told)}"
        explanation = replace(explanation, notes=(*explanation.notes, note))
    return explanation


def _explained(trace: Trace, index: int) -> Explanation:
    match trace.step(index):
        case Step(kind=StepKind.FORWARD, node=int(node)):
            return _forward(trace, node)
        case Step(kind=StepKind.SEED, node=int(node)):
            return _seed(trace, node, trace.contribution(index))
        case Step(kind=StepKind.CONTRIBUTION) as step:
            return _contribution(trace, step)
        case Step(kind=StepKind.HOOK, node=int(node)):
            return _hook(trace, node, index)
        case Step(kind=StepKind.UPDATE | StepKind.CHANGE) as step:
            return _update(trace.passes[step.pass_index], step.kind)
        case step:
            return _zero_grad(trace, trace.passes[step.pass_index])


def _forward(trace: Trace, node: int) -> Explanation:
    label, value = trace.label(node), trace.nodes.value[node]
    grad_fn, explains = trace.nodes.grad_fn(node), trace.can(Explains, node)
    memory = "no operand requires grad, so the backward pass will not come here"
    if grad_fn:
        memory = f"requires grad, so the graph remembers how it was made: {grad_fn}"
    elif trace.nodes.requires_grad[node] and node not in trace.nodes.made_leaves:
        memory = "requires grad, but no backward pass has come here"
    elif node in trace.nodes.made_leaves:
        memory = "made a leaf: gradients come here, and go no further"
    elif any(trace.nodes.requires_grad[operand] for operand in trace.nodes.operands[node]):
        memory = "the graph does not remember how it was made: no gradient goes back from here"
    words = "" if isinstance(explains, Missing) else explains.words(node)
    if isinstance(explains, Missing) or has_array(trace, node):
        figures: Tree = Text(notation.short(value))
        notes: tuple[str, ...] = (f"shape of {label}: {shape_of(value)}", memory)
    else:
        figures = statement(
            explains.output(node).tree(_figure(trace), is_roomy=True), Text(notation.short(value))
        )
        notes = (memory,)
    return Explanation(
        headline=f"compute {label} = {expression(trace, node)}",
        name=Text(label),
        algebra=_made(trace, node),
        numbers=figures,
        sentence=f"The forward pass computes {label}{', ' if words else ''}{words}.",
        notes=notes,
    )


def _seed(trace: Trace, node: int, seed: Known) -> Explanation:
    label, text = trace.label(node), notation.short(seed)
    target = partial(label, label)
    name: Tree = target
    if text == "1":
        sentence = f"Backward starts at {label}: a value changes exactly as much as itself."
    else:
        name = chain(parse("gradient of"), " ", Text(label))
        sentence = (
            f"Backward starts at {label} with the `gradient` argument in place of 1: what is "
            f"differentiated in this pass is the sum of {label} weighted with it."
        )
    return Explanation(
        headline=f"start backward at {label}",
        name=name,
        algebra=Text(text),
        sentence=sentence,
        target=target,
        contribution=text,
        after=text,
        running=f"{text_of(target)}: {text}",
    )


def _zero_grad(trace: Trace, pass_: Pass) -> Explanation:
    if pass_.cleared is None:
        headline, *names = (pass_.about or "zero_grad: clear .grad of every input").split("\n")
        return Explanation(
            headline=headline,
            name=Text(".grad"),
            algebra=Text("0" if "zeros" in headline else "None"),
            notes=tuple(names),
            sentence="Backward passes add to .grad; zero_grad forgets the sum, so that the next "
            "pass starts afresh.",
        )
    grad = f"{trace.label(pass_.cleared)}.grad"
    if (pass_.grads or {}).get(pass_.cleared) is None:
        value, happens = "None", "is forgotten; the next backward pass starts afresh"
    else:
        value, happens = "0", "is filled with zeros; the next backward pass adds to them"
    return Explanation(
        headline=pass_.name,
        name=Text(grad),
        algebra=Text(value),
        sentence=f"{grad} {happens}.",
    )


def _update(pass_: Pass, kind: StepKind) -> Explanation:
    headline, *lines = pass_.about.split("\n")
    is_update = kind is StepKind.UPDATE
    sentence = "The optimiser moves the weights by what it makes of their gradients."
    if not is_update:
        sentence = "The program changes gradients after their backward pass, and before the step."
    return Explanation(
        headline=headline,
        name=Text("w" if is_update else "w.grad"),
        algebra=Text("w + ∆w" if is_update else "w.grad, changed"),
        sentence=sentence,
        notes=tuple(lines),
    )


def _hook(trace: Trace, node: int, index: int) -> Explanation:
    label, place = trace.label(node), trace.hooked[index]
    before, after = trace.gradient(node, index), trace.contribution(index)
    target, now = partial("L", label), notation.short(after)
    was = "–" if before is None else notation.short(before)
    return Explanation(
        headline=f"a hook changes the gradient of {label}",
        name=target,
        algebra=Text(now),
        sentence=f"A hook of the program puts this in the place of what was sent, {was}.",
        target=target,
        contribution=now,
        before="" if before is None else was,
        after=now,
        running=f"{text_of(target)}: {was} → {now}",
        notes=() if place is None else (_registered(place),),
    )


def _registered(place: Place) -> str:
    return f"registered at {place.source.name}:{place.position.line}: {place.text}"


def _contribution(trace: Trace, step: Step) -> Explanation:
    node, operand, position = trace.edge(step.index)
    output, upstream = trace.passes[step.pass_index].output, trace.gradient(node, step.index)
    if upstream is None or output is None:
        raise ValueError(f"step {step.index} sends before its node has a gradient")
    label, operand_label = trace.label(node), trace.label(operand)
    target = partial(trace.label(output), operand_label)
    edge = Edge(node, operand, position, target, partial(trace.label(output), label))
    before, progress = trace.gradient(operand, step.index), trace.progress(operand, step.index + 1)
    was = "" if before is None else notation.short(before)
    sent = notation.short(trace.contribution(step.index))
    now = notation.short(trace.total_after(step.index))
    explains, made = trace.can(Explains, node), expression(trace, node)
    common = Explanation(
        headline=f"{label} = {made} sends to its operand {operand_label}",
        sentence="" if isinstance(explains, Missing) else explains.why(node, position),
        name=None if isinstance(explains, Missing) else partial(label, operand_label),
        upstream_name=edge.upstream_name,
        upstream=notation.short(upstream),
        target=edge.target,
        contribution=sent,
        before=was,
        after=now,
        left=progress.expected - progress.received,
        running=running(text_of(target), was, sent, now),
        notes=(*place_note(trace, edge, made), *use_notes(operand_label, progress)),
    )
    if isinstance(explains, Missing):
        return _unexplained(common, trace, edge, explains)
    if progress.expected > 1 and (parts := parts_sent(trace, edge, step)) > 1:
        return _part(common, trace, edge, parts)
    if has_array(trace, node):
        return _in_arrays(common, trace, edge, explains)
    return _in_numbers(common, trace, edge, explains)


def _unexplained(common: Explanation, trace: Trace, edge: Edge, missing: Missing) -> Explanation:
    """Where nobody knows the derivative as a formula: who computed it, and what came out."""
    grad_fn = trace.nodes.grad_fn(edge.node) or trace.nodes.operation_name(edge.node)
    quotes = trace.can(Quotes, edge.node)
    sent: Tree = call(grad_fn, edge.upstream_name)
    sentence = f"{grad_fn} computed what is sent; {missing.sentence}."
    if not isinstance(quotes, Missing):
        sent = Text(quotes.text(edge.node, edge.position))
        sentence = f"{quotes.source} has this of {grad_fn}; grad is {text_of(edge.upstream_name)}."
    return replace(
        common,
        sentence=sentence,
        vjp=statement(edge.target, sent),
        notes=(shapes_note(trace, edge), *common.notes),
    )


def _part(common: Explanation, trace: Trace, edge: Edge, parts: int) -> Explanation:
    """Where torch has several nodes for what is one call here: no formula has what each sends."""
    label, operand = trace.label(edge.node), trace.label(edge.operand)
    grad_fn = trace.nodes.grad_fn(edge.node) or trace.nodes.operation_name(edge.node)
    return replace(
        common,
        sentence=f"torch computes {label} in several nodes, and {operand} gets {parts} parts of "
        f"what {label} sends: this is one of them, and their sum is what the formula says.",
        vjp=statement(edge.target, call(grad_fn, edge.upstream_name)),
        notes=(shapes_note(trace, edge), *common.notes),
    )


def _in_numbers(common: Explanation, trace: Trace, edge: Edge, explains: Explains) -> Explanation:
    """The scalar case: local derivative in algebra and figures, then upstream × local."""
    node, position = edge.node, edge.position
    told = explains.local(node, position) or explains.product(node, position)
    ones: Mapping[str, Tree] = {"g": Text("1")}
    algebra = None if told is None else told.tree(trace.label, ones)
    local = sent_for_one(trace, node, position)
    if local is None:
        return replace(common, algebra=algebra)
    number = Text(notation.short(local))
    figures = number if told is None else told.tree(_figure(trace), ones, is_roomy=True)
    return replace(
        common,
        algebra=algebra,
        numbers=number if text_of(figures) == number.text else statement(figures, number),
        local=number.text,
        product=statement(Text(common.upstream), number, Text(common.contribution), signs=(" × ",)),
    )


def _in_arrays(common: Explanation, trace: Trace, edge: Edge, explains: Explains) -> Explanation:
    """The array case: the vector-Jacobian product, with shapes and any sum over broadcast axes."""
    values = trace.nodes.value
    operand_label = trace.label(edge.operand)
    from_shape, to_shape = shape_of(values[edge.node]), shape_of(values[edge.operand])
    notes, upstream = [shapes_note(trace, edge)], edge.upstream_name
    local, algebra = explains.local(edge.node, edge.position), None
    if local is None:
        told = explains.product(edge.node, edge.position)
        product = None if told is None else told.tree(trace.label, {"g": upstream})
    else:
        slope = local.tree(trace.label)
        algebra = chain(slope, ", ", parse("element by element"))
        product = _elementwise_product(upstream, slope)
        axes = broadcast_axes(from_shape, to_shape)
        if axes:
            named = f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(map(str, axes))}"
            whole = {"named": Text(named), "product": product}
            product = filled(parse("Σ over {named} of {product}"), whole)
            notes.append(
                f"summed over {named} because {operand_label} was broadcast "
                f"from {to_shape} to {from_shape}"
            )
    return replace(
        common,
        algebra=algebra,
        vjp=None if product is None else statement(edge.target, product),
        notes=(*notes, *common.notes),
    )


def _elementwise_product(upstream: Tree, local: Tree) -> Tree:
    if local == Text("1"):
        return upstream
    return prefix("−", upstream) if local == parse("−1") else run_on(upstream, " ⊙ ", local)


def _figure(trace: Trace) -> Callable[[int], str]:
    """Nodes as numbers."""
    return lambda node: notation.short(trace.nodes.value[node])
