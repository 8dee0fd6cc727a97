"""What an operation is: a plain function with a scope and an effect, listed in one catalogue.

The catalogue is what doors read to know which scope a thing needs and whether it moves money.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from itertools import chain
from typing import Concatenate, Literal, ParamSpec, TypeVar

from billing_plugin.context import STORAGE_ERRORS, Actor, unreachable
from billing_plugin.errors import Forbidden, InvalidRequest

Effect = Literal["reads", "writes", "spends", "asks"]
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Policy:
    """One line of the catalogue: the operation's name, its scope and its effect."""

    name: str
    scope: str
    effect: Effect


CATALOGUE: dict[str, Policy] = {}
MAX_PAGE = 100
UNSTORABLE = "Text must not hold NUL or half a surrogate pair."
OPERATOR_SCOPES = frozenset(
    {"accounts:write", "adjustments:write", "keys:write", "jobs:run", "prices:write"}
)

# Deciding what a program may spend is for people: no key that is an agent's holds these.
HUMAN_SCOPES = frozenset({"limits:approve"})


def operation(
    *, scope: str, effect: Effect
) -> Callable[[Callable[Concatenate[Actor, P], R]], Callable[Concatenate[Actor, P], R]]:
    """Makes a function an operation: checks the scope, whose account it is, and puts the actor's
    instance to work. An operation on an account takes `account_id` right after the actor."""

    def declare(
        function: Callable[Concatenate[Actor, P], R],
    ) -> Callable[Concatenate[Actor, P], R]:
        name = function.__name__
        CATALOGUE[name] = Policy(name, scope, effect)
        on_account = list(inspect.signature(function).parameters)[1:2] == ["account_id"]

        @wraps(function)
        def run(actor: Actor, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if not actor.may(scope):
                raise Forbidden(f"This needs the scope {scope}.", extra={"scope": scope})
            if on_account:
                actor.owned(str(args[0] if args else kwargs["account_id"]))
            for value in chain(args, kwargs.values()):
                if isinstance(value, str) and not (value.isascii() and "\0" not in value):
                    storable(value)
            if not actor.instance.is_active:
                with actor.instance.active():
                    return function(actor, *args, **kwargs)
            try:
                return function(actor, *args, **kwargs)
            except STORAGE_ERRORS as error:
                raise unreachable(error) from error

        return run

    return declare


def storable(text: str) -> str:
    """The text itself. Raises InvalidRequest for NUL, which no PostgreSQL keeps, and for half a
    surrogate pair, which cannot be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(UNSTORABLE) from error
    if "\0" in text:
        raise InvalidRequest(UNSTORABLE)
    return text


def check_page(limit: int) -> None:
    """Raises InvalidRequest for a page that is empty or too long."""
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidRequest(f"limit is 1 to {MAX_PAGE}.")


def account_scopes() -> frozenset[str]:
    """Every scope that a key of an account may hold."""
    return frozenset(policy.scope for policy in CATALOGUE.values()) - OPERATOR_SCOPES
