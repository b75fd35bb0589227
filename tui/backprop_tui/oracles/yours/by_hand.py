"""Layers and answers examined: gradients that are written by hand, each judged by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from backprop_engine.basics.values import in_full
from backprop_engine.trace import Trace
from backprop_tui.oracles.report import Failed
from backprop_tui.oracles.yours.client import Learners
from backprop_tui.oracles.yours.comparing import agrees, apart
from backprop_tui.oracles.yours.finding import Finding
from backprop_tui.oracles.yours.layers import Case, case_of, case_of_scenario, flat_case_of
from backprop_tui.oracles.yours.own_upstream import OwnUpstream, last_pass
from backprop_tui.oracles.yours.protocol import Contents, LayerRun, Unusable
from backprop_tui.oracles.yours.verdict import Kind, Verdict

_ROUGH = 1e-4
"""What differences may be off by, beside the largest slope."""


def by_answers(learners: Learners, trace: Trace, found: Finding) -> Finding:
    """Judge `dNAME = …` for the names of a scenario."""
    names = [name for name in trace.names if name.isidentifier()]
    told = learners.answers(trace, names)
    if isinstance(told, Unusable | Failed):
        return found.troubled(told)
    given = {trace.named(name) or 0: value for name, value in told.values.items()}
    labels = {trace.named(name) or 0: name for name in told.values}
    own = OwnUpstream(trace, given)
    judged = own.judged()
    found = replace(
        found,
        name=", ".join(f"d{labels[node]}" for node in judged),
        judged={f"d{labels[node]}": is_right for node, is_right in judged.items()},
        remarks=tuple(f"It changes {name} in place." for name in told.changed),
        programs=1,
    )
    for node, is_right in judged.items():
        if not is_right:
            name = labels[node]
            return replace(found, verdict=own.verdict(node, f"d{name}", told.lines.get(name)))
    return found if told.stopped is None else found.troubled(told.stopped)


def by_layers(
    learners: Learners, contents: Contents, trace: Trace | None, found: Finding
) -> Finding:
    """Judge `NAME_forward` with `NAME_backward`, and `NAME_loss`, for the usual names, or for the
    inputs of a scenario.
    """
    remarks: list[str] = []
    judged: dict[str, bool] = {}
    count = 0
    for layer, parameters in contents.layers.items():
        case = case_of(layer) if trace is None else case_of_scenario(trace, list(parameters))
        if case is None:
            missing = "not among the usual ones" if trace is None else "its arguments are not there"
            remarks.append(f"{layer} is not examined: {missing}.")
            continue
        run = learners.layer(layer, case.arguments, case.dout, numeric=case.is_open)
        flat = flat_case_of(layer) if trace is None else None
        if flat is not None and isinstance(run, LayerRun) and run.raised:
            again = learners.layer(layer, flat.arguments, flat.dout, numeric=False)
            if not isinstance(again, LayerRun) or again.raised != run.raised:
                remarks.append(f"{layer} takes no x of three axes, and is examined with two.")
                case, run = flat, again
        if isinstance(run, Unusable) and run.is_lacking:
            remarks.append(f"{layer} is not examined: {run.message}.")
            continue
        if isinstance(run, Unusable | Failed):
            return found.troubled(run)
        count += 1
        verdict, gradients, said = _judged(layer, case, run)
        judged |= gradients
        remarks += said
        if verdict is not None:
            found = replace(found, verdict=verdict)
            break
    found = replace(
        found,
        name=", ".join(contents.layers),
        judged=judged,
        remarks=tuple(remarks),
        programs=count,
    )
    if not count:
        return replace(found, trouble="None of its layers can be judged.")
    return found


_Judged = tuple[Verdict | None, Mapping[str, bool], list[str]]


def _judged(layer: str, case: Case, run: LayerRun) -> _Judged:
    """The first mistake, which gradients are right, and remarks."""
    trace, pass_ = case.trace, last_pass(case.trace)
    output = pass_.output or 0
    forward = int(trace.forward_steps[output])
    if run.raised or run.value is None:
        said = f"{layer} raises {run.raised}." if run.raised else f"{layer} gives no value."
        return Verdict(Kind.RULE, said, run.line, forward), {}, []
    remarks = [f"{layer}_backward changes dout in place."] if run.has_changed_dout else []
    right = in_full(trace.nodes.value[output])
    if not agrees(run.value, right):
        off = _inconsistent(run) if run.differences else 0
        if off is None:
            remarks.append(f"{layer} is another than the usual one, and right by itself.")
            return None, {}, remarks
        if run.differences and off < min(len(run.gradients), len(run.lines)):
            slope = apart(run.gradients[off], run.differences[off])
            said = f"gradient {off + 1} of {layer} is {slope}, by differences of its own forward."
            return Verdict(Kind.RULE, said, run.lines[off], pass_.start), {}, remarks
        said = f"{layer} makes {apart(run.value, right)}."
        return Verdict(Kind.FORWARD, said, run.forward_line, forward), {}, remarks
    is_loss = case.dout is None
    wanted = case.inputs[: len(run.gradients)] if is_loss else case.inputs
    pairs = zip(wanted, run.gradients, strict=False)
    given = {node: gradient for node, gradient in pairs if gradient is not None}
    labels = {node: f"d{trace.label(node)}" for node in wanted}
    own = OwnUpstream(trace, given)
    right_ones = own.judged()
    judged = {f"{layer} {labels[node]}": right_ones.get(node, False) for node in wanted}
    for at, node in enumerate(wanted):
        line = run.lines[at] if at < len(run.lines) else run.line
        if node not in given:
            said = f"{layer} gives no {labels[node]}."
            return Verdict(Kind.SENDS_NOTHING, said, line, pass_.start), judged, remarks
        if not right_ones[node]:
            return own.verdict(node, labels[node], line), judged, remarks
    return None, judged, remarks


def _inconsistent(run: LayerRun) -> int | None:
    """The first gradient that is not that of its own forward function, as far as differences tell.

    A loss may give fewer of them.
    """
    for at, (gradient, slope) in enumerate(zip(run.gradients, run.differences, strict=False)):
        if gradient is None or slope is None or np.shape(gradient) != np.shape(slope):
            return at
        allowed = _ROUGH * max(float(np.max(np.abs(slope))), 1e-3)
        if not np.all(np.abs(np.asarray(gradient) - slope) <= allowed):
            return at
    return None
