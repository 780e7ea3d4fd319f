"""How fast YouSync is, beside two yardsticks: the old design as a server, and the least that any server must do.

`make bench` runs everything; docs/benchmarks.md is what it wrote last.
"""
