"""The inspector's choices: which quantity, by whom, and which slice; all can be clicked."""

from __future__ import annotations

from backprop_tui.inspecting.grid import Grid
from backprop_tui.inspecting.layers import Quantity, Whose
from backprop_tui.widgets.sparing import Piece, Pieces

_GAP = Piece("   ")


class LayerTabs(Pieces):
    """One line; what is chosen stands in brackets, for eyes that see no colour."""

    def __init__(self) -> None:
        super().__init__(id="layers")
        self.quantity = Quantity.VALUE
        self.whose = Whose.OURS
        self.grid = Grid(())

    def show(self, quantity: Quantity, whose: Whose, grid: Grid) -> None:
        """Draw these choices."""
        self.quantity, self.whose, self.grid = quantity, whose, grid
        self.refresh()

    def pieces(self) -> list[Piece]:
        """Quantities, whose they are, and the leading axes."""
        quantity, whose, grid = self.quantity, self.whose, self.grid
        rows = [
            [_piece(name, quantity, (name, whose, grid.axis)) for name in Quantity],
            [_piece(name, whose, (quantity, name, grid.axis)) for name in Whose],
            [
                _piece(_axis(grid, axis), _axis(grid, grid.axis), (quantity, whose, axis))
                for axis in range(len(grid.leading))
            ],
        ]
        return [piece for row in rows if row for piece in (*row, _GAP)][:-1]


def _axis(grid: Grid, axis: int) -> str:
    return f"axis {axis}: {grid.leading[axis]} of {grid.shape[axis]}"


def _piece(name: str, chosen: str, choice: tuple[Quantity, Whose, int]) -> Piece:
    """One choice, and all three choices as they are after a click on it."""
    quantity, whose, axis = choice
    action = f"screen.choose('{quantity}', '{whose}', {axis})"
    if name == chosen:
        return Piece(f"[{name}]", "bold $primary", action)
    return Piece(f" {name} ", "$foreground-muted", action)
