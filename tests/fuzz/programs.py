"""Programs made of every function of the catalogue, called with whatever comes to hand."""

from __future__ import annotations

from hypothesis import strategies as st

from backprop_engine.catalogue import FUNCTIONS
from backprop_engine.operation import REQUIRED, Kind, Parameter

_LEAVES = {
    "x": "[1., 2., 3.]",
    "s": "2.",
    "W": "[[1., 2., 3.], [4., 5., 6.]]",
    "B": "[[2., 1.], [1., 3.]]",
    "T": "[[[1., 2.], [3., 4.]], [[5., 6.], [7., 8.]]]",
    "Z": "[[[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]]]",
}
_VALUES = "; ".join(
    f"{name} = torch.tensor({value}, requires_grad=True)" for name, value in _LEAVES.items()
)
_INDICES = (
    "i = torch.tensor([0, 2, 1]); j = torch.tensor([[0, 1], [1, 0]]); "
    "m = torch.tensor([True, False, True]); e = torch.zeros(0)"
)
_NAMES = ["x", "s", "W", "B", "T", "Z", "i", "j", "m", "e"]
_OTHERS = [
    "0", "1", "-1", "2", "-2", "3", "7", "0.5", "-0.5", "1e300", "-1e-300", "10**9", "-10**9",
    "10**30", "10**300", "math.pi", "float('inf')", "float('nan')", "None", "True", "False",
    "(1, 2)", "(0, 1)", "(-1, -1)", "(10**6, 10**6)", "()", "[1, 2, 3]", "[]", "(0,)", "(2, 3)",
    "'mean'", "'none'", "'ij,jk->ik'", "'i,j->ij'", "'...'", "'reflect'", "...", "[x, x]",
    "[x, W]", "(B, B)", "-x", "x.T", "x.shape", "x.shape[0]", "x[0]", "x[:0]", "torch.float64",
]  # fmt: skip

_WHOLE = ["0", "1", "-1", "2", "-2", "3", "10**9", "-10**9", "10**30"]
_SIZES = ["(1, 2)", "(0, 1)", "(-1, -1)", "(2, 3)", "(10**6, 10**6)", "()", "(3, 2, 1)", "(0, -1)"]
_KINDS = {
    Kind.OPERAND: [*_NAMES, "x.T", "B @ B.T", "T[0]", "x[:0]"],
    Kind.OPERANDS: ["[x, x]", "(B, B)", "[W, B]", "[s]", "[]", "[T, T]", "[i, x]"],
    Kind.AXIS: _WHOLE,
    Kind.AXES: [*_WHOLE, *_SIZES, "None"],
    Kind.SHAPE: [*_WHOLE, *_SIZES],
    Kind.WHOLE: [*_WHOLE, "i"],
    Kind.SIZES: [*_WHOLE, *_SIZES],
    Kind.NUMBER: [*_WHOLE, "0.5", "-0.5", "1e300", "-1e-300", "float('inf')", "float('nan')"],
    Kind.SCALAR: [*_WHOLE, "0.5", "-0.5", "1e300", "-1e-300", "float('inf')", "float('nan')"],
    Kind.TEXT: ["'ij,jk->ik'", "'i,j->ij'", "'ij->'", "'...i,...i'", "'constant'", "'none'", "''"],
    Kind.FLAG: ["True", "False"],
}
_anything = st.sampled_from([*_NAMES, *_OTHERS])


def _argument(one: Parameter) -> st.SearchStrategy[str]:
    """Mostly what the parameter is for."""
    fitting = st.sampled_from([*_KINDS[one.kind], *map(repr, one.choices)])
    return st.one_of(*[fitting] * 9, _anything)


@st.composite
def call(draw: st.DrawFn) -> str:
    """One call, as a function or a method: what is required, and now and then some more."""
    name = draw(st.sampled_from(sorted(FUNCTIONS)))
    operation = draw(st.sampled_from(FUNCTIONS[name]))
    required = [
        parameter for parameter in operation.spelling.parameters if parameter.default is REQUIRED
    ]
    others = [
        parameter
        for parameter in operation.spelling.parameters
        if parameter.default is not REQUIRED
    ]
    given = [draw(_argument(one)) for one in required]
    if others:
        chosen = draw(st.lists(st.sampled_from(others), max_size=2, unique_by=lambda one: one.name))
        given += [f"{one.name}={draw(_argument(one))}" for one in chosen]
    is_method: bool = draw(st.booleans())
    if given and is_method:
        return f"({given[0]}).{name.rpartition('.')[2]}({', '.join(given[1:])})"
    return f"torch.{name}({', '.join(given)})"


@st.composite
def program(draw: st.DrawFn) -> str:
    """A program that calls something and differentiates it."""
    called = draw(call())
    picked = draw(st.sampled_from(["", "", "", "", "", "[0]", ".values", "[..., 0]"]))
    end = draw(st.sampled_from([".sum()", ".sum()", ".mean()", "", "[0]"]))
    return f"{_VALUES}; {_INDICES}; h = {called}{picked}; y = (h * 1.0){end}"
