"""The origin of a gradient: the paths it came along, and from a path to its steps."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from backprop_engine.reading.paths.origin import Origin, Path, find_origin
from backprop_engine.trace import Pass, PassKind
from backprop_tui.app.soon import Job, soon_of
from backprop_tui.screens.box import Choices, Sheet, keys_line
from backprop_tui.session.session import Session, jump
from backprop_tui.view.text import wrapped
from backprop_tui.view.view import View
from backprop_tui.widgets import origin_rows as text
from backprop_tui.widgets.keys import HELP

_SEARCH: Final = "The search for paths"
_TOLD_EVERY = 0.1
"""Seconds between two reports of progress."""
_MOST_STEPS = 400
"""Steps of a path that are listed; of a longer one the first and the last."""
_FRAME = 5
"""Cells of the sheet beside its lists: border, padding, and one that is kept free."""
_KEYS: Final = (("enter", "to its steps, then to the step"), ("esc", "back"), ("?", "help"))


def origin_pass(session: Session) -> Pass | str:
    """The backward pass whose gradient of the selected node is shown; or why there is none."""
    trace, node = session.trace, session.node
    label, shown = trace.label(node), trace.shown_pass(session.cursor)
    if not trace.nodes.requires_grad[node]:
        return f"{label} does not require grad, so no gradient comes to it."
    if shown.kind is PassKind.FORWARD:
        way = "f, then n lead there." if session.cursor < shown.stop else "n begins it."
        return f"{label} has no gradient yet: no backward pass has begun. {way}"
    if shown.kind is PassKind.ZERO_GRAD:
        return f"{shown.name} has just run: no gradients are shown until the next backward pass."
    if not trace.progress(node, shown.stop).received:
        return f"No gradient comes to {label} in {shown.name}: the output does not depend on it."
    return shown


class OriginScreen(Sheet):
    """Paths above, the steps of the highlighted one below; answers with the jump to a step."""

    TOPIC: ClassVar = "origin"
    BINDINGS: ClassVar = [
        HELP,
        Binding("escape", "back", "back", show=False),
        Binding("q,o", "dismiss(None)", "close", show=False),
        Binding("tab,shift+tab", "turn", "other list", show=False),
    ]

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._origin: Origin | None = None

    def compose(self) -> ComposeResult:
        """Two lists between a heading and the keys."""
        with Vertical(id="origin", classes="sheet"):
            yield Static(id="about")
            yield Choices(id="paths", compact=True, markup=False)
            yield Static(id="sum")
            yield Choices(id="steps", compact=True, markup=False)
        yield Static(keys_line(_KEYS), classes="bar")

    def on_mount(self) -> None:
        """Start looking for the paths, in a thread."""
        pass_ = origin_pass(self._view.session)
        self.name_it("Origin")
        if isinstance(pass_, str):
            self.call_later(self._refuse, pass_)
            return
        self._say("Looking at the paths …")
        self.query_one("#paths").focus()
        session = self._view.session

        def find(job: Job) -> Origin:
            told = monotonic()

            def watch(done: float) -> None:
                nonlocal told
                job.rest()
                if monotonic() - told > _TOLD_EVERY:
                    told = monotonic()
                    job.tell(done)

            return find_origin(session.trace, pass_, session.node, watch=watch)

        soon_of(self)(_SEARCH, find, self._take, failed=lambda failed: self._say(failed.sentences))

    def on_unmount(self) -> None:
        """Let the thread end."""
        soon_of(self).cancel(_SEARCH)

    def _refuse(self, reason: str) -> None:
        """There is nothing to show; the debugger's own screen says why."""
        self.dismiss(lambda session: replace(session, notice=reason))

    def _take(self, found: Origin | float) -> None:
        if isinstance(found, float):
            self._say(f"Looking at the paths … {found:.0%} · esc stops")
        else:
            self._origin = found
            self._draw()

    def on_resize(self) -> None:
        """Draw anew for the new width."""
        if self._origin is not None:
            self._draw()

    @property
    def _width(self) -> int:
        return max(self.app.size.width - _FRAME, 40)

    def _say(self, sentence: str) -> None:
        self.tell(self.wrapped(sentence))

    # Drawing

    def _draw(self) -> None:
        origin, width = self._origin, self._width
        if origin is None:
            return
        self.name_it(f"Origin of {text.heading(origin)}", origin.pass_.name)
        self._say_about(origin, width)
        glyphs = self._view.glyphs
        rows = [Option(text.path_row(origin, path, width, glyphs)) for path in origin.paths]
        chosen = self.query_one("#paths", OptionList).highlighted or 0
        self.list_in("paths", rows, chosen).display = bool(rows)
        lines = text.sum_rows(origin, width, glyphs)
        self.query_one("#sum", Static).update(Content("\n").join(lines))
        if not origin.paths:
            self._list_shut(origin, width)

    def _say_about(self, origin: Origin, width: int) -> None:
        progress = origin.trace.progress(origin.node, self._view.session.cursor)
        sentences = text.summary(origin, progress.received, progress.expected)
        say = self._view.say
        lines = [line for said in sentences for line in wrapped(say(said), width)]
        if origin.paths:
            header = self._view.glyphs.text(text.paths_header(origin, width))
            lines += [Content(), Content.styled(header, "$foreground-muted")]
        self.tell(lines)

    def _list_shut(self, origin: Origin, width: int) -> None:
        glyphs = self._view.glyphs
        rows = [Option(text.shut_row(origin, at, width, glyphs), str(at)) for at in origin.shut]
        self.list_in("steps", rows, 0).focus()

    @on(OptionList.OptionHighlighted, "#paths")
    def _list_steps(self) -> None:
        origin, path = self._origin, self._path
        if origin is None or path is None:
            return
        glyphs, options = self._view.glyphs, list[Option]()
        for step in text.path_steps(origin, path, _MOST_STEPS):
            if step is None:
                between = f"{len(path.steps) + 1 - _MOST_STEPS:,} steps between"
                options.append(Option(glyphs.text(f"      … {between} …"), disabled=True))
            else:
                row = text.step_row(origin, step, self._width, glyphs)
                options.append(Option(row, str(step.step)))
        steps = self.list_in("steps", options, len(options) - 1)
        # Its size may be about to change with the list above it.
        self.call_after_refresh(steps.scroll_end, animate=False)

    @property
    def _path(self) -> Path | None:
        at = self.query_one("#paths", OptionList).highlighted
        return None if self._origin is None or at is None else self._origin.paths[at]

    # Keys

    @on(OptionList.OptionSelected, "#paths")
    def _enter_path(self) -> None:
        self.query_one("#steps").focus()

    @on(OptionList.OptionSelected, "#steps")
    def _jump(self, event: OptionList.OptionSelected) -> None:
        step = int(event.option_id or 0)
        # The selection follows the steps again: what is of interest now is the step.
        self.dismiss(lambda session: replace(jump(session, step), selected=None))

    def action_back(self) -> None:
        """From the steps to the paths, from there out."""
        paths = self.query_one("#paths")
        if self.query_one("#steps").has_focus and paths.display:
            paths.focus()
        else:
            self.dismiss(None)

    def action_turn(self) -> None:
        """To the other list."""
        paths, steps = self.query_one("#paths"), self.query_one("#steps")
        (paths if steps.has_focus and paths.display else steps).focus()
