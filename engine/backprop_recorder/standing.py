"""Where the recorder stands in torch while it records, and how it leaves again."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, Final, Protocol

import torch
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.overrides import TorchFunctionMode

from backprop_recorder.tensors import without_functions
from backprop_recorder.warned import warning_at_its_place

_TOLD: Final = (torch.Tensor, tuple, list)
_autograd: Any = torch.autograd
_C: Any = torch._C
_sequence = _autograd._get_sequence_nr
_is_tracing = _C._is_tracing
"""While `torch.jit.trace` writes down what is called, it would write down what we ask as well."""
_Tensor = torch.Tensor
_FAST = (
    torch.nn.TransformerEncoder,
    torch.nn.TransformerEncoderLayer,
    torch.nn.MultiheadAttention,
)
"""They look whether a mode is on, and then compute otherwise."""


_grad: Any = torch.Tensor.grad
_SETS_GRAD: Any = _grad.__set__
_data: Any = torch.Tensor.data
_SETS_DATA: Any = _data.__set__
_ADDS_HOOK: Any = torch.Tensor.register_hook


class Hears(Protocol):
    """Who is told of what happens. Nothing of this raises, but `on_backward` and `on_step_done`
    what the program itself raises or is to be ended by.
    """

    is_on: bool

    def is_here(self) -> bool:
        """Whether what happens now is to be told."""

    def on_call(
        self, func: Any, before: int, args: Any, kwargs: Any, result: Any, frame: FrameType,
        known: dict[int, int] | None = None,
    ) -> None:  # fmt: skip
        """Something was called from `frame`, and has come back. `known`: by `id` the values of
        tensors before it, where it may have changed them by calls of its own.
        """

    def on_function(self, function: Any, args: Any) -> dict[int, int]:
        """A custom Function is about to be applied; the values of its tensors, by `id`."""

    def wants_kernels(self, func: Any) -> bool:
        """Whether the kernels inside of a call are to be told."""

    def on_kernel(
        self, func: Any, before: int, after: int, args: Any, kwargs: Any, result: Any
    ) -> None:
        """A kernel inside of a call has come back."""

    def on_kernels_done(self) -> None:
        """The call around kernels was told, if there was something to tell."""

    def on_backward(
        self, run: Callable[[], Any], outputs: Any, grads: Any, *, creates: bool
    ) -> Any:
        """A backward pass, which `run` runs."""

    def on_optimizer(self) -> None:
        """There is an optimiser."""

    def on_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """An optimiser is about to step."""

    def on_step_done(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """It has stepped."""

    def on_zero_grad(self, parameters: Iterable[torch.Tensor]) -> None:
        """The gradients of `parameters` were cleared."""

    def on_grad_set(self, leaf: torch.Tensor) -> None:
        """`.grad` of a tensor was set to None."""

    def on_hook(self, tensor: torch.Tensor) -> None:
        """A hook was registered on a tensor."""

    def on_change(
        self,
        run: Callable[[], Any],
        parameters: Iterable[torch.Tensor],
        how: str,
        factor: Callable[[], float],
    ) -> Any:
        """`run` changes the gradients of `parameters`; `how` is a word of the file, and `factor` is
        asked afterwards.
        """


class Mode(TorchFunctionMode):
    """Tells of every call of torch's functions and methods."""

    def __init__(self, hears: Hears) -> None:
        super().__init__()
        self.hears = hears

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = _sequence()
        result = func(*args, **kwargs) if kwargs else func(*args)
        if self.hears.is_on and not _is_tracing():
            self.told(func, before, args, kwargs or {}, result, sys._getframe(1))
        return result

    def told(
        self, func: Any, before: int, args: Any, kwargs: Any, result: Any, frame: FrameType
    ) -> None:
        """A call was made from `frame`, and has come back."""
        if isinstance(result, _TOLD):
            self.hears.on_call(func, before, args, kwargs, result, frame)
        elif func == _SETS_GRAD:
            if len(args) > 1 and args[1] is None:
                self.hears.on_grad_set(args[0])
        elif func is _ADDS_HOOK:
            self.hears.on_hook(args[0])
        elif func == _SETS_DATA or (result is None and args and _sequence() > before):
            # `w.data = …`; `y[0] = …`, which makes nodes
            self.hears.on_call(func, before, args, kwargs, args[0], frame)


