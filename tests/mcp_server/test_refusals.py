"""What does not succeed: a code, a sentence of ours, the facts; and nothing changes."""

from __future__ import annotations

import json
import logging
from typing import Any

import jsonschema
import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.errors import StorageUnavailable
from billing_plugin.operations import Usage
from billing_plugin.processors.processor import Charge, Payment
from mcp_server.identity import Call, caller
from mcp_server.tools import TOOLS
from mcp_server.tools.tool import Cents, tool
from mcp_server.views import BalanceView, balance_view
from tests.factories import account_with, billing_on, token_of
from tests.mcp_server.agents import Agent, answer, refusal

CANARY = "canary-7f3a secret words of a library"
NOT_CENTS = "must be a whole number: no text, no fraction, no true or false"
MOST = "must be at most 922337203685"


@tool("Record usage")
def record_usage(call: Call, amount_cents: Cents) -> BalanceView:
    """A tool that spends, for tests."""
    actor, account_id = caller(call)
    used = Usage(model="m", provider="p", cost=Money.from_cents(amount_cents))
    operations.record_usage(actor, account_id, used)
    return balance_view(operations.check_balance(actor, account_id))


@tool("Fail")
def list_entries(call: Call) -> BalanceView:
    """A tool that breaks, for tests."""
    raise RuntimeError(CANARY)


@tool("Be away")
def get_account(call: Call) -> BalanceView:
    """A tool whose database is away, for tests."""
    raise StorageUnavailable("The database cannot be reached.", details="connection refused")


@tool("Answer wrongly")
def list_limits(call: Call) -> BalanceView:
    """A tool that returns what it did not promise, for tests."""
    return CANARY  # type: ignore[return-value]


@pytest.fixture
def odd(billing: Billing, token: str, mode: str) -> Agent:
    """An agent of a server with tools that fail in ways the real ones should not."""
    return Agent(billing, token, mode, [record_usage, list_entries, get_account, list_limits])


def facts_of(actor: Actor) -> Any:
    """Everything the tools can change."""
    account_id = str(actor.account_id)
    balance = operations.check_balance(actor, account_id)
    limits = [state.limit.amount for state in operations.list_limits(actor, account_id)]
    costs = len(operations.list_items(actor, account_id))
    entries = len(operations.list_entries(actor, account_id))
    return balance.posted, balance.held, limits, entries, costs


