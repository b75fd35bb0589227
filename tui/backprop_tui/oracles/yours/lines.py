"""Lines of a learner's file: where a mistake stands, when what shows it is another line."""

from __future__ import annotations

import ast
from functools import cache
from typing import Any

_ENTERING = ("append", "appendleft", "insert", "push")


@cache
def of_value(tree: ast.Module, line: int | None) -> int | None:
    """Where the number was computed that a value was made with in `line`: there, or before."""
    function = _function_at(tree, line)
    if function is None or line is None:
        return line
    calls = (node for node in ast.walk(function) if isinstance(node, ast.Call))
    call = next((node for node in calls if node.lineno == line), None)  # the outermost one
    names = {node.id for node in (call.args[:1] if call else ()) if isinstance(node, ast.Name)}
    assigned = [
        node.lineno
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and node.lineno < line
        and any(isinstance(each, ast.Name) and each.id in names for each in node.targets)
    ]  # fmt: skip
    return max(assigned, default=line)


@cache
def is_addition(tree: ast.Module, line: int | None) -> bool:
    """Whether a line is `… += …`, which cannot overwrite."""
    return any(isinstance(node, ast.AugAssign) and node.lineno == line for node in ast.walk(tree))


@cache
def is_refusal(tree: ast.Module, line: int | None) -> bool:
    """Whether a line is a `raise` or an `assert`: somebody has said that this is not for it."""
    refusals = (node for node in ast.walk(tree) if isinstance(node, ast.Raise | ast.Assert))
    return any(
        line is not None and node.lineno <= line <= (node.end_lineno or 0) for node in refusals
    )


@cache
def of_order(tree: ast.Module, line: int | None) -> dict[str, Any]:
    """Of the line that lets values have their turn: the loop around it, and what fills its list."""
    function = _function_at(tree, line, outermost=True)
    if function is None or line is None:
        return {"loop": line, "entered": None}
    loops = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.For | ast.While) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    if not loops:
        return {"loop": line, "entered": None}
    loop = min(loops, key=lambda node: node.lineno)  # the one within goes through operands
    gone_through = loop.iter if isinstance(loop, ast.For) else loop.test
    names = {node.id for node in ast.walk(gone_through) if isinstance(node, ast.Name)}
    entered = [
        node.lineno
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _ENTERING
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in names
    ]
    return {"loop": loop.lineno, "entered": min(entered, default=None)}


def of_result(tree: ast.Module, name: str, position: int) -> int | None:
    """The line in which a function at top level last gives a value to what it returns there."""
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or node.name != name:
            continue
        returns = [inner for inner in ast.walk(node) if isinstance(inner, ast.Return)]
        if not returns:
            return node.lineno
        told = returns[-1].value
        items = told.elts if isinstance(told, ast.Tuple) else [told]
        item = items[position] if position < len(items) else None
        if not isinstance(item, ast.Name):
            return returns[-1].lineno
        lines = [
            each.lineno
            for each in ast.walk(node)
            if isinstance(each, ast.stmt) and _gives(each, item.id)
        ]
        return max(lines, default=returns[-1].lineno)
    return None


def _gives(node: ast.AST, name: str) -> bool:
    """Whether a statement gives a name, or a part of what it means, a value."""
    if not isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(
        (isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Store))
        or (isinstance(target, ast.Subscript) and isinstance(each, ast.Name) and each.id == name)
        for target in targets
        for each in ast.walk(target)
    )  # fmt: skip


@cache
def _functions(tree: ast.Module) -> tuple[ast.FunctionDef, ...]:
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _function_at(
    tree: ast.Module, line: int | None, *, outermost: bool = False
) -> ast.FunctionDef | None:
    """The function around a line: the innermost one, or the outermost."""
    around = [
        node for node in _functions(tree)
        if line is not None and node.lineno <= line <= (node.end_lineno or 0)
    ]  # fmt: skip
    if not around:
        return None
    choose = min if outermost else max
    return choose(around, key=lambda node: node.lineno)
