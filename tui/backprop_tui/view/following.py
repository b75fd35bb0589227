"""What screens and widgets have in common that are drawn again with every change of the session."""

from __future__ import annotations

from abc import abstractmethod

from backprop_tui.view.view import View


class Following:
    """Draws the View it is shown."""

    @abstractmethod
    def show(self, view: View) -> None:
        """Draw `view` in the place of the last one."""
