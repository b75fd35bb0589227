"""The symbolic process: the one place where sympy is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backprop_tui.oracles.serving import UnavailableError, run
from backprop_tui.oracles.sympy.replies import function_reply


def import_sympy() -> Any:
    """Sympy; UnavailableError if it cannot be imported."""
    try:
        import sympy
    except Exception as error:  # a broken installation can raise anything
        raise UnavailableError(f"{type(error).__name__}: {error}") from error
    return sympy


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """The reply to one request."""
    sympy = import_sympy()
    functions = [function_reply(sympy, request, *asked) for asked in request["outputs"]]
    return {"version": sympy.__version__, "functions": functions}


def main() -> None:
    """Serve on standard input and output."""
    run(answer)


if __name__ == "__main__":
    main()
