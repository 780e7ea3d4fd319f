"""Hears how a script was said: sound → features → senone scores → alignment → phones → scores."""
