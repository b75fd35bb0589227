"""A lesson as the page holds it: letters for keys, and each text once.

The steps of a run say the same again and again, of other names and figures. So a text is kept with
holes for the step's own names (`¦a` the node, `¦b` the receiver, `¦c` the output of the pass, `¦0`
the node's first operand, `¦e` its expression, `¦g` its grad_fn) and figures (`¦#`), and steps hold
numbers of texts. In formulas a hole is an element, and so is `{=}`, a sign.

The letters, of which what is empty is left out:

- the lesson: f first step, at cursor to begin at, z steps of the run, c closing words, src files,
  n nodes, p passes, s steps, b boxes (node, consumer or −1, level, row), t texts, by, a notes;
- a node: l label, e expression, v value, r grad_fn, q 1 if without gradient, o operands, h hint,
  m its place (start, stop, file), z values of a quiz; at the start c 1 if computed, g gradient;
- a pass: m name, t title, b first step, e end, i iteration, o output, g gradients afterwards;
- a step: k kind (contribution if left out, f forward, o others), n node, t receiver, h headline,
  x sentence, o notes, m formulas, w figures of its texts, u upstream, d local, b before, c sent (if
  left out, a), a after, f these three in numbers
  where they are pictures, l how many are to come, y earlier senders, r arrays, q question;
- a question: q words, v arrays, t hints, r right, g upstream, w mistakes, each at all points.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Any, Final

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.sanitised import printable
from backprop_engine.basics.values import Known
from backprop_engine.mathematics.mathml import mathml
from backprop_engine.mathematics.tree import Branch, Form, Tree, statement
from backprop_engine.reading.array_rule import ArrayRule, Figure, Role
from backprop_engine.trace import StepKind
from backprop_tui.export.layout import placed
from backprop_tui.export.lesson import Lesson, LessonNode, LessonPass, LessonStep
from backprop_tui.export.quiz import LessonQuestion
from backprop_tui.view.covered import covered

_LEAF: Final = re.compile(r"<m([ino])>([^<]*)</m\1>")
_ROW_OF_ONE: Final = re.compile(r"<mrow>(¦.|{[^}]*}|<m[in]>[^<]*</m[in]>)</mrow>")
_KINDS: Final = {StepKind.CONTRIBUTION: "", StepKind.FORWARD: "f"}
_ROLES: Final = {Role.SENT: "c", Role.UPSTREAM: "u", Role.LOCAL: "d"}
_MOST_ROWS, _MOST_COLUMNS = 6, 6
"""Of a matrix that is drawn."""
_FEW_COLUMNS: Final = 4
"""Of numbers with four digits."""
_MOST_LISTED: Final = 60
"""Characters of an array in a sum."""
_MOST_HOLES: Final = 10
"""For operands: a digit each."""


def harmless(text: str) -> str:
    """A text in which no character moves, hides or turns others; lines, tabs and blanks stay."""
    return re.sub(r"[^\n\t\xa0]+", lambda line: printable(line[0]), text.replace("\r\n", " \n"))


def packed(lesson: Lesson) -> dict[str, Any]:
    """What lesson.js reads."""
    return _Packer(lesson).packed()


class _Packer:
    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self.texts: dict[str, int] = {"": 0}
        self.boxes = placed(lesson.nodes)
        self.drawn = {box.node for box in self.boxes}
        self.cuts = [self._cut(file) for file in range(len(lesson.files))]

    def packed(self) -> dict[str, Any]:
        lesson = self.lesson
        steps = list(map(self._step, lesson.steps))
        return {
            "f": lesson.first,
            "at": min(max(lesson.start, lesson.first), lesson.last),
            "z": lesson.count,
            "c": harmless(lesson.closing),
            "src": [
                [harmless(file.name), self._source(at)] for at, file in enumerate(lesson.files)
            ],
            "n": [self._node(at, node) for at, node in enumerate(lesson.nodes)],
            "p": list(map(self._pass, lesson.passes)),
            "s": steps,
            "b": [
                (box.node, -1 if box.consumer is None else box.consumer, box.level, _brief(box.row))
                for box in self.boxes
            ],
            "t": list(self.texts),
        }

    def _cut(self, file: int) -> tuple[int, int]:
        """The lines of a file that the lesson is about, in characters."""
        text = self.lesson.files[file].text
        marks = [node.mark for node in self.lesson.nodes if node.mark and node.mark.file == file]
        if not marks:
            return 0, 0
        start = text.rfind("\n", 0, min(mark.start for mark in marks)) + 1
        while (
            start and text[start] in " \t\n"
        ):  # up to what it belongs to: `inputs:`, `def step():`
            start = text.rfind("\n", 0, start - 1) + 1
        stop = text.find("\n", max(mark.stop for mark in marks))
        return start, len(text) if stop < 0 else stop

    def _source(self, at: int) -> str:
        """What is shown of a file. A quiz has none of what tells, and keeps all places."""
        text = harmless(self.lesson.files[at].text)
        if self.lesson.is_quiz:
            rows = zip(text.split("\n"), covered(text), strict=True)
            text = "\n".join(kept[: len(row)].ljust(len(row)) for row, kept in rows)
        return text[slice(*self.cuts[at])]

    def _node(self, at: int, node: LessonNode) -> dict[str, Any] | int:
        if at not in self.drawn:
            return 0
        mark: list[int] = []
        if node.mark is not None:
            start, _ = self.cuts[node.mark.file]
            file = [node.mark.file] if node.mark.file else []
            mark = [node.mark.start - start, node.mark.stop - start, *file]
        return _filled(
            l=harmless(node.label),
            e=harmless(node.expression) if node.operation else "",
            v=notation.short(node.value),
            r=node.grad_fn,
            q=int(not node.requires_grad) or None,
            o=self._operands(node),
            h=harmless(node.hint),
            m=mark,
            z=[_exact(x) for x in node.elsewhere],
            c=int(bool(node.operation) and node.is_there) or None,
            g=None if node.gradient is None else [notation.short(node.gradient), node.left],
        )

    def _operands(self, node: LessonNode) -> list[int]:
        """Those of its operands that have boxes."""
        return [each for each in dict.fromkeys(node.operands) if each in self.drawn]

    def _pass(self, pass_: LessonPass) -> dict[str, Any]:
        grads = [
            [harmless(name), "None" if grad is None else notation.short(grad)]
            for _, name, grad in pass_.grads
        ]
        title = "" if pass_.title == pass_.name else harmless(pass_.title)
        return _filled(
            m=harmless(pass_.name),
            t=title,
            b=pass_.start,
            e=pass_.stop,
            i=pass_.iteration if pass_.iteration > 1 else None,
            o=harmless(pass_.output_label),
            g=grads,
        )

    def _step(self, step: LessonStep) -> dict[str, Any]:
        told, figures = step.told, list[str]()
        names = self._names(step)

        def math(tree: Tree) -> int:
            return self._markup(tree, names, figures)

        trees = [tree for tree in (_derivation(step), told.vjp) if tree is not None]
        arrays = () if step.rule is None else _arrays(step.rule)
        return _filled(
            k=_KINDS.get(step.step.kind, "o"),
            n=step.node,
            t=step.receiver,
            h=self._text(harmless(told.headline), names),
            x=self._text(harmless(told.sentence), names),
            o=[self._text(harmless(note), names) for note in told.notes],
            m=[math(tree) for tree in trees],
            u=told.upstream if told.local else None,
            d=told.local,
            c="" if told.contribution == told.after else told.contribution,
            b=told.before,
            a=told.after,
            f=_sum(step),
            l=step.left or None,
            y=harmless(step.earlier),
            r=[
                [sign, math(figure.name), _ROLES[figure.role], *_drawn(figure.value)]
                for sign, figure in arrays
            ],
            w=figures,
            q=step.question and self._question(step.question, names),
        )

    def _question(self, question: LessonQuestion, names: dict[str, str]) -> dict[str, Any]:
        return {
            "q": self._text(harmless(question.asked), names),
            **({"v": list(map(harmless, question.arrays))} if question.arrays else {}),
            "t": [self._text(harmless(hint), names) for hint in question.hints],
            "r": list(map(_numbers, question.right)),
            "g": [_exact(x) for x in question.upstream if np.ndim(x) == 0],
            "w": [
                [self._text(harmless(sentence), names), *map(_numbers, values)]
                for sentence, values in question.wrong
            ],
        }

    def _names(self, step: LessonStep) -> dict[str, str]:
        """The holes of a step's texts, and what stands in them; longer texts are tried first."""
        nodes = self.lesson.nodes
        output = self.lesson.passes[step.step.pass_index - self.lesson.passes[0].index].output_label
        holes = {"b": step.receiver, "a": step.node}
        names = {harmless(output): "c"} | {
            harmless(nodes[node].label): hole for hole, node in holes.items() if node is not None
        }
        if step.node is not None:
            node = nodes[step.node]
            for at, operand in enumerate(self._operands(node)[:_MOST_HOLES]):
                names.setdefault(harmless(nodes[operand].label), str(at))
            names[harmless(node.grad_fn)] = "g"
            names[harmless(node.expression)] = "e"
        return dict(sorted(names.items(), key=lambda pair: -len(pair[0])))

    def _text(self, text: str, names: dict[str, str]) -> int:
        """The number of a text, in which the step's names have become holes."""
        text = text.replace("¦", "|")
        pattern = "|".join(re.escape(name) for name in names if name)
        if pattern:
            known = rf"(?<![\w%@.])(?:{pattern})(?![\w@])"
            text = re.sub(known, lambda match: f"¦{names[match[0]]}", text)
        return self._number(text)

    def _number(self, text: str) -> int:
        return self.texts.setdefault(text, len(self.texts))

    def _markup(self, tree: Tree, names: dict[str, str], figures: list[str]) -> int:
        """The number of a formula, in which names and `figures` have become holes."""

        def written(match: re.Match[str]) -> str:
            kind, text = match.groups()
            if kind == "o":
                return f"{{{text}}}"
            hole = names.get(unescape(text), "") if kind == "i" else "#"
            if hole in ("", "e", "g"):
                return match[0]
            figures.extend([unescape(text)] * (hole == "#"))
            return f"¦{hole}"

        markup = mathml(tree).removeprefix("<math>").removesuffix("</math>")
        bare = harmless(markup).translate({ord(sign): f"&#{ord(sign)};" for sign in "¦{}"})
        return self._number(_ROW_OF_ONE.sub(r"\1", _LEAF.sub(written, bare)))


