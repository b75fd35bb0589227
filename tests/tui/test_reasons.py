"""Origin, autopsy and stepping in, in the running app."""

from __future__ import annotations

import threading
from dataclasses import replace
from threading import Event
from time import sleep

import pytest
from tests.tui.stillness import impatient, nobody_waits, until
from textual.widgets import OptionList

from backprop_engine.basics.source import Source
from backprop_engine.reading.autopsy.report import autopsy
from backprop_engine.reading.paths.origin import find_origin
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.app import app as application
from backprop_tui.commands.table import BY_NAME
from backprop_tui.screens.autopsy import AutopsyScreen
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.session.session import select
from backprop_tui.session.stepping_in import step_into
from backprop_tui.widgets.origin_rows import abbreviated, count_text, path_steps, share_text

CHAIN = "x=0.5; h=x+0; " + "; ".join(["h = h + 0.1*tanh(h)"] * 100)


def shorthand(text):
    return Source("<-e>", text)


async def settle(pilot):
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def choose(pilot, label):
    """Select the node called `label`."""
    session = pilot.app.session
    trace = session.trace
    node = next(node for node in range(len(graph_of(trace))) if trace.label(node) == label)
    pilot.app.session = select(session, int(session.outline.full_rows[node]))
    await pilot.pause()


# Origin


async def test_o_lists_the_paths_and_their_sum(opened, text_of):
    async with opened() as pilot:
        await pilot.press("f", "f")
        await choose(pilot, "x")
        await pilot.press("o")
        await settle(pilot)
        shown = " ".join(text_of(pilot).split())
        assert "2 paths lead from y to x. Each carries seed × local × local …" in shown
        assert "57 % ▇▇▇ 4 y → %3 → %1 → x 1 · 1 · 1 · 4" in shown
        assert "43 % ▇▇ 3 y → %3 → %2 → x 1 · 1 · 1 · 3" in shown
        assert "7 in all · 0 ulp from the recorded 7" in shown
        assert "step 9 %1 = x² → x × 4 (2·x) = 4" in shown


async def test_enter_leads_to_the_steps_of_a_path_and_from_there_to_the_step(opened):
    async with opened() as pilot:
        await pilot.press("f", "f")
        await choose(pilot, "x")
        await pilot.press("o")
        await settle(pilot)
        await pilot.press("j", "enter")
        await pilot.pause()
        assert pilot.app.screen.focused.id == "steps"
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, DebuggerScreen)
        session = pilot.app.session
        assert session.cursor == 8
        assert session.trace.edge(8) == (4, 0, 1)
        assert session.selected is None
        await pilot.press("backspace")
        assert pilot.app.session.cursor == 10


async def test_escape_goes_from_the_steps_to_the_paths_and_then_out(opened):
    async with opened() as pilot:
        await pilot.press("f", "f")
        await choose(pilot, "x")
        await pilot.press("o")
        await settle(pilot)
        await pilot.press("tab", "k", "tab", "tab", "escape")
        assert pilot.app.screen.focused.id == "paths"
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, DebuggerScreen)
        assert pilot.app.session.cursor == 10


@pytest.mark.parametrize(
    ("keys", "label", "reason"),
    [("", "x", "x has no gradient yet: no backward pass has begun. f, then n lead there."),
     ("f", "x", "x has no gradient yet: no backward pass has begun. n begins it."),
     ("f f", "3", "3 does not require grad, so no gradient comes to it.")],
)  # fmt: skip
async def test_where_there_is_no_gradient_it_is_said_why(opened, text_of, keys, label, reason):
    async with opened() as pilot:
        await pilot.press(*keys.split())
        await choose(pilot, label)
        await pilot.press("o")
        await settle(pilot)
        assert isinstance(pilot.app.screen, DebuggerScreen)
        assert reason in pilot.app.session.notice
        assert reason[:40] in text_of(pilot)


async def test_after_zero_grad_and_off_the_way_there_is_no_origin_either(opened):
    async with opened("folder/3-accumulate.yaml") as pilot:
        await pilot.press("f", "f", "f", "s")
        await choose(pilot, "x")
        await pilot.press("o")
        await settle(pilot)
        assert "zero_grad has just run" in pilot.app.session.notice
    async with opened(shorthand("x=2, u=3x, y=2x")) as pilot:
        await pilot.press("f", "f")
        await choose(pilot, "y")
        pilot.app.session = select(pilot.app.session, len(pilot.app.session.outline) - 1)
        await choose(pilot, "u")
        await pilot.press("o")
        await settle(pilot)
        assert "No gradient comes to u in backward y" in pilot.app.session.notice


