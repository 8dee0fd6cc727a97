"""Forms: an empty field says nothing; periods are the days that they name."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from marshmallow import ValidationError

from billing_plugin.dashboard import forms
from billing_plugin.dashboard.forms import CostsQuery, ItemsQuery, days_of, named_days

NOW = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize("schema", [CostsQuery(), ItemsQuery()])
def test_an_empty_form_says_what_an_absent_one_says(schema: Any) -> None:
    names = [field.data_key or name for name, field in schema.fields.items() if name != "limit"]
    assert schema.load(dict.fromkeys(names, "")) == schema.load({})


@pytest.mark.parametrize(
    ("period", "since", "until"),
    [
        ("this-month", "2026-03-01", "2026-03-31"),
        ("last-month", "2026-02-01", "2026-02-28"),
        ("last-7-days", "2026-03-25", "2026-03-31"),
        ("last-30-days", "2026-03-02", "2026-03-31"),
        ("this-year", "2026-01-01", "2026-12-31"),
    ],
)
def test_the_days_of_a_named_period(period: str, since: str, until: str) -> None:
    assert named_days(period, NOW.date()) == (date.fromisoformat(since), date.fromisoformat(until))


def test_all_time_has_no_days_and_every_period_is_offered() -> None:
    assert named_days("all", NOW.date()) == (None, None)
    assert [key for key, _ in forms.PERIOD_OPTIONS] == ["", *forms.PERIODS]
    first = {named_days("this-month", date(2026, month, 15)) for month in range(1, 13)}
    ends = {until.isoformat() for _, until in first if until}
    assert {"2026-02-28", "2026-04-30", "2026-12-31"} < ends


def test_days_of_ones_own_win_over_a_period() -> None:
    own = CostsQuery().load({"period": "all", "from": "2026-01-02"})
    assert days_of(own, NOW) == (date(2026, 1, 2), None)
    assert days_of(CostsQuery().load({}), NOW) == (date(2026, 3, 1), date(2026, 3, 31))
    assert days_of(CostsQuery().load({"period": "all"}), NOW) == (None, None)


@pytest.mark.parametrize(
    "said",
    [
        {"from": "2026-02-30"}, {"from": "01/02/2026"}, {"from": "2026-03-01T00:00:00Z"},
        {"to": "x"}, {"by": "model"}, {"interval": "year"}, {"period": "yesterday"},
        {"source": "manual,sync"}, {"provider": "x" * 501}, {"since": "2026-03-01"}, {"more": "1"},
    ],
)  # fmt: skip
def test_what_a_form_does_not_offer_is_refused(said: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        CostsQuery().load(said)


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "x", ""])
def test_a_page_has_a_sensible_length(limit: str) -> None:
    with pytest.raises(ValidationError):
        ItemsQuery().load({"limit": limit})
