"""A controllable stand-in for the analysis server, for tests and benchmarks: late, early, twice, never, failing.

`python -m yousync.local.standin --port P --ledger FILE`. It takes both request shapes on POST /analyze, and
videos for the preprocess server on POST /process, writes
down what it got before it answers, and behaves as POST /behaviour told it. It hears nothing: its scores are made
of a hash of the audio's name, and its result says so.
"""
