"""Vocabulary, settings and clients to the outside; imports nothing of the packages above it."""
