"""The autopsy: where the first inf or nan was born, its way, and whose fault it is."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from backprop_engine.reading.autopsy.births import Birth
from backprop_engine.reading.autopsy.flow import Event, event_of
from backprop_engine.reading.autopsy.report import (
    Autopsy,
    Told,
    event_step,
    event_text,
)
from backprop_tui.oracles.report import Failed
from backprop_tui.screens.following import Following
from backprop_tui.session.session import Change, jump
from backprop_tui.view.text import printable
from backprop_tui.view.view import View
from backprop_tui.widgets.choices import Choices
from backprop_tui.widgets.keys import HELP

_MUTED, _BAD, _NAMED = "$foreground-muted", "bold $error", "bold $warning"
_MOST_WAYS = 20
_MOST_EVENTS = 200
"""Events of a way that are listed; of a longer one the first and the last."""
_LEAST_COLUMN = 8
"""Characters that the number of a step takes, at least."""
_KEYS = (("enter", "to the step"), ("esc", "back"), ("?", "help"))
_ALL_FINITE = (
    "Every number that comes out of this run is finite: no value, contribution or gradient is nan, "
    "and no result is inf."
)


class AutopsyScreen(Following, ModalScreen[Change | None]):
    """Tells what `autopsy` has found; answers with the jump to a step of the way."""

    TOPIC: ClassVar = "autopsy"
    BINDINGS: ClassVar = [
        HELP,
        Binding("escape,q,a", "dismiss(None)", "close", show=False),
        Binding("j", "move('down')", show=False),
        Binding("k", "move('up')", show=False),
    ]

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view
        self._glyphs = view.glyphs
        self._steps: list[int | None] = []
        """The step that each line of the list leads to."""

    def compose(self) -> ComposeResult:
        """What has happened, above the way as a list."""
        with Vertical(id="autopsy", classes="sheet"):
            yield Static(id="about")
            yield Choices(id="way", compact=True, markup=False)
        yield Static(id="autopsy-keys", classes="bar")

    def on_mount(self) -> None:
        """Let the keys go to the way."""
        self.query_one("#way").focus()

    def show(self, view: View) -> None:
        """Tell what the app has found meanwhile, where it was still looking at the trace."""
        if not self._view.is_examined:
            self._view = view
            self._draw()

    def on_resize(self) -> None:
        """Draw for the width there is."""
        self._draw()

    def _draw(self) -> None:
        width = max(self.size.width - 8, 20)
        known = self._view.autopsy
        found = None if isinstance(known, Failed) else known
        title = "Autopsy" if found is None else f"Autopsy: {_finding(found)}"
        self.query_one("#autopsy").border_title = Content(self._text(title))
        if found is None:
            said = _ALL_FINITE if self._view.is_examined else "This run is still being looked at …"
            if isinstance(known, Failed):
                said = known.sentences
            lines = [Content(self._text(line)) for line in textwrap.wrap(said, width)]
        else:
            lines = self._findings(found, width)
            self._list_ways(found, width)
        self.query_one("#about", Static).update(Content("\n").join(lines))
        self.query_one("#way").display = found is not None
        # Where all is finite there is no step to go to.
        keys = [part for key, word in (_KEYS[1:] if found is None else _KEYS)
                for part in ((f"{key} ", "bold $primary"), (f"{word}  ", _MUTED))]  # fmt: skip
        self.query_one("#autopsy-keys", Static).update(Content.assemble(*keys))

    def _text(self, text: str) -> str:
        return self._glyphs.text(printable(text))

    def _wrapped(self, text: str, width: int, style: str = "", indent: int = 0) -> list[Content]:
        margin = " " * indent
        lines = textwrap.wrap(
            self._text(text), width, initial_indent=margin, subsequent_indent=margin
        )
        return [Content.styled(line, style) if style else Content(line) for line in lines]

    def _findings(self, found: Autopsy, width: int) -> list[Content]:
        lines = self._told(found.first, width)
        if found.nan is not None:
            lines += [Content(), *self._told(found.nan, width)]
        lines += [Content(), *self._wrapped(f"fed by {found.causes_text}", width)]
        if found.other_births:
            count = found.other_births
            more = f"{count:,} more {'birth' if count == 1 else 'births'} of inf or nan elsewhere"
            lines += self._wrapped(more, width, _MUTED)
        return [*lines, Content()]

    def _told(self, told: Told, width: int) -> list[Content]:
        """One birth: what happened, the figures, and the place in the source."""
        lines = self._wrapped(told.headline, width, _NAMED)
        lines += self._wrapped(told.figures, width, "bold", indent=4)
        if told.inside:
            lines += self._wrapped(f"inside, {told.inside}", width, "", indent=4)
        place = self._view.session.trace.nodes.place(_operation_node(self._view, told.birth))
        if told.position is None or place is None:
            return lines
        source, span = place.source, place.span
        where = f"{told.operation} at {source.name}:{told.position.line}:{told.position.column}"
        number = f"    {told.position.line} │ "
        line = printable(source.line(told.position.line).expandtabs(1))
        start = max(told.position.column - 1, 0)
        length = max(1, min(span.stop - span.start, len(line) - start))
        room = max(width - len(number), 8)
        shift = max(0, start + length - room) if len(line) > room else 0
        shift = min(shift, start)
        shown = line[shift : shift + room]
        caret = " " * (len(number) + start - shift) + "^" * min(length, room - (start - shift))
        return [
            *lines,
            *self._wrapped(where, width, _MUTED, indent=4),
            Content.assemble((number, _MUTED), self._text(shown)),
            Content.styled(caret, _BAD),
        ]

    # The ways

    def _list_ways(self, found: Autopsy, width: int) -> None:
        lines: list[tuple[Content, int | None]] = []
        for name, way in list(found.ways.items())[:_MOST_WAYS]:
            title = self._text(f"the way to {name}")
            lines.append((Content.styled(title, "bold"), None))
            lines += self._way(found, way, width)
        if len(found.ways) > _MOST_WAYS:
            more = f"and {len(found.ways) - _MOST_WAYS:,} more that it spoils"
            lines.append((Content.styled(more, _MUTED), None))
        self._steps = [step for _, step in lines]
        listed = self.query_one("#way", OptionList)
        listed.clear_options()
        listed.add_options(Option(line, disabled=step is None) for line, step in lines)
        listed.highlighted = next(
            (at for at, one in enumerate(self._steps) if one is not None), None
        )

    def _way(
        self, found: Autopsy, way: tuple[Event, ...], width: int
    ) -> list[tuple[Content, int | None]]:
        half = _MOST_EVENTS // 2
        if len(way) <= _MOST_EVENTS:
            return [self._event(found, event, width) for event in way]
        between = self._text(f"      … {len(way) - _MOST_EVENTS:,} steps between …")
        return [
            *(self._event(found, event, width) for event in way[:half]),
            (Content.styled(between, _MUTED), None),
            *(self._event(found, event, width) for event in way[-half:]),
        ]

    def _event(self, found: Autopsy, event: Event, width: int) -> tuple[Content, int | None]:
        trace, step, born = found.trace, event_step(found.trace, event), ""
        if event == event_of(trace, found.first.birth):
            born = f"  ← {found.first.kind} is born"
        elif found.nan is not None and event == event_of(trace, found.nan.birth):
            born = "  ← becomes nan"
        column = max(len(f"step {len(trace):,}"), _LEAST_COLUMN) + 2
        lead = f"  {'leaf' if step is None else f'step {step:,}':<{column}}"
        told, room = self._text(event_text(trace, event)), max(width - len(lead), 8)
        *lines, last = textwrap.wrap(told, room, break_on_hyphens=False) or [""]
        if len(last) + len(born) > room:
            lines, last, born = [*lines, last], "", born.lstrip()
        margin = " " * len(lead)
        above = [(f"{one}\n{margin}", "") for one in lines]
        line = Content.assemble((lead, _MUTED), *above, last, (self._text(born), _NAMED))
        return line, step

    @on(OptionList.OptionSelected)
    def _jump(self, event: OptionList.OptionSelected) -> None:
        step = self._steps[event.option_index]
        if step is not None:
            self.dismiss(lambda session: replace(jump(session, step), selected=None))

    def action_move(self, direction: str) -> None:
        """Up or down the way."""
        listed = self.query_one("#way", OptionList)
        if direction == "down":
            listed.action_cursor_down()
        else:
            listed.action_cursor_up()


def _operation_node(view: View, birth: Birth) -> int:
    """The node whose expression in the source the birth is about."""
    trace = view.session.trace
    if birth.step is None or birth.position is None:
        return birth.node
    return int(trace.senders[birth.step])


def _finding(found: Autopsy) -> str:
    """What is spoilt, in a few words."""
    kind = found.first.kind if found.nan is None else found.nan.kind
    names = ", ".join(found.victims[:3]) + (" …" if len(found.victims) > 3 else "")
    return f"{kind} in {names}" if names else f"a {kind} that spoils nothing"
