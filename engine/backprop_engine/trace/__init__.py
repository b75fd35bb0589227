"""The waist: frozen data that producers fill and readers look things up in.

`trace.py` has the trace and the questions one may ask it, `parts.py` what they are answered
in, `nodes.py` what it knows of its nodes, `abilities.py` what may be asked of its producer.
"""

from backprop_engine.trace.abilities import Missing, Producer
from backprop_engine.trace.nodes import Group, GroupKind, Nodes
from backprop_engine.trace.parts import Heading, Pass, PassKind, Progress, Step, StepKind
from backprop_engine.trace.trace import NO_NODE, Trace

__all__ = [
    "NO_NODE",
    "Group",
    "GroupKind",
    "Heading",
    "Missing",
    "Nodes",
    "Pass",
    "PassKind",
    "Producer",
    "Progress",
    "Step",
    "StepKind",
    "Trace",
]
