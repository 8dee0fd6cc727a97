"""Limits as rows, and as the rules that a use is held against."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, context
from billing_plugin.errors import InvalidRequest, NotFound
from billing_plugin.models import accounts, limits
from billing_plugin.models.base import dump, load
from billing_plugin.models.limits import Plan, SpendingLimit, plan_with
from billing_plugin.models.usage import Dims
from tests.factories import START

USE = Dims("key_1", "robot", "openai", "gpt-4o", {"team": "red", "size": 5, "deep": [1.5]})
NOBODY = Dims(None, None, "", "", {})


def put(actor: Actor, cents: int, plan: Plan) -> SpendingLimit:
    return limits.put(str(actor.account_id), Money.from_cents(cents), plan, at=START)


def rule_with(billing: Billing, actor: Actor, **said: Any) -> limits.Rule:
    with billing.instance.active():
        plan = plan_with(**{"filters": {}, "partitions": ()} | said)
        return limits.rule_of(put(actor, 5, plan))


def test_one_limit_for_each_plan(billing: Billing, actor: Actor) -> None:
    mine, daily = str(actor.account_id), Plan(window="daily")
    with billing.instance.active():
        first = put(actor, 5, daily)
        assert put(actor, 9, daily).id == first.id
        others = [
            put(actor, 5, replace(daily, **other))
            for other in (
                {"window": "monthly"}, {"zone": "Asia/Tokyo"}, {"technique": "sliding"},
                {"action": "soft"}, {"filters": (("model", ("m",)),)}, {"partitions": ("model",)},
                {"name": "x"}, {"window": 86_400},
            )
        ]  # fmt: skip
        active = limits.active(mine)
        assert [limit.id for limit in active] == sorted({first.id, *(o.id for o in others)})
        assert limits.get(mine, first.id).amount == Money.from_cents(9)
        limits.remove(first, START)
        with pytest.raises(NotFound):
            limits.get(mine, first.id)
        assert put(actor, 7, daily).id == first.id
    assert len(active) == 9


def test_every_change_gives_another_revision_and_version(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    seen: list[tuple[int, int]] = []
    with billing.instance.active():
        limit = put(actor, 5, Plan())
        for step in (
            lambda: None,
            lambda: put(actor, 5, Plan()),
            lambda: limits.change(limit, START, amount_nanos=1),
            lambda: limits.replan(limit, Plan(window="daily"), START),
        ):
            step()
            version = accounts.get(mine).limits_version
            seen.append((limits.get(mine, limit.id).revision, version))
    assert [revision for revision, _ in seen] == [1, 2, 3, 4]
    assert len({version for _, version in seen}) == 4


def test_rules_are_read_again_only_when_the_version_is_another(
    billing: Billing, actor: Actor
) -> None:
    mine = str(actor.account_id)
    with billing.instance.active():
        assert limits.rules(mine, 0) == []
        assert limits.known_rules(mine) == (0, [])
        put(actor, 5, Plan())
        version = accounts.get(mine).limits_version
        first = limits.rules(mine, version)
        assert limits.rules(mine, version) is first
        assert limits.known_rules(mine) == (version, first)
        put(actor, 6, Plan())
        again = limits.rules(mine, accounts.get(mine).limits_version)
    assert [rule.amount_nanos for rule in (*first, *again)] == [50_000_000, 60_000_000]


def test_memory_of_rules_is_bounded(
    billing: Billing, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_KEPT_ACCOUNTS", 2)
    with billing.instance.active():
        for account in ("a", "b", "c"):
            limits.rules(account, 1)
        assert set(context.current().kept["limits"]) == {"c"}


@pytest.mark.parametrize(
    ("filters", "matches"),
    [
        ({"key": ["key_1"]}, True),
        ({"key": ["key_2"]}, False),
        ({"agent": ["robot", "other"]}, True),
        ({"provider": ["openai"], "model": ["gpt-4o"]}, True),
        ({"provider": ["openai"], "model": ["gpt-3"]}, False),
        ({"metadata.team": ["red"]}, True),
        ({"metadata.team": ["blue"]}, False),
        ({"metadata.size": ["5"]}, True),
        ({"metadata.missing": ["5"]}, False),
        ({"metadata.missing": ["null", ""]}, False),
    ],
)
def test_a_filter_is_about_the_values_it_names(
    billing: Billing, actor: Actor, filters: dict[str, list[str]], matches: bool
) -> None:
    rule = rule_with(billing, actor, filters=filters)
    assert (rule.bucket(USE) == limits.WHOLE, rule.bucket(USE) is None) == (matches, not matches)
    assert rule.bucket(NOBODY) is None


def test_each_value_of_a_partition_has_a_bucket_and_the_missing_share_one(
    billing: Billing, actor: Actor
) -> None:
    rule = rule_with(billing, actor, partitions=["model", "metadata.team", "agent", "agent"])
    others = [
        USE._replace(model="m"), USE._replace(agent=None), USE._replace(metadata={"team": "blue"}),
        USE._replace(metadata={}),
    ]  # fmt: skip
    assert len({rule.bucket(dims) for dims in (USE, *others)}) == 5
    assert rule.bucket(USE) == rule.bucket(USE._replace(key="key_2", metadata={"team": "red"}))
    assert rule.bucket(others[3]) == rule.bucket(USE._replace(metadata={"team": None}))


@pytest.mark.parametrize(
    "value",
    ["x", "", "1.5", 5, -5, True, None, 1.5, 1e22, 1e-7, Decimal("1.50"), [1.5, "x"], {"b": 1.5}],
    ids=repr,
)
def test_a_value_says_the_same_when_it_comes_back_from_the_books(value: Any) -> None:
    """Otherwise a window that is counted anew would put it into another bucket."""
    said = {"n": value}
    stored = load(dump(said))
    live, counted = (
        limits.value_of(NOBODY._replace(metadata=one), "metadata.n") for one in (said, stored)
    )
    assert live == counted
    assert live is None or isinstance(live, str)


def test_the_zone_of_the_limit_decides_its_window(billing: Billing, actor: Actor) -> None:
    rule = rule_with(billing, actor, window="daily", zone="Asia/Tokyo")
    assert rule.period(START).start.hour == 15


def test_a_rule_knows_its_windows_whatever_was_asked_before(billing: Billing, actor: Actor) -> None:
    for said in ({"window": 600}, {"window": "weekly"}, {"window": 6400, "technique": "sliding"}):
        rule = rule_with(billing, actor, **said)
        for step in (0, 100, -100, 100, 0):
            at = START + timedelta(minutes=step)
            assert at in rule.period(at)
        assert rule.period(START) is rule.period(START)


def test_the_length_of_a_window_that_slides(billing: Billing, actor: Actor) -> None:
    lengths = {"daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, 90: 90}
    for window, length_s in lengths.items():
        assert rule_with(billing, actor, window=window, technique="sliding").length_s == length_s


def test_a_raise_lasts_until_its_moment(billing: Billing, actor: Actor) -> None:
    rule = rule_with(billing, actor)
    rule.raise_nanos, rule.raise_until = 7, START
    assert rule.ceiling(START - timedelta(microseconds=1)) == 50_000_007
    assert rule.ceiling(START) == 50_000_000


def test_a_limit_is_made_about_something_else_unless_that_is_taken(
    billing: Billing, actor: Actor
) -> None:
    mine = str(actor.account_id)
    with billing.instance.active():
        first, second = put(actor, 5, Plan()), put(actor, 6, Plan(window="daily"))
        with pytest.raises(InvalidRequest):
            limits.replan(second, Plan(), START)
        limits.replan(second, Plan(window="daily"), START)
        limits.remove(first, START)
        limits.replan(second, Plan(), START)
        assert limits.get(mine, second.id).window == "monthly"
        assert put(actor, 9, Plan()).id == second.id


def test_a_plan_has_one_form() -> None:
    one = plan_with(filters={"model": ["b", "a", "b"], "key": ["k"]}, partitions=["model", "agent"])
    other = plan_with(filters={"key": ["k"], "model": ["a", "b"]}, partitions=["agent", "model"])
    assert limits.identity(one) == limits.identity(other)
    assert one.columns["filters"] == {"key": ["k"], "model": ["a", "b"]}


def test_a_stored_limit_says_what_it_is_about(billing: Billing, actor: Actor) -> None:
    plan = Plan(90, "UTC", "sliding", "soft", (("model", ("m",)),), ("agent",), "n")
    with billing.instance.active():
        said = limits.said_by(put(actor, 5, plan))
    assert plan_with(**said) == plan
