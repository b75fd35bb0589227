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
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from backprop_engine.reading.autopsy.flow import Event, event_of
from backprop_engine.reading.autopsy.report import Autopsy, Told, event_step, event_text
from backprop_tui.opening.bundled import bundled_scenarios
from backprop_tui.oracles.report import Failed
from backprop_tui.screens.box import Choices, Sheet, keys_line
from backprop_tui.session.session import jump
from backprop_tui.view.messages import ScenarioChosen
from backprop_tui.view.text import printable
from backprop_tui.view.view import Following, View
from backprop_tui.widgets.keys import HELP

_MUTED, _BAD, _NAMED = "$foreground-muted", "bold $error", "bold $warning"
_MOST_WAYS = 20
_MOST_EVENTS = 200
"""Events of a way that are listed; of a longer one the first and the last."""
_FRAME, _LEAST_WAY = 3, 4
"""Lines of the border and the keys; and of the way, for which blank lines are given up."""
_LEAST_COLUMN = 8
"""Characters that the number of a step takes, at least."""
_KEYS = (("enter", "to the step, or the lesson"), ("esc", "back"), ("?", "help"))
_ALL_FINITE = (
    "Every number that comes out of this run is finite: no value, contribution or gradient is nan, "
    "and no result is inf."
)


class AutopsyScreen(Following, Sheet):
    """Tells what `autopsy` has found; answers with the jump to a step of the way."""

    TOPIC: ClassVar = "autopsy"
    BINDINGS: ClassVar = [
        HELP,
        Binding("escape,q,a", "dismiss(None)", "close", show=False),
    ]

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._leads: list[int | str | None] = []
        """The step, or the lesson of the gallery, that each line of the list leads to."""

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
        known = self._view.autopsy
        found = None if isinstance(known, Failed) else known
        self.name_it("Autopsy" if found is None else f"Autopsy: {_finding(found)}")
        if found is not None:
            self.tell(self._findings(found))
            self._list_ways(found)
        elif isinstance(known, Failed):
            self.tell(self.wrapped(known.sentences))
        else:
            is_known = self._view.is_examined
            self.tell(
                self.wrapped(_ALL_FINITE if is_known else "This run is still being looked at …")
            )
        self.query_one("#way").display = found is not None
        # Where all is finite there is no step to go to.
        keys = keys_line(_KEYS[1:] if found is None else _KEYS)
        self.query_one("#autopsy-keys", Static).update(keys)

    def _findings(self, found: Autopsy) -> list[Content]:
        lines = self._told(found.first)
        if found.nan is not None:
            lines += [Content(), *self._told(found.nan)]
        lines += [Content(), *self.wrapped(f"fed by {found.causes_text}")]
        if found.other_births:
            count = found.other_births
            more = f"{count:,} more {'birth' if count == 1 else 'births'} of inf or nan elsewhere"
            lines += self.wrapped(more, _MUTED)
        lines += [*self._cures(found), Content()]
        room = self.size.height - _FRAME - _LEAST_WAY
        return lines if len(lines) <= room else [line for line in lines if line != Content()]

    def _cures(self, found: Autopsy) -> list[Content]:
        lines: list[Content] = []
        if found.cures:
            lines += [Content(), Content.styled("what usually cures it", "bold")]
        for cure in found.cures:
            lines += self.wrapped(cure.text, indent=4)
        return lines

    def _told(self, told: Told) -> list[Content]:
        """One birth: what happened, the figures, and the place in the source."""
        lines = self.wrapped(told.headline, _NAMED)
        lines += self.wrapped(told.figures, "bold", indent=4)
        if told.inside:
            lines += self.wrapped(f"inside, {told.inside}", indent=4)
        if told.place is None:
            return lines
        source, span, position = told.place.source, told.place.span, told.place.position
        where = f"{told.operation} at {source.name}:{position.line}:{position.column}"
        number = f"    {position.line} │ "
        line = printable(source.line(position.line).expandtabs(1))
        start = max(position.column - 1, 0)
        length = max(1, min(span.stop - span.start, len(line) - start))
        room = max(self.text_width - len(number), 8)
        shift = max(0, start + length - room) if len(line) > room else 0
        shift = min(shift, start)
        shown = line[shift : shift + room]
        caret = " " * (len(number) + start - shift) + "^" * min(length, room - (start - shift))
        return [
            *lines,
            *self.wrapped(where, _MUTED, indent=4),
            Content.assemble((number, _MUTED), self._view.say(shown)),
            Content.styled(caret, _BAD),
        ]

    # The ways

    def _list_ways(self, found: Autopsy) -> None:
        lessons = dict.fromkeys(name for cure in found.cures for name in cure.lessons)
        lines: list[tuple[Content, int | str | None]] = [
            (Content.assemble(("    the gallery shows it: ", _MUTED), name), name)
            for name in lessons
        ]
        for name, way in list(found.ways.items())[:_MOST_WAYS]:
            lines.append((Content.styled(self._view.say(f"the way to {name}"), "bold"), None))
            lines += self._way(found, way)
        if len(found.ways) > _MOST_WAYS:
            more = f"and {len(found.ways) - _MOST_WAYS:,} more that it spoils"
            lines.append((Content.styled(more, _MUTED), None))
        self._leads = [lead for _, lead in lines]
        first = next((at for at, lead in enumerate(self._leads) if isinstance(lead, int)), None)
        self.list_in("way", [Option(line, disabled=lead is None) for line, lead in lines], first)

    def _way(self, found: Autopsy, way: tuple[Event, ...]) -> list[tuple[Content, int | None]]:
        half = _MOST_EVENTS // 2
        if len(way) <= _MOST_EVENTS:
            return [self._event(found, event) for event in way]
        between = self._view.say(f"      … {len(way) - _MOST_EVENTS:,} steps between …")
        return [
            *(self._event(found, event) for event in way[:half]),
            (Content.styled(between, _MUTED), None),
            *(self._event(found, event) for event in way[-half:]),
        ]

    def _event(self, found: Autopsy, event: Event) -> tuple[Content, int | None]:
        trace, step, born = found.trace, event_step(found.trace, event), ""
        if event == event_of(trace, found.first.birth):
            born = f"  ← {found.first.kind} is born"
        elif found.nan is not None and event == event_of(trace, found.nan.birth):
            born = "  ← becomes nan"
        column = max(len(f"step {len(trace):,}"), _LEAST_COLUMN) + 2
        lead = f"  {'leaf' if step is None else f'step {step:,}':<{column}}"
        told, room = self._view.say(event_text(trace, event)), max(self.text_width - len(lead), 8)
        *lines, last = textwrap.wrap(told, room, break_on_hyphens=False) or [""]
        if len(last) + len(born) > room:
            lines, last, born = [*lines, last], "", born.lstrip()
        margin = " " * len(lead)
        above = [(f"{line}\n{margin}", "") for line in lines]
        shown = Content.assemble((lead, _MUTED), *above, last, (self._view.say(born), _NAMED))
        return shown, step

    @on(OptionList.OptionSelected)
    def _jump(self, event: OptionList.OptionSelected) -> None:
        lead = self._leads[event.option_index]
        if isinstance(lead, str):
            self.dismiss(None)
            lesson = bundled_scenarios() / "gallery" / f"{lead}.yaml"
            self.app.post_message(ScenarioChosen(lesson))
        elif lead is not None:
            self.dismiss(lambda session: replace(jump(session, lead), selected=None))


def _finding(found: Autopsy) -> str:
    """What is spoilt, in a few words."""
    kind = found.first.kind if found.nan is None else found.nan.kind
    names = ", ".join(found.victims[:3]) + (" …" if len(found.victims) > 3 else "")
    return f"{kind} in {names}" if names else f"a {kind} that spoils nothing"
