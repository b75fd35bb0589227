r"""An explanation to paste elsewhere: as Markdown, and as LaTeX."""

from __future__ import annotations

import re
from typing import TypeGuard

from backprop_engine.basics.notation import BLOCKS, HANGING, plain
from backprop_engine.mathematics.latex import latex
from backprop_engine.mathematics.text import text_of
from backprop_engine.mathematics.tree import Branch, Form, Text, Tree, run_on, statement
from backprop_engine.reading.explain import Explanation

"""A picture of an array, which is no mathematics."""


def as_latex(explanation: Explanation) -> str:
    """A block for a document with `amsmath`, one line for each line of Chain rule."""
    rows = [_aligned(row) for row in _rows(explanation)]
    body = " \\\\\n".join(f"  {row}" for row in rows)
    headline = " ".join(explanation.headline.split())
    comment = f"% {plain(headline)}\n" if headline else ""
    return f"{comment}\\begin{{align*}}\n{body}\n\\end{{align*}}\n"


def _aligned(row: Branch) -> str:
    """Lines are level at their first equals sign."""
    left, *right = row.parts
    return f"{latex(left)} &= {latex(statement(*right, signs=row.signs[1:]))}"


def _rows(one: Explanation) -> list[Branch]:
    """The mathematics of an explanation, an equation each."""
    rows = []
    if one.name and one.algebra:
        rows.append(statement(one.name, one.algebra, *_figures(one)))
    if one.vjp:
        rows.append(one.vjp)
    if one.product and one.name and one.upstream_name and one.target:
        rule = run_on(one.upstream_name, " · ", one.name)
        rows.append(statement(rule, *one.product.parts, signs=(" = ", *one.product.signs)))
        # The sums of arrays are no numbers to write down.
        rows.append(_sum(one.target, one))
    return rows


def _figures(one: Explanation) -> tuple[Tree, ...]:
    """The figures that go on where the algebra ends."""
    if one.numbers is None or any(sign in BLOCKS + HANGING for sign in text_of(one.numbers)):
        return ()
    sides = one.numbers.parts if _is_statement(one.numbers) else (one.numbers,)
    return () if text_of(one.numbers) == text_of(one.algebra) else sides


def _is_statement(tree: Tree) -> TypeGuard[Branch]:
    return isinstance(tree, Branch) and tree.form is Form.STATEMENT


def _sum(target: Tree, one: Explanation) -> Branch:
    if not one.before:
        return statement(target, Text(one.after))
    figures = map(Text, (one.before, one.contribution, one.after))
    return statement(target, *figures, signs=(" = ", " + "))


def as_markdown(explanation: Explanation) -> str:
    """The headline, the mathematics as code, the sentence, and the notes as a list."""
    rows = "\n".join(map(text_of, _rows(explanation)))
    parts = [f"**{_escaped(explanation.headline)}**", f"```\n{rows}\n```" if rows else ""]
    parts.append(_escaped(explanation.sentence))
    parts.append("\n".join(f"- {_escaped(note)}" for note in explanation.notes))
    return "\n\n".join(part for part in parts if part) + "\n"


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>])", r"\\\1", text)