class _Engine:
    """Stands before torch's engine, so that no way into a backward pass is missed."""

    def __init__(self, real: Any, hears: Hears) -> None:
        self._real, self._hears = real, hears

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def run_backward(
        self,
        outputs: Any,
        grads: Any,
        keep_graph: bool,
        create_graph: bool,
        *rest: Any,
        **options: Any,
    ) -> Any:
        run = functools.partial(
            self._real.run_backward, outputs, grads, keep_graph, create_graph, *rest, **options
        )
        if not self._hears.is_here():
            return run()
        return self._hears.on_backward(run, outputs, grads, creates=create_graph)


class Standing:
    """Everything that is put in the place of something of torch's."""

    def __init__(self, hears: Hears, mode: type[Mode]) -> None:
        """`mode` tells of calls: `Mode` or `DeepMode`."""
        self._hears = hears
        self._undo: list[Callable[[], object]] = []
        self._mode = mode(hears)
        self._watch_engine()
        self._watch_functions()
        self._watch_optimizers()
        self._watch_changes()
        self._watch_fast_paths()
        self._run_compiled_code_eagerly()
        self._replace(warnings, "showwarning", warning_at_its_place(warnings.showwarning))
        _C._push_on_torch_function_stack(self._mode)

    def leave(self) -> None:
        """Let all be as it was."""
        self.leave_mode()
        for undo in reversed(self._undo):
            undo()
        self._undo = []

    def leave_mode(self) -> None:
        """Take our mode from under the program's own. In a call of torch's it is put aside, and
        comes back: then it does nothing until the recording is closed.
        """
        above = []
        while _C._len_torch_function_stack():
            mode = _C._pop_torch_function_stack()
            if mode is self._mode:
                break
            above.append(mode)
        for mode in reversed(above):
            _C._push_on_torch_function_stack(mode)

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        """Put `value` in the place of an attribute, until the recording stops."""
        is_own = name in vars(owner)
        real = vars(owner).get(name)
        setattr(owner, name, value)
        self._undo.append(lambda: setattr(owner, name, real) if is_own else delattr(owner, name))

    def _watch_engine(self) -> None:
        variable = _autograd.Variable
        self._replace(
            variable, "_execution_engine", _Engine(variable._execution_engine, self._hears)
        )

    def _watch_functions(self) -> None:
        """What `Function.apply` calls: it may itself have been looked up before, `f = F.apply`."""
        below: Any = torch.autograd.function._SingleLevelFunction
        real = below.__dict__.get("apply") or vars(_C._FunctionBase)["apply"]

        def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
            with without_functions():
                known = self._hears.on_function(cls, args)
            before = _sequence()
            result = real.__get__(None, cls)(*args, **kwargs)
            if isinstance(result, torch.Tensor | tuple | list):
                with without_functions():
                    frame = sys._getframe(1)
                    self._hears.on_call(cls, before, args, kwargs, result, frame, known)
            return result

        self._replace(below, "apply", classmethod(apply))

    def _watch_optimizers(self) -> None:
        optimizer = torch.optim.Optimizer
        handles = [
            register_optimizer_step_pre_hook(self._hears.on_step),
            register_optimizer_step_post_hook(self._hears.on_step_done),
        ]
        self._undo += [handle.remove for handle in handles]
        made = optimizer.__init__

        @functools.wraps(made)
        def watched(instance: Any, *args: Any, **kwargs: Any) -> None:
            self._hears.on_optimizer()
            made(instance, *args, **kwargs)

        self._replace(optimizer, "__init__", watched)
        self._watch_clearing(optimizer, _parameters_of)
        self._watch_clearing(torch.nn.Module, torch.nn.Module.parameters)

    def _watch_clearing(
        self, owner: Any, parameters: Callable[[Any], Iterable[torch.Tensor]]
    ) -> None:
        clear = owner.zero_grad

        @functools.wraps(clear)
        def zero_grad(instance: Any, *args: Any, **kwargs: Any) -> Any:
            done = clear(instance, *args, **kwargs)
            self._hears.on_zero_grad(parameters(instance))
            return done

        self._replace(owner, "zero_grad", zero_grad)

    def _watch_changes(self) -> None:
        """Clipping and unscaling. What clips by the norm is looked up in its module when it is
        called, whoever has imported the function that calls it.
        """
        hears, clipping, scaler = self._hears, torch.nn.utils.clip_grad, torch.amp.GradScaler
        by_norm, by_value, unscale, scale, update = (
            clipping._clip_grads_with_norm_, clipping.clip_grad_value_,
            scaler.unscale_, scaler.scale, scaler.update,
        )  # fmt: skip

        @functools.wraps(by_norm)
        def clip_by_norm(parameters: Any, most: Any, total: Any, *rest: Any, **kwargs: Any) -> Any:
            run = functools.partial(by_norm, parameters, most, total, *rest, **kwargs)
            return hears.on_change(
                run, _listed(parameters), "clip_norm",
                lambda: min(1.0, float(most) / (float(total) + 1e-6)),
            )  # fmt: skip

        @functools.wraps(by_value)
        def clip_by_value(parameters: Any, most: Any, *rest: Any, **kwargs: Any) -> Any:
            listed = _listed(parameters)
            run = functools.partial(by_value, listed, most, *rest, **kwargs)
            return hears.on_change(run, listed, "clip_value", lambda: float(most))

        @functools.wraps(unscale)
        def unscaled(instance: Any, optimizer: Any) -> Any:
            run = functools.partial(unscale, instance, optimizer)
            if not instance.is_enabled():
                return run()
            return hears.on_change(
                run, _parameters_of(optimizer), "unscale", lambda: 1 / instance.get_scale()
            )

        @functools.wraps(scale)
        def scaled(instance: Any, outputs: Any) -> Any:
            if not (hears.is_here() and instance.is_enabled() and isinstance(outputs, _Tensor)):
                return scale(instance, outputs)
            before = _sequence()
            with without_functions():
                result = scale(instance, outputs)
            hears.on_call(scale, before, (outputs, instance._scale), {}, result, sys._getframe(1))
            return result

        @functools.wraps(update)
        def updated(*args: Any, **kwargs: Any) -> Any:
            with without_functions():  # the scaler's own figures
                return update(*args, **kwargs)

        self._replace(clipping, "_clip_grads_with_norm_", clip_by_norm)
        for owner in (clipping, torch.nn.utils):
            self._replace(owner, "clip_grad_value_", clip_by_value)
        self._replace(scaler, "unscale_", unscaled)
        self._replace(scaler, "scale", scaled)
        self._replace(scaler, "update", updated)

    def _watch_fast_paths(self) -> None:
        for kind in _FAST:
            self._replace(kind, "forward", self._with_fast_path(kind.forward))

    def _with_fast_path(self, real: Any) -> Any:
        @functools.wraps(real)
        def forward(module: Any, *args: Any, **kwargs: Any) -> Any:
            if module.training or torch.is_grad_enabled() or not self._hears.is_here():
                return real(module, *args, **kwargs)
            before = _sequence()
            with without_functions():
                result = real(module, *args, **kwargs)
                if isinstance(result, torch.Tensor | tuple):
                    self._hears.on_call(real, before, args, kwargs, result, sys._getframe(1))
            return result

        return forward

    def _run_compiled_code_eagerly(self) -> None:
        """Inside of compiled code nothing could be seen. To import Dynamo takes seconds, so it is
        left to whoever compiles.
        """
        is_told = False

        def tell() -> None:
            nonlocal is_told
            if not is_told:
                is_told = True
                stance: Any = torch.compiler.set_stance("force_eager")
                self._undo.append(lambda: stance.__exit__(None, None, None))

        if "torch._dynamo" in sys.modules:
            tell()
        real = torch.compile

        @functools.wraps(real)
        def compiled(*args: Any, **kwargs: Any) -> Any:
            if self._hears.is_here():
                tell()
            return real(*args, **kwargs)

        self._replace(torch, "compile", compiled)


def _parameters_of(optimizer: Any) -> list[torch.Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _listed(parameters: Any) -> list[torch.Tensor]:
    """Parameters as torch takes them: one, or several, which may come only once."""
    return [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
