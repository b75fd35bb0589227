"""The sheet: a YAML file that a learner fills in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import indent
from typing import Final

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Problem, ProblemError, ScenarioError, Source, Span
from backprop_engine.basics.values import Value, shape_of
from backprop_engine.mathematics.text import text_of
from backprop_engine.mistakes.asking import how_made
from backprop_engine.mistakes.questions import Asked, Question
from backprop_engine.reading.explain import explain
from backprop_engine.scenarios.loader import read_source
from backprop_engine.scenarios.yaml_document import Node, Scalar, Table, read_document
from backprop_engine.trace import Trace
from backprop_tui.headless.exercises.assignment import Assignment
from backprop_tui.headless.exercises.filled_in import Answer, filled_in

KEYS: Final = ("exercise", "sha256", "seed", "attempt", "questions", "answers")
QUESTIONS: Final = 5
_MOST_QUESTIONS: Final = 1000
_LARGEST: Final = 2**63 - 1
_DIGITS: Final = 4
_HEAD: Final = re.compile(r"\bexercise[ \t]*:")

_HOW = """\
# {title}
#
# Fill in the answers, as a number or an array with four digits (-0.393) or as algebra
# (g*(1 - t**2)); g is the gradient that has reached the sender. Then:
#   backprop-tui grade THIS_FILE
#
# given:
{given}
#
# computed:
{program}
"""


@dataclass(frozen=True, eq=False, slots=True)
class Sheet:
    """A sheet as it was handed in."""

    source: Source
    exercise: str
    sha256: str
    seed: int
    attempt: int
    questions: int
    answers: Mapping[int, Answer]
    """By step."""
    spans: Mapping[str, Span]
    """By key, where its value stands."""

    def error(self, key: str, message: str, fix: str = "") -> ScenarioError:
        """That the value of `key` is wrong."""
        return ScenarioError(self.source, Problem(message, self.spans[key], fix=fix))


def read_sheet(path: str | Path) -> Sheet:
    """The sheet in a file. Raises ScenarioError where it is none."""
    source = read_source(path, "a sheet", is_handed_in=True)
    try:
        if not _HEAD.search(source.text):
            raise _no_sheet()
        document, answers = filled_in(source)
        return _sheet(source, read_document(document), answers)
    except ProblemError as error:
        raise ScenarioError(source, error.problem) from error


def _sheet(source: Source, document: Node | None, answers: Mapping[int, Answer]) -> Sheet:
    if not isinstance(document, Table):
        raise _no_sheet()
    document.check(" in a sheet", KEYS)
    given = {key.text: value for key, value in document.entries}
    for key in KEYS:
        if key not in given and key != "questions":
            raise ProblemError(f"the sheet has no `{key}`", Span(0, 0))
    exercise, sha256 = (_text(given[key], key) for key in ("exercise", "sha256"))
    seed = _whole(given["seed"], "seed", _LARGEST)
    attempt = _whole(given["attempt"], "attempt", _LARGEST)
    count = QUESTIONS
    if "questions" in given:
        count = _whole(given["questions"], "questions", _MOST_QUESTIONS)
    return Sheet(
        source=source,
        exercise=exercise,
        sha256=sha256.lower(),
        seed=seed,
        attempt=attempt,
        questions=count,
        answers=answers or _answers(source, given["answers"]),
        spans={key: value.span for key, value in given.items()},
    )


def _no_sheet() -> ProblemError:
    return ProblemError(
        "this is no sheet",
        Span(0, 0),
        "the keys exercise, sha256, seed, attempt and answers",
        "make one with `backprop-tui exercise SCENARIO --seed 1`",
    )


def _answers(source: Source, node: Node) -> dict[int, Answer]:
    if isinstance(node, Scalar) and node.is_null:
        return {}
    if not isinstance(node, Table):
        raise ProblemError("`answers` must be a mapping", node.span, "`STEP: ANSWER`")
    answers: dict[int, Answer] = {}
    for key, value in node.entries:
        if not key.text.isdecimal() or not key.text.isascii():
            raise ProblemError(f"`{key.text}` is no number of a step", key.span)
        if isinstance(value, Table):
            raise ProblemError("an answer is a number, a list or algebra", value.span)
        text = source.text[value.span.start : value.span.stop]
        if isinstance(value, Scalar):
            text = "" if value.is_null else value.text
        answers[int(key.text)] = Answer(text.strip(), value.span)
    return answers


def _text(node: Node, key: str) -> str:
    if isinstance(node, Scalar) and not node.is_null:
        return node.text
    raise ProblemError(f"`{key}` must be a text", node.span)


def _whole(node: Node, key: str, most: int) -> int:
    number = node.number if isinstance(node, Scalar) else None
    if not isinstance(number, int) or not 0 <= number <= most:
        raise ProblemError(f"`{key}` must be a whole number, 0 or more", node.span)
    return number


def written(assignment: Assignment, count: int, *, solved: bool) -> str:
    """A sheet to hand out, with at most `count` questions; with answers where it is `solved`."""
    trace = assignment.trace
    head = _HOW.format(
        title=trace.heading.title or assignment.name,
        given=_commented(_given(trace)),
        program=_commented(_program(trace.heading.files[0]).splitlines()),
    )
    questions = assignment.questions(count)
    facts = {
        "exercise": json.dumps(assignment.name, ensure_ascii=False),
        "sha256": assignment.sha256,
        "seed": assignment.seed,
        "attempt": assignment.attempt,
        "questions": len(questions),
    }
    asked = [_asked(trace, question, solved) for question in questions]
    lines = [f"{key}: {value}" for key, value in facts.items()]
    return "\n".join([head, *lines, "answers:", *asked]) + "\n"


def _commented(lines: Iterator[str] | list[str]) -> str:
    return indent("\n".join(lines), "#   ", lambda _: True)


def _given(trace: Trace) -> Iterator[str]:
    for name, node in trace.nodes.inputs.items():
        yield f"{name} = {in_digits(trace.nodes.value[node], repr)}"


def _program(source: Source) -> str:
    document = read_document(source)
    compute = document.get("compute") if isinstance(document, Table) else document
    if isinstance(compute, Table):
        return "\n".join(
            f"{key.text} = {value.text}"
            for key, value in compute.entries
            if isinstance(value, Scalar)
        )
    return compute.text.strip() if isinstance(compute, Scalar) else ""


def asks(trace: Trace, question: Question) -> str:
    """What is asked, in one line: `t = tanh(s) sends to its operand s`."""
    headline = explain(trace, question.step).headline
    if question.asked is Asked.CONTRIBUTION:
        return headline
    _, receiver, _ = trace.edge(question.step)
    return f"the gradient of {trace.label(receiver)} so far, when {headline}"


def _asked(trace: Trace, question: Question, solved: bool) -> str:
    _, receiver, _ = trace.edge(question.step)
    lines = [f"  # {asks(trace, question)}{how_made(trace, receiver)}"]
    answer = ""
    if solved:
        told, right = explain(trace, question.step), question.right(trace)
        running = told.running if shape_of(right) == () else ""  # an array's is a picture of it
        lines += [f"  #   {text}" for text in (text_of(told.product or told.vjp), running) if text]
        answer = answer_text(right)
    return "\n".join([*lines, f"  {question.step}: {answer}".rstrip()])


def answer_text(value: Value) -> str:
    """A right answer with the digits that are asked for."""
    return in_digits(value, lambda number: f"{number:.{_DIGITS}g}")


def in_digits(value: object, digits: Callable[[float], str]) -> str:
    """A number, or nested lists of numbers, each written by `digits`."""
    items = np.asarray(value).tolist()
    text = json.dumps(items)
    return re.sub(r"-?[\d.]+(?:e[-+]?\d+)?|-?Infinity|NaN", lambda at: digits(float(at[0])), text)
