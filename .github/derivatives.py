"""Writes torch's own texts of its derivatives anew, as they travel in the wheel of torch."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from backprop_engine.recording import torch_texts

_ARGUMENT = re.compile(r"(\w+)(?:=[^,]*)?$")
_GUARDED = re.compile(r"grad\.defined\(\) \? (.*) : std::tuple<[^>]*>\(\)$")
"""What is sent only where there is something to send."""


def entries(definitions: list[dict[str, Any]]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """(grad_fn, its arguments in torch's order with the text of each), numbered as torch does."""
    counts = Counter[str]()
    for definition in definitions:
        name, _, rest = definition["name"].partition("(")
        arguments = [argument.strip() for argument in rest.rpartition(" -> ")[0].split(",")]
        dispatched = definition.get("dispatch") or {"Default": definition}
        for key, told in dispatched.items():
            texts = {
                argument.strip(): _GUARDED.sub(r"\1", str(text))
                for names, text in told.items()
                for argument in names.split(",")
                if text != "non_differentiable"
            }
            found = [
                (match[1], texts[match[1]])
                for argument in arguments
                if (match := _ARGUMENT.search(argument.rstrip(")"))) and match[1] in texts
            ]
            if found:
                base = "".join(part.title() for part in name.partition(".")[0].split("_"))
                prefix = f"{base}Backward".replace("ForwardBackward", "Backward")
                prefix += "" if key == "Default" else key
                yield f"{prefix}{counts[prefix]}", found
                counts[prefix] += 1


def told() -> dict[str, Any]:
    """All of it, with whose it is."""
    spec = find_spec("torchgen")
    if spec is None or spec.origin is None:
        raise SystemExit("torchgen comes with torch, which is not installed here")
    path = Path(spec.origin).parent / "packaged" / "autograd" / "derivatives.yaml"
    torch = metadata.distribution("torch")
    licence = torch.read_text("licenses/LICENSE") or ""
    definitions = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    return {
        "from": f"torch {torch.version.partition('+')[0]}, derivatives.yaml",
        "license": licence.splitlines(),
        "derivatives": dict(entries(definitions)),
    }


if __name__ == "__main__":
    path = Path(sys.argv[1]) if sys.argv[1:] else torch_texts.PATH
    text = json.dumps(told(), ensure_ascii=False, separators=(",", ":"))
    path.write_text(text.replace("]],", "]],\n") + "\n", encoding="utf-8")
    print(path)
