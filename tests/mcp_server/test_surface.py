"""What agents see before they call anything: complete, honest, short, and the same every time."""

from __future__ import annotations

import json

import jsonschema
import pytest

from billing_plugin.operations import CATALOGUE
from mcp_server.server import INSTRUCTIONS
from mcp_server.tools.tool import OPERATIONS
from tests.mcp_server.agents import Agent, answer

NAMES = ["check_balance", "top_up", "set_limit", "report_spend", "list_costs", "record_cost"]
MOST_TOKENS = 2000


def test_the_tools_in_order(agent: Agent) -> None:
    assert [tool.name for tool in agent.tools()] == NAMES


def test_every_tool_is_described_in_full(agent: Agent) -> None:
    for tool in agent.tools():
        assert tool.title
        assert tool.description
        assert len(tool.description) > 20
        hints = tool.annotations.model_dump(exclude={"title"})
        assert len(hints) == 4
        assert all(isinstance(hint, bool) for hint in hints.values()), tool.name


def test_hints_follow_the_operations_effect(agent: Agent) -> None:
    for tool in agent.tools():
        effect = CATALOGUE[OPERATIONS[tool.name]].effect
        hints = tool.annotations
        assert hints.read_only_hint is (effect == "reads")
        assert hints.destructive_hint is (effect in ("writes", "spends"))
        assert hints.open_world_hint is (effect == "spends")
        assert hints.idempotent_hint is True  # each of them may be repeated with no harm


def test_arguments_are_closed_and_cents_are_bounded_integers(agent: Agent) -> None:
    for tool in agent.tools():
        assert tool.input_schema["additionalProperties"] is False
        assert not {"account", "account_id"} & set(tool.input_schema["properties"])
        cents = tool.input_schema["properties"].get("amount_cents")
        if cents:
            assert cents["type"] == "integer"
            assert (cents["minimum"], cents["maximum"]) == (0, (2**63 - 1) // 10**7)
    assert "idempotency_key" in agent.tools()[1].input_schema["required"]


def test_every_output_schema_is_an_object_of_view_or_refusal(agent: Agent) -> None:
    for tool in agent.tools():
        schema = tool.output_schema
        assert schema["type"] == "object"
        jsonschema.validators.validator_for(schema).check_schema(schema)
        view, refused = schema["anyOf"]
        assert set(view["required"]) == set(view["properties"])
        assert refused["required"] == ["code", "message", "retryable"]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("check_balance", {}),
        ("top_up", {"amount_cents": 500, "idempotency_key": "k"}),
        ("set_limit", {"amount_cents": 500}),
        ("report_spend", {}),
        ("report_spend", {"source": "items", "group_by": "week"}),
        ("list_costs", {}),
        ("record_cost", {"name": "n", "amount_cents": 5, "idempotency_key": "k"}),
    ],
)
def test_answers_keep_their_schema_and_are_short(agent: Agent, name: str, given: dict) -> None:
    schema = next(tool.output_schema for tool in agent.tools() if tool.name == name)
    result = agent(name, **given)
    jsonschema.validate(answer(result), schema["anyOf"][0] | {"$defs": schema["$defs"]})
    assert len(result.content[0].text) / 4 <= 500


def test_the_whole_list_costs_few_tokens(agent: Agent) -> None:
    listed = [
        tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in agent.tools()
    ]
    result = {"resultType": "complete", "ttlMs": 60_000, "cacheScope": "private", "tools": listed}
    reply = {"jsonrpc": "2.0", "id": 1, "result": result}
    tokens = len(json.dumps(reply, separators=(",", ":"))) / 4
    assert tokens <= MOST_TOKENS
    assert len(INSTRUCTIONS) / 4 <= 120


def test_the_list_is_the_same_every_time(agent: Agent) -> None:
    assert agent.tools() == agent.tools()
