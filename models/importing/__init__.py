"""Bringing the earlier server's database over: read, and fitted to our tables in one transaction."""
