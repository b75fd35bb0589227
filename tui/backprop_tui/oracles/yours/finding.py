"""What is found in a learner's file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from backprop_engine.basics.dataclass import dataclass
from backprop_tui.oracles.report import Failed
from backprop_tui.oracles.yours.verdict import Verdict

if TYPE_CHECKING:
    from backprop_tui.oracles.torch.agreement import Agreement
    from backprop_tui.oracles.yours.protocol import Unusable


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said of a file, about one scenario or by itself."""

    name: str = ""
    """What was examined: an engine's class, or functions."""
    file: str = ""
    """Where the lines are, if that is not the file that was named."""
    verdict: Verdict | None = None
    trouble: str = ""
    """Why nothing can be judged."""
    line: int | None = None
    """Of the trouble."""
    quoted: str = ""
    """The line that is to be looked at, with its number."""
    remarks: tuple[str, ...] = ()
    """What is no mistake and worth a word."""
    programs: int = 0
    """How many were run."""
    judged: Mapping[str, bool] = field(default_factory=dict)
    """By hand-written gradient, whether it is right by itself."""
    agreement: Agreement | None = None
    """The engine's numbers in a scenario beside ours."""
    unlimited: tuple[str, ...] = ()
    """The limits that this system does not have."""

    @property
    def is_right(self) -> bool:
        """Whether it was examined and nothing is wrong."""
        return self.verdict is None and not self.trouble

    def troubled(self, trouble: Unusable | Failed) -> Finding:
        """The same where nothing, or nothing more, can be judged."""
        if isinstance(trouble, Failed):
            return replace(self, trouble=trouble.sentences)
        return replace(self, trouble=f"{trouble.message}.", line=trouble.line)
