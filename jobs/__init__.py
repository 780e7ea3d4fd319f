"""The engine: how an accepted recording becomes a stored result. Knows no HTTP."""
