"""Grading: what each answer of a sheet is worth, and which mistake it shows.

Answers are numbers and algebra, so nothing of a learner's is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Final

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import ProblemError, ScenarioError
from backprop_engine.basics.values import Value
from backprop_engine.mistakes.questions import Question
from backprop_engine.mistakes.table import Mistake
from backprop_engine.mistakes.wording import told_all
from backprop_tui.headless.exercises.assignment import Assignment, Exercise, read_exercise
from backprop_tui.headless.exercises.filled_in import Answer
from backprop_tui.headless.exercises.sheet import Sheet, asks, read_sheet
from backprop_tui.opening.bundled import bundled_scenarios

FOLLOWS: Final = 0.5
"""Points for a wrong number that is right, given what was answered before."""


@dataclass(frozen=True, slots=True)
class Graded:
    """One question of a sheet."""

    step: int
    asked: str
    answer: str
    """As it was typed; empty where nothing was."""
    points: float
    right: Value
    mistakes: tuple[Mistake, ...] = ()
    message: str = ""
    line: int = 1
    """Of the answer; of one that is missing, where the answers stand."""

    @property
    def mark(self) -> str:
        """✓, ½ or ✗; – where nothing was answered."""
        if not self.answer:
            return "–"
        return "✓" if self.points == 1 else "½" if self.points else "✗"


@dataclass(frozen=True, slots=True)
class Grade:
    """A sheet that was graded."""

    sheet: str
    exercise: str
    seed: int
    answers: tuple[Graded, ...]

    @property
    def points(self) -> float:
        """The sum over the answers."""
        return sum(graded.points for graded in self.answers)

    @property
    def of(self) -> int:
        """The most there are."""
        return len(self.answers)


@dataclass(frozen=True, eq=False, slots=True)
class Unreadable:
    """A sheet that is none, or whose scenario is not there."""

    sheet: str
    error: ScenarioError


class Grader:
    """Grades sheets; what many of them have in common is read once."""

    def __init__(self) -> None:
        self._exercises: dict[Path, Exercise | ScenarioError] = {}
        self._last: tuple[tuple[str, int, int], Assignment] | None = None

    def grade(self, path: str) -> Grade | Unreadable:
        """The grade of the sheet in a file."""
        try:
            sheet = read_sheet(path)
            assignment = self._assignment(sheet)
            answers = tuple(_graded(sheet, assignment))
        except ScenarioError as error:
            return Unreadable(path, error)
        return Grade(path, assignment.name, sheet.seed, answers)

    def _assignment(self, sheet: Sheet) -> Assignment:
        key = sheet.sha256, sheet.seed, sheet.attempt
        if self._last is None or self._last[0] != key:
            self._last = key, self._exercise(sheet).assigned(sheet.seed, sheet.attempt)
        return self._last[1]

    def _exercise(self, sheet: Sheet) -> Exercise:
        """The scenario that the sheet was made from; ScenarioError where it is not to be had."""
        others = 0
        for path in places_of(sheet.exercise, Path(sheet.source.name).parent):
            if path not in self._exercises:
                try:
                    self._exercises[path] = read_exercise(path)
                except ScenarioError as error:
                    self._exercises[path] = error
            exercise = self._exercises[path]
            if isinstance(exercise, Exercise) and exercise.sha256 == sheet.sha256:
                return exercise
            others += 1
        if others:
            raise sheet.error(
                "sha256",
                "the scenario has been changed since the sheet was made, or is another one",
                "make the sheet anew, or put back the scenario that it was made from",
            )
        raise sheet.error(
            "exercise",
            f"there is no scenario `{sheet.exercise}`",
            "put it beside the sheet, or into the folder you are in",
        )


def places_of(name: str, beside: Path) -> Iterator[Path]:
    """The files that the name of an exercise may mean: in this folder, bundled, or `beside`."""
    bare = PurePath(name).name
    bundled = bundled_scenarios()
    for folder in (Path(), bundled, bundled / "exercises", beside):
        for path in (folder / bare, folder / f"{bare}.yaml"):
            if path.suffix in (".yaml", ".yml") and path.is_file():
                yield path


def _graded(sheet: Sheet, assignment: Assignment) -> Iterator[Graded]:
    asked = assignment.questions(sheet.questions)
    _check_steps(sheet, asked)
    own: dict[int, Value] = {}
    for question in asked:
        answer = sheet.answers.get(question.step)
        yield _judged(sheet, assignment, question, answer, own)


def _check_steps(sheet: Sheet, asked: Sequence[Question]) -> None:
    steps = {question.step for question in asked}
    for step, answer in sheet.answers.items():
        if step not in steps and answer.text:
            numbers = ", ".join(map(str, sorted(steps)))
            message = f"step {step} is not asked on this sheet, which asks for {numbers}"
            raise ScenarioError(sheet.source, ProblemError(message, answer.span).problem)


def _judged(
    sheet: Sheet,
    assignment: Assignment,
    question: Question,
    answer: Answer | None,
    own: dict[int, Value],
) -> Graded:
    trace = assignment.trace
    asked, right = asks(trace, question), question.right(trace)
    place = sheet.spans["answers"] if answer is None else answer.span
    line = sheet.source.position(place.start).line
    if answer is None or not answer.text:
        return Graded(question.step, asked, "", 0, right, message="no answer", line=line)
    try:
        judgement = assignment.judge.judge(question, answer.text, own)
    except ProblemError as error:
        message = error.problem.sentence
        return Graded(question.step, asked, answer.text, 0, right, message=message, line=line)
    if judgement.value is not None:
        own[question.step] = judgement.value
    points = 1.0 if judgement.is_right else FOLLOWS if judgement.follows else 0.0
    message = judgement.remark
    if judgement.follows:
        message = "right, given what was answered before"
    elif judgement.mistakes:
        message = told_all(judgement.mistakes, trace, question.step)
    return Graded(
        question.step, asked, answer.text, points, right, judgement.mistakes, message, line
    )
