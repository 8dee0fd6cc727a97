"""The catalogue: every operation with its scope and effect, checked before anything runs."""

from __future__ import annotations

import pytest

from billing_plugin import Actor, Billing, context, errors, operations
from billing_plugin.operations.catalogue import CATALOGUE, OPERATOR_SCOPES, account_scopes

MOVES_MONEY = {
    *("adjust", "grant_credit", "refund_charge", "rerate_usage", "reverse_entry", "top_up"),
    *("charge", "import_usage", "record_usage", "record_usage_batch"),
    *("capture", "extend", "hold", "release", "run_auto_topup"),
}


def test_every_listed_operation_is_public_and_says_what_it_does() -> None:
    for name, policy in CATALOGUE.items():
        function = getattr(operations, name)
        assert function.__doc__, name
        assert (policy.name, name in operations.__all__) == (name, True)
        assert policy.scope.count(":") == 1


def test_only_what_moves_money_spends() -> None:
    assert {name for name, policy in CATALOGUE.items() if policy.effect == "spends"} == MOVES_MONEY


def test_reading_scopes_only_read() -> None:
    for policy in CATALOGUE.values():
        if policy.scope.endswith(":read"):
            assert policy.effect == "reads", policy


def test_a_key_never_holds_an_operators_scope() -> None:
    assert not account_scopes() & OPERATOR_SCOPES
    assert {policy.scope for policy in CATALOGUE.values()} == account_scopes() | OPERATOR_SCOPES


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_without_the_scope_nothing_runs(billing: Billing, actor: Actor, name: str) -> None:
    scope = CATALOGUE[name].scope
    others = frozenset(policy.scope for policy in CATALOGUE.values()) - {scope}
    with pytest.raises(errors.Forbidden) as refusal:
        getattr(operations, name)(actor._replace(scopes=others))
    assert refusal.value.extra == {"scope": scope}


def test_the_account_may_be_named_by_keyword(billing: Billing, actor: Actor) -> None:
    balance = operations.check_balance(actor, account_id=str(actor.account_id))
    assert balance.account_id == actor.account_id
    with pytest.raises(errors.NotFound):
        operations.check_balance(actor, account_id="acct_" + "0" * 32)


def test_an_operation_puts_its_actors_instance_to_work_and_back(actor: Actor) -> None:
    operations.check_balance(actor, str(actor.account_id))
    with pytest.raises(errors.ConfigurationError):
        context.current()


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "ok \udfff"])
def test_what_cannot_be_stored_is_refused_before_it_is_tried(billing: Billing, text: str) -> None:
    with pytest.raises(errors.InvalidRequest):
        operations.check_balance(billing.operator(), text)
    with pytest.raises(errors.InvalidRequest):
        operations.create_account(billing.operator(), name=text)
