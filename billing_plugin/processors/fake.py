"""The shipped fake processor: no card, no network. The payment method chooses what happens.

`fake_declined` and `fake_insufficient_funds` are declined. `fake_lost_answer` charges but its
answer is lost, so that the top-up stays unknown until it is asked about. Anything else succeeds.
It keeps nothing: what it did follows from the reference alone, so it survives a restart.
"""

from __future__ import annotations

import hashlib

from billing_plugin.errors import ProviderUnavailable
from billing_plugin.processors.processor import Charge, Payment

DECLINES = {
    "fake_declined": "card_declined",
    "fake_insufficient_funds": "insufficient_funds",
}
LOST_ANSWER = "fake_lost_answer"


class FakeProcessor:
    """Charges nothing, says it did."""

    name = "fake"

    def charge(self, charge: Charge) -> Payment:
        """Succeeds or declines by payment method. Raises ProviderUnavailable for a lost answer."""
        if charge.payment_method == LOST_ANSWER:
            raise ProviderUnavailable("The processor did not answer in time.")
        return _payment(charge)

    def find(self, charge: Charge) -> Payment | None:
        """What became of that reference. Source: this module's own rule."""
        return _payment(charge)


def _payment(charge: Charge) -> Payment:
    failure = DECLINES.get(charge.payment_method)
    if failure:
        return Payment(False, failure=failure)
    digest = hashlib.sha256(charge.reference.encode()).hexdigest()
    return Payment(True, payment_id=f"pi_fake_{digest[:24]}")
