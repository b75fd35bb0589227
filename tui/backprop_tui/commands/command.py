"""What a command is, and what its keys are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.trace import Missing
from backprop_tui.commands.copying import Copier
from backprop_tui.session.session import Change, Session


@dataclass(frozen=True, slots=True)
class Command:
    """One thing a person can ask for."""

    name: str
    keys: tuple[str, ...]
    """As Textual spells them."""
    title: str
    help: str
    """One sentence."""
    group: str
    apply: Change | None = None
    """What it does to the session; None where a screen asks first, or the app does it."""
    asks: bool = False
    """Whether a screen (`screens.asking.ASKING`) comes first, whose answer is the change."""
    footer: str = ""
    """Its word in the footer, one for keys that belong together; empty where it is not there."""
    place: str = ""
    """The one pane in which its keys are heard: `tree` or `watches`; empty for everywhere.

    Two commands that are heard in one place need keys of their own.
    """
    doing: Callable[[Session], str] | None = None
    """Says what `apply` does, where that may take a while and a thread does it."""
    offer: str = ""
    """Its word in the footer while there is occasion for it (see `offers`), before all others.

    Empty for the two that change the rate of play: the footer tells the rate there.
    """
    needs: type[Any] | None = None
    """The ability of the trace's producer without which there is nothing to do."""
    of_node: bool = False
    """Whether it needs that for the selected node."""
    tells: bool = False
    """Whether it would tell what is asked, while steps are asked before they are shown."""
    copies: Copier | None = None
    """The text that it copies; None where it copies nothing."""
    does: str = ""
    """The action of the debugger's screen that it is; empty where it is one of the app's."""

    def missing(self, session: Session) -> Missing | None:
        """Why there is nothing to do here, and what to do instead; None where there is."""
        if self.tells and session.predicting is not None:
            return Missing("this would tell what is asked", "x ends the questions")
        if self.needs is None:
            return None
        node = session.node if self.of_node else None
        ability = session.trace.can(self.needs, node)
        return ability if isinstance(ability, Missing) else None

    @property
    def action(self) -> str:
        """The Textual action that runs it."""
        if self.does:
            return f"screen.{self.does}"
        if self.asks:
            return f"app.ask('{self.name}')"
        if self.copies is not None:
            return f"app.copy('{self.name}')"
        return f"app.{self.name}" if self.apply is None else f"app.command('{self.name}')"


_KEY_NAMES = {
    "question_mark": "?",
    "apostrophe": "'",
    "full_stop": ".",
    "slash": "/",
    "exclamation_mark": "!",
    "left_square_bracket": "[",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "right_square_bracket": "]",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "ctrl+up": "^↑",
    "ctrl+down": "^↓",
    "ctrl+left": "^←",
    "ctrl+right": "^→",
    "ctrl+o": "^o",
    "ctrl+p": "^p",
    "ctrl+r": "^r",
    "ctrl+t": "^t",
    "ctrl+z": "^z",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "shift+tab": "shift-tab",
    "escape": "esc",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "delete": "del",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}


def key_name(key: str) -> str:
    """A key as people read it: `?` for `question_mark`."""
    return _KEY_NAMES.get(key, key)
