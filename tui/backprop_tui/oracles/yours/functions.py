"""A learner's pair of functions, `forward` and `backward(dout, cache)`, or a loss.

Standard library and numpy alone: this runs in the process that runs the learner's file.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backprop_tui.oracles.yours.objects import plain

_STEP = 1e-5


class OtherLayerError(Exception):
    """The functions take or give something else than the layer that their name says."""


class Functions:
    """Both functions; one and the same, without `dout`, for a loss."""

    def __init__(
        self, forward: Callable[..., Any], backward: Callable[..., Any], dout: Any
    ) -> None:
        self._forward, self._backward, self._dout = forward, backward, dout
        self.has_changed_dout = False

    def run(self, arguments: Sequence[Any]) -> tuple[Any, list[Any]]:
        """The value, and the gradients in order."""
        if self._dout is None:
            value, *gradients = self._called(arguments)
        else:
            made = self._called(arguments)
            if not (isinstance(made, tuple) and len(made) == 2):
                raise OtherLayerError("it gives no pair of output and cache")
            value, cache = made
            dout = self._dout.copy() if isinstance(self._dout, np.ndarray) else self._dout
            given = self._backward(dout, cache)
            self.has_changed_dout = not np.array_equal(dout, self._dout)
            gradients = list(given) if isinstance(given, tuple | list) else [given]
        return plain(value), [plain(each) for each in gradients]

    def _called(self, arguments: Sequence[Any]) -> Any:
        """`forward`, with a setting for each parameter like cs231n's `bn_param`."""
        names = [
            parameter.name
            for parameter in inspect.signature(self._forward).parameters.values()
            if parameter.default is parameter.empty
        ]
        settings = [{"mode": "train"} for name in names[len(arguments) :] if "param" in name]
        signature = inspect.signature(self._forward)
        try:
            signature.bind(*arguments, *settings)
        except TypeError:
            raise OtherLayerError(f"it takes other arguments: {signature}") from None
        return self._forward(*arguments, *settings)

    def differences(self, arguments: Sequence[Any]) -> list[Any]:
        """The derivative of `forward` by each argument of floats, as differences have it."""
        found = []
        for at, argument in enumerate(arguments):
            if np.asarray(argument).dtype.kind != "f":
                continue
            slope = np.zeros(np.shape(argument))
            for place in np.ndindex(slope.shape):
                ends = [self._moved(arguments, at, place, step) for step in (_STEP, -_STEP)]
                slope[place] = (ends[0] - ends[1]) / (2 * _STEP)
            found.append(plain(slope))
        return found

    def _moved(
        self, arguments: Sequence[Any], at: int, place: tuple[int, ...], step: float
    ) -> float:
        moved = [np.array(each) for each in arguments]
        moved[at][place] += step
        value = plain(self._called(moved)[0])
        return float(np.sum(value * (1.0 if self._dout is None else self._dout)))
