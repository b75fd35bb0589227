"""The inspector's keys: bindings, bar, help and entries in the palette are made from one table."""

from __future__ import annotations

from textual.content import Content
from textual.style import Style

from backprop_engine.basics.dataclass import dataclass
from backprop_tui.commands.command import key_name

_GAP = "  "


@dataclass(frozen=True, slots=True)
class Key:
    """One thing to do in the inspector."""

    key: str
    """As Textual spells it."""
    action: str
    title: str
    shown: str = ""
    """Keys that share a place in the bar; empty where it has none there."""
    word: str = ""
    needs_table: bool = True
    """Whether it means nothing where a number is shown."""
    needs_slices: bool = False
    """Whether it means nothing where the table shows the whole array."""


KEYS: tuple[Key, ...] = (
    Key("escape", "app.pop_screen", "close the inspector", "esc", "close", needs_table=False),
    Key(
        "tab", "screen.quantity(1)",
        "next quantity: value, gradient, the contribution about to be received",
        "tab", "quantity",
    ),
    Key("shift+tab", "screen.quantity(-1)", "quantity before"),
    Key("t", "screen.whose", "ours, torch's, or ours minus torch's", "t", "torch"),
    Key("right_square_bracket", "screen.slice(1)", "next slice", "[ ]", "slice", needs_slices=True),
    Key("left_square_bracket", "screen.slice(-1)", "slice before", needs_slices=True),
    Key("a", "screen.axis", "the axis that [ and ] go along", "a", "axis", needs_slices=True),
    Key("x", "screen.largest", "to the element with the largest absolute value", "x", "largest"),
    Key("exclamation_mark", "screen.broken", "to the next nan or inf", "!", "nan"),
    Key("y", "screen.copy_element", "copy this element", "y", "copy"),
    Key("Y", "screen.copy_all", "copy all elements"),
    Key("n", "app.command('node_forward')", "next node", needs_table=False),
    Key("s", "app.command('step_forward')", "one step", "n s", "step", needs_table=False),
    Key("full_stop", "screen.lens", "tell this element alone, in Chain rule", ".", "alone"),
    Key("N", "app.command('node_back')", "node back", needs_table=False),
    Key("S", "app.command('step_back')", "step back", needs_table=False),
    Key("question_mark", "app.help", "help", "?", "help", needs_table=False),
)  # fmt: skip


def help_entries() -> tuple[tuple[str, str], ...]:
    """Key, and what it does as a sentence."""
    others = KEYS[:-1]  # of help itself it need not tell
    return tuple((key_name(key.key), f"{key.title[0].upper()}{key.title[1:]}.") for key in others)


def key_bar(width: int, *, has_table: bool, has_slices: bool) -> Content:
    """The keys that mean something here, as many as fit; help always does. Each can be clicked."""
    shown = [
        key
        for key in KEYS
        if key.shown and (has_table or not key.needs_table) and (has_slices or not key.needs_slices)
    ]
    while sum(_width(key) for key in shown) > width and len(shown) > 1:
        shown.pop(-2)
    return Content(_GAP).join(_drawn(key) for key in shown)


def _width(key: Key) -> int:
    return len(key.shown) + 1 + len(key.word) + len(_GAP)


def _drawn(key: Key) -> Content:
    text = Content.assemble((f"{key.shown} ", "bold $primary"), (key.word, "$foreground-muted"))
    return text.stylize(Style.from_meta({"@click": key.action}))
