"""A small recording that no torch has made: y = a·b, one pass, one step, every kind of value."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backprop_recorder.writer import Writer

WEIGHT = np.arange(200, dtype=np.float32).reshape(20, 10)
SITES = [["train.py", "<module>", 2, 2, 0, 5, "y"], ["train.py", "<module>", 3, 3, 0, 12, None]]
TEXT = "a, b = load()\na * b\ny.backward()\n"


def rows(*numbers: tuple[int, ...], width: int) -> np.ndarray:
    return np.array(numbers, np.int64).reshape(-1, width)


def write(
    path: Path,
    *,
    ends: bool = True,
    events: Sequence[tuple[str, dict[str, Any]]] = (),
    hooked: Sequence[tuple[int, int, int, int]] = (),
    **options: int,
) -> Path:
    """The recording, in a file that is written to its end or not; `events` come last."""
    writer = Writer(path, **options)
    writer.json("start", {"torch": "2.13.0", "python": "3.11", "script": "train.py"})
    writer.json("source", {"file": "train.py", "text": TEXT})
    strings = {
        "sites": SITES,
        "stacks": [[0], [1]],
        "functions": [["torch._C.TensorBase", "mul"]],
        "modules": [["Net.fc", "Linear"]],
        "shapes": [[[]], [[3]], [[20, 10]], [[10, 20], [1, 10]]],
        "templates": ["{0} * {1}"],
        "names": [[0, "a"], [1, "b"]],
    }
    writer.json("strings", strings)
    tensor = writer.tensor(WEIGHT, 1)
    small = np.array([1, 2, 3], np.float32)
    pool = small.tobytes() + WEIGHT.reshape(-1)[::4].tobytes()
    values: dict[str, np.ndarray] = {
        "kind": np.array([3, 3, 2, 4, 6, 1, 5], np.uint8),
        "dtype": np.array([1, 1, 1, 1, 1, 1, 255], np.uint8),
        "shape": np.array([1, 1, 0, 2, 3, 2, 1], np.int32),
        "at": np.array([0, 0, -1, tensor, 3, 12, -1]),
        "norm": np.array([np.nan, np.nan, 7.5, 3.0, 3.0, np.inf, np.nan]),
        "extra": np.array([[5, 1, 2, np.nan, np.nan, -1]], float),
        "pool": np.frombuffer(pool, np.uint8),
    }
    writer.table("values", values, first=0, sample=64)
    call = {
        "before": [5], "after": [6], "function": [0], "stack": [0], "module": [0], "template": [0],
        "flags": [1], "operand_counts": [2], "operands": [0, 1], "output_counts": [1],
    }  # fmt: skip
    kinds = {"before": np.int64, "after": np.int64, "operands": np.int64, "flags": np.uint8}
    columns: dict[str, np.ndarray] = {
        name: np.array(one, kinds.get(name, np.int32)) for name, one in call.items()
    }
    writer.table("calls", {**columns, "outputs": rows((2, -1, 0), width=3)}, first=0)
    pass_ = {
        "kind": np.array([0, 1], np.int32),
        "sequence": np.array([5, 2**63 - 1]),
        "edge_counts": np.array([1, 0], np.int32),
        "edges": np.array([[1, 0]], np.int32),
        "roots": rows((0, 0, 2, 2), width=4),
        "leaves": rows((1, 0, 3), width=3),
        "sends": rows((0, 0, 1, 0, 3), width=5),
        "totals": rows((0, 0, 2), (1, 0, 3), width=3),
        "made": rows(width=2),
    }
    told = {
        "names": ["MulBackward0", "torch::autograd::AccumulateGrad"],
        "leaf_names": [[1, "a"]],
        "hooked": [list(row) for row in hooked],
    }
    writer.table("pass", pass_, index=1, call=1, stack=1, loss=7.5, missing=["b"], **told)
    update = {"gradients": [1.0], "updates": [0.1], "weights": [2.0], "rates": [0.1]}
    writer.json("update", {"iteration": 1, "call": 1, "optimizer": "SGD", "names": ["a"], **update})
    check = ["Cube", 0, 1, "differ", [0, 2], 3.0, 6.0, ""]
    writer.json("functions", {"checks": [check, ["Cube", -1, 0, "unknown", None, None, None, "?"]]})
    for kind, event in events:
        writer.json(kind, {"call": 1, **event})
    writer.json("error", {"type": "ValueError", "message": "\x1b[31mno", "stack": 1})
    writer.json("end", {"faults": []})
    if ends:
        writer.close()
    return path
