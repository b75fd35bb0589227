"""A lesson as JSON, for other programs; docs/export.md describes it, and its keys stay.

Nodes are told by their number in `nodes`, passes by theirs in `passes`.
"""

from __future__ import annotations

from typing import Any, Final

from backprop_engine.basics.values import shape_of
from backprop_engine.mathematics.latex import latex
from backprop_engine.mathematics.text import text_of
from backprop_engine.mathematics.tree import Tree
from backprop_tui.export.lesson import Lesson, LessonNode, LessonPass, LessonStep
from backprop_tui.headless.json_values import json_line, json_value

VERSION: Final = 2
"""Changes where a reader would have to change."""


def contract(lesson: Lesson) -> bytes:
    """The lesson as one JSON object."""
    told = {
        "backprop": VERSION,
        "heading": {
            name: getattr(lesson, name)
            for name in ("title", "about", "note", "name", "dtype", "computed_by")
        },
        "count": lesson.count,
        "from": lesson.first,
        "to": lesson.last,
        "source": [{"name": file.name, "text": file.text} for file in lesson.files],
        "nodes": list(map(_node, lesson.nodes)),
        "passes": list(map(_pass, lesson.passes)),
        "steps": [_step(lesson, step) for step in lesson.steps],
    }
    return json_line(told).encode() + b"\n"


def _node(node: LessonNode) -> dict[str, Any]:
    mark = node.mark
    return {
        "id": node.id,
        "label": node.label,
        "expression": node.expression,
        "operation": node.operation,
        "operands": node.operands,
        "value": json_value(node.value),
        "shape": shape_of(node.value),
        "dtype": node.dtype,
        "requires_grad": node.requires_grad,
        "grad_fn": node.grad_fn,
        "hint": node.hint,
        "span": mark and {
            "source": mark.file, "start": mark.start, "stop": mark.stop, "line": mark.line
        },
        "is_computed": node.is_there,
        "gradient": json_value(node.gradient),
    }  # fmt: skip


def _pass(pass_: LessonPass) -> dict[str, Any]:
    return {
        "kind": pass_.kind,
        "name": pass_.name,
        "start": pass_.start,
        "stop": pass_.stop,
        "iteration": pass_.iteration,
        "output": pass_.output,
        "grads": [
            {"node": node, "name": name, "value": json_value(grad)}
            for node, name, grad in pass_.grads
        ],
    }


def _step(lesson: Lesson, step: LessonStep) -> dict[str, Any]:
    told = step.told
    passed = lesson.passes[0].index
    return {
        "step": step.step.index,
        "pass": step.step.pass_index - passed,
        "kind": str(step.step.kind),
        "node": step.node,
        "operand": step.receiver if step.step.operand is not None else None,
        "position": step.step.position,
        "upstream": json_value(step.upstream),
        "local": json_value(step.local),
        "contribution": json_value(step.contribution),
        "total_before": json_value(step.before),
        "total_after": json_value(step.total_after),
        "received": step.received,
        "expected": step.received + step.left,
        "headline": told.headline,
        "formula": _formula(told.formula or told.vjp),
        "numbers": _formula(told.numbers),
        "product": _formula(told.product),
        "running": told.running,
        "text": told.sentence,
        "notes": told.notes,
    }


def _formula(tree: Tree | None) -> dict[str, str] | None:
    return None if tree is None else {"text": text_of(tree), "latex": latex(tree)}
