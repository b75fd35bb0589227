"""What-if: other values in the place of inputs and constants, as functions of a session."""
