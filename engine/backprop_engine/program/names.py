"""The names a scenario defines, and their versions: `h@1`, `h@2`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from backprop_engine.basics.source import ProblemError, Span
from backprop_engine.basics.suggestions import did_you_mean
from backprop_engine.grammar import syntax
from backprop_engine.grammar.lexer import canonical
from backprop_engine.grammar.syntax import Assignment, Loop, Unpacking, flat
from backprop_engine.program.scenario import Input, Retain, Running
from backprop_engine.program.torch_idioms import leaf_subject
from backprop_engine.program.unsupported import grad_of_non_leaf


class Names:
    """All names that have a value, with how often each is assigned (an input counts once)."""

    def __init__(self, inputs: Iterable[Input], statements: Sequence[Running]) -> None:
        self.inputs = frozenset(input_.name for input_ in inputs)
        self._versions = Counter(self.inputs)
        self._looped: set[str] = set()
        """Names assigned in a loop: how many versions they have is known when it has run."""
        self._kept: set[tuple[str, int]] = set()
        """Computed names whose `.grad` is kept, with the version."""
        for statement in statements:
            if isinstance(statement, Loop):
                self._looped.update(name.name for name in statement.names)
        for line in flat(statements):
            if isinstance(line, Assignment | Unpacking):
                self._versions.update(name.name for name in line.names)
            if (kept := _keeps_grad(line)) is not None:
                self._kept.add((kept, self._versions[kept]))

    def version_name(self, name: str, version: int, last: int) -> str:
        """`h@2`, or `h` where it is the only one, or the last of those that a loop makes."""
        is_plain = not version or (name in self._looped and version == last)
        return name if is_plain or not self.has_versions(name) else f"{name}@{version}"

    def has_versions(self, name: str) -> bool:
        """Whether its values are told apart by a number: it may be assigned more than once."""
        return self._versions[name] > 1 or name in self._looped

    def value(self, text: str, span: Span, *others: str) -> str:
        """The name `text` stands for: `h`, or `h@1` where h is assigned more than once.

        Raises ProblemError where there is no such name or version; `others` are further words that
        may have been meant.
        """
        name, at, version = text.strip().partition("@")
        name = canonical(name)
        if name not in self._versions:
            raise ProblemError(
                f"unknown name `{name}`", span, fix=did_you_mean(name, [*self._versions, *others])
            )
        if not at:
            return name
        if name in self._looped and version.isdecimal() and int(version[:9]):
            return f"{name}@{int(version[:9])}"
        count = self._versions[name]
        if not version.isdecimal() or not 1 <= int(version[:9]) <= count:
            raise ProblemError(
                f"`{name}` has no version `@{version}`",
                span,
                f"`{name}@1` to `{name}@{count}`" if count > 1 else f"`{name}`",
                "" if count > 1 else f"it is assigned once: write `{name}`",
            )
        if count == 1:
            raise ProblemError(
                f"`{name}` is assigned once and has no versions", span, fix=f"write `{name}`"
            )
        return f"{name}@{int(version)}"

    def input(self, text: str, span: Span) -> str:
        """The input `text` stands for. Raises ProblemError where it is none."""
        name = canonical(text.strip())
        if name in self.inputs:
            return name
        if name in self._versions:
            raise ProblemError(
                f"`{name}` is not an input", span, "an input: only leaves keep their gradient"
            )
        raise ProblemError(f"unknown input `{name}`", span, fix=did_you_mean(name, self.inputs))

    def grad(self, text: str, span: Span) -> str:
        """The name whose `.grad` is meant. Raises ProblemError where none is kept for it."""
        name = canonical(text.strip())
        if name in self.inputs or name.partition("@")[0] not in self._versions:
            return self.input(name, span)
        name = self.value(name, span)
        plain, _, version = name.partition("@")
        number = int(version or self._versions[plain])
        if (plain, number) in self._kept and not (version and plain in self._looped):
            return name
        raise grad_of_non_leaf(name, span)

    def __contains__(self, name: str) -> bool:
        return name in self._versions


def _keeps_grad(statement: object) -> str | None:
    """The name whose value is told to keep its `.grad`, or is made a leaf."""
    match statement:
        case Retain(name=name):
            return name
        case Assignment(name=name, expression=expression) if subject := leaf_subject(expression):
            return name or (subject.name if isinstance(subject, syntax.Name) else None)
        case _:
            return None
