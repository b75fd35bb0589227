r"""A lesson as a worked solution to hand in: LaTeX, and Markdown with the same mathematics.

What a scenario is called, and all its names, are text here: nothing of them is a command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.sanitised import printable
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known
from backprop_engine.mathematics.latex import latex
from backprop_engine.mathematics.tree import Text
from backprop_engine.reading.array_rule import ArrayRule
from backprop_engine.reading.latex import equations
from backprop_engine.trace import StepKind
from backprop_tui.export.lesson import Lesson, LessonPass, LessonStep

_MOST_ROWS, _MOST_COLUMNS, _DIGITS = 8, 8, 4
_SIGNS: Final = {"=": "=", "⊙": r"\odot", "@": r"\,", "·": r"\cdot"}
_LATEX_SIGNS: Final = str.maketrans({
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "{}$&#_%"},
})  # fmt: skip
_INVENTED: Final = re.compile(r"%(\d+)\b")


@dataclass(frozen=True, slots=True)
class _Form:
    """How one of the two writes."""

    text: Callable[[str], str]
    """Words as words."""
    block: Callable[[list[str]], str]
    """Equations under each other."""
    title: str
    heading: str
    bold: str


def as_latex(lesson: Lesson) -> bytes:
    """A document that compiles with amsmath."""
    form = _Form(_latex_text, _align, "\\section*{%s}", "\\subsection*{%s}", "\\textbf{%s}")
    head = "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage{amsmath}\n"
    head += "\\allowdisplaybreaks\n\\setlength{\\parindent}{0pt}\n\\begin{document}\n\n"
    return (head + "\n".join(_parts(lesson, form)) + "\n\\end{document}\n").encode()


def as_markdown(lesson: Lesson) -> bytes:
    """Markdown whose mathematics GitHub, Jupyter and pandoc set."""
    form = _Form(_markdown_text, _dollars, "# %s", "## %s", "**%s**")
    return ("\n".join(_parts(lesson, form)) + "\n").encode()


def _parts(lesson: Lesson, form: _Form) -> Iterator[str]:
    yield form.title % form.text(lesson.title) + "\n"
    given = [
        f"{_name(node.label)} &= {_value(node.value)}"
        for node in lesson.nodes
        if node.is_named and not node.operation
    ]
    if given:
        yield form.heading % "Given" + "\n"
        yield form.block(given)
    steps = iter(lesson.steps)
    for pass_ in lesson.passes:
        yield form.heading % form.text(pass_.title[:1].upper() + pass_.title[1:]) + "\n"
        told = [next(steps) for _ in range(pass_.start, pass_.stop)]
        if told and told[0].step.kind is StepKind.FORWARD:
            yield form.block([row for step in told for row in _computed(lesson, step)])
        else:
            for step in told:
                yield from _told(lesson, step, form)
            yield from _results(pass_, form)
    yield form.text(lesson.closing) + "\n"


def _computed(lesson: Lesson, step: LessonStep) -> list[str]:
    """A forward step; of an array its numbers stand under it."""
    rows = equations(step.told)
    value = None if step.node is None else lesson.nodes[step.node].value
    if isinstance(value, np.ndarray):
        rows.append(f"&= {_value(value)}")
    return rows


def _told(lesson: Lesson, step: LessonStep, form: _Form) -> Iterator[str]:
    """A step of a backward pass, or between passes."""
    rows = equations(step.told)
    if step.rule is not None:
        rows.append(_matrices(step.rule))
    head = step.told.headline
    if step.step.kind is StepKind.CONTRIBUTION and step.node is not None:
        labels = (lesson.nodes[at or 0].label for at in (step.node, step.receiver))
        head = "from {} to {}".format(*labels)
    yield form.bold % f"Step {step.step.index}:" + f" {form.text(head)}.\n"
    if rows:
        yield form.block(rows)
    notes = [f"({form.text(note)})" for note in step.told.notes]
    yield "\n".join([form.text(step.told.sentence), *notes]) + "\n"


def _results(pass_: LessonPass, form: _Form) -> Iterator[str]:
    rows = [
        rf"{_name(name)}.\mathrm{{grad}} &= " + (r"\text{None}" if grad is None else _value(grad))
        for _, name, grad in pass_.grads
    ]
    if rows:
        yield form.block(rows)


def _matrices(rule: ArrayRule) -> str:
    """What is sent in numbers, and what it is made of where that is a plain product."""
    sent = f"{latex(rule.sent.name)} &= "
    if any(sign not in _SIGNS for sign in rule.signs):
        return sent + _value(rule.sent.value)
    made_of = zip(rule.signs, rule.made_of, strict=True)
    product = " ".join(f"{_SIGNS[sign]} {_value(figure.value)}" for sign, figure in made_of)
    parts = dict.fromkeys((product.removeprefix("=").strip(), _value(rule.sent.value)))
    return sent + " = ".join(parts)


def _name(label: str) -> str:
    return latex(Text(label))


def _value(value: Known) -> str:
    r"""A number, or a `pmatrix`; of a large or summed up one its shape and figures."""
    if isinstance(value, Summary) or (
        isinstance(value, np.ndarray)
        and (value.ndim > 2 or max(value.shape, default=1) > _MOST_COLUMNS or not value.size)
    ):
        told = notation.shape(value.shape).replace("×", r" \times ")
        return rf"\text{{an array of }} {told}"
    if not isinstance(value, np.ndarray):
        return _number(notation.number(value, notation.SHORT_DIGITS))
    rows = value if value.ndim == 2 else value.reshape(1, -1)
    cells = (" & ".join(_number(notation.number(x, _DIGITS)) for x in row) for row in rows.tolist())
    return r"\begin{pmatrix} " + r" \\ ".join(cells) + r" \end{pmatrix}"


def _number(text: str) -> str:
    return latex(Text(text))


def _worded(text: str, escaped: Callable[[str], str]) -> str:
    """Words, with invented names as mathematics."""
    parts = _INVENTED.split(printable(" ".join(text.split())))
    return "".join(f"$v_{{{part}}}$" if at % 2 else escaped(part) for at, part in enumerate(parts))


# LaTeX


def _latex_text(text: str) -> str:
    return _worded(text, lambda part: notation.plain(part).translate(_LATEX_SIGNS))


def _align(rows: list[str]) -> str:
    body = " \\\\\n".join(f"  {row}" for row in rows)
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}\n"


# Markdown


def _markdown_text(text: str) -> str:
    return _worded(text, lambda part: re.sub(r"([\\`*_{}\[\]<>&#|~$!])", r"\\\1", part))


def _dollars(rows: list[str]) -> str:
    """A displayed formula. Markdown reads what it does not know as mathematics, so that no tag and
    no code may begin there.
    """
    body = " \\\\\n".join(rows).replace("<", "{<}").replace("`", "'")
    return f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$\n"
