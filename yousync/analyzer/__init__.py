"""The reference analysis server: fetches a recording, measures it, posts what it measured; talks HTTP only."""

import os

# One process scores one recording. More threads would take turns on the same cores, burn them while they wait, and add
# numbers up in an order of their own. It must be said before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
