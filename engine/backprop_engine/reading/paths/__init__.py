"""The paths along which a gradient comes down: how many, the largest of them, and their sum."""
