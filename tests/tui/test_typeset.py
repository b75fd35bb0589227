"""Mathematics between dollars in notes is told in the signs of a terminal."""

from __future__ import annotations

import pytest

from backprop_tui.view.typeset import from_tex, typeset


@pytest.mark.parametrize(
    ("tex", "told"),
    [
        ("p-y", "p − y"),
        ("-x", "−x"),
        (r"\frac{\partial L}{\partial z} = p - y", "∂L/∂z = p − y"),
        (r"\sigma(z) = \frac{1}{1 + e^{-z}}", "σ(z) = 1/(1 + e^(−z))"),
        (r"\hat{x}=(x-\mu)/\sqrt{\sigma^2+\epsilon}", "x̂ = (x − μ)/√(σ² + ε)"),
        (r"\sum_k H_{k1}\cdot G_{k}", "Σₖ Hₖ₁·Gₖ"),
        (r"W^\top g", "Wᵀ g"),
        (r"-\log p_y + \exp(x)", "−log p_y + exp(x)"),
        (r"x_{qz}^{2n}", "x_qz²ⁿ"),
        (r"\mathrm{softmax}(z)_j", "softmax(z)ⱼ"),
        (r"\left(\frac{a+b}{c}\right)", "((a + b)/c)"),
        (r"\unknown x", r"\unknown x"),
        (r"\frac{a", r"\fraca"),
    ],
)
def test_it_is_told_on_one_line(tex, told):
    assert from_tex(tex) == told


@pytest.mark.parametrize(
    "text", ["costs $5 and $6", "`$p-y$` in code", "$ p $", "a $ sign", "``` \n$a$\n```"]
)
def test_prices_and_code_are_left_alone(text):
    assert typeset(text) == text


def test_signs_of_markdown_inside_are_no_markdown():
    assert typeset("so $a*b*c_d$ is $$p-y$$") == "so `a*b*c_d` is `p − y`"


async def test_notes_are_typeset(opened, text_of, tmp_path):
    (tmp_path / "tex.yaml").write_text(
        "about: The gradient is $p-y$.\ncompute: y = x\ninputs: {x: 1}"
    )
    async with opened(str(tmp_path / "tex.yaml"), (120, 40)) as pilot:
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert "The gradient is p − y." in text_of(pilot)
