"""The mathematics of a step, drawn: algebra, numbers or matrices, and the running sum.

What has no room gives way, the sentence under it never. `arrangements` are tried in their order,
the same for each step, so that a pane keeps its shape from step to step: of arrays first rows of
matrices go, then the sum in four lines and stacked fractions for one line each, then matrices under
each other for fewer columns side by side, then the sum, then matrices.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from rich.cells import cell_len
from textual.content import Content

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.mathematics.text import text_of
from backprop_engine.mathematics.tree import Text, run_on, statement
from backprop_engine.reading.array_rule import array_rule
from backprop_engine.reading.explain import Explanation
from backprop_engine.reading.timeline_words import earlier_senders
from backprop_engine.trace import Step, StepKind
from backprop_tui.view.text import figure, fit
from backprop_tui.view.view import View
from backprop_tui.widgets.mathematics import (
    Picture,
    Say,
    Term,
    aligned,
    beside,
    columns,
    flow,
    formula,
    fraction,
    picture,
    styled,
)
from backprop_tui.widgets.matrices import matrices

UPSTREAM: Final = "$primary"
LOCAL: Final = "$secondary"
TARGET: Final = "$warning"
MUTED: Final = "$foreground-muted"
_GAP = 4
_FIGURE = 40
"""Cells of an array in a sum."""
_LEAST_FIGURE = 9
_SIGNS = 6
"""Cells of the gaps and signs of a sum."""
_TALL = 18
"""Lines of a pane in which arrays are told at length, at each step."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How much of the mathematics is drawn, and how."""

    rows: int = 0
    """Most rows of a matrix; 0 for no matrices."""
    may_pile: bool = True
    """Matrices may stand under each other, where they have no room side by side."""
    is_roomy: bool = False
    """Its parts stand under each other, not side by side."""
    is_stacked: bool = True
    """Fractions have their bars."""
    has_long_sum: bool = True
    """The sum is written as on paper, in four lines."""
    has_sum: bool = True
    """What has come in is told at all."""


_OF_NUMBERS: Final = (
    Arrangement(is_roomy=True),
    Arrangement(),
    Arrangement(is_stacked=False, has_long_sum=False),
)
_AT_LENGTH: Final = tuple(Arrangement(rows, is_roomy=True) for rows in (6, 4, 3, 2))
_IN_A_LINE: Final = Arrangement(is_roomy=True, is_stacked=False, has_long_sum=False)
_IN_SHORT: Final = (
    *(
        replace(_IN_A_LINE, rows=rows, may_pile=may_pile)
        for may_pile in (True, False)
        for rows in (6, 4, 3, 2)
    ),
    *(replace(_IN_A_LINE, rows=rows, may_pile=False, has_sum=False) for rows in (3, 2)),
    _IN_A_LINE,
)


def arrangements(view: View, height: int) -> tuple[Arrangement, ...]:
    """Ways to draw a step in a pane of `height` lines, the one that tells most first."""
    if view.session.sent_shape is None:
        return _OF_NUMBERS
    return (*_AT_LENGTH, *_IN_SHORT) if height >= _TALL else _IN_SHORT


def mathematics(
    view: View, step: Step, explanation: Explanation, width: int, how: Arrangement
) -> list[Picture]:
    """The step's mathematics, as pictures to be put under each other."""
    if step.kind is not StepKind.CONTRIBUTION:
        drawn = _derivation(explanation, view.say, width, is_stacked=how.is_stacked)
        return [_labelled(drawn, width)]
    draw = _Draw(view, step, explanation, width, how)
    return draw.numbers() if view.session.sent_shape is None else draw.arrays()


