"""A notebook as people write it, executed in a real kernel and turned into a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter

CELLS = (
    "%load_ext backprop_tui",
    "%%backprop\ntitle: '<b>\"Two''s\"</b>'\ninputs: {x: 3}\ncompute: y = x*x\n",
    "%%backprop\nimport torch\nx = torch.ones(2, requires_grad=True)\nx.sum().backward()\n",
    "%%backprop\nx=2, y=x**2+3z",
    "from backprop_engine import load, record\nrecord(load('cube.yaml'))",
)


def executed(folder: Path) -> Any:
    """The notebook with its outputs; a cell that is wrong does not end it."""
    (folder / "cube.yaml").write_text("title: A cube\ninputs: {z: 3}\ncompute: w = z**3\n")
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, CELLS)))
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, resources=resources, timeout=100, allow_errors=True).execute()
    return notebook


def as_page(notebook: Any, path: Path) -> Path:
    """`path`, written as nbconvert does it."""
    text, _ = HTMLExporter().from_notebook_node(notebook)
    path.write_text(text, encoding="utf-8")
    return path