async def test_what_earlier_passes_have_left_in_grad_is_told_apart(opened, text_of):
    async with opened("folder/3-accumulate.yaml") as pilot:
        await pilot.press("f", "f", "f")
        await choose(pilot, "x")
        await pilot.press("o")
        await settle(pilot)
        assert "x.grad adds it to 6, which an earlier pass has left there." in text_of(pilot)


async def test_in_the_middle_of_a_pass_it_is_said_what_has_come_so_far(opened, text_of):
    async with opened() as pilot:
        await pilot.press("g", "9", "enter")
        await choose(pilot, "x")
        await pilot.press("o")
        await settle(pilot)
        assert "At the cursor 1 of 2 contributions have come so far." in text_of(pilot)


async def test_two_to_the_hundredth_paths_are_listed_and_summed(opened, text_of):
    async with opened(shorthand(CHAIN), size=(120, 30)) as pilot:
        await pilot.press("f", "f")
        await choose(pilot, "x")
        await pilot.press("o")
        await settle(pilot)
        shown = text_of(pilot)
        assert "1,267,650,600,228,229,401,496,703,205,376 paths lead from h@101 to x" in shown
        assert "the rest: 1,267,650,600,228,229,401,496,703,205,326 paths in one sum" in shown
        assert "h@101 → … → x" in shown


async def test_where_no_path_carries_anything_enter_leads_to_what_is_shut(opened, text_of):
    async with opened(shorthand("x=-2, y=3*relu(x)")) as pilot:
        await pilot.press("f", "f")
        await choose(pilot, "x")
        await pilot.press("o")
        await settle(pilot)
        assert "Nothing is carried" in text_of(pilot)
        await pilot.press("enter")
        await pilot.pause()
        step = pilot.app.session.step
        assert pilot.app.session.trace.label(step.node) == "%1"


async def test_arrays_are_shown_by_their_norms(opened, text_of):
    async with opened("neuron.yaml", (120, 40)) as pilot:
        await pilot.press("f", "f")
        await choose(pilot, "w")
        await pilot.press("o")
        await settle(pilot)
        shown = text_of(pilot)
        assert "Ranked by the norm" in shown
        assert "growth of the norm" in shown
        await pilot.resize_terminal(70, 20)
        await pilot.pause()
        assert "norm" in text_of(pilot)


async def test_progress_is_shown_and_closing_the_screen_stops_the_search(
    opened, text_of, monkeypatch
):
    stopped = []

    def endless(*_, watch, **__):
        try:
            with nobody_waits():
                while True:
                    watch(0.5)
                    sleep(0.01)
        except Exception as error:
            stopped.append(type(error).__name__)
            raise

    monkeypatch.setattr("backprop_tui.screens.origin.find_origin", endless)
    async with opened() as pilot:
        await pilot.press("f", "f")
        await choose(pilot, "x")
        await pilot.press("o")
        await until(pilot, lambda: "Looking at the paths … 50% · esc stops" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: stopped)
        assert stopped == ["StoppedError"]
        assert isinstance(pilot.app.screen, DebuggerScreen)


# Autopsy


async def test_the_footer_offers_the_autopsy_only_where_there_is_a_nan(opened, text_of):
    async with opened("nan.yaml") as pilot:
        await pilot.press("s")
        assert "a NaN/inf: why?" in text_of(pilot)
    async with opened() as pilot:
        await pilot.press("f", "f")
        await pilot.pause()
        assert "NaN/inf: why?" not in text_of(pilot)


async def test_a_tells_where_it_came_from_and_enter_leads_there(opened, text_of):
    async with opened("nan.yaml") as pilot:
        await pilot.press("f", "f", "a")
        await settle(pilot)
        assert isinstance(pilot.app.screen, AutopsyScreen)
        shown = text_of(pilot)
        for said in ("Autopsy: nan in x.grad", "0 · inf at [0]: upstream 0, local 1/(2·√0) = inf",
                     "sqrt at nan.yaml:4:7", "fed by x[0] = 0", "the way to x.grad",
                     "← nan is born"):  # fmt: skip
            assert said in shown
        lines = shown.splitlines()
        code = next(line for line in lines if "r = sqrt(x**2)" in line)
        caret = lines[lines.index(code) + 1]
        assert caret.index("^") == code.index("sqrt")
        await pilot.press("j", "k", "enter")
        await pilot.pause()
        session = pilot.app.session
        assert session.cursor == 7
        assert session.trace.label(session.step.node) == "r"


