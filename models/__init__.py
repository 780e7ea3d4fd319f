"""Tortoise tables and the queries on them; every query stands beside its table."""

MODULES = [
    "models.actor",
    "models.analysis_result",
    "models.bookmark",
    "models.deployment",
    "models.dubbing_result",
    "models.script",
    "models.session",
    "models.token",
    "models.user",
    "models.video_request",
]
"""All modules that hold tables; what is not listed here does not exist for migrations."""