BAD = [
    ("top_up", {"amount_cents": "2000"}, "amount_cents", NOT_CENTS),
    ("top_up", {"amount_cents": 20.0}, "amount_cents", NOT_CENTS),
    ("top_up", {"amount_cents": 20.5}, "amount_cents", NOT_CENTS),
    ("top_up", {"amount_cents": True}, "amount_cents", NOT_CENTS),
    ("top_up", {"amount_cents": None}, "amount_cents", NOT_CENTS),
    ("top_up", {"amount_cents": [2000]}, "amount_cents", NOT_CENTS),
    ("top_up", {"amount_cents": "[2000]"}, "amount_cents", NOT_CENTS),
    ("top_up", {"amount_cents": -1}, "amount_cents", "must be at least 0"),
    ("top_up", {"amount_cents": 2**63}, "amount_cents", MOST),
    ("top_up", {"amount_cents": 10**40}, "amount_cents", MOST),
    ("top_up", {"amount_cents": 922_337_203_686}, "amount_cents", MOST),
    ("top_up", {"amount_cents": 500, "idempotency_key": ""}, "idempotency_key", "at least 1 char"),
    ("top_up", {"amount_cents": 500, "idempotency_key": "x" * 256}, "idempotency_key", "at most"),
    ("top_up", {"amount_cents": 500, "idempotency_key": 7}, "idempotency_key", "must be text"),
    ("top_up", {"amount_cents": 500, "account_id": "acct_x"}, "account_id", "not an argument"),
    ("top_up", {"idempotency_key": "k"}, "amount_cents", "is required"),
    ("set_limit", {"amount_cents": "100"}, "amount_cents", NOT_CENTS),
    ("set_limit", {"amount_cents": False}, "amount_cents", NOT_CENTS),
    ("set_limit", {"amount_cents": -5}, "amount_cents", "must be at least 0"),
    ("set_limit", {"amount_cents": 100, "window": "hourly"}, "window", "'weekly' or 'monthly'"),
    ("set_limit", {"amount_cents": 100, "window": 3}, "window", "'weekly' or 'monthly'"),
    ("set_limit", {"amount_cents": 100, "zone": ""}, "zone", "at least 1 characters"),
    ("set_limit", {"amount_cents": 100, "zone": 1}, "zone", "must be text"),
    ("set_limit", {"amount_cents": 100, "currency": "EUR"}, "currency", "not an argument"),
    ("report_spend", {"group_by": "cost"}, "group_by", "'month' or 'none'"),
    ("report_spend", {"from_day": 20260301}, "from_day", "must be text"),
    ("report_spend", {"from_day": "1 March", "to_day": "2026-03-02"}, "from_day", "YYYY-MM-DD"),
    ("report_spend", {"from_day": "٢٠٢٦-03-01", "to_day": "2026-03-02"}, "from_day", "YYYY-MM-DD"),
    ("report_spend", {"source": "bills"}, "source", "'items' or 'all'"),
    ("report_spend", {"currency": "USDT"}, "currency", "at most 3 characters"),
    ("list_costs", {"limit": "5"}, "limit", NOT_CENTS),
    ("list_costs", {"limit": 26}, "limit", "must be at most 25"),
    ("list_costs", {"limit": 0}, "limit", "must be at least 1"),
    ("list_costs", {"tag": ["a"]}, "tag", "must be text"),
    ("list_costs", {"from_day": "yesterday"}, "from_day", "YYYY-MM-DD"),
    ("record_cost", {"amount_cents": "5"}, "amount_cents", NOT_CENTS),
    ("record_cost", {"amount_cents": -5}, "amount_cents", "must be at least 0"),
    ("record_cost", {"name": ""}, "name", "at least 1 char"),
    ("record_cost", {"name": "x" * 201}, "name", "at most 200"),
    ("record_cost", {"day": "1 March"}, "day", "YYYY-MM-DD"),
    ("record_cost", {"currency": "EUR"}, "currency", "not an argument"),
    ("record_cost", {"idempotency_key": ""}, "idempotency_key", "at least 1 char"),
    ("check_balance", {"account_id": "acct_x"}, "account_id", "not an argument"),
]
WHOLE = {
    "top_up": {"idempotency_key": "k"},
    "record_cost": {"name": "n", "amount_cents": 5, "idempotency_key": "k"},
}


@pytest.mark.parametrize(("tool_name", "given", "field", "words"), BAD)
def test_wrong_arguments_are_named_and_change_nothing(
    agent: Agent, actor: Actor, tool_name: str, given: dict[str, Any], field: str, words: str
) -> None:
    before = facts_of(actor)
    said = refusal(agent(tool_name, **{**WHOLE.get(tool_name, {}), **given}))
    assert (said["code"], said["retryable"]) == ("invalid_request", False)
    assert list(said["fields"]) == [field]
    assert words in said["fields"][field]
    assert f"{field} {said['fields'][field]}" in said["message"]
    assert facts_of(actor) == before


def test_a_top_up_without_a_key_is_refused(agent: Agent, actor: Actor) -> None:
    said = refusal(agent("top_up", amount_cents=500))
    assert said["fields"] == {"idempotency_key": "is required"}
    assert facts_of(actor)[0] == Money.parse("100")


def test_rejected_values_are_not_repeated(agent: Agent) -> None:
    result = agent("top_up", amount_cents="sk_live_pasted", idempotency_key="k")
    assert "sk_live_pasted" not in result.model_dump_json()
    result = agent("check_balance", **{"no\u202e\x1b[31m" + "x" * 500: 1})
    [name] = refusal(result)["fields"]
    assert name == ("no[31m" + "x" * 500)[:60]


