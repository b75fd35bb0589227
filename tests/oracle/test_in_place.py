"""Changes in place, and values that a pass has freed: torch's numbers, or its error."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.oracle.in_place_programs import HEAD, LEAVES, Program, program
from tests.oracle.saving import EXAMPLES, MORE, enumerated, table, text_of
from tests.thorough import share

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.basics.values import in_full
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.catalogue.saved import PATH
from backprop_engine.run.record import record
from backprop_engine.run.sharing import Sharers
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand, parse_snippet
from backprop_engine.trace import Trace
from backprop_tui.oracles.report import Ready
from backprop_tui.oracles.torch.agreement import agreement

NOT_TOLD = (
    "which torch does not notice",  # by `.data`
    "this would change the memory of a value that requires grad, without its history",
    "one element stands in several places of this view",
    "unsupported operation: some elements of the input tensor",  # torch leaves some of it open
    "does not require grad any more",
)
"""What is refused though torch may have an answer."""


def run_here(text: str) -> Trace:
    return record(parse_snippet(Source("snippet.py", text)))


def run_or_refuse(text: str) -> Trace | str:
    try:
        return run_here(text)
    except ScenarioError as error:
        return str(error)


def assert_as_torch(done: Program, trace: Trace) -> None:
    for name, node in trace.assigned.items():
        theirs = done.names.get(name)
        if isinstance(theirs, torch.Tensor):
            np.testing.assert_allclose(
                graph_of(trace).value[node],
                theirs.detach().numpy(),
                rtol=1e-9,
                atol=1e-12,
                err_msg=done.text,
            )
    for name in LEAVES:
        ours, theirs = trace.grad(graph_of(trace).inputs[name], len(trace)), done.names[name].grad
        assert (ours is None) == (theirs is None), done.text
        if ours is not None:
            np.testing.assert_allclose(
                in_full(ours), theirs.numpy(), rtol=1e-9, atol=1e-12, err_msg=done.text
            )


@pytest.mark.parametrize("tenth", range(10))
def test_random_programs_come_out_as_in_torch_or_are_refused(tenth):
    for seed in range(tenth, share(usual=100, thorough=250), 10):
        done = program(seed)
        trace = run_or_refuse(done.text)
        if isinstance(trace, str):
            assert done.error or any(one in trace for one in NOT_TOLD), done.text
        else:
            assert not done.error, done.text
            assert_as_torch(done, trace)


def run_by_torch(lines: str) -> Program:
    done = Program(random=None)  # type: ignore[arg-type]
    for line in (*HEAD, *lines.split("\n")):
        if not done.error:
            done.run(line)
    torch.set_default_dtype(torch.float32)
    return done


SAME = {
    "another name": "z = y\nz += 1\n(y * z).sum().backward()",
    "a list of one tensor": (
        "h = x * 1\nhs = []\nfor i in range(3): h += x; hs.append(h)\n"
        "(torch.stack(hs, dim=0) ** 2).sum().backward()"
    ),
    "an item of a list": (
        "hs = [y, y * 2]\ngs = hs\ngs[0] *= 3\n(y + hs[0] * gs[1]).sum().backward()"
    ),
    "a list that grows by two names": (
        "a = [x]\nb = a\nb += [y]\nn = len(a)\n(a[1] * n).sum().backward()"
    ),
    "a list that is made anew": (
        "a = [x]\nb = a\nb = b + [y]\nn = len(a)\n(a[0] * n).sum().backward()"
    ),
    "a tuple": "a = (x, w)\nb = a\nb += (y,)\nn = len(a)\n(b[2] * n).sum().backward()",
    "numbers": "n = 1\nm = n\nm += 2\n(y * n + m).sum().backward()",
    "a total that begins as a number": (
        "s = 0.0\nfor i in range(2): t = s; s += y[i].sum()\n(s * t).sum().backward()"
    ),
    "a view": "v = y[0]\nu = y.T\nv += 10\n(u[0] * y[:, 1]).sum().backward()",
    "the base of a view": "v = y.view(-1)[1:4]\ny *= w\n(v * v).sum().backward()",
    "a view of a view": "v = y.T[1]\nv *= 2\nv[0] = w[0]\n(y ** 2).sum().backward()",
    "elements": (
        "y[0, 1] = w[1]\ny[1] *= 3\ny[:, [0, 2]] += 1\ny[y > 0] = 0.5\n(y * x).sum().backward()"
    ),
    "methods": "y.mul_(2).add_(x)\ny[0].sin_()\ny.T[0].zero_()\ny[1].copy_(w)\ny.sum().backward()",
    "an argument": "h = F.relu(y, inplace=True)\n(h + y).sum().backward()",
    "a product of matrices makes a new value": (
        "a = y\na @= torch.eye(3)\na += 1\n(y * a).sum().backward()"
    ),
    "what is handed through": "h = y.contiguous()\nh += 1\n(y * h).sum().backward()",
    "a view that is read after its base became dependent": (
        "v = c[0]\nc *= w\nu = v.exp()\nv += 1\n(v * u).sum().backward()"
    ),
    "an element of such a view": "v = c[0]\nc *= w\nv[0] = 1\nv += 1\n(v * x).sum().backward()",
    "such a view that has changed before": (
        "v = c[0]\nv *= w\nc += 1\nv += 1\n(v * x).sum().backward()"
    ),
    "a later view of such a view": "v = c[0]\nc *= w\nu = v[:2]\nu += 1\n(v * x).sum().backward()",
    "what becomes dependent": "v = c[0]\nc *= w\n(v * x).sum().backward()",
    "a constant that nobody needs": "d = y + c\nc += 1\nd.sum().backward()",
    "a change after the pass": (
        "h = x.exp()\nh.sum().backward()\nh += 1\n(x * h.detach()).sum().backward()"
    ),
    "the last value keeps its gradient": (
        "y.retain_grad()\nz = y * 3\ny += 1\n(z + y * 5).sum().backward()"
    ),
    "a leaf inside of no_grad": (
        "with torch.no_grad(): w -= 0.1; w.clamp_(min=0); w[0] = 3\n"
        "(w * y.detach() * w).sum().backward()"
    ),
    "a leaf between two passes": (
        "(w * w).sum().backward()\nwith torch.no_grad(): w *= 2\nw.grad.zero_()\n"
        "(w * w * w).sum().backward()"
    ),
    "the leaves of a list in a loop": (
        "for p in [x, w]: h = p.detach(); h -= 0.1 * h\n(x * w).sum().backward()"
    ),
    "what was computed, inside of no_grad": (
        "y.retain_grad()\nwith torch.no_grad(): y += w\n(y * y).sum().backward()"
    ),
    "a view inside of no_grad, and another view": (
        "v = y[0]\nu = y.T\nwith torch.no_grad(): v.mul_(2)\n(u * u).sum().backward()"
    ),
    "the transpose of a leaf inside of no_grad": (
        "with torch.no_grad(): x.T[0] = 1\n(x * w * x).sum().backward()"
    ),
    "what lies in the memory of a leaf": "d = x.detach()\nd *= 3\n(x * x).sum().backward()",
    "a leaf that was made of what changes": (
        "v = y.detach().requires_grad_()\ny *= 3\n(v * v + y).sum().backward()"
    ),
    "a view of a detached one, taken inside of no_grad": (
        "with torch.no_grad(): v = y.detach()[0]\ny += 1\n(v * w).sum().backward()"
    ),
    "data": (
        "w.data -= 1\nw.data[0] = 2\ny.data.mul_(3)\nx.data.T[0] = 1\n"
        "(w * w * y.data + x * c).sum().backward()"
    ),
    "a second pass where nothing was saved": (
        "(x + 1).sum().backward()\ns = x.sum()\ns.backward()\ns.backward()"
    ),
    "a second pass of a retained graph": "s = y.sum()\ns.backward(retain_graph=True)\ns.backward()",
}


@pytest.mark.parametrize("lines", SAME.values(), ids=list(SAME))
def test_a_change_in_place_is_seen_by_all_that_share_the_memory(lines, oracle):
    done = run_by_torch(lines)
    assert not done.error
    trace = run_here(done.text)
    assert_as_torch(done, trace)
    answer = oracle.ask(trace)
    assert isinstance(answer, Ready), answer
    agreed = agreement(trace, answer.report)
    assert not agreed.faulty_nodes
    assert not agreed.faulty_steps


REFUSED = {
    "the output is needed": ("h = x.exp()\nh += 1\nh.sum().backward()", "9:1"),
    "an operand is needed": ("h = y * y\ny += 1\nh.sum().backward()", "9:1"),
    "a constant is needed": ("h = x * c\nc += 1\nh.sum().backward()", "9:1"),
    "it is changed through a view": (
        "h = x.sin()\nk = h.exp()\nk[0] = 0.5\nk.sum().backward()",
        "10:1",
    ),
    "the second factor is the first": ("y *= y\ny.sum().backward()", "8:1"),
    "a leaf": ("x += 1", "8:1"),
    "an element of a leaf": ("x[0] = 1", "8:1"),
    "a leaf that was handed through": ("v = x.contiguous()\nv += 1", "9:1"),
    "an element of such a leaf": ("v = torch.positive(x)\nv[0] = 1", "9:1"),
    "a view of a leaf": ("v = x.T\nv *= 2", "9:1"),
    "a view whose base became dependent": ("v = c[0]\nc *= w\nv += 1", "10:1"),
    "a view beside the one that became dependent": ("v = c[0]\nu = c[1]\nu *= w\nv += 1", "11:1"),
    "such a view that was handed through": (
        "v = c[0]\nc *= w\nu = v.contiguous()\nk = v > 0\nv *= 2",
        "12:1",
    ),
    "such a view of which an element was written before": ("v = c[0]\nv[0] = w[0]\nv += 1", "10:1"),
    "one of several views": ("a, b = y\na += 1", "9:1"),
    "a row of a loop": ("for r in y: r += 1", "8:13"),
    "one of several views, whose base changes": ("a, b = y.chunk(2)\ny += 1\nz = a * 2", "10:5"),
    "an expanded tensor": ("v = w.exp().expand(2, 3)\nv += 1", "9:1"),
    "a view without history": ("with torch.no_grad(): v = y[0]\nv += 1", "9:1"),
    "a pass from a view without history": (
        "with torch.no_grad(): v = y[0]\nv.backward(torch.ones(3))",
        "9:1",
    ),
    "what an output without history needs": (
        "with torch.no_grad(): v = y[0]\nz = v.exp()\nz += 1\n(z + x).sum().backward()",
        "10:1",
    ),
    "a second pass through a graph that ends": (
        "with torch.no_grad(): v = y[0]\nz = v.exp()\nz.sum().backward()\nz.sum().backward()",
        "11:1",
    ),
    "the index of sorted values": ("v, i = y[0].sort()\ni += 1\nv.sum().backward()", "9:1"),
    "the index of maxima": ("v, i = y.max(dim=1)\ni.zero_()\nv.sum().backward()", "9:1"),
    "the index of the largest": ("v, i = y[0].topk(2)\ni *= 1\nv.sum().backward()", "9:1"),
    "the index of the running maxima": (
        "v, i = y[0].cummax(0)\ni += 1\nv.sum().backward()",
        "9:1",
    ),
    "a larger result": ("v = y[0]\nv += x", "9:1"),
    "a result of another kind": ("n = torch.tensor([1, 2])\nn += 1.5", "9:1"),
    "an operand that overlaps": ("z = y @ y.T\nz += z.T", "9:1"),
    "a change without a derivative": ("y.asinh_()\ny.sum().backward()", "8:1"),
    "a value that no_grad has changed is needed": (
        "h = w * w\nwith torch.no_grad(): w += 1\nh.sum().backward()",
        "9:23",
    ),
    "a view inside of no_grad of what was changed there": (
        "with torch.no_grad(): v = w[0]; v += 10\n(w * v).sum().backward()",
        "9:6",
    ),
    "a leaf that no_grad has changed": ("with torch.no_grad(): w += 1\nw += 1", "9:1"),
    "a second pass": ("s = (y * y).sum()\ns.backward()\ns.backward()", "10:1"),
    "a part that two passes share": (
        "h = y.exp()\nh.sum().backward()\n(h + 1).sum().backward()",
        "10:1",
    ),
}


@pytest.mark.parametrize(("lines", "place"), REFUSED.values(), ids=list(REFUSED))
def test_what_torch_refuses_is_refused_in_its_words_at_its_place(lines, place):
    done = run_by_torch(lines)
    assert done.error
    with pytest.raises(ScenarioError) as caught:
        run_here(done.text)
    said = caught.value.render()
    assert said.startswith(f"snippet.py:{place}: "), said
    assert said.partition(f"{place}: ")[2][:30] == done.error[:30]


@pytest.mark.parametrize(
    "lines",
    [
        "z = w * w\nw.data += 1\nz.sum().backward()",
        "d = w.data\nz = w * d\nwith torch.no_grad(): w += 1\nz.sum().backward()",
    ],
)
def test_a_derivative_that_torch_takes_at_numbers_changed_behind_its_back_is_not_told(lines):
    done = run_by_torch(lines)
    assert not done.error
    said = run_or_refuse(done.text)
    assert "is changed through `.data` here, which torch does not notice: the derivative of" in said


VIEWS_WITHOUT_HISTORY = {
    "a pass from it": "v.sum().backward()",
    "a pass from an element": "v.flatten()[0].backward()",
    "beside others": "z = (v * 2).sum() + x.sum()\nz.backward()",
    "as an operand": "(v.unsqueeze(0) * x[0, 0]).sum().backward()",
    "a view of it in the block": "with torch.no_grad(): u = v[0]\n(u * 2 + w[0]).sum().backward()",
    "its own gradient": "v.retain_grad()\nu = v * 2\nu.retain_grad()\n(u + w[0]).sum().backward()",
    "what it is written to": "c[0, 0] = v.sum()\n(c * x).sum().backward()",
    "a change of what is computed from it": "u = v * 1\nu *= 2\n(u + w[0]).sum().backward()",
    "a second pass where nothing was saved": "s = v.sum() + w[0]\ns.backward()\ns.backward()",
}


@pytest.mark.parametrize("made", ["x[0]", "y[0]", "x.view(6)", "x.T"])
@pytest.mark.parametrize("lines", VIEWS_WITHOUT_HISTORY.values(), ids=list(VIEWS_WITHOUT_HISTORY))
def test_from_a_view_made_inside_of_no_grad_a_graph_goes_on_that_ends_there(made, lines, oracle):
    done = run_by_torch(f"with torch.no_grad(): v = {made}\n{lines}")
    assert not done.error
    trace = run_here(done.text)
    assert_as_torch(done, trace)
    kinds = graph_of(trace).kind
    for name, node in trace.assigned.items():
        theirs = done.names.get(name)
        if isinstance(theirs, torch.Tensor):
            assert kinds[node].requires_grad_in_torch == theirs.requires_grad, name
    answer = oracle.ask(trace)
    assert isinstance(answer, Ready), answer
    assert not answer.report.surplus
    agreed = agreement(trace, answer.report)
    assert not agreed.faulty_nodes
    assert not agreed.faulty_steps


@pytest.mark.parametrize("written", ["1", "w[0]", "w", "x * 2", "torch.tensor([2.])"])
@pytest.mark.parametrize("target", ["y[:]", "y[...]", "y[:, :]", "y[0]"])
def test_what_is_written_to_all_of_a_tensor_is_named_as_torch_names_it(target, written):
    done = run_by_torch(f"{target} = {written}")
    if not done.error:
        graph = graph_of(trace := run_here(done.text + "\ny.sum().backward()"))
        assert graph.grad_fn(trace.assigned["y"]) == done.names["y"].grad_fn.name()


def test_what_torch_may_have_left_out_to_save_is_not_guessed():
    """It needs nothing for a view without history, and still saves what other operands may need."""
    done = run_by_torch(
        "with torch.no_grad(): v = y[0]\nz = v * c[0]\nc += 1\n(z + x).sum().backward()"
    )
    assert not done.error
    with pytest.raises(ScenarioError, match="and whether torch still needs it for"):
        run_here(done.text)


@pytest.mark.parametrize("made", ["x[torch.tensor([0])]", "x * 2", "x.detach()[0]"])
def test_a_pass_from_what_no_grad_has_cut_off_fails_in_torchs_words(made):
    done = run_by_torch(f"with torch.no_grad(): v = {made}\nv.sum().backward()")
    with pytest.raises(ScenarioError) as caught:
        run_here(done.text)
    assert done.error[:60] in caught.value.render()


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("b = [1., 2.] + [3., 4.]", "[1., 2.]"),
        ("b = a * 2", "a"),
        ("b = x * a", "a"),
        ("b = a - x", "a"),
        ("b = x @ [[1.], [2.]]", "[[1.], [2.]]"),
        ("b = x / (1, 2)", "(1, 2)"),
    ],
)
def test_a_list_of_numbers_has_no_arithmetic_in_a_program(line, named):
    with pytest.raises(ScenarioError) as caught:
        run_here(f"x = torch.ones(2, requires_grad=True)\na = [1., 2.]\n{line}\n")
    assert f"`{named}` is a list of Python's, which has no arithmetic" in caught.value.render()


def test_a_list_of_numbers_is_not_changed_as_if_it_were_a_tensor():
    with pytest.raises(ScenarioError, match="`b` is a list of Python's numbers"):
        run_here("x = torch.ones(2, requires_grad=True)\na = [1., 2.]\nb = a\nb += [3., 4.]\n")


def test_the_table_of_saved_values_is_what_torch_saves():
    assert text_of(table()) == PATH.read_text("utf-8")


def test_an_operation_shares_memory_where_torchs_does():
    for text in [*EXAMPLES, *MORE]:
        graph = graph_of(record(parse_shorthand(Source("<-e>", text))))
        sharers = Sharers(graph)
        for node, one in enumerated(graph):
            if graph.is_number[node]:
                continue
            operands = [torch.tensor(np.array(value)) for value in one.operands]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of `torch.cross`
                output = one.operation.twins.torch(torch, *operands, **one.attributes)
            starts = {operand.untyped_storage().data_ptr() for operand in operands}
            is_shared = output.numel() > 0 and output.untyped_storage().data_ptr() in starts
            is_ours = sharers.tensor(node) != node or sharers.view(node) is not None
            assert is_ours == is_shared, (one.operation.name, text)


def test_every_operation_that_has_a_derivative_has_a_row():
    named = {line.split()[0] for line in Path(PATH).read_text("utf-8").splitlines()}
    without = {
        name
        for name, one in OPERATIONS.items()
        if one.derivatives and one.twins.grad_fn and name not in named
    }
    assert without == set()
