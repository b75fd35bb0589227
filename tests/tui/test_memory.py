"""What survives a restart, and files that something else has written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from tests.full_disk import full_disk

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.memory import file
from backprop_tui.memory.keeper import Keeper
from backprop_tui.memory.layout import Layout
from backprop_tui.session.session import open_session, toggle_fold
from backprop_tui.session.stops import watching as watches
from backprop_tui.session.stops.editing import set_breakpoint
from backprop_tui.session.stops.parsing import parse_breakpoint
from backprop_tui.session.whatif.state import WhatIf

TEXT = Source("<-e>", "x=2, y=x**2+3x+1")
LOOK = Layout("watches", "torch", is_zoomed=True, sizes={"left": 600, "below": 300})


def fresh(text=TEXT):
    return open_session(record(parse_shorthand(text)))


def used():
    session = toggle_fold(fresh(), 1)
    session = set_breakpoint(session, None, parse_breakpoint("x if grad > 3", session.trace))
    return watches.set_watch(session, None, "y*2")


def kept(folder, target=TEXT, session=None):
    keeper = Keeper(folder, "blackboard")
    keeper.recall(target, fresh(), fresh=False)
    assert keeper.keep(session or used(), LOOK, "whiteboard") == ""
    return file.file_of(folder, target)


def test_all_comes_back_as_it_was(tmp_path):
    kept(tmp_path)
    found = Keeper(tmp_path, "blackboard").recall(TEXT, fresh(), fresh=False)
    was = used()
    assert found.session.folds == was.folds != frozenset()
    assert found.session.stops.breakpoints == was.stops.breakpoints
    assert found.session.stops.watches == was.stops.watches
    assert (found.kept.layout, found.kept.theme) == (LOOK, "whiteboard")
    assert found.session.notice == ""


def test_each_scenario_has_a_memory_of_its_own_by_resolved_path_or_text(tmp_path):
    real = tmp_path / "real.yaml"
    real.write_text("x=2, y=x")
    link = tmp_path / "link.yaml"
    link.symlink_to(real)
    assert file.file_of(tmp_path, real) == file.file_of(tmp_path, link)
    assert file.file_of(tmp_path, TEXT) != file.file_of(tmp_path, Source("<-e>", "x=1, y=x"))


def test_fresh_begins_anew_and_what_is_then_done_is_kept(tmp_path):
    path = kept(tmp_path)
    keeper = Keeper(tmp_path, "blackboard")
    found = keeper.recall(TEXT, fresh(), fresh=True)
    assert found.kept is None
    assert found.session.stops.all == ()
    keeper.keep(watches.set_watch(fresh(), None, "x"), Layout(), "blackboard")
    assert [one["expression"] for one in json.loads(path.read_text())["watches"]] == ["x"]


def test_nothing_is_written_where_nothing_was_done(tmp_path):
    keeper = Keeper(tmp_path / "state", "blackboard")
    keeper.recall(TEXT, fresh(), fresh=False)
    assert keeper.keep(fresh(), Layout(), "blackboard") == ""
    assert not (tmp_path / "state").exists()


def test_the_same_is_not_written_twice_and_nothing_half_written_stays(tmp_path):
    path = kept(tmp_path)
    keeper = Keeper(tmp_path, "blackboard")
    keeper.recall(TEXT, fresh(), fresh=False)
    path.unlink()
    keeper.keep(used(), LOOK, "whiteboard")
    assert not path.exists()
    keeper.keep(used(), LOOK, "blackboard")
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_what_the_graph_no_longer_has_is_told_and_kept(tmp_path):
    path = kept(tmp_path)
    other = open_session(record(parse_shorthand(Source("<-e>", "z=2, y=z*3"))))
    keeper = Keeper(tmp_path, "blackboard")
    found = keeper.recall(TEXT, other, fresh=False)
    assert "breakpoint x if grad > 3: there is no node `x`" in found.session.notice
    assert [one.text for one in found.session.stops.all] == ["y*2"]
    keeper.keep(found.session, Layout(), "whiteboard")
    assert [one["name"] for one in json.loads(path.read_text())["breakpoints"]] == ["x"]


LAYOUT = {"pane": "chain", "focus": "graph", "zoomed": False}
"""As an earlier version wrote it, without sizes."""
SIZELESS = {**LAYOUT, "sizes": {"left": 0}}
GOOD = {
    "version": 1,
    "scenario": "s",
    "breakpoints": [],
    "watches": [],
    "folds": [],
    "layout": LAYOUT,
    "theme": "blackboard",
}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"", "no JSON"),
        (b"[]", "no version"),
        (b'{"version": "1"}', "no version"),
        (json.dumps({**GOOD, "version": 2}).encode(), "version 2, this program knows 1"),
        (json.dumps({**GOOD, "layout": 3}).encode(), "not what this program writes"),
        (json.dumps({**GOOD, "layout": SIZELESS}).encode(), "not what this program writes"),
        (json.dumps({**GOOD, "folds": [["x"]]}).encode(), "not what this program writes"),
        (json.dumps({**GOOD, "theme": 3}).encode(), "not what this program writes"),
        (
            json.dumps({**GOOD, "breakpoints": [{"on": "moon"}]}).encode(),
            "not what this program writes",
        ),
        (json.dumps({**GOOD, "watches": None}).encode(), "not what this program writes"),
        (b'{"version": 1}', "not what this program writes"),
        (b" " * 5_000_000, "too large"),
    ],
    ids=range(15),
)
def test_a_broken_file_is_set_aside_with_a_notice(tmp_path, content, reason):
    path = file.file_of(tmp_path, TEXT)
    path.parent.mkdir()
    path.write_bytes(content)
    found = Keeper(tmp_path, "blackboard").recall(TEXT, fresh(), fresh=False)
    assert found.kept is None
    assert found.session.stops.all == ()
    assert reason in found.session.notice
    assert Path(f"{path}.broken").read_bytes() == content
    assert not path.exists()


def test_a_good_file_is_read(tmp_path):
    path = file.file_of(tmp_path, TEXT)
    path.parent.mkdir()
    path.write_text(json.dumps(GOOD))
    assert Keeper(tmp_path, "x").recall(TEXT, fresh(), fresh=False).kept.theme == "blackboard"


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path):
    (tmp_path / "state").write_text("a file where the folder should be")
    keeper = Keeper(tmp_path / "state" / "deeper", "blackboard")
    found = keeper.recall(TEXT, fresh(), fresh=False)
    assert "cannot be read" in found.session.notice
    assert "cannot be kept" in keeper.keep(used(), LOOK, "blackboard")
    assert keeper.keep(used(), Layout(), "whiteboard") == ""


@pytest.mark.parametrize("left", [0, 1, 200])
def test_a_full_disk_leaves_the_old_file_and_no_other_and_is_told_once(tmp_path, left):
    path = kept(tmp_path)
    before = path.read_text()
    keeper = Keeper(tmp_path, "blackboard")
    keeper.recall(TEXT, fresh(), fresh=False)
    with full_disk(left):
        told = keeper.keep(used(), Layout(), "blackboard")
        assert told.startswith("breakpoints and layout cannot be kept: File too large")
        assert keeper.keep(used(), Layout(), "blackboard") == ""
        assert keeper.trouble == told
    assert path.read_text() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_once_there_is_room_again_all_is_kept_and_said_to_be(tmp_path):
    path = kept(tmp_path)
    keeper = Keeper(tmp_path, "blackboard")
    keeper.recall(TEXT, fresh(), fresh=False)
    changed = watches.set_watch(used(), None, "x*5")
    with full_disk():
        keeper.keep(changed, LOOK, "blackboard")
    assert keeper.keep(changed, LOOK, "blackboard") == "breakpoints and layout are kept again"
    assert keeper.trouble == ""
    assert [one["expression"] for one in json.loads(path.read_text())["watches"]] == ["y*2", "x*5"]


def expressions(path):
    return sorted(one["expression"] for one in json.loads(path.read_text())["watches"])


def test_two_programs_at_the_same_file_leave_what_both_have(tmp_path):
    both = [Keeper(tmp_path, "blackboard") for _ in range(2)]
    for one in both:
        one.recall(TEXT, fresh(), fresh=False)

    def write(number):
        for round_ in range(30):
            session = watches.set_watch(fresh(), None, f"y*{number}{round_}")
            assert both[number].keep(session, LOOK, "blackboard") == ""

    writing = [Thread(target=write, args=(number,)) for number in range(2)]
    for one in writing:
        one.start()
    for one in writing:
        one.join()
    path = file.file_of(tmp_path, TEXT)
    assert expressions(path) == ["y*029", "y*129"]
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def two_programs(tmp_path, session):
    """Two that have opened the same scenario, where `session` was kept; and its file."""
    path = kept(tmp_path, session=session)
    both = [Keeper(tmp_path, "blackboard") for _ in range(2)]
    first, second = (one.recall(TEXT, fresh(), fresh=False).session for one in both)
    return path, both, first, second


def breakpoint_on(session, text):
    return set_breakpoint(session, None, parse_breakpoint(text, session.trace))


def test_what_another_program_adds_changes_or_deletes_is_kept(tmp_path):
    path, (ours, theirs), mine, other = two_programs(tmp_path, used())
    other = watches.delete_watch(other)
    other = breakpoint_on(other, "operation add")
    assert theirs.keep(other, Layout("notes"), "nord") == ""
    mine = watches.set_watch(mine, None, "x.grad")
    assert ours.keep(mine, LOOK, "whiteboard") == ""
    written = json.loads(path.read_text())
    assert [one["name"] for one in written["breakpoints"]] == ["x", "add"]
    assert expressions(path) == ["x.grad"]
    assert (written["theme"], written["layout"]["pane"]) == ("nord", "notes")
    # What was never ours is not ours to delete, and what is deleted stays so.
    mine = watches.set_watch(mine, None, "y.grad")
    assert ours.keep(mine, LOOK, "whiteboard") == ""
    assert expressions(path) == ["x.grad", "y.grad"]
    assert [one["name"] for one in json.loads(path.read_text())["breakpoints"]] == ["x", "add"]


def test_what_both_have_changed_is_told_and_ours_is_kept(tmp_path):
    path, (ours, theirs), mine, other = two_programs(tmp_path, used())
    theirs.keep(_ignoring(other, 3), LOOK, "whiteboard")
    told = ours.keep(_ignoring(mine, 5), LOOK, "whiteboard")
    assert told == "another backprop-tui has changed x if grad > 3, too: yours is kept"
    assert [one["ignored"] for one in json.loads(path.read_text())["breakpoints"]] == [5]


def _ignoring(session, hits):
    (old,) = session.stops.breakpoints
    stops = replace(session.stops, breakpoints=(replace(old, ignored=hits),))
    return replace(session, stops=stops)


def test_both_may_make_the_same_change(tmp_path):
    _, (ours, theirs), mine, other = two_programs(tmp_path, used())
    theirs.keep(_ignoring(other, 3), LOOK, "whiteboard")
    assert ours.keep(_ignoring(mine, 3), LOOK, "whiteboard") == ""


def test_what_another_program_adds_to_one_that_began_fresh_is_kept(tmp_path):
    path = kept(tmp_path)
    keeper = Keeper(tmp_path, "blackboard")
    keeper.recall(TEXT, fresh(), fresh=True)
    other = Keeper(tmp_path, "blackboard")
    there = other.recall(TEXT, fresh(), fresh=False).session
    other.keep(watches.set_watch(there, None, "y*7"), LOOK, "whiteboard")
    keeper.keep(watches.set_watch(fresh(), None, "x"), Layout(), "blackboard")
    assert expressions(path) == ["x", "y*7"]


def test_a_file_that_is_broken_since_is_set_aside_with_a_notice(tmp_path):
    path, (ours, _), mine, _ = two_programs(tmp_path, used())
    path.write_text("{")
    told = ours.keep(watches.set_watch(mine, None, "x"), LOOK, "whiteboard")
    assert told == f"the state file was set aside, it is no JSON: {path}.broken"
    assert expressions(path) == ["x", "y*2"]


def test_a_program_that_was_stopped_while_it_wrote_is_not_waited_for(tmp_path):
    path, (ours, _), mine, _ = two_programs(tmp_path, used())
    with file.alone(path):
        assert ours.keep(watches.set_watch(mine, None, "x"), LOOK, "whiteboard") == ""
    assert expressions(path) == ["x", "y*2"]


def test_inside_of_an_operation_what_is_around_it_is_kept(tmp_path):
    inside = replace(fresh(), outer=used(), whatif=WhatIf())
    path = kept(tmp_path, session=inside)
    assert [one["expression"] for one in json.loads(path.read_text())["watches"]] == ["y*2"]