COST = WHOLE["record_cost"]
RULES = [
    ("set_limit", {"amount_cents": 100, "zone": "Mars/Olympus"}, "invalid_request"),
    ("set_limit", {"amount_cents": 100, "zone": "../../etc/passwd"}, "invalid_request"),
    ("report_spend", {"from_day": "2026-03-01"}, "invalid_request"),
    ("report_spend", {"to_day": "2026-03-01"}, "invalid_request"),
    ("report_spend", {"from_day": "2026-03-02", "to_day": "2026-03-01"}, "invalid_request"),
    ("report_spend", {"from_day": "2026-02-30", "to_day": "2026-03-01"}, "invalid_request"),
    ("top_up", {"amount_cents": 0, "idempotency_key": "k"}, "amount_out_of_range"),
    ("top_up", {"amount_cents": 99, "idempotency_key": "k"}, "amount_out_of_range"),
    ("top_up", {"amount_cents": 1_000_001, "idempotency_key": "k"}, "amount_out_of_range"),
    ("top_up", {"amount_cents": 500, "idempotency_key": "a\nb"}, "invalid_request"),
    ("report_spend", {"currency": "usd"}, "invalid_request"),
    ("report_spend", {"source": "all", "from_day": "2026-03-01"}, "invalid_request"),
    ("list_costs", {"from_day": "2026-03-02", "to_day": "2026-03-01"}, "invalid_request"),
    ("list_costs", {"from_day": "2026-02-30"}, "invalid_request"),
    ("list_costs", {"after": "item_x"}, "invalid_request"),
    ("list_costs", {"category": "unknown"}, "not_found"),
    ("list_costs", {"provider": "\0"}, "invalid_request"),
    ("record_cost", {**COST, "category": "unknown"}, "not_found"),
    ("record_cost", {**COST, "provider": "p" * 201}, "invalid_request"),
    ("record_cost", {**COST, "day": "9999-12-31"}, "time_out_of_range"),
    ("record_cost", {**COST, "name": "\ud800"}, "invalid_request"),
]


@pytest.mark.parametrize(("tool_name", "given", "code"), RULES)
def test_what_an_operation_refuses_keeps_its_code(
    agent: Agent, actor: Actor, tool_name: str, given: dict[str, Any], code: str
) -> None:
    before = facts_of(actor)
    assert refusal(agent(tool_name, **given))["code"] == code
    assert facts_of(actor) == before


def test_a_key_used_for_another_amount_is_a_conflict(agent: Agent, actor: Actor) -> None:
    answer(agent("top_up", amount_cents=500, idempotency_key="k"))
    said = refusal(agent("top_up", amount_cents=600, idempotency_key="k"))
    assert (said["code"], said["retryable"]) == ("idempotency_conflict", False)
    assert facts_of(actor)[0] == Money.parse("105")


def test_a_tool_that_is_not_there(agent: Agent) -> None:
    said = refusal(agent("drop\u202e_tables"))
    assert said == {
        "tool": "drop_tables",
        "code": "unknown_tool",
        "message": "There is no such tool.",
        "retryable": False,
    }


SCOPES = [
    ("check_balance", {}, "balance:read"),
    ("top_up", {"amount_cents": 500, "idempotency_key": "k"}, "topups:write"),
    ("set_limit", {"amount_cents": 500}, "limits:write"),
    ("report_spend", {}, "reports:read"),
    ("report_spend", {"source": "items"}, "reports:read"),
    ("list_costs", {}, "items:read"),
    ("record_cost", COST, "items:write"),
]


@pytest.mark.parametrize(("tool_name", "given", "scope"), SCOPES)
def test_a_missing_scope_is_named(
    billing: Billing, actor: Actor, mode: str, tool_name: str, given: dict[str, Any], scope: str
) -> None:
    others = operations.account_scopes() - {scope}
    before = facts_of(actor)
    said = refusal(Agent(billing, token_of(billing, actor, *others), mode)(tool_name, **given))
    assert (said["code"], said["scope"], said["retryable"]) == ("forbidden", scope, False)
    assert scope in said["message"]
    assert facts_of(actor) == before
    answer(Agent(billing, token_of(billing, actor, scope), mode)(tool_name, **given))


def test_insufficient_funds_carry_their_facts(odd: Agent, actor: Actor) -> None:
    said = refusal(odd("record_usage", amount_cents=10_001))
    assert (said["code"], said["retryable"]) == ("insufficient_funds", False)
    assert said["available"] == "100.00"
    assert said["requested"] == "100.01"
    assert said["currency"] == "USD"
    assert facts_of(actor)[0] == Money.parse("100")


