r"""Mathematics in notes, `$\frac{\partial L}{\partial z} = p - y$`, in the signs of a terminal.

What TeX would set in two dimensions is told in one: a fraction with a slash, an exponent with the
raised digits there are. A command that is not known stays as it is written.
"""

from __future__ import annotations

import re
from typing import Final

_INLINE = re.compile(
    r"(`+)(?:.*?)\1|\$\$(?P<block>[^$]+)\$\$"
    r"|\$(?P<line>[^\s$](?:[^$\n]*[^\s$])?)\$(?!\d)",
    re.DOTALL,
)
"""Code, which stays as it is; or mathematics. A price has a blank or a digit at its dollar."""

_TABLE: Final = (
    "alpha α beta β gamma γ delta δ epsilon ε varepsilon ε zeta ζ eta η theta θ lambda λ mu μ nu ν "
    "xi ξ pi π rho ρ sigma σ tau τ phi φ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ "
    "Lambda Λ Sigma Σ Phi Φ Psi Ψ Omega Ω partial ∂ nabla ∇ infty ∞ sum Σ prod Π int ∫ cdot · "
    "times × odot ⊙ otimes ⊗ circ ∘ pm ± mp ∓ le ≤ leq ≤ ge ≥ geq ≥ ne ≠ neq ≠ approx ≈ sim ∼ "
    "equiv ≡ propto ∝ to → rightarrow → leftarrow ← mapsto ↦ in ∈ notin ∉ subset ⊂ cup ∪ cap ∩ "
    "forall ∀ exists ∃ land ∧ lor ∨ neg ¬ ldots … dots … cdots … top ᵀ mid | "
    "log log ln ln exp exp sin sin cos cos tan tan tanh tanh max max min min det det"
)
_SYMBOLS: Final = dict(re.findall(r"(\S+) (\S+)", _TABLE))
_OVER: Final = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "dot": "\u0307"}
_RAISED: Final = dict(zip("0123456789+-=()nTi⊤ᵀ", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿᵀⁱᵀᵀ", strict=True))
_LOWERED: Final = dict(zip("0123456789+-=()aehijklmnoprstuvx",
                           "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))  # fmt: skip

_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_ROOT = re.compile(r"\\sqrt\s*\{([^{}]*)\}")
_ACCENT = re.compile(rf"\\({'|'.join(_OVER)})\s*(?:\{{([^{{}}]*)\}}|([A-Za-z]))")
_PLAIN = re.compile(
    r"\\(?:mathrm|mathbf|mathit|mathcal|text|operatorname|mathbb|bm)\s*\{([^{}]*)\}"
)
_SIZES = re.compile(r"\\(?:left|right|[bB]igg?)(?![A-Za-z])\.?|\\[,;:! ]|~")
_COMMAND = re.compile(r"\\([A-Za-z]+)\s?")
_SCRIPT = re.compile(r"([_^])(?:\{([^{}]*)\}|(\\[A-Za-z]+|[^{}\\]))")
_OPERATOR = re.compile(r"(?<=[\w)\]}|'ᵀ⁰-⁹₀-₉\u0302])\s*([-+=−≤≥≈≠→←⊙×∈∼∝≡])\s*(?=\S)")
_KEPT: Final = {"^": "\1", "_": "\2"}
"""What stands for signs that there is nothing better for, until all others are done."""


def typeset(markdown: str) -> str:
    """Markdown with its `$mathematics$` as code, which no sign of Markdown is read in."""

    def written(match: re.Match[str]) -> str:
        tex = match["block"] or match["line"]
        return match[0] if tex is None else f"`{from_tex(tex)}`"

    return _INLINE.sub(written, markdown)


def from_tex(tex: str) -> str:
    """`p − y` for `p-y`, `∂L/∂z` for its fraction."""
    text = _SIZES.sub(lambda match: "" if match[0][1:2].isalpha() else " ", tex.strip())
    was = None
    while was != text:  # from the innermost braces outwards
        was = text
        text = _PLAIN.sub(r"\1", text)
        text = _ACCENT.sub(lambda match: (match[2] or match[3]) + _OVER[match[1]], text)
        text = _SCRIPT.sub(_script, text)
        text = _FRACTION.sub(lambda match: f"{_whole(match[1])}/{_whole(match[2])}", text)
        text = _ROOT.sub(lambda match: f"√{_whole(match[1])}", text)
    text = _COMMAND.sub(_symbol, text)
    text = _OPERATOR.sub(lambda match: f" {match[1].replace('-', '−')} ", text.replace("`", "'"))
    for sign, kept in _KEPT.items():
        text = text.replace(kept, sign)
    return " ".join(re.sub(r"[{}]", "", text).replace("-", "−").split())


def _symbol(match: re.Match[str]) -> str:
    sign = _SYMBOLS.get(match[1], match[0])
    return f"{sign} " if sign.isalpha() and match[0].endswith(" ") else sign


def _script(match: re.Match[str]) -> str:
    """An exponent or an index, in raised or lowered signs, if there are such."""
    inner = match[2] if match[2] is not None else match[3]
    table = _RAISED if match[1] == "^" else _LOWERED
    signs = _COMMAND.sub(_symbol, inner).strip()
    if all(sign in table for sign in signs):
        return "".join(table[sign] for sign in signs)
    return f"{_KEPT[match[1]]}{_whole(signs)}"


def _whole(text: str) -> str:
    """In brackets, where it is more than one piece: `(p − y)`, but `∂L` and `n`."""
    bare = _COMMAND.sub(_symbol, text).strip()
    is_one = re.fullmatch(r"[^\s+\-−=·/]+", bare) or re.fullmatch(r"\([^()]*\)", bare)
    return text.strip() if is_one else f"({text.strip()})"
