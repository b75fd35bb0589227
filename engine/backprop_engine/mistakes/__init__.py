"""What people get wrong about gradients: the table of mistakes, and what each would answer."""
