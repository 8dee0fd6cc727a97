"""Each tool's success: the operation's own facts, exact money in three forms, words on top."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.errors import ProviderUnavailable
from billing_plugin.operations import Usage
from billing_plugin.processors.processor import Charge, Payment
from tests.factories import Clock, account_with, billing_on, token_of
from tests.mcp_server.agents import Agent, answer, refusal


def use(actor: Actor, cost: str, model: str = "m") -> None:
    """Charges the account for a use with a stated cost."""
    used = Usage(model=model, provider="p", cost=Money.parse(cost))
    operations.record_usage(actor, str(actor.account_id), used)


def money(value: Money, cents: int) -> dict[str, Any]:
    """How an amount looks in an answer."""
    return {"amount": value.text, "cents": cents, "currency": value.currency}


def instant(text: str) -> datetime:
    """A time of an answer."""
    return datetime.fromisoformat(text)


def test_the_balance_is_the_operations_own(agent: Agent, actor: Actor) -> None:
    use(actor, "0.001")
    balance = operations.check_balance(actor, str(actor.account_id))
    said = answer(agent("check_balance"))
    assert said == {
        "summary": "99.999 USD available (99.999 settled, 0.00 reserved).",
        "account_id": actor.account_id,
        "available": money(balance.available, 9999),  # rounds down: 99.999 is not 100.00
        "posted": money(balance.posted, 9999),
        "held": money(balance.held, 0),
        "as_of": "2026-03-09T14:32:00Z",
    }


def test_the_text_form_says_the_same_in_few_characters(agent: Agent) -> None:
    result = agent("check_balance")
    [block] = result.content
    assert json.loads(block.text) == result.structured_content
    assert "\n" not in block.text
    assert '": ' not in block.text


def test_a_top_up_credits_the_account(agent: Agent, actor: Actor) -> None:
    said = answer(agent("top_up", amount_cents=2050, idempotency_key="first"))
    topup = operations.get_topup(actor, str(actor.account_id), said["topup_id"])
    assert said == {
        "summary": "20.50 USD of credit was added.",
        "topup_id": topup.id,
        "status": "succeeded",
        "amount": money(topup.amount, 2050),
        "created_at": "2026-03-09T14:32:00Z",
    }
    assert topup.amount == Money.parse("20.50")
    balance = operations.check_balance(actor, str(actor.account_id))
    assert balance.available == Money.parse("120.50")


def test_a_top_up_is_replayed_by_its_key(agent: Agent, actor: Actor) -> None:
    first = answer(agent("top_up", amount_cents=500, idempotency_key="same"))
    assert answer(agent("top_up", amount_cents=500, idempotency_key="same")) == first
    assert answer(agent("top_up", amount_cents=500, idempotency_key="other")) != first
    balance = operations.check_balance(actor, str(actor.account_id))
    assert balance.available == Money.parse("110")


def test_a_top_ups_entry_names_the_key_and_the_call(agent: Agent, actor: Actor) -> None:
    answer(agent("top_up", amount_cents=500, idempotency_key="k"))
    [entry, *_] = operations.list_entries(actor, str(actor.account_id))
    assert entry.kind == "topup"
    assert entry.key_id.removeprefix("key_") in agent.token
    assert entry.request_id.startswith("req_")


def test_a_limit_is_set_and_set_again(agent: Agent, actor: Actor) -> None:
    use(actor, "1.25")
    said = answer(agent("set_limit", amount_cents=5000, window="daily", zone="Europe/Berlin"))
    assert said == {
        "summary": "Daily limit of 50.00 USD: 1.25 spent, 48.75 left."
        " It resets at 2026-03-09 23:00 UTC.",
        "limit_id": said["limit_id"],
        "amount": money(Money.parse("50"), 5000),
        "window": "daily",
        "zone": "Europe/Berlin",
        "spent": money(Money.parse("1.25"), 125),
        "held": money(Money.zero(), 0),
        "remaining": money(Money.parse("48.75"), 4875),
        "window_start": "2026-03-08T23:00:00Z",
        "resets_at": "2026-03-09T23:00:00Z",
    }
    lower = answer(agent("set_limit", amount_cents=100, window="daily", zone="Europe/Berlin"))
    assert lower["limit_id"] == said["limit_id"]
    [state] = operations.list_limits(actor, str(actor.account_id))
    assert (state.limit.id, state.limit.amount) == (said["limit_id"], Money.parse("1"))
    assert (lower["spent"]["cents"], lower["remaining"]["cents"]) == (125, 0)


def test_a_limit_is_monthly_in_utc_unless_said_otherwise(agent: Agent) -> None:
    said = answer(agent("set_limit", amount_cents=0))
    assert (said["window"], said["zone"]) == ("monthly", "UTC")
    assert said["resets_at"] == "2026-04-01T00:00:00Z"


def test_a_total_limit_never_resets(agent: Agent) -> None:
    said = answer(agent("set_limit", amount_cents=1, window="total"))
    assert said["summary"] == "Total limit of 0.01 USD: 0.00 spent, 0.01 left. It never resets."


def test_a_report_is_the_operations_own(agent: Agent, actor: Actor) -> None:
    for cost, model in (("0.004", "a"), ("0.004", "b"), ("0.004", "c")):
        use(actor, cost, model)
    report = operations.report_spend(actor, str(actor.account_id))
    said = answer(agent("report_spend"))
    assert said["summary"] == (
        "0.012 USD spent by 3 metered uses from 2026-03-01 to before 2026-04-01 (UTC)."
    )
    assert instant(said["period_start"]) == report.period.start
    assert instant(said["period_end"]) == report.period.end
    assert said["total"] == money(report.total, 1)
    assert (said["zone"], said["source"], said["group_by"]) == ("UTC", "metered", "model")
    assert (said["count"], said["others"]) == (3, None)
    shown = [(line["key"], line["amount"]["amount"], line["count"]) for line in said["groups"]]
    assert shown == [(group.key, group.amount.text, group.count) for group in report.groups]
    assert sum(line["amount"]["cents"] for line in said["groups"]) == said["total"]["cents"]


@pytest.mark.parametrize("group_by", ["provider", "model", "day", "none"])
def test_a_report_of_given_days(agent: Agent, actor: Actor, clock: Clock, group_by: str) -> None:
    use(actor, "1")
    clock.forward(days=1)
    use(actor, "2")
    said = answer(
        agent("report_spend", from_day="2026-03-10", to_day="2026-03-10", group_by=group_by)
    )
    assert instant(said["period_start"]) == datetime(2026, 3, 10, tzinfo=UTC)
    assert instant(said["period_end"]) == datetime(2026, 3, 11, tzinfo=UTC)
    assert said["total"] == money(Money.parse("2"), 200)
    keys = {"provider": "p", "model": "m", "day": "2026-03-10", "none": ""}
    assert [line["key"] for line in said["groups"]] == [keys[group_by]]


def test_a_long_report_adds_up_what_it_leaves_out(agent: Agent, actor: Actor) -> None:
    for number in range(40):
        use(actor, f"0.00{number + 10}", f"model-{number}")
    said = answer(agent("report_spend"))
    others = said["others"]
    assert (len(said["groups"]), others["groups"], others["count"]) == (25, 15, 15)
    shown = [line["amount"] for line in said["groups"]]
    exact = sum((Money.parse(one["amount"]) for one in (*shown, others["amount"])), Money.zero())
    assert exact.text == said["total"]["amount"]
    assert sum(one["cents"] for one in (*shown, others["amount"])) == said["total"]["cents"]


def test_the_longest_report_stays_short(billing: Billing, actor: Actor, agent: Agent) -> None:
    for number in range(60):
        use(actor, "0.123456789", f"a-model-with-quite-a-long-name-{number:05d}-{'x' * 60}")
    [block] = agent("report_spend").content
    assert len(block.text) / 4 <= 2000


def test_names_from_outside_are_cleaned(agent: Agent, actor: Actor) -> None:
    use(actor, "1", "evil\u202emodel\u200b\n\x1b[31m" + "x" * 100)
    [line] = answer(agent("report_spend"))["groups"]
    assert line["key"].startswith("evilmodel[31mxxx")
    assert len(line["key"]) == 60


class LosesAnswers:
    """A processor that charges, and whose answer is lost until it is asked again."""

    name = "loses"

    def charge(self, charge: Charge) -> Payment:
        raise ProviderUnavailable("The processor did not answer in time.")

    def find(self, charge: Charge) -> Payment | None:
        return Payment("succeeded", "pi_found", charge.amount)


def test_a_lost_answer_is_unknown_and_asked_for_again(database_url: str, mode: str) -> None:
    billing = billing_on(database_url, processor=LosesAnswers())
    actor = account_with(billing)
    agent = Agent(billing, token_of(billing, actor), mode)
    lost = answer(agent("top_up", amount_cents=700, idempotency_key="k"))
    assert lost["status"] == "unknown"
    assert lost["summary"].startswith("It is not known yet whether 7.00 USD was charged.")
    assert answer(agent("check_balance"))["available"]["cents"] == 0
    found = answer(agent("top_up", amount_cents=700, idempotency_key="k"))
    assert (found["status"], found["topup_id"]) == ("succeeded", lost["topup_id"])
    assert answer(agent("check_balance"))["available"]["cents"] == 700
    billing.instance.database.close_all()


def test_money_is_of_the_accounts_currency(billing: Billing, mode: str) -> None:
    account = operations.create_account(billing.operator(), "Tokyo", currency="JPY")
    token = operations.create_key(billing.operator(), account.id).token
    agent = Agent(billing, token, mode)
    said = answer(agent("top_up", amount_cents=2000, idempotency_key="k"))
    assert said["amount"] == {"amount": "2000", "cents": 2000, "currency": "JPY"}
    assert answer(agent("check_balance"))["available"]["amount"] == "2000"
    too_much = refusal(agent("top_up", amount_cents=922_337_203_685, idempotency_key="l"))
    assert too_much["code"] == "amount_out_of_range"
