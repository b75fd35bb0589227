"""Programs made of every function of the catalogue, called with whatever comes to hand."""

from __future__ import annotations

from hypothesis import strategies as st

from backprop_engine.catalogue import FUNCTIONS
from backprop_engine.operation import Parameter

_VALUES = (
    "x=[1,2,3], s=2, W=[[1,2,3],[4,5,6]], B=[[2,1],[1,3]], "
    "T=[[[1,2],[3,4]],[[5,6],[7,8]]], Z=[[[[1,2,3],[4,5,6],[7,8,9]]]], "
    "i=torch.tensor([0,2,1]), j=torch.tensor([[0,1],[1,0]]), m=torch.tensor([True,False,True]), "
    "e=torch.zeros(0)"
)
_NAMES = ["x", "s", "W", "B", "T", "Z", "i", "j", "m", "e"]
_OTHERS = [
    "0", "1", "-1", "2", "-2", "3", "7", "0.5", "-0.5", "1e300", "-1e-300", "10**9", "-10**9",
    "10**30", "10**300", "math.pi", "float('inf')", "float('nan')", "None", "True", "False",
    "(1, 2)", "(0, 1)", "(-1, -1)", "(10**6, 10**6)", "()", "[1, 2, 3]", "[]", "(0,)", "(2, 3)",
    "'mean'", "'none'", "'ij,jk->ik'", "'i,j->ij'", "'...'", "'reflect'", "...", "[x, x]",
    "[x, W]", "(B, B)", "-x", "x.T", "x.shape", "x.shape[0]", "x[0]", "x[:0]", "torch.float64",
]  # fmt: skip

_argument = st.sampled_from(_NAMES) | st.sampled_from(_OTHERS)


@st.composite
def call(draw: st.DrawFn) -> str:
    """One call, as a function or a method, with positional and keyword arguments."""
    name = draw(st.sampled_from(sorted(FUNCTIONS)))
    arguments = draw(st.lists(_argument, max_size=4))
    parameters: tuple[Parameter, ...] = FUNCTIONS[name][0].parameters
    keywords = [one.name for one in parameters]
    if keywords:
        chosen = draw(st.lists(st.sampled_from(keywords), max_size=2, unique=True))
        arguments += [f"{one}={draw(_argument)}" for one in chosen]
    if draw(st.booleans()):
        return f"{draw(st.sampled_from(_NAMES))}.{name.rpartition('.')[2]}({', '.join(arguments)})"
    return f"torch.{name}({', '.join(arguments)})"


@st.composite
def program(draw: st.DrawFn) -> str:
    """A shorthand that calls something and differentiates it."""
    called = draw(call())
    picked = draw(st.sampled_from(["", "", "[0]", ".values", "[..., 0]"]))
    end = draw(st.sampled_from([".sum()", ".mean()", "", "[0]"]))
    return f"{_VALUES}, h={called}{picked}, y=(h*1.0){end}"
