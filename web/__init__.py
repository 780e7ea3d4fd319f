"""HTTP only: parse, call the engine or a query, answer."""
