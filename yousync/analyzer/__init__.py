"""The reference analysis server: fetches a recording, measures it, posts what it measured; talks HTTP only."""
