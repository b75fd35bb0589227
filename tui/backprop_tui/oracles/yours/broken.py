"""An engine of our own with a mistake, told as a learner's would be, and judged as that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import ScenarioError
from backprop_engine.basics.values import Value
from backprop_engine.graph import Graph
from backprop_engine.mistakes.broken import BROKEN, BrokenEngine, BrokenPass, shows
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import load
from backprop_engine.trace import Missing, Trace
from backprop_tui.opening.bundled import bundled_scenarios
from backprop_tui.oracles.yours.beside import beside
from backprop_tui.oracles.yours.finding import Finding
from backprop_tui.oracles.yours.judging import judge
from backprop_tui.oracles.yours.protocol import Event, LearnersPass, LearnersRun, Made
from backprop_tui.oracles.yours.verdict import Verdict

_LARGE = "large"
"""The folder of scenarios that would take long."""


@dataclass(frozen=True, slots=True)
class BrokenExaminer:
    """Judges an engine of ours by whatever trace is shown."""

    engine: BrokenEngine
    path: None = None

    def ask(self, trace: Trace) -> Finding:
        """Where it first goes wrong in `trace`, and where else the mistake shows."""
        engine = self.engine
        if isinstance(missing := trace.can(Graph), Missing):
            return Finding(engine.slug, trouble=f"{missing.sentence}.")
        run = _as_learners(engine, trace)
        verdict = judge(trace, run) if shows(engine, trace) else None
        remark = f"{engine.slug} shows in {', '.join(where_it_shows(engine))}."
        name = f"an engine with the mistake {engine.slug}"
        return Finding(
            name, verdict=verdict, remarks=(remark,), agreement=beside(trace, run, verdict)
        )

    def close(self) -> None:
        """There is no process to end."""


def examiner_of(slug: str) -> BrokenExaminer | None:
    """Who judges the engine that is called so; None where none is."""
    engine = BROKEN.get(slug)
    return None if engine is None else BrokenExaminer(engine)


def first_mistake(engine: BrokenEngine, trace: Trace) -> Verdict | None:
    """Where the engine first goes wrong in a run; None where the mistake does not show."""
    return judge(trace, _as_learners(engine, trace)) if shows(engine, trace) else None


def where_it_shows(engine: BrokenEngine) -> tuple[str, ...]:
    """The bundled scenarios in which a gradient comes out wrong, by the names of their files."""
    return tuple(name for name, trace in _bundled().items() if shows(engine, trace))


@cache
def _bundled() -> dict[str, Trace]:
    traces: dict[str, Trace] = {}
    folder = bundled_scenarios()
    for path in sorted(folder.rglob("*.yaml"), key=lambda path: (len(path.parts), path)):
        name = path.relative_to(folder)
        if _LARGE in name.parts:
            continue
        try:
            traces[str(name.with_suffix("").as_posix())] = record(load(Path(path)))
        except ScenarioError:
            continue  # a lesson about an error has no gradients
    return traces


def _as_learners(engine: BrokenEngine, trace: Trace) -> LearnersRun:
    graph = graph_of(trace)
    made = tuple(
        Made(
            node=node,
            operation=trace.nodes.operation_name(node),
            operands=tuple((operand, None) for operand in graph.operands[node]),
            value=graph.value[node],
            line=None,
            from_line=None,
            rule_line=None,
            holds=frozenset(),
        )
        for node in range(len(graph))
    )
    passes = tuple(_pass(told, len(graph)) for told in engine.run(trace))
    return LearnersRun(made, passes, (), is_single=graph.dtype == "float32")


def _pass(told: BrokenPass, nodes: int) -> LearnersPass:
    return LearnersPass(
        index=told.index,
        start=_all(told.start, nodes),
        end=_all(told.end, nodes),
        events=tuple(_events(told)),
        raised=told.raised,
        at_work=told.sent[-1].sender if told.raised and told.sent else None,
        line=None,
        backward=None,
        loop=None,
        entered=None,
    )


def _all(gradients: Mapping[int, Value], nodes: int) -> tuple[Value | None, ...]:
    return tuple(map(gradients.get, range(nodes)))


def _events(told: BrokenPass) -> Iterator[Event]:
    """Each turn of a node, and what it sends; one that sends there again has another turn."""
    sender, position = None, 0
    for sent in told.sent:
        if sent.sender != sender or sent.position <= position:
            yield Event(sent.sender, None, sent.upstream, None, None, None)
        sender, position = sent.sender, sent.position
        yield Event(sent.sender, sent.receiver, sent.upstream, sent.before, sent.after, None)
