"""Every example in the document is what its schema says, and what we ourselves would take."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from web.app import CONTRACTS
from web.openapi import document

DOCUMENT = document(CONTRACTS)
ENDPOINTS = [endpoint for contract in CONTRACTS for endpoint in contract.endpoints]


def valid(schema: Any, value: Any) -> None:
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_each_operation_has_examples_that_hold(endpoint: Any) -> None:
    operation = DOCUMENT["paths"][endpoint.path.replace(":.+}", "}")][endpoint.method.lower()]
    for parameter in operation.get("parameters", []):
        if "example" in parameter:
            valid(parameter["schema"], parameter["example"])
    if "body" in endpoint.inputs:
        content = operation["requestBody"]["content"]["application/json"]
        valid(content["schema"], content["example"])
        endpoint.inputs["body"].model_validate(content["example"])
    for status, response in operation["responses"].items():
        for media, content in response.get("content", {}).items():
            if status.startswith("2"):
                valid(content["schema"], content["example"])
            elif media == "application/problem+json":
                for code in content.get("examples", {}):
                    valid(content["schema"], DOCUMENT["components"]["examples"][code]["value"])


def test_components_are_those_that_are_used_and_named_once() -> None:
    names = set(DOCUMENT["components"]["schemas"])
    assert not [name for name in names if "__" in name], "two models of one name: rename one"
    assert not [name for name in names if name.endswith(("Path", "Query", "Headers"))]
