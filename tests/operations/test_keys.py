"""API keys: shown once, checked on every request, refused alike however they are wrong."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from billing_plugin import Actor, Billing, errors, operations
from billing_plugin.operations.catalogue import OPERATOR_SCOPES, account_scopes
from billing_plugin.operations.keys import NewKey
from tests.books import everything
from tests.factories import START, Clock, account_with


def key_of(billing: Billing, actor: Actor, *scopes: str, until: datetime | None = None) -> NewKey:
    account_id = str(actor.account_id)
    return operations.create_key(billing.operator(), account_id, scopes, expires_at=until)


def test_a_token_names_its_holder(billing: Billing, actor: Actor) -> None:
    made = key_of(billing, actor, "usage:write", "balance:read")
    holder = operations.authenticate(billing.instance, made.token)
    assert (holder.account_id, holder.key_id) == (actor.account_id, made.key.id)
    assert (holder.scopes, holder.currency) == ({"usage:write", "balance:read"}, "USD")
    with pytest.raises(errors.Forbidden):
        operations.list_entries(holder, str(actor.account_id))


def test_no_scopes_named_are_all_an_account_may_hold(billing: Billing, actor: Actor) -> None:
    holder = operations.authenticate(billing.instance, key_of(billing, actor).token)
    assert holder.scopes == account_scopes()
    assert not holder.scopes & OPERATOR_SCOPES
    assert not holder.may("*")


@pytest.mark.parametrize("scope", ["everything", "*", "", "keys:write", "usage:write\0", "usage"])
def test_scopes_that_no_key_may_hold_are_refused(
    billing: Billing, actor: Actor, scope: str
) -> None:
    before = everything(billing)
    with pytest.raises(errors.InvalidRequest):
        key_of(billing, actor, "usage:write", scope)
    assert everything(billing) == before


def test_the_secret_is_stored_nowhere(billing: Billing, actor: Actor) -> None:
    made = key_of(billing, actor)
    secret = made.token.split("_", 2)[2]
    assert len(secret) >= 43
    assert secret not in repr(everything(billing))
    assert secret not in repr(made.key.__data__)
    assert key_of(billing, actor).token != made.token


def test_a_key_ends_when_it_expires(billing: Billing, actor: Actor, clock: Clock) -> None:
    made = key_of(billing, actor, until=START + timedelta(hours=1))
    clock.at = START + timedelta(minutes=59, seconds=59)
    operations.authenticate(billing.instance, made.token)
    clock.at = START + timedelta(hours=1)
    with pytest.raises(errors.Unauthenticated):
        operations.authenticate(billing.instance, made.token)


def test_a_revoked_key_ends_at_once_and_for_good(
    billing: Billing, actor: Actor, clock: Clock
) -> None:
    made, kept = key_of(billing, actor), key_of(billing, actor)
    account_id = str(actor.account_id)
    operations.revoke_key(billing.operator(), account_id, made.key.id)
    with pytest.raises(errors.Unauthenticated):
        operations.authenticate(billing.instance, made.token)
    before = everything(billing)
    clock.forward(days=1)
    operations.revoke_key(billing.operator(), account_id, made.key.id)
    assert everything(billing) == before
    operations.authenticate(billing.instance, kept.token)


def test_only_the_accounts_own_keys_are_revoked(billing: Billing, actor: Actor) -> None:
    other = account_with(billing)
    made = key_of(billing, other)
    for key_id in (made.key.id, "key_" + "0" * 32, ""):
        with pytest.raises(errors.NotFound):
            operations.revoke_key(billing.operator(), str(actor.account_id), key_id)
    with pytest.raises(errors.InvalidRequest):
        operations.revoke_key(billing.operator(), str(actor.account_id), "key\0")
    operations.authenticate(billing.instance, made.token)


def test_unknown_accounts_and_naive_times_make_no_key(billing: Billing, actor: Actor) -> None:
    before = everything(billing)
    with pytest.raises(errors.NotFound):
        operations.create_key(billing.operator(), "acct_" + "0" * 32)
    with pytest.raises(errors.InvalidRequest):
        key_of(billing, actor, until=datetime(2027, 1, 1))
    with pytest.raises(errors.InvalidRequest):
        operations.create_key(billing.operator(), str(actor.account_id), name="n" * 201)
    with pytest.raises(errors.Forbidden):
        operations.create_key(actor, str(actor.account_id))
    assert everything(billing) == before


def test_every_wrong_token_is_refused_alike(billing: Billing, actor: Actor) -> None:
    made, other = key_of(billing, actor), key_of(billing, account_with(billing))
    prefix, digits, secret = made.token.split("_", 2)
    _, foreign_digits, foreign_secret = other.token.split("_", 2)
    tokens = [
        *(
            "",
            " ",
            "_",
            "__",
            "sk",
            "sk_",
            "sk__",
            "\0",
            "\ud800",
            "\udfff_\ud800_\ud800",
            "é" * 64,
        ),
        *(f"{prefix}_{digits}", f"{prefix}_{digits}_", f"{prefix}_{digits}_{secret[:-1]}"),
        *(f"{prefix}_{digits}_{secret}x", f"{prefix}_{digits}_{secret}\0", f" {made.token}"),
        *(f"SK_{digits}_{secret}", f"pk_{digits}_{secret}", f"{digits}_{secret}", secret),
        *(f"{prefix}_{foreign_digits}_{secret}", f"{prefix}_{digits}_{foreign_secret}"),
        *(f"{prefix}_{'0' * 32}_{secret}", f"{prefix}_{digits[:-1]}_{secret}", "x" * 1_000_000),
        *(f"{prefix}_{made.key.id}_{secret}", f"{prefix}_{digits}_{secret.swapcase()}"),
        *(f"{prefix}_{digits}_{'?' * len(secret)}", f"{prefix}_{digits}_\ud800"),
        f"{prefix}_{''.join(chr(0xFEE0 + ord(mark)) for mark in digits)}_{secret}",
        f"{prefix}_' OR 1=1 --_{secret}",
    ]
    answers = set()
    for token in tokens:
        with pytest.raises(errors.Unauthenticated) as refusal:
            operations.authenticate(billing.instance, token)
        answers.add((refusal.value.message, refusal.value.code, repr(refusal.value.extra)))
    assert len(answers) == 1
    assert operations.authenticate(billing.instance, made.token).key_id == made.key.id


def test_an_operator_may_do_everything(billing: Billing) -> None:
    operator = operations.operator(billing.instance, request_id="req_1")
    assert operator.may("keys:write")
    assert operator.account_id is None
    assert operator.request_id == "req_1"