async def test_where_all_is_finite_the_autopsy_says_so(opened, text_of):
    async with opened() as pilot:
        await pilot.press("a")
        await settle(pilot)
        assert "Every number that comes out of this run is finite" in " ".join(
            text_of(pilot).replace("│", " ").split()
        )
        assert text_of(pilot).splitlines()[-1].split() == ["esc", "back", "?", "help"]
        await pilot.press("enter", "escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, DebuggerScreen)


@pytest.fixture
def examining(monkeypatch):
    """Set by the test: until then the app is looking for the nan."""
    gate = threading.Event()

    def waits(trace):
        assert threading.current_thread().daemon  # Python's end waits for all others
        with nobody_waits():
            gate.wait(60)
        return autopsy(trace)

    monkeypatch.setattr("backprop_tui.app.oracle_desk.autopsy", waits)
    return gate


async def test_a_run_is_still_looked_at_and_then_the_screen_tells_what_was_found(
    opened, text_of, examining
):
    async with opened("nan.yaml") as pilot:
        await pilot.press("a")
        await until(pilot, lambda: "still being looked at" in text_of(pilot))
        examining.set()
        await until(pilot, lambda: "Autopsy: nan in x.grad" in text_of(pilot))


async def test_q_does_not_wait_until_a_run_has_been_looked_at(opened, examining):
    async with opened("nan.yaml") as pilot:
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running)
    assert not examining.is_set()
    examining.set()


async def test_the_number_of_a_late_step_stands_apart_from_what_is_told(opened, text_of):
    text = "x=-1, h=1, for i in range(12000): h=h*1, y=h*log(x)"
    async with opened(shorthand(text)) as pilot:
        await pilot.press("a")
        await until(pilot, lambda: "the way to y" in text_of(pilot))
        assert "step 12,001  y = " in text_of(pilot)


@pytest.mark.parametrize("keys", ["o", "a"])
async def test_the_screens_stand_any_size(opened, text_of, keys):
    async with opened("nan.yaml") as pilot:
        await pilot.press("f", "f")
        await choose(pilot, "x")
        await pilot.press(keys)
        await settle(pilot)
        for size in [(30, 8), (200, 60), (40, 12)]:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert "nan" in text_of(pilot)


async def test_a_way_that_is_very_long_is_told_by_its_ends(opened, text_of):
    text = "x=-1; h=sqrt(x); " + "; ".join(["h = h*1"] * 300)
    async with opened(shorthand(text)) as pilot:
        await pilot.press("f", "a")
        await settle(pilot)
        await pilot.press("end")
        assert pilot.app.screen.query_one(OptionList).option_count < 900
        options = pilot.app.screen.query_one(OptionList).options
        assert any("steps between" in str(option.prompt) for option in options)


# Stepping in


async def test_i_opens_the_operation_and_capital_i_closes_it(opened, text_of):
    async with opened("neuron.yaml") as pilot:
        await pilot.press("f", "f")
        await choose(pilot, "%2")
        assert "i open" in text_of(pilot)
        await pilot.press("i")
        await settle(pilot)
        shown = text_of(pilot)
        assert "A neuron ▸ %2 = σ(z) ▸ inside" in shown
        assert "I out" in shown
        await pilot.press("f", "I")
        await settle(pilot)
        shown = text_of(pilot)
        assert "%2: inside and outside agree up to rounding: to z" in shown
        assert "ulp apart" in shown
        assert "inside" not in shown.splitlines()[0]


async def test_inside_all_panes_show_the_inside_and_outside_again_the_outside(opened, text_of):
    async with opened("neuron.yaml", (160, 50)) as pilot:
        await pilot.press("f", "f")
        await choose(pilot, "%2")
        await pilot.press("i")
        await settle(pilot)
        shown = text_of(pilot)
        for said in ("# %2 = σ(z): a is z", "out = 1 / (1 + exp(-a))", "Inside of %2 = σ(z)",
                     "one operation to torch", "ExpBackward0"):  # fmt: skip
            assert said in shown
        await pilot.press("I")
        await settle(pilot)
        shown = text_of(pilot)
        assert "y = sigmoid(z) + sigmoid(-z)*2" in shown
        assert "Inside of" not in shown
        assert "SigmoidBackward0" in shown
        assert "one operation to torch" not in shown