@dataclass(frozen=True, slots=True)
class _Draw:
    view: View
    step: Step
    explanation: Explanation
    width: int
    how: Arrangement

    def arrays(self) -> list[Picture]:
        """Algebra, the matrices under it, and what has come in."""
        parts = flow(self._rule(), self.width, _GAP)
        drawn = self._matrices() if self.how.rows else None
        if drawn is not None:
            parts.append(drawn)
        elif self.explanation.upstream and self.how.rows:
            parts.append(picture([self._upstream()]))
        if self.how.has_sum:
            parts.append(self._sum(has_figures=drawn is None))
        return parts

    def numbers(self) -> list[Picture]:
        """The product and the derivative in it, labelled, and the running sum."""
        first_part, *rest = self._rule()
        parts = [_labelled(first_part, self.width)]
        if self.how.is_roomy:
            parts += [_labelled(part, self.width) for part in rest]
            return [*parts, _indented(self._sum(), self.width)]
        parts += rest
        together = flow([*parts, self._sum()], self.width, _GAP)
        if len(together) == 1:
            return together
        # What has no room beside the labelled one stands level with it.
        first, *below = flow(parts, self.width, _GAP)
        return [first, *(_indented(band, self.width) for band in (*below, self._sum()))]

    def _rule(self) -> list[Picture]:
        """A contribution in algebra; where it is one of numbers, with these under it."""
        told, say, is_stacked = self.explanation, self.view.say, self.how.is_stacked
        if told.vjp is not None:
            roles = {fraction(told.upstream_name): UPSTREAM, fraction(told.target): TARGET}
            return [formula(told.vjp, say, LOCAL, self.width, roles, is_stacked=is_stacked)]
        derivation = _derivation(told, say, self.width, is_stacked=is_stacked)
        if not told.local:
            return [derivation]
        product = _product(told, say)
        if not is_stacked or product.width > self.width:
            product = _product_line(told, say, self.width)
        return [product, derivation]

    def _upstream(self) -> Content:
        """The upstream gradient's picture, in one line."""
        told = self.explanation
        return styled(self.view.say(f"{text_of(told.upstream_name)} = {told.upstream}"), UPSTREAM)

    def _matrices(self) -> Picture | None:
        """The step in numbers, where it is one between arrays."""
        session = self.view.session
        rule = array_rule(session.trace, self.step.index)
        if rule is None:
            return None
        element, say, how = session.sent_element, self.view.say, self.how
        return matrices(rule, element, self.width, say, how.rows, may_pile=how.may_pile)

    def _sum(self, *, has_figures: bool = True) -> Picture:
        """The running sum as it is written on paper, or in a line.

        Where it has no figures, they stand above.
        """
        trace, told, text = self.view.session.trace, self.explanation, self.view.glyphs.text
        sender, receiver, _ = trace.edge(self.step.index)
        progress = trace.progress(receiver, self.step.index + 1)
        left = progress.expected - progress.received
        end = f"{left} to come" if left else "complete"
        target = text_of(told.target)
        if not self.how.has_long_sum:
            return self._short_sum(target, end, has_figures=has_figures)
        wide = max(len("this step"), cell_len(self.view.say(target)))
        room = self.width - wide - _SIGNS - max(len(end), len("nothing yet"))
        figures = aligned([text(each or "–") for each in self._summed(min(_FIGURE, room))])
        earlier = earlier_senders(trace, self.step)
        rows = [
            ("so far", " ", figures[0], f"from {earlier}" if earlier else "nothing yet", ""),
            ("this step", "+", figures[1], f"from {trace.label(sender)}", TARGET),
            (target, "=", figures[2], end, "bold"),
        ]
        room = max(self.width - wide - _SIGNS - len(figures[0]), 1)
        lines = []
        for name, sign, number, why, style in rows:
            lead, after = self.view.say(name).ljust(wide), fit(self.view.say(why), room)
            parts = (f"{lead}  ", MUTED), (f"{sign} {number}", style), (f"  {after}", MUTED)
            lines.append(Content.assemble(*parts))
        rule = " " * (wide + 2) + "─" * (2 + len(figures[0]))
        return picture([*lines[:2], styled(rule, MUTED), lines[2]])

    def _summed(self, width: int) -> tuple[str, str, str]:
        """What had come in, what comes and what it comes to; as numbers, where all three fit."""
        told, trace, at = self.explanation, self.view.session.trace, self.step.index
        texts = told.before, told.contribution, told.after
        if self.view.session.sent_element is not None:
            return texts
        known = trace.gradient(trace.edge(at)[1], at), trace.contribution(at), trace.totals[at]
        before, sent, after = (
            notation.listed(value, width) if isinstance(value, np.ndarray) else text
            for value, text in zip(known, texts, strict=True)
        )
        if sent and after and bool(before) == bool(texts[0]):
            return before, sent, after
        drawn = tuple(figure(value, max(width, _LEAST_FIGURE)) for value in known)
        return drawn[0], drawn[1], drawn[2]

    def _short_sum(self, target: str, end: str, *, has_figures: bool) -> Picture:
        say, (before, sent, after) = self.view.say, self._summed(_FIGURE)
        choices = [f" = {before} + {sent} = {after}", f" = … + {sent} = {after}", f" = {after}"]
        if not before:
            choices = [f" = {after}"] * has_figures
        choices.append("")
        line = ("", "", "")
        for choice in choices:
            line = (say(target), say(choice), say(f"  {end}"))
            if sum(map(cell_len, line)) <= self.width:
                break
        return picture([Content.assemble((line[0], TARGET), (line[1], "bold"), (line[2], MUTED))])


