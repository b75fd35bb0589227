r"""A lesson as a worked solution to hand in: LaTeX, and Markdown with the same mathematics.

What a scenario is called, and all its names, are text here: nothing of them is a command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.sanitised import printable
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known
from backprop_engine.mathematics.latex import latex
from backprop_engine.mathematics.tree import Text
from backprop_engine.reading.latex import equations
from backprop_engine.trace import StepKind
from backprop_tui.export.lesson import Lesson, LessonPass, LessonStep

_MOST_COLUMNS, _DIGITS = 8, 4
_WIDEST: Final = 84
"""Characters of numbers that stand side by side on a page."""
_SIGNS: Final = {"=": "=", "+": "+", "⊙": r"\odot", "@": r"\,", "·": r"\cdot"}
_LATEX_SIGNS: Final = str.maketrans({
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "{}$&#_%"},
})  # fmt: skip
_INVENTED: Final = r"%\d+\b"
_NO_NAME: Final = "a"
"""It is a word more often than what a node is called."""


@dataclass(frozen=True, slots=True)
class _Form:
    """How one of the two writes."""

    escaped: Callable[[str], str]
    """Words as words."""
    safe: Callable[[str], str]
    """Mathematics where it may stand."""
    block: Callable[[list[str]], str]
    """Equations under each other."""
    title: str
    heading: str
    bold: str

    def text(self, words: str, *labels: str) -> str:
        """Words, in which names are mathematics: those invented, and `labels`."""
        names = sorted({_printed(label) for label in labels} - {_NO_NAME}, key=len, reverse=True)
        told = [rf"(?<![\w.]){re.escape(name)}(?!\w)" for name in names]
        parts = re.split(f"({'|'.join([_INVENTED, *told])})", _printed(words))
        return "".join(
            f"${self.safe(_name(part))}$" if at % 2 else self.escaped(part)
            for at, part in enumerate(parts)
        )


def as_latex(lesson: Lesson) -> bytes:
    """A document that compiles with amsmath."""
    form = _Form(_latex_text, str, _align, "\\section*{%s}", "\\subsection*{%s}", "\\textbf{%s}")
    head = "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage{amsmath}\n"
    head += "\\usepackage[margin=2.5cm]{geometry}\n\\allowdisplaybreaks\n"
    head += "\\setlength{\\parindent}{0pt}\n\\setlength{\\parskip}{1ex}\n\\begin{document}\n\n"
    return (head + "\n".join(_parts(lesson, form)) + "\n\\end{document}\n").encode()


def as_markdown(lesson: Lesson) -> bytes:
    """Markdown whose mathematics GitHub, Jupyter and pandoc set."""
    form = _Form(_markdown_text, _safe_in_markdown, _dollars, "# %s", "## %s", "**%s**")
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
        title = form.text(pass_.title[:1].upper() + pass_.title[1:], pass_.output_label)
        yield form.heading % title + "\n"
        told = [next(steps) for _ in range(pass_.start, pass_.stop)]
        if told and told[0].step.kind is StepKind.FORWARD:
            yield form.block([row for step in told for row in _computed(lesson, step)])
        else:
            for step in told:
                yield from _told(lesson, step, form)
            yield from _results(pass_, form)
    outputs = (pass_.output_label for pass_ in lesson.passes)
    yield form.text(lesson.closing, *filter(None, outputs)) + "\n"


def _computed(lesson: Lesson, step: LessonStep) -> list[str]:
    """A forward step; of an array its numbers stand under it."""
    rows = equations(step.told)
    value = None if step.node is None else lesson.nodes[step.node].value
    if isinstance(value, np.ndarray):
        rows.append(f"&= {_value(value)}")
    return rows


def _told(lesson: Lesson, step: LessonStep, form: _Form) -> Iterator[str]:
    """A step of a backward pass, or between passes."""
    rows = [*equations(step.told), *_matrices(step)]
    labels = [lesson.nodes[at].label for at in (step.node, step.receiver) if at is not None]
    is_sent = step.step.kind is StepKind.CONTRIBUTION
    head = "from {} to {}".format(*labels) if is_sent else step.told.headline
    yield form.bold % f"Step {step.step.index}:" + f" {form.text(head, *labels)}.\n"
    if rows:
        yield form.block(rows)
    told = [form.text(step.told.sentence, *([] if is_sent else labels))]
    notes = "; ".join(form.text(note, *labels) for note in step.told.notes)
    yield "\n".join([*told, *([f"({notes})"] if notes else [])]) + "\n"


def _results(pass_: LessonPass, form: _Form) -> Iterator[str]:
    rows = [
        rf"{_name(name)}.\mathrm{{grad}} &= " + (r"\text{None}" if grad is None else _value(grad))
        for _, name, grad in pass_.grads
    ]
    if rows:
        yield form.block(rows)


def _matrices(step: LessonStep) -> list[str]:
    """What is sent in numbers, and what it is made of where that is a plain product; at the last
    of several contributions their sum.
    """
    told, rule = step.told, step.rule
    if rule is None or told.target is None:
        return []
    sent, made_of = _value(rule.sent.value), [_value(figure.value) for figure in rule.made_of]
    others = [("+", r"\cdots")] if told.before or told.left else []
    parts = [("=", sent), *others]
    if made_of != [sent] and _SIGNS.keys() >= {*rule.signs}:
        parts = [*zip(rule.signs, made_of, strict=True), *others, *parts]
    rows = _beside("" if others and told.vjp else latex(told.target), parts)
    if others and not told.left and step.before is not None and step.total_after is not None:
        added = [("=", _value(step.before)), ("+", sent), ("=", _value(step.total_after))]
        rows += _beside(latex(told.target), added)
    return rows


def _beside(left: str, parts: Sequence[tuple[str, str]]) -> list[str]:
    """`left = A B = C`, on as many lines as it takes."""
    rows, width = [f"{left} &"], 0
    for sign, value in parts:
        wide = 4 + max(len(re.sub(r"\\\w+|[{}]", "", row)) for row in value.split(r"\\"))
        if width and width + wide > _WIDEST:
            rows.append("&" if sign == "=" else r"&\quad ")
            width = 0
        width += wide
        rows[-1] += f"{_SIGNS[sign]} {value} "
    return [row.strip() for row in rows]


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


def _printed(text: str) -> str:
    return printable(" ".join(text.split()))


# LaTeX


def _latex_text(text: str) -> str:
    return notation.plain(text).translate(_LATEX_SIGNS)


def _align(rows: list[str]) -> str:
    body = " \\\\\n".join(f"  {row}" for row in rows)
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}\n"


# Markdown


def _markdown_text(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>&#|~$!])", r"\\\1", text)


def _safe_in_markdown(maths: str) -> str:
    """Markdown reads what it does not know as mathematics, so that no tag, link or code may begin
    there.
    """
    return re.sub(r"[<\[]|://", r"{\g<0>}", maths).replace("`", "'")


def _dollars(rows: list[str]) -> str:
    """A displayed formula."""
    body = _safe_in_markdown(" \\\\\n".join(rows))
    return f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$\n"
