"""The names a scenario defines, and what a mention of one outside of `compute` means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from backprop_engine.basics.source import ProblemError, Span
from backprop_engine.basics.suggestions import did_you_mean
from backprop_engine.grammar.lexer import canonical
from backprop_engine.program.unsupported import grad_of_non_leaf


class Names:
    """All names that have a value, with how often each was assigned (an input counts once)."""

    def __init__(
        self,
        inputs: Iterable[str],
        assigned: Iterable[str],
        retained: Iterable[str] = (),
        looped: Iterable[str] = (),
    ) -> None:
        self.inputs = frozenset(inputs)
        self.retained = frozenset(retained)
        """Computed names that keep their `.grad` too."""
        self.looped = frozenset(looped)
        """Names assigned in a loop: how many versions they have is known when it has run."""
        self._versions = Counter([*self.inputs, *assigned])

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
        if name in self.looped and version.isdecimal() and int(version[:9]):
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
        last = f"{name}@{self._versions[name]}"
        if name in self.retained or last in self.retained:
            return name
        raise grad_of_non_leaf(name, span)

    def __contains__(self, name: str) -> bool:
        return name in self._versions
