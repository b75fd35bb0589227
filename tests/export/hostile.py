"""A scenario whose every text tries to leave its place."""

from __future__ import annotations

from dataclasses import replace

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load_target
from backprop_engine.trace import Trace

BAD = (
    "</script></style><img src=x onerror=alert(1)>]]>--><!--\\write18{ls}`|`$(ls)$"
    "\x1b[31m\x07\u202e\u2028{{7*7}}¦a{=}&lt;%\r"
)


def hostile_trace() -> Trace:
    """`x=2, y=x**2+3x` with that for its title, notes, names, hints and source."""
    trace = record(load_target(Source("<-e>", "x=2, y=x**2+3x+1")))
    heading = replace(
        trace.heading,
        title=BAD,
        about=f"{BAD}\n\n[a](javascript:alert(1)) ![b](http://example.com/b.png) <b onclick=x>",
        name=BAD,
        note=BAD,
        hints=dict.fromkeys(range(len(trace.nodes)), BAD),
        files=(),
    )
    names = trace.nodes.names
    assert isinstance(names, dict)
    names.update({node: f"{BAD}{node}" for node in names})
    return replace(trace, heading=heading)