def test_a_limit_that_refuses_names_itself_and_its_reset(odd: Agent, actor: Actor) -> None:
    state = operations.set_limit(actor, str(actor.account_id), Money.parse("5"))
    answer(odd("record_usage", amount_cents=500))
    said = refusal(odd("record_usage", amount_cents=1))
    assert (said["code"], said["limit_id"]) == ("limit_exceeded", state.limit.id)
    assert (said["amount"], said["spent"], said["requested"]) == ("5.00", "5.00", "0.01")
    assert said["resets_at"] == "2026-04-01T00:00:00Z"


class Declines:
    """A processor that declines every card, in its own words."""

    name = "declines"

    def charge(self, charge: Charge) -> Payment:
        return Payment("failed", failure=CANARY)

    def find(self, charge: Charge) -> Payment | None:
        return None


def test_a_declined_card(database_url: str, mode: str) -> None:
    billing = billing_on(database_url, processor=Declines())
    actor = account_with(billing)
    result = Agent(billing, token_of(billing, actor), mode)(
        "top_up", amount_cents=500, idempotency_key="k"
    )
    said = refusal(result)
    assert (said["code"], said["retryable"]) == ("payment_declined", False)
    assert said["topup_id"].startswith("top_")
    assert CANARY not in result.model_dump_json()
    assert facts_of(actor)[0] == Money.zero()
    billing.instance.database.close_all()


def test_no_processor_is_said_plainly(database_url: str, mode: str) -> None:
    billing = billing_on(database_url, processor=None)
    agent = Agent(billing, token_of(billing, account_with(billing)), mode)
    said = refusal(agent("top_up", amount_cents=500, idempotency_key="k"))
    assert (said["code"], said["retryable"]) == ("not_supported", False)
    billing.instance.database.close_all()


@pytest.mark.parametrize("tool_name", ["list_entries", "list_limits"])
def test_a_bug_leaks_nothing_to_agent_or_log(
    odd: Agent, tool_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        result = odd(tool_name)
    assert refusal(result) == {
        "code": "internal_error",
        "message": "Something went wrong on our side.",
        "retryable": False,
    }
    # The SDK's own client logs what it receives; what the server says is what counts.
    ours = [record for record in caplog.records if record.name.startswith("mcp_server")]
    assert [record.getMessage() for record in ours if tool_name in record.getMessage()]
    assert all(record.exc_info is None for record in ours)
    assert CANARY not in caplog.text
    assert CANARY not in result.model_dump_json()


def test_a_database_that_is_away_is_retryable(odd: Agent, caplog: pytest.LogCaptureFixture) -> None:
    result = odd("get_account")
    said = refusal(result)
    assert (said["code"], said["retryable"]) == ("storage_unavailable", True)
    assert "refused" not in result.model_dump_json()
    assert "connection refused" in caplog.text


def test_the_text_of_a_refusal_says_the_same(agent: Agent) -> None:
    result = agent("set_limit", amount_cents=-1)
    [block] = result.content
    assert json.loads(block.text) == result.structured_content


def test_refusals_satisfy_the_output_schema_too(agent: Agent, odd: Agent, actor: Actor) -> None:
    """There are clients that check the structured content of a refusal like any other."""
    schemas = {one.name: one.output_schema for one in (*TOOLS, record_usage)}
    wrong = [(agent, "check_balance", {"x": 1}), (agent, "top_up", {}), (agent, "set_limit", {})]
    wrong += [(agent, "report_spend", {"to_day": "2026-03-01"})]
    wrong += [(odd, "record_usage", {"amount_cents": 10_001})]  # its `available` is no object
    for asked, name, given in wrong:
        jsonschema.validate(refusal(asked(name, **given)), schemas[name])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"code": "half a refusal"}, schemas["check_balance"])


def test_a_revoked_key_is_refused_at_the_next_call(
    billing: Billing, actor: Actor, mode: str
) -> None:
    made = operations.create_key(billing.operator(), str(actor.account_id))
    agent = Agent(billing, made.token, mode)
    answer(agent("check_balance"))
    operations.revoke_key(billing.operator(), str(actor.account_id), made.key.id)
    result = agent("check_balance")
    said = refusal(result)
    assert (said["code"], said["retryable"]) == ("unauthenticated", False)
    assert made.token not in result.model_dump_json()