async def test_torch_is_asked_once_about_the_outside_and_once_about_each_inside(opened, agreeing):
    asked = []
    ask = agreeing.ask
    agreeing.ask = lambda trace: (asked.append(trace), ask(trace))[1]
    async with opened("neuron.yaml", oracle=agreeing) as pilot:
        await pilot.press("f", "f")
        await choose(pilot, "%2")
        await pilot.press("i")
        await settle(pilot)
        inside = pilot.app.session.trace
        await pilot.press("I")
        await settle(pilot)
        assert asked == [pilot.app.session.trace, inside]


async def test_escape_leads_out_of_an_operation_too(opened):
    async with opened("neuron.yaml") as pilot:
        await pilot.press("f", "f")
        await choose(pilot, "%2")
        await pilot.press("i", "escape")
        await pilot.pause()
        assert pilot.app.session.outer is None
        assert isinstance(pilot.app.screen, DebuggerScreen)


async def test_what_cannot_be_opened_says_so(opened, text_of):
    async with opened() as pilot:
        await choose(pilot, "x")
        await pilot.press("i")
        await pilot.pause()
        assert "x is an input: nothing was computed that could be opened" in text_of(pilot)
        await pilot.press("I")
        await pilot.pause()
        assert "this is not the inside of an operation" in text_of(pilot)


async def test_what_takes_long_is_done_in_a_thread_and_can_be_let_go(opened, text_of, monkeypatch):
    released = Event()

    def late(session):
        with nobody_waits():
            released.wait(60)
        return step_into(session)

    row = replace(BY_NAME["step_into"], apply=late)
    monkeypatch.setattr(application, "BY_NAME", {**BY_NAME, "step_into": row})
    impatient(monkeypatch)
    async with opened("neuron.yaml") as pilot:
        await choose(pilot, "%2")
        await pilot.press("i")
        assert "opening %2 = σ(z) … · esc stops" in text_of(pilot)
        waiting = pilot.app.screen
        await pilot.press("ctrl+p")
        assert pilot.app.screen is waiting, "what is behind it would be shut in its place"
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, DebuggerScreen)
        await pilot.press("i", "f")
        assert pilot.app.session.cursor == 0
        released.set()
        await until(pilot, lambda: pilot.app.session.outer is not None)
        end = pilot.app.session.trace.passes[0].stop
        await until(pilot, lambda: pilot.app.session.cursor == end)


def test_every_reason_is_in_the_table():
    assert [BY_NAME[name].keys for name in ("origin", "autopsy", "step_into", "step_out")] == [
        ("o",), ("a",), ("i",), ("I",)
    ]  # fmt: skip


# Texts


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "1"), (2**20, "1,048,576"), (10**40, f"{10**40:,}"), (2**5000, "about 1.41·10¹⁵⁰⁵")],
)  # fmt: skip
def test_a_count_is_told_to_the_last_digit_unless_it_has_very_many(count, text):
    assert count_text(count) == text


def test_where_the_digits_do_not_fit_it_is_told_about_how_many_there_are():
    assert count_text(2**100, 41) == f"{2**100:,}"
    assert count_text(2**100, 40) == "about 1.27·10³⁰"


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "–"), (1, "100 %"), (-0.5, "−50 %"), (0.001, "<1 %"), (-0.001, ">−1 %"), (0, "0 %"),
     (1e9, "≫"), (-1e9, "≪")],
)  # fmt: skip
def test_a_share_is_a_percentage_and_never_rounded_to_nothing(share, text):
    assert share_text(share) == text


def test_of_a_path_of_many_steps_the_ends_are_listed_with_what_they_carry():
    trace = record(parse_shorthand(shorthand("x=1; h=x*1; " + "; ".join(["h = h*1.01"] * 500))))
    origin = find_origin(trace, trace.passes[1], 0)
    every = path_steps(origin, origin.paths[0], 1_000)
    assert len(every) == 502
    ends = path_steps(origin, origin.paths[0], 20)
    assert ends[10] is None
    assert ends[:10] == every[:10]
    assert [end.step for end in ends[11:]] == [one.step for one in every[-10:]]
    assert [end.carried for end in ends[11:]] == pytest.approx([one.carried for one in every[-10:]])


def test_what_is_too_long_is_abbreviated_in_the_middle():
    assert abbreviated(["a", "b", "c"], " → ", 20) == "a → b → c"
    assert abbreviated([*"abcdefgh"], " → ", 17) == "a → b → … → g → h"
    assert abbreviated(["a", "b"], " → ", 20, is_cut=True) == "a → … → b"
    assert abbreviated(["long name", "b", "other"], " → ", 12) == "long name →…"
