r"""An explanation to paste elsewhere: as Markdown, and as LaTeX."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final, TypeGuard

from backprop_engine.basics.notation import BLOCKS, HANGING, plain
from backprop_engine.mathematics.latex import latex
from backprop_engine.mathematics.text import text_of
from backprop_engine.mathematics.tree import Branch, Form, Text, Tree, run_on, statement
from backprop_engine.reading.explain import Explanation

_OTHERS: Final = Text("⋯")
"""What comes along other paths: without it a contribution would pass for the gradient."""


def as_latex(explanation: Explanation) -> str:
    """A block for a document with `amsmath`, one line for each line of Chain rule."""
    body = " \\\\\n".join(f"  {row}" for row in equations(explanation))
    headline = " ".join(explanation.headline.split())
    comment = f"% {plain(headline)}\n" if headline else ""
    return f"{comment}\\begin{{align*}}\n{body}\n\\end{{align*}}\n"


def equations(explanation: Explanation) -> list[str]:
    """The mathematics of an explanation, lines for an `align*`."""
    return [_aligned(row) for row in _rows(explanation)]


def _aligned(row: Branch) -> str:
    """Lines are level at their first equals sign."""
    left, *right = row.parts
    return f"{latex(left)} &= {latex(statement(*right, signs=row.signs[1:]))}"


def _rows(explanation: Explanation) -> list[Branch]:
    """The mathematics of an explanation, an equation each."""
    rows = []
    if explanation.name and explanation.algebra and explanation.name != explanation.algebra:
        rows.append(statement(explanation.name, explanation.algebra, *_figures(explanation)))
    if explanation.vjp:
        rows.append(_beside_others(explanation.vjp, explanation))
    if (
        explanation.product
        and explanation.name
        and explanation.upstream_name
        and explanation.target
    ):
        rule = run_on(explanation.upstream_name, " · ", explanation.name)
        rows.append(
            statement(rule, *explanation.product.parts, signs=(" = ", *explanation.product.signs))
        )
        # The sums of arrays are no numbers to write down.
        rows.append(_sum(explanation.target, explanation))
    return rows


def _figures(explanation: Explanation) -> tuple[Tree, ...]:
    """The figures that go on where the algebra ends."""
    if explanation.numbers is None or any(
        sign in BLOCKS + HANGING for sign in text_of(explanation.numbers)
    ):
        return ()
    sides = (
        explanation.numbers.parts if _is_statement(explanation.numbers) else (explanation.numbers,)
    )
    return () if text_of(explanation.numbers) == text_of(explanation.algebra) else sides


def _is_statement(tree: Tree) -> TypeGuard[Branch]:
    return isinstance(tree, Branch) and tree.form is Form.STATEMENT


def _beside_others(equation: Branch, explanation: Explanation) -> Branch:
    if not (explanation.before or explanation.left):
        return equation
    return replace(equation, parts=(*equation.parts, _OTHERS), signs=(*equation.signs, " + "))


def _sum(target: Tree, explanation: Explanation) -> Branch:
    added = filter(None, (explanation.before, explanation.contribution))
    parts = [*map(Text, added), *([_OTHERS] if explanation.left else [])]
    total = [] if explanation.left or not explanation.before else [Text(explanation.after)]
    return statement(target, *parts, *total, signs=(" = ", *[" + "] * (len(parts) - 1)))


def as_markdown(explanation: Explanation) -> str:
    """The headline, the mathematics as code, the sentence, and the notes as a list."""
    rows = "\n".join(map(text_of, _rows(explanation)))
    parts = [f"**{_escaped(explanation.headline)}**", f"```\n{rows}\n```" if rows else ""]
    parts.append(_escaped(explanation.sentence))
    parts.append("\n".join(f"- {_escaped(note)}" for note in explanation.notes))
    return "\n\n".join(part for part in parts if part) + "\n"


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>])", r"\\\1", text)
