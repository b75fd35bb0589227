"""The debugger without a screen: frozen state, and functions from session to session."""
