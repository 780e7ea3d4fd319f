"""The alerts that ship: each asks for series that exist, by labels and values that they have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from web.app import CONTRACTS
from yousync import metrics
from yousync.job import Kind, Stage, State

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yml"
FILE: dict[str, Any] = yaml.safe_load(RULES.read_text())
ALL: list[dict[str, Any]] = [rule for group in FILE["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in ALL if "alert" in rule}
RECORDED = {rule["record"]: rule for rule in ALL if "record" in rule}

SCRAPED = {"instance", "job"}
"""Labels that Prometheus adds."""
VALUES: dict[str, set[str]] = {
    "state": {*State},
    "stage": {*Stage},
    "kind": {*Kind},
    "outcome": {*metrics.Attempt},
    "code": {*metrics.CODES},
    "source": {"webhook", "reply", "status"},
    "use": {"busy", "idle"},
    "method": {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"},
    "status": {str(status) for status in range(200, 600)},
    "route": {endpoint.path for contract in CONTRACTS for endpoint in contract.endpoints},
}


def series() -> dict[str, set[str]]:
    """Every series by name, with its labels."""
    found: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        suffixes: dict[str, set[str]]
        match metric:
            case Counter():
                suffixes = {"_total": set()}
            case Gauge():
                suffixes = {"": set()}
            case Histogram():
                suffixes = {"_bucket": {"le"}, "_sum": set(), "_count": set()}
            case _:
                continue
        (family,) = metric.describe()
        found |= {family.name + suffix: {*metric._labelnames, *more, *SCRAPED} for suffix, more in suffixes.items()}
    return found


SERIES = series()


def selectors(expression: str) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Each series that an expression asks for, with its matchers (label, operator, value)."""
    for name, inside in re.findall(r"\b(yousync_\w+)(?:{([^{}]*)})?", expression):
        yield name, re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', inside)


def grouped_by(expression: str) -> set[str]:
    """The labels in `by (...)`, `on (...)` and the like."""
    lists = re.findall(r"\b(?:by|on|ignoring|without)\s*\(([^()]*)\)", expression)
    return {label.strip() for labels in lists for label in labels.split(",")}


@pytest.mark.parametrize("name", ALERTS | RECORDED)
def test_a_rule_asks_for_what_there_is(name: str) -> None:
    expression = (ALERTS | RECORDED)[name]["expr"]
    assert set(re.findall(r"\byousync:[\w:]+", expression)) <= RECORDED.keys()
    asked = list(selectors(expression))
    assert asked
    for series_name, matchers in asked:
        assert series_name in SERIES
        for label, operator, value in matchers:
            assert label in SERIES[series_name]
            fits = re.compile(value).fullmatch if "~" in operator else value.__eq__
            assert any(fits(known) for known in VALUES[label]), f"{label} is never {value}"
            if "~" in operator and re.fullmatch(r"[\w|]+", value):
                assert set(value.split("|")) <= VALUES[label]
    assert grouped_by(expression) <= set().union(*(SERIES[series_name] for series_name, _ in asked))


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_it_is_and_how_bad(name: str) -> None:
    rule = ALERTS[name]
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"YouSync([A-Z][a-z]+)+", name)
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert re.fullmatch(r"\d+[mh]", rule.get("for", "1m"))
    summary = rule["annotations"]["summary"]
    told = set(re.findall(r"\$labels\.(\w+)", summary))
    aggregated = re.search(r"\b(sum|max|min|absent)\b", rule["expr"])
    assert told <= (grouped_by(rule["expr"]) if aggregated else SCRAPED)
    assert rule["expr"].count("(") == rule["expr"].count(")")


def test_names_are_unique_and_no_series_is_summed_that_every_process_tells_alike() -> None:
    assert len(ALERTS) + len(RECORDED) == len(ALL)
    alike = "jobs|oldest_job_age_seconds|held_jobs|breaker_open|stage_paused|queue_jobs|(?:staged|valkey)_\\w+|workers"
    for rule in ALL:
        for name in re.findall(rf"\byousync_(?:{alike})\b(?!_)", rule["expr"]):
            assert re.search(rf"\bmax(?: by \(\w+\) )?\({name}\b", rule["expr"]), rule


def test_every_end_is_a_success_or_not_except_what_only_the_learner_can_mend() -> None:
    ((_, failed), (_, ended)) = selectors(RECORDED["yousync:job_success:ratio15m"]["expr"])
    assert failed[1] == ended[1] == ("code", "!~", "no_speech|audio_empty")
    assert [matchers[0][2].split("|") for matchers in (failed, ended)] == [
        [State.FAILED, State.PARKED],
        [State.COMPLETED, State.FAILED, State.PARKED],
    ]
