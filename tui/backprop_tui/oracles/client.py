"""Torch from our side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Self

from backprop_engine.basics.limits import MAX_SENT
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Trace
from backprop_tui.oracles.limits import TORCH_SECONDS
from backprop_tui.oracles.messages import Message
from backprop_tui.oracles.process import Child, Role
from backprop_tui.oracles.report import Failed, Ready, Report, TorchReport
from backprop_tui.oracles.torch.protocol import decode_report, encode_request

TORCH = Role(
    name="torch",
    module="backprop_tui.oracles.torch.child",
    remedy="Everything else works without torch.",
    install="Install PyTorch in this environment (`pip install torch`), or go on without it.",
)


class Client(Generic[Report]):
    """Asks one child about many traces; it starts with the first of them. Blocking."""

    def __init__(
        self,
        role: Role,
        decode: Callable[[Trace, Message], Report],
        child: Child,
        seconds: float,
    ) -> None:
        """`decode` raises one of NO_MESSAGE; `seconds` are for each question."""
        self._role, self._decode, self._child, self._seconds = role, decode, child, seconds

    def about(self, trace: Trace, encode: Callable[[Trace], Message]) -> Ready[Report] | Failed:
        """The answer to what `encode` makes of `trace`, if that is not too large to be sent."""
        if graph_of(trace).budget.used > MAX_SENT:
            return self._role.failed(
                f"This recording has more than {MAX_SENT // 1_000_000} MB of arrays, "
                f"too many for {self._role.name}."
            )
        return self._child.ask(
            encode(trace), lambda reply: Ready(self._decode(trace, reply)), self._seconds
        )

    def close(self) -> None:
        """End the child; a question under way in another thread is answered by Failed."""
        self._child.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Oracle(Client[TorchReport]):
    """Torch."""

    def __init__(
        self,
        *,
        time_limit: float = TORCH_SECONDS,
        command: Sequence[str] = (),
        child: Child | None = None,
    ) -> None:
        super().__init__(TORCH, decode_report, child or Child(TORCH, command), time_limit)

    def ask(self, trace: Trace) -> Ready[TorchReport] | Failed:
        """What torch makes of `trace`. Never raises for the child's faults."""
        return self.about(trace, encode_request)

    def forward(self, message: Message) -> Message | Failed:
        """The reply to a request that another process has encoded and will decode."""
        return self._child.ask(message, dict, self._seconds)
