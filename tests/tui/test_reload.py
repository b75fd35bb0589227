"""The same place in another run of nearly the same text; when a file is read; which editor."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_document
from backprop_tui.app.file_desk import Editor, at_line, find_editor
from backprop_tui.app.file_looks import after, begin, look
from backprop_tui.session.reload import carry, same_cursor
from backprop_tui.session.session import open_session, select
from backprop_tui.session.stops import watching as watches
from backprop_tui.session.stops.editing import set_breakpoint
from backprop_tui.session.stops.parsing import parse_breakpoint

OLD = "inputs: {x: 2}\ncompute: |\n  a = x**2\n  b = 3x\n  y = a + b\n"


def trace(text):
    return record(parse_document(Source("lesson.yaml", text)))


def session(text):
    return open_session(trace(text))


def told(one, cursor):
    """What the step at a cursor does, in names."""
    step = one.step(cursor)
    return [
        step.kind,
        *("" if node is None else one.label(node) for node in (step.node, step.operand)),
    ]


CHANGES = {
    "another number": OLD.replace("3x", "4x"),
    "a line above": OLD.replace("  a =", "  t = sin(x)*2\n  a ="),
    "a comment": "# new\n" + OLD,
    "an input above": OLD.replace("{x: 2}", "{w: 1, x: 2}"),
    "a line below": OLD + "  z = y*2\n",
    "another pass": OLD + "backward: [y, y]\n",
}


@pytest.mark.parametrize("new", CHANGES.values(), ids=CHANGES)
def test_every_step_of_the_old_run_is_found_again(new):
    old, fresh = trace(OLD), trace(new)
    for cursor in range(1, len(old)):
        found = same_cursor(old, cursor, fresh)
        if "z = " in new and cursor >= old.passes[0].stop:
            continue  # that pass is no more: backward starts from z now
        assert told(fresh, found) == told(old, cursor)


def test_the_values_of_what_changes_in_place_are_found_again_one_by_one():
    text = "inputs: {x: [1, 2]}\ncompute: |\n  y = x*2\n  v = y[0]\n  v *= 3\n  s = (y*y).sum()\n"
    old, fresh = trace(text), trace(text.replace("x*2", "x*5"))
    assert "y@2" in old.nodes.names.values()
    for cursor in range(len(old)):
        assert told(fresh, same_cursor(old, cursor, fresh)) == told(old, cursor)


@given(st.integers(0, 8))
def test_in_the_same_text_every_place_is_itself(cursor):
    one = trace(OLD)
    assert same_cursor(one, cursor, trace(OLD)) == cursor


def test_the_start_stays_the_start_and_the_end_the_end():
    old, fresh = trace(OLD), trace(CHANGES["a line below"])
    assert same_cursor(old, 0, fresh) == 0
    assert same_cursor(old, len(old), fresh) == len(fresh)


def test_where_a_step_is_no_more_the_place_is_after_the_nearest_before():
    old = trace(OLD)
    fresh = trace("inputs: {x: 2}\ncompute: |\n  a = x**2\n  y = a\n")
    b = next(k for k in range(len(old)) if old.step(k).node == old.named("b"))
    assert told(fresh, same_cursor(old, b, fresh) - 1) == told(old, b - 1) or b == 0


def test_selection_folds_marks_breakpoints_and_watches_come_along_by_name():
    old = session(OLD)
    a = int(old.outline.full_rows[old.trace.named("a")])
    old = replace(select(old, a), folds=frozenset({a}), cursor=6, marks={"m": 6}, rate=8.0)
    old = set_breakpoint(old, None, parse_breakpoint("b if grad > 0", old.trace))
    old = watches.set_watch(old, None, "x.grad")
    new = carry(old, session(CHANGES["a line above"]))
    row = int(new.outline.full_rows[new.trace.named("a")])
    assert (new.row, new.folds, new.rate) == (row, frozenset({row}), 8.0)
    assert told(new.trace, new.cursor) == told(old.trace, 6)
    assert new.marks == {"m": new.cursor}
    assert [one.text for one in new.stops.all] == ["b if grad > 0", "x.grad"]
    assert new.notice == "read again"


def test_a_breakpoint_whose_name_is_gone_comes_back_with_it():
    old = session(OLD)
    old = set_breakpoint(old, None, parse_breakpoint("b", old.trace))
    gone = carry(old, session(OLD.replace("  b = 3x\n", "").replace("a + b", "a")))
    assert gone.stops.breakpoints == ()
    assert "breakpoint b: there is no node `b`" in gone.notice
    assert [breakpoint_.text for breakpoint_ in carry(gone, session(OLD)).stops.breakpoints] == [
        "b"
    ]


def test_edited_values_are_those_of_the_file_again():
    old = session(OLD)
    old = replace(old, whatif=replace(old.whatif, values={0: 3.0}))
    new = carry(old, session(OLD))
    assert not new.whatif.values
    assert "edited values are the file's again" in new.notice


def test_inside_of_an_operation_one_is_back_outside():
    outer = replace(session(OLD), cursor=3)
    new = carry(replace(session("inputs: {a: 1}\ncompute: y = a\n"), outer=outer), session(OLD))
    assert (new.cursor, new.outer) == (3, None)
    assert "back outside" in new.notice


# When the file is read


def looks(path, *acts):
    """Whether each act, followed by two looks, leads to reading."""
    watched, read = begin(look(path)), []
    for act in acts:
        act()
        found = []
        for _ in range(2):
            watched, is_due = after(watched, look(path))
            found.append(is_due)
        read.append(found)
    return read


def test_a_file_is_read_when_two_looks_find_the_same_change(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("one")
    other = tmp_path / ".a.yaml.swp"

    def renamed():
        other.write_text("two")
        other.replace(path)

    def touched():
        os.utime(path, ns=(1, 1))

    assert looks(
        path,
        lambda: None,
        lambda: path.write_text("longer"),
        renamed,
        path.unlink,
        lambda: path.write_text("back"),
        touched,
    ) == [
        [False, False],
        [False, True],
        [False, True],
        [False, False],
        [False, True],
        [False, True],
    ]


def test_who_is_still_writing_is_left_alone(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("1")
    watched = begin(look(path))
    for count in range(2, 6):
        path.write_text("x" * count)
        watched, is_due = after(watched, look(path))
        assert not is_due
    assert after(watched, look(path))[1]


def test_a_file_that_was_not_there_is_read_once_it_is(tmp_path):
    path = tmp_path / "a.yaml"
    assert looks(path, lambda: None, lambda: path.write_text("x")) == [
        [False, False],
        [False, True],
    ]
    assert begin(look(path / "under a file")).is_gone


# Editors


@pytest.mark.parametrize(
    ("environment", "command"),
    [
        ({"VISUAL": "vim", "EDITOR": "nano"}, ("vim",)),
        ({"EDITOR": "nano"}, ("nano",)),
        ({"VISUAL": " ", "EDITOR": "code --wait"}, ("code", "--wait")),
        ({"EDITOR": "'/a b/emacs' -nw"}, ("/a b/emacs", "-nw")),
        ({"EDITOR": "/there/my vi"}, ("/there/my vi",)),
        ({"EDITOR": "/away/my vi"}, ("/away/my", "vi")),
    ],
)
def test_the_editor_is_visual_else_editor(environment, command):
    found = find_editor(environment, lambda name: name if name.startswith("/there/") else None)
    assert (found.command, found.told) == (command, "")


def test_without_either_one_that_is_there_is_taken_and_told():
    found = find_editor({}, lambda name: f"/bin/{name}" if name == "vi" else None)
    assert found.command == ("vi",)
    assert "neither $VISUAL nor $EDITOR" in found.told
    assert "set $EDITOR" in find_editor({}, lambda _: None)


def test_a_variable_that_names_no_editor_is_told():
    told = find_editor({"VISUAL": "'vim"}, lambda _: None)
    assert told == "$VISUAL cannot be read, a quote in it is not closed: 'vim"
    assert find_editor({"EDITOR": "''"}, lambda _: None) == "$EDITOR names no command: ''"


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (("vim",), ["+7", "FILE"]),
        (("/usr/bin/nano",), ["+7", "FILE"]),
        (("emacs", "-nw"), ["-nw", "+7", "FILE"]),
        (("code", "--wait"), ["--wait", "-g", "FILE:7"]),
        (("hx",), ["FILE:7"]),
        (("ed",), ["FILE"]),
    ],
)
def test_each_editor_is_told_the_line_in_its_own_way(command, arguments, tmp_path):
    path = tmp_path / "a.yaml"
    written = [argument.replace("FILE", str(path)) for argument in arguments]
    assert at_line(Editor(command), path, 7)[1:] == written