_ALGEBRA, _NUMBERS = styled("algebra", MUTED), styled("numbers", MUTED)


def _labelled(part: Picture, width: int) -> Picture:
    """With the words that tell algebra from numbers to its left, if there is room for them."""
    words = picture(("", _ALGEBRA, "", _NUMBERS) if part.height > 2 else (_ALGEBRA, _NUMBERS))
    return _after(Picture(words.lines[: part.height], words.width), part, width)


def _indented(part: Picture, width: int) -> Picture:
    """Level with the labelled pictures."""
    return _after(picture([" " * _ALGEBRA.cell_length] * part.height), part, width)


def _after(lead: Picture, part: Picture, width: int) -> Picture:
    return beside([lead, part], 2) if lead.width + 2 + part.width <= width else part


def _product(told: Explanation, say: Say) -> Picture:
    """Contribution += upstream · local, as fractions, and under each what it is here."""
    return columns(
        [
            Term(*fraction(told.target, say), say(told.contribution), TARGET),
            Term("+=", "", "=", ""),
            Term(*fraction(told.upstream_name, say), say(told.upstream), UPSTREAM),
            Term(say("·"), "", say("×"), ""),
            Term(*fraction(told.name, say), say(told.local), LOCAL),
        ]
    )


def _product_line(told: Explanation, say: Say, width: int) -> Picture:
    """The same in a line, and a line of numbers."""
    if told.upstream_name is None or told.name is None or told.product is None:
        return picture(())
    roles = {fraction(told.target): TARGET, fraction(told.upstream_name): UPSTREAM}
    product = statement(told.target or Text(""), run_on(told.upstream_name, "·", told.name))
    drawn = formula(product, say, LOCAL, width, roles, is_stacked=False)
    return picture([*drawn.lines, *formula(told.product, say, "bold", width).lines])


def _derivation(told: Explanation, say: Say, width: int, *, is_stacked: bool) -> Picture:
    """`name = algebra`, and on the line of numbers `= figures`."""
    if told.name is None or told.formula is None:
        return picture(())
    style = LOCAL if told.local else ""
    drawn = formula(told.formula, say, style, width, is_stacked=is_stacked)
    if not told.numbers:
        return drawn
    # Under the algebra, where the equals sign of both stands in one column.
    indent = formula(told.name, say, is_stacked=is_stacked).width + 1
    numbers = formula(told.numbers, say, "bold", max(width - indent - 2, 8))
    if indent + 2 + numbers.width > width:
        indent = 1
    leads = ["= ", *["  "] * (numbers.height - 1)]
    return picture(
        [*drawn.lines, *(Content(" " * indent + lead) + line
                         for lead, line in zip(leads, numbers.lines, strict=True))]
    )  # fmt: skip
