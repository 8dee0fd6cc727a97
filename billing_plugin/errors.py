"""The error tree: one class for each way a request can fail, each with a stable code.

`message` is our own sentence, safe for people and agents. `details` may hold a vendor's words:
they are logged and never shown. `extra` holds facts that are shown beside the message.
"""

from __future__ import annotations

from traceback import extract_tb
from typing import Any, ClassVar


class BillingError(Exception):
    """Root of the tree. `status` is the HTTP status unless a dialect's contract says otherwise."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        details: Any = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.details = details
        self.extra = extra or {}


class InvalidRequest(BillingError):
    """The request is wrong; sending it again changes nothing. `extra["fields"]` says where."""

    status = 422
    default_code = "invalid_request"


class UnpricedModel(InvalidRequest):
    """No price is known for the model, so nothing was charged."""

    default_code = "unpriced_model"


class Unauthenticated(BillingError):
    """No key, a malformed key, an unknown, expired or revoked key: all answered alike."""

    status = 401
    default_code = "unauthenticated"


class Forbidden(BillingError):
    """The key is good but lacks the scope. `extra["scope"]` names it."""

    status = 403
    default_code = "forbidden"


class NotFound(BillingError):
    """Unknown, or somebody else's: the two answer alike."""

    status = 404
    default_code = "not_found"


class MethodNotAllowed(BillingError):
    """The path exists, the method does not. `extra["allow"]` lists those that do."""

    status = 405
    default_code = "method_not_allowed"


class Conflict(BillingError):
    """The request contradicts what is already stored."""

    status = 409
    default_code = "conflict"


class IdempotencyConflict(Conflict):
    """An idempotency key came back with other content."""

    default_code = "idempotency_conflict"


class PreconditionFailed(BillingError):
    """The thing is not as the caller saw it last; reading it again helps."""

    status = 412
    default_code = "precondition_failed"


class PayloadTooLarge(BillingError):
    """The body or the batch is larger than is read."""

    status = 413
    default_code = "payload_too_large"


class UnsupportedMediaType(BillingError):
    """The body is not JSON."""

    status = 415
    default_code = "unsupported_media_type"


class InsufficientFunds(BillingError):
    """The available balance does not cover the amount. `extra`: available, requested, currency."""

    status = 402
    default_code = "insufficient_funds"


class LimitExceeded(BillingError):
    """A hard limit refuses. `extra`: limit_id, amount, spent, held, requested, resets_at."""

    status = 402
    default_code = "limit_exceeded"


class PaymentDeclined(BillingError):
    """The processor refused the card; nothing was credited."""

    status = 402
    default_code = "payment_declined"


class RateLimited(BillingError):
    """Too many requests. `extra["retry_after_s"]` says when to come back."""

    status = 429
    default_code = "rate_limited"
    retryable = True


class NotSupported(BillingError):
    """The thing exists but is not set up or not offered here."""

    status = 501
    default_code = "not_supported"


class StorageUnavailable(BillingError):
    """The database is busy, full or away. Nothing was written, unless it died in the very moment of
    the commit: who must know sends an idempotency key and asks again."""

    status = 503
    default_code = "storage_unavailable"
    retryable = True


class ProviderError(BillingError):
    """A provider or processor could not be asked."""

    status = 502
    default_code = "provider_error"


class ProviderAuthError(ProviderError):
    """The vendor refused the credential; a person must act."""

    default_code = "provider_auth_error"


class ProviderUnavailable(ProviderError):
    """The vendor is down, slow or throttling; asking later helps."""

    default_code = "provider_unavailable"
    retryable = True


class ProviderUnreadable(ProviderError):
    """The vendor answered in a shape we do not know; the last good reading is kept."""

    default_code = "provider_unreadable"


class ConfigurationError(BillingError):
    """A BILLING_ setting is unknown, missing or malformed; raised at start."""

    default_code = "configuration_error"


class InternalError(BillingError):
    """A bug: logged with its cause, shown as one neutral sentence."""


def place_of(error: BaseException) -> str:
    """The type of an exception and where it was raised, without a word of what it says.

    For logs: a trace would carry SQL, URLs and secrets of whatever failed.
    """
    frames = extract_tb(error.__traceback__)[-3:]
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} in {where or 'nowhere'}"