def _derivation(step: LessonStep) -> Tree | None:
    """`name = algebra = figures`; of arrays the algebra says no more than the product does."""
    told = step.told
    if told.name in (None, told.algebra) or told.algebra is None or told.vjp is not None:
        return None
    figures = told.numbers
    if figures is None or figures == told.algebra:
        return statement(told.name, told.algebra)
    is_statement = isinstance(figures, Branch) and figures.form is Form.STATEMENT
    sides = figures.parts if is_statement and isinstance(figures, Branch) else (figures,)
    return statement(told.name, told.algebra, *sides)


def _sum(step: LessonStep) -> list[str | None]:
    """The running sum of a small array in numbers, as those of a matrix are; a box has a picture
    of it. Empty where it is there already.
    """
    told = [
        notation.listed(each, _MOST_LISTED) if isinstance(each, np.ndarray) else None
        for each in (step.before, step.contribution, step.total_after)
    ]
    return told if told[2] and told[2] != step.told.after else []


def _arrays(rule: ArrayRule) -> list[tuple[str, Figure]]:
    return list(zip(("", *rule.signs), (rule.sent, *rule.made_of), strict=True))


def _drawn(value: Known) -> tuple[str, list[list[str]]]:
    """The shape of an array and its rows, as much of them as is drawn; the first matrix of many."""
    array = np.asarray(value)
    shape = notation.shape(array.shape)
    while array.ndim > 2:
        array = array[0]
    rows = array if array.ndim == 2 else array.reshape(1, -1)
    digits = 4 if rows.shape[1] <= _FEW_COLUMNS else 3
    cells = [
        [notation.number(x, digits) for x in row] + ["…"] * (rows.shape[1] > _MOST_COLUMNS)
        for row in rows[:_MOST_ROWS, :_MOST_COLUMNS].tolist()
    ]
    return shape, cells + [["⋮"]] * (len(rows) > _MOST_ROWS)


def _numbers(value: Any) -> list[float | str]:
    """All elements, one after the other."""
    return [_exact(x) for x in np.asarray(value, float).reshape(-1).tolist()]


def _exact(number: Any) -> float | str:
    """With the digits by which answers are judged."""
    return float(f"{number:.9g}") if np.isfinite(number) else str(number)


def _brief(number: float) -> float | int:
    """With as few digits as a drawing needs."""
    return int(number) if number == int(number) else round(number, 2)


def _filled(**told: Any) -> dict[str, Any]:
    """Without what is empty."""
    return {key: value for key, value in told.items() if value not in (None, "", [], ())}
