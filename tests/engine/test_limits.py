"""Whatever a scenario asks for, it gets an answer or one clear refusal: before memory is taken."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from backprop_engine.backward import bytes_of_pass
from backprop_engine.basics import limits
from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.budget import Budget, LimitError
from backprop_engine.run import recorder
from backprop_engine.run.record import record as run
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document, parse_shorthand, parse_snippet
from backprop_engine.trace import Trace

LARGE = "n=torch.ones(50000), c=torch.ones(50000, 1), "
IMAGE = "q=torch.ones(1, 1, 2000, 2000), k=torch.ones(1, 1, 1000, 1000), "


def zeros(count: int) -> str:
    return f"torch.zeros({count}, dtype=torch.int64)"


TOO_MANY = [
    "y=torch.zeros(10**6, 10**6)",
    "y=torch.zeros(9**9**9)",
    "y=torch.arange(0, 10**18, 10**-9)",
    "x=2, y=x.expand(10**6, 10**6)",
    "x=[1,2], y=x.repeat(10**5, 10**5)",
    "x=[1,2], y=x.tile((10**5, 10**5))",
    "x=[1,2], y=x.repeat_interleave(10**10)",
    "x=[1,2], y=x.repeat_interleave(torch.tensor([10**10, 1]))",
    "x=[1,2], y=F.pad(x, (10**10, 10**10))",
    "y=F.one_hot(torch.tensor([1, 2]), 10**10)",
    "y=F.one_hot(torch.tensor([10**12]))",
    "x=[1,2], y=torch.diag(x, 10**9)",
    "x=[1,2], y=torch.diag_embed(x, offset=10**9)",
    "x=[[1,2],[3,4]], y=torch.matrix_power(x, 10**18)",
    "x=[[[1,2,3]]], y=F.conv1d(x, x, padding=10**10)",
    "x=[[[[1,2],[3,4]]]], y=F.conv_transpose2d(x, x, stride=10**6)",
    "x=[[[1,2],[3,4]]], y=F.adaptive_avg_pool2d(x, (10**5, 10**5))",
    f"{LARGE}y=torch.outer(n, n)",
    f"{LARGE}y=torch.kron(n, n)",
    f"{LARGE}y=torch.inner(c, c)",
    f"{LARGE}y=c @ c.T",
    f"{LARGE}y=torch.mm(c, c.T)",
    f"{LARGE}y=torch.addmm(c, c, c.T)",
    f"{LARGE}y=c * c.T",
    f"{LARGE}y=torch.where(c > 0, c, c.T)",
    f"{LARGE}y=torch.einsum('i,j->ij', n, n)",
    f"{LARGE}y=torch.einsum('i,j,k->', n, n, n + 0) * torch.einsum('i,j,k->ijk', n, n, n).sum()",
    f"{LARGE}y=F.linear(c, c)",
    f"{LARGE}y=F.bilinear(c, c, torch.ones(300, 1, 1))",
    f"{LARGE}y=F.scaled_dot_product_attention(c, c, c)",
    f"{LARGE}y=F.mse_loss(c, c.T)",
    f"{LARGE}y=F.huber_loss(c, c.T)",
    f"{LARGE}y=F.kl_div(c, c.T)",
    f"{LARGE}y=F.cosine_similarity(c, c.T, dim=0)",
    f"{LARGE}y=F.pairwise_distance(c, c.T)",
    f"{LARGE}y=torch.diag(n)",
    f"{LARGE}y=n.unfold(0, 25000, 1)",
    f"{LARGE}y=c.expand(50000, 1000)",
    f"{LARGE}y=torch.cat([{', '.join(['n'] * 300)}])",
    f"{LARGE}y=torch.stack([{', '.join(['n'] * 300)}])",
    f"{LARGE}y=torch.ones(2000, 5000)[:, {zeros(6_000)}]",
    f"{LARGE}y=torch.ones(2, 50000).index_select(1, {zeros(6_000_000)})",
    f"{LARGE}y=F.embedding({zeros(60_000)}, torch.ones(1, 2000))",
    f"{LARGE}y=c.masked_select(c.T > 0)",
    f"{IMAGE}y=F.conv2d(q, k)",
    f"{IMAGE}y=F.max_pool2d(q, 1000, 1)",
    f"{IMAGE}y=F.avg_pool2d(q, 1000, 1)",
    f"{IMAGE}y=F.unfold(q, 1000)",
]


def refusal_of(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        run(parse_shorthand(Source("<-e>", text)))
    return str(caught.value)


@pytest.mark.parametrize("call", ["hstack([{}])", "stack([{}])", "einsum('i->', {})"])
def test_an_operation_takes_ten_thousand_values_at_most(call):
    many = ", ".join(["x"] * 10_001)
    assert "10,000 values at most, not 10,001" in refusal_of(f"x=1, y=torch.{call.format(many)}")


@pytest.mark.parametrize("text", TOO_MANY)
def test_what_would_be_too_large_is_refused_before_it_is_made(text: str) -> None:
    tracemalloc.start()
    message = refusal_of(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert any(
        said in message
        for said in ("10,000,000", "10,000 at most", "10,000,000,000", "this number cannot be")
    ), message
    assert peak < 2e8


@pytest.mark.parametrize(
    "spec",
    [
        "{normal: [1e9]}",
        "{ones: [100000, 100000]}",
        "{arange: [0, 1e18, 1e-9]}",
        "{arange: [0, 1e308, 1e-308]}",
        "{linspace: [0, 1, 1e12]}",
        "{eye: 1e9}",
        "{full: [1e9], fill: 3}",
        f"{{normal: [0, {'9' * 299}]}}",
    ],
)
def test_a_generator_makes_no_more_elements_than_an_array_may_have(spec: str) -> None:
    with pytest.raises(ScenarioError, match="10,000,000 elements"):
        parse_document(Source("lesson.yaml", f"inputs: {{x: {spec}}}\ncompute: y = x.sum()"))


def test_a_recording_has_a_budget_of_memory_that_the_environment_sets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "x=[1,2], " + ", ".join(["h = x.repeat(1000)"] + ["h = h * 2"] * 10) + ", y=h.sum()"
    monkeypatch.setenv(limits.MEMORY_VARIABLE, "0.0001")
    message = refusal_of(text)

    assert "more than 0.0001 GB" in message
    assert limits.MEMORY_VARIABLE in message

    monkeypatch.setenv(limits.MEMORY_VARIABLE, "0.01")
    run(parse_shorthand(Source("<-e>", text)))


def test_the_memory_of_a_backward_pass_is_known_before_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the pass has begun")

    monkeypatch.setenv(limits.MEMORY_VARIABLE, "0.00004")  # the values alone have room
    monkeypatch.setattr(recorder, "backward", never)

    assert "more than 4e-05 GB" in refusal_of("x=[1,2], h=x.repeat(1000), z=h*h, y=z.sum()")


def bytes_recorded(trace: Trace) -> int:
    kept = {id(one): one for one in (*trace.contributions, *trace.totals)}
    return sum(one.nbytes for one in kept.values() if isinstance(one, np.ndarray))


@pytest.mark.parametrize(
    "text",
    [
        "x=[1,2,3], y=(x*x*x + x).sum()",
        "W=[[1,2],[3,4]], x=[1,2], h=tanh(W@x), y=(h*h).sum()",
        "x=[1,2,3], h=x.detach()*x, y=h.sum()",
    ],
)
def test_no_pass_takes_more_than_was_estimated(text: str) -> None:
    trace = run(parse_shorthand(Source("<-e>", text)))

    assert 0 < bytes_recorded(trace) <= bytes_of_pass(graph_of(trace), len(graph_of(trace)) - 1)


def test_a_recording_has_a_budget_of_time_that_the_environment_sets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(limits.SECONDS_VARIABLE, "1e-9")

    assert "running for 1e-09 seconds" in refusal_of("x=2, y=x**2")


@pytest.mark.parametrize("text", ["lots", "0", "-1", "nan"])
def test_a_budget_that_is_no_number_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(limits.MEMORY_VARIABLE, text)

    with pytest.raises(ValueError, match="must be a number above 0"):
        limits.check_settings()


def test_inputs_and_tensors_count_before_anything_is_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(limits.MEMORY_VARIABLE, "0.00001")
    inputs = "inputs:\n  a: {ones: [1000]}\n  b: {ones: [1000]}\ncompute: y = (a + b).sum()"
    with pytest.raises(ScenarioError, match="GB of memory") as caught:
        parse_document(Source("lesson.yaml", inputs))
    assert caught.value.render().startswith("lesson.yaml:3:3:")

    program = "a = torch.ones(2000, requires_grad=True)\nb = torch.ones(2000)\ny = (a + b).sum()"
    with pytest.raises(ScenarioError, match="GB of memory"):
        parse_snippet(Source("snippet.py", program))


def test_running_out_of_memory_is_an_error_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(recorder, "backward", exhausted)

    assert "no memory left" in refusal_of("x=2, y=x**2")


def test_time_counts_only_while_something_runs() -> None:
    budget = Budget()
    with budget.running():
        budget.check_time()
    budget.check_time()

    with pytest.raises(LimitError):
        budget.take(3 * 10**9)


def test_lists_in_lists_of_values_are_refused_however_deep() -> None:
    assert "nested deeper than 64" in refusal_of("x=2, y=" + "[" * 20_000 + "x" + "]" * 20_000)


def test_a_document_and_a_program_have_a_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backprop_engine.scenarios.yaml_document.MAX_YAML_ENTRIES", 10)
    with pytest.raises(ScenarioError, match="at most 10 keys and values"):
        parse_document(Source("lesson.yaml", "inputs: {x: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}"))

    monkeypatch.setattr("backprop_engine.grammar.lexer.MAX_TOKENS", 10)
    assert "words, numbers and signs" in refusal_of("x=2, y=x+x+x+x+x+x")


def test_a_graph_has_a_number_of_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backprop_engine.run.evaluate.MAX_NODES", 4)

    assert "at most 4 nodes" in refusal_of("x=2, a=x*x*x, b=a*a*a, y=a*b")
