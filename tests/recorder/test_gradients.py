"""What becomes of gradients after they were sent: hooks, clearing, clipping, unscaling."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backprop_engine.recording.frames import Frames
from backprop_engine.recording.layout import FrameKind
from backprop_engine.recording.reader import read
from backprop_engine.recording.recording import Pass, Recording
from backprop_recorder.recorder import Recorder


class Recorded:
    """A recording, and what its frames say beyond it."""

    def __init__(self, path: Path) -> None:
        self.recording: Recording = read(path)
        frames = Frames(path)
        self.told: list[dict[str, Any]] = []
        for frame in frames.in_order:
            if frame.kind == FrameKind.JSON:
                self.told.append(frames.json(frame))
            elif frame.kind == FrameKind.TABLE:
                self.told.append(frames.table(frame)[0])

    def kind(self, name: str) -> list[dict[str, Any]]:
        return [told for told in self.told if told.get("kind") == name]

    def hooked(self) -> list[list[int]]:
        return [row for told in self.told if told.get("table") == "pass" for row in told["hooked"]]

    def line(self, stack: int) -> str:
        site = self.recording.site(stack)
        assert site is not None
        return self.recording.sources[site.file].splitlines()[site.line - 1].strip()

    def array(self, value: int) -> Any:
        found = self.recording.values.array(value)
        assert found is not None
        return found.tolist()

    def leaf(self, value: int) -> str:
        """The name of the leaf that was this value in a pass."""
        for pass_ in self.recording.passes:
            for node, number, _ in pass_.leaves.tolist():
                if number == value:
                    return pass_.leaf_names[node]
        raise AssertionError(value)


@pytest.fixture
def recorded(tmp_path) -> Callable[[Callable[[], object]], Recorded]:
    def run(program: Callable[[], object]) -> Recorded:
        with Recorder(tmp_path / "run.bp") as recorder:
            program()
        assert recorder.faults == []
        return Recorded(tmp_path / "run.bp")

    return run


def total(pass_: Pass, node: int, output: int) -> int:
    totals: dict[tuple[int, int], int] = {(at, out): n for at, out, n in pass_.totals.tolist()}
    return totals[node, output]


def test_a_hook_that_changes_a_gradient_is_told_with_what_it_was_and_its_line(recorded):
    x = torch.ones(3, requires_grad=True)

    def program() -> None:
        y = x * 2
        y.register_hook(lambda gradient: -gradient)
        (y * 3 + y * 4).sum().backward()

    found = recorded(program)
    ((node, output, before, stack),) = found.hooked()
    assert found.array(before) == [7.0] * 3
    assert found.array(total(found.recording.passes[0], node, output)) == [-7.0] * 3
    assert found.line(stack) == "y.register_hook(lambda gradient: -gradient)"


def test_a_hook_that_looks_on_is_no_change(recorded):
    x = torch.ones(3, requires_grad=True)
    x.register_hook(lambda gradient: None)
    x.register_post_accumulate_grad_hook(lambda leaf: None)

    def program() -> None:
        y = x * 2
        y.register_hook(lambda gradient: gradient * 1)
        z = y.exp()
        z.register_hook(lambda gradient: None)
        (z + z * float("nan")).sum().backward(retain_graph=True)
        torch.autograd.backward([y.sum(), x.sum()])

    assert recorded(program).hooked() == []


@pytest.mark.parametrize("size", [1, 3, 300])
def test_a_hook_from_before_the_recording_is_told_where_it_stands(recorded, size):
    x = torch.ones(size, requires_grad=True)
    x.register_hook(lambda gradient: gradient / 2)
    found = recorded(lambda: (x * 4).sum().backward())
    ((_, output, before, stack),) = found.hooked()
    assert (output, found.array(before)) == (0, [4.0] * size)
    assert found.line(stack) == "x.register_hook(lambda gradient: gradient / 2)"


def test_a_hook_in_place_and_one_on_a_node_are_told_too(recorded):
    x = torch.ones(3, requires_grad=True)

    def program() -> None:
        y = x * 2
        y.register_hook(lambda gradient: (gradient.mul_(10), None)[1])
        z = y.exp()
        z.grad_fn.register_prehook(lambda received: (received[0] + 1,))
        z.sum().backward()

    assert len(recorded(program).hooked()) == 2


def test_a_hook_that_changes_grad_itself_is_told_as_output_minus_one(recorded):
    x = torch.ones(3, requires_grad=True)
    kept = torch.ones(3, requires_grad=True)
    x.register_post_accumulate_grad_hook(lambda leaf: (leaf.grad.mul_(0.5), None)[1])
    kept.register_post_accumulate_grad_hook(lambda leaf: setattr(leaf, "grad", None))
    found = recorded(lambda: (x * 4 + kept).sum().backward())
    rows = {found.recording.passes[0].leaf_names[row[0]]: row for row in found.hooked()}
    assert rows.keys() == {"x", "kept"}
    assert [rows["x"][1], found.array(rows["x"][2])] == [-1, [4.0] * 3]
    finals = {node: grad for node, _, grad in found.recording.passes[0].leaves.tolist()}
    assert found.array(finals[rows["x"][0]]) == [2.0] * 3
    assert finals[rows["kept"][0]] == -1


def test_an_optimiser_clears_the_gradients_of_its_own(recorded):
    a = torch.ones(2, requires_grad=True)
    b = torch.ones(2, requires_grad=True)
    first, second = torch.optim.SGD([a]), torch.optim.SGD([b])

    def program() -> None:
        (a * b).sum().backward()
        first.zero_grad()
        (a * b).sum().backward()
        second.step()
        second.zero_grad(set_to_none=False)

    cleared = recorded(program)
    assert [
        ([cleared.leaf(value) for value in told["values"]], told["to_none"])
        for told in cleared.kind("zero_grad")
    ] == [(["a"], True), (["b", "b"], False)]


def test_gradients_cleared_one_by_one_or_by_a_module_are_told(recorded):
    a = torch.ones(2, requires_grad=True)
    b = torch.ones(2, requires_grad=True)
    net = torch.nn.Linear(2, 1, bias=False)

    def program() -> None:
        (net(a) * b.sum()).sum().backward()
        for leaf in (a, b):
            leaf.grad = None
        net.zero_grad()
        (a * 2).sum().backward()
        a.grad.zero_()
        torch.zeros(2).zero_()

    cleared = recorded(program)
    told = cleared.kind("zero_grad")
    assert [[cleared.leaf(value) for value in row["values"]] for row in told] == [
        ["a", "b"], ["net.weight"], ["a"],
    ]  # fmt: skip
    assert [row["to_none"] for row in told] == [True, True, False]
    assert cleared.line(told[0]["stack"]) == "leaf.grad = None"


def test_clipping_and_unscaling_say_how_much(recorded):
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    optimizer = torch.optim.SGD([w])
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)

    def program() -> None:
        scaler.scale((w * w / 2).sum()).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_((leaf for leaf in [w]), 1.0)
        torch.nn.utils.clip_grad_value_((leaf for leaf in [w]), 0.7)
        scaler.step(optimizer)

    found = recorded(program)
    events = found.kind("gradients")
    assert [event["how"] for event in events] == ["unscale", "clip_norm", "clip_value"]
    assert [event["factor"] for event in events] == pytest.approx([0.125, 0.2, 0.7], rel=1e-5)
    assert events[0]["before"] == pytest.approx([40.0])
    assert events[0]["after"] == events[1]["before"] == pytest.approx([5.0])
    assert events[1]["after"] == pytest.approx([1.0], rel=1e-5)
    assert [found.leaf(event["leaves"][0]) for event in events] == ["w"] * 3
    np.testing.assert_allclose(found.array(events[2]["values"][0]), [0.6, 0.7], rtol=1e-5)
    assert found.line(events[1]["stack"]).startswith("torch.nn.utils.clip_grad_norm_(")
    functions = found.recording.functions
    called = {functions[number].name for number in found.recording.calls.columns["function"]}
    assert "_foreach_mul_" not in called  # what torch calls for it is nothing to keep
