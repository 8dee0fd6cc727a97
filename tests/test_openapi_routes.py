"""The native face's OpenAPI document: valid, the same as its routes, and true under fuzzing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate
from schemathesis.core.failures import FailureGroup
from schemathesis.openapi.checks import JsonSchemaError
from schemathesis.specs.openapi.checks import positive_data_acceptance

from billing_plugin import Billing
from tests.dialects.faces import Asker, busy_account, fits, ids_of, used_rules
from tests.dialects.routes import NATIVE, PUBLIC, ROUTES
from tests.factories import Caller, account_with, app_with, billing_on, token_of

OPENAPI = f"{NATIVE}/openapi.json"
OPERATIONS = {
    *("getAccount", "listAccounts", "createAccount", "getBalance", "getPastBalance"),
    *("listLedgerEntries", "getLedgerEntry", "reverseEntry", "refundCharge", "adjust"),
    *("listCredits", "grantCredit", "hold", "listHolds", "getHold", "captureHold", "releaseHold"),
    *("extendHold", "recordUsage", "recordUsageBatch", "listUsage", "getUsage", "rerateUsage"),
    *("listLimits", "setLimit", "getLimit", "updateLimit", "removeLimit", "listLimitNotices"),
    *("requestLimitRaise", "listLimitRaises", "getLimitRaise", "approveLimitRaise"),
    *("denyLimitRaise", "listChanges", "reportSpend", "reportUsage", "requestSync"),
    *("topUp", "listTopups", "getTopup", "checkTopup"),
    *("listPaymentMethods", "beginPaymentMethod", "setDefaultPaymentMethod"),
    *("removePaymentMethod", "getBillingProfile", "setBillingProfile"),
    *("setLowBalance", "clearLowBalance"),
    *("listWebhookEndpoints", "addWebhookEndpoint", "getWebhookEndpoint", "changeWebhookEndpoint"),
    *("removeWebhookEndpoint", "rotateWebhookSecret", "listWebhookDeliveries", "replayEvents"),
    "replayDelivery",
    *("getAutoTopup", "setAutoTopup", "removeAutoTopup"),
    *("listInvoices", "previewInvoice", "getInvoice", "printInvoice", "markInvoice"),
    "listCreditNotes",
    *("listItems", "createItem", "findItem", "getItem", "updateItem", "deleteItem"),
    *("listCategories", "createCategory", "getCategory", "updateCategory", "deleteCategory"),
    *("summarize", "breakDown", "trend", "getStatus", "searchItems"),
    *("forecastMonth", "findAnomalies", "listCommitments", "runOut"),
    *("importFocus", "exportFocus"),
    *("listSyncJobs", "getSyncJob", "setPostpaidLimit", "listPrices", "setPrice", "endPrice"),
}
BODIES = [
    *("AccountBody", "AddressBody", "AdjustmentBody", "AutoTopUpBody", "BatchBody"),
    *("CaptureBody", "CategoryBody", "CreditBody", "DecisionBody", "DeliveryReplayBody"),
    *("EndpointBody", "EndpointChangeBody", "ExtendBody", "HoldBody", "ItemBody", "LimitBody"),
    *("LimitChangeBody", "LowBalanceBody", "MarkBody", "NewCategoryBody", "NewItemBody"),
    *("NothingBody", "PostpaidBody", "PriceBody", "PriceEndBody", "ProfileBody", "RaiseBody"),
    *("RefundBody", "ReplayBody", "ReratingBody", "ReversalBody", "RotationBody", "SyncBody"),
    *("TopUpBody", "UsageBody"),
]
FOR_OPERATORS = {
    route.name.replace("<", "{").replace(">", "}") for route in ROUTES if route.for_operators
}
EVERYWHERE = {"X-Request-Id", "RateLimit", "RateLimit-Policy"}
PLAIN = {"Content-Type", "Content-Length", "Cache-Control", "X-Content-Type-Options"}
CASES = 15  # of each operation, in each mode, on each database
FUZZING = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


# a file is written as it is
schemathesis.serializer.alias("text/csv", "text/plain")


@pytest.fixture
def app(billing: Billing) -> Flask:
    return app_with(billing)


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    found: dict[str, Any] = app.test_client().get(OPENAPI).json
    return found


def operations_of(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield method.upper(), path, operation


def test_it_is_openapi_31(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    validate(document)


def test_the_routes_are_the_document(app: Flask, document: dict[str, Any]) -> None:
    routes = {
        (method, re.sub(r"<(\w+)>", r"{\1}", rule))
        for method, rule in used_rules(app)
        if rule.startswith(f"{NATIVE}/") and rule not in PUBLIC
    }
    assert {(method, path) for method, path, _ in operations_of(document)} == routes


def test_every_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations_of(document)]
    assert len(names) == len(set(names))
    assert set(names) == OPERATIONS


def test_every_operation_is_told_in_words_and_filed(document: dict[str, Any]) -> None:
    for _, path, operation in operations_of(document):
        assert operation["summary"], path
        assert len(operation["tags"]) == 1, path


def test_success_statuses_are_those_of_the_routes(document: dict[str, Any]) -> None:
    told = {(m, path): operation["responses"] for m, path, operation in operations_of(document)}
    for route in (route for route in ROUTES if route.face == "native"):
        responses = told[route.method, re.sub(r"<(\w+)>", r"{\1}", route.path)]
        assert str(route.status) in responses, route.name


def test_errors_are_documented_in_the_faces_shape(document: dict[str, Any]) -> None:
    for method, path, operation in operations_of(document):
        statuses = set(operation["responses"])
        errors = {status for status in statuses if not status.startswith("2")}
        assert {"400", "401", "403", "429", "default"} <= errors, path
        assert ("404" in errors) >= ("{" in path), path
        assert {"413", "415"} <= errors or "requestBody" not in operation, path
        assert "422" not in errors, (method, path)
        for status in errors - {"304"}:
            [content] = operation["responses"][status]["content"].values()
            assert content["schema"] == {"$ref": "#/components/schemas/Error"}, (path, status)


def test_request_bodies_are_closed(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    bodies = [name for name in schemas if name.endswith("Body") and name != "ErrorBody"]
    assert sorted(bodies) == BODIES
    assert all(schemas[name]["additionalProperties"] is False for name in bodies)


def test_answers_are_closed(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    open_ones = [
        name for name, schema in schemas.items() if schema.get("additionalProperties") is not False
    ]
    assert open_ones == ["ErrorBody"]  # facts of the error stand beside its message


def test_nothing_is_pointed_to_in_vain(document: dict[str, Any]) -> None:
    used = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert used == set(document["components"]["schemas"])


def test_a_key_is_needed_in_one_of_two_headers(document: dict[str, Any]) -> None:
    assert document["security"] == [{"bearer": []}, {"apiKey": []}]
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"] == {"type": "http", "scheme": "bearer"}
    assert schemes["apiKey"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}


def test_every_good_answer_is_as_documented(
    app: Flask, billing: Billing, document: dict[str, Any]
) -> None:
    """Fuzzing rarely meets an id that there is; here every route answers about a real thing."""
    actor = busy_account(billing)
    ask = Asker(app, billing, actor)
    told = {(method, path): one["responses"] for method, path, one in operations_of(document)}
    for route in (route for route in ROUTES if route.face == "native"):
        path = route.at(ids_of(actor)[route.about]) if route.about else route.at()
        response = ask.route([], route, path, **route.sent)
        assert response.status_code == route.status, (route.name, response.data)
        documented = told[route.method, re.sub(r"<(\w+)>", r"{\1}", route.path)]
        content = documented[str(route.status)]["content"][response.mimetype]
        told_in = response.json if response.is_json else response.data.decode("latin-1")
        fits(content["schema"] | {"components": document["components"]}, told_in)


def headers_told(document: dict[str, Any], response: Any, *, at: tuple[str, str]) -> dict[str, Any]:
    """The headers that the document states for an answer, once it has shown no other ones."""
    told = {(method, path): one["responses"] for method, path, one in operations_of(document)}
    stated = told[at].get(str(response.status_code), told[at]["default"])["headers"]
    assert all(one == {"$ref": f"#/components/headers/{name}"} for name, one in stated.items())
    headers = {name: document["components"]["headers"][name] for name in stated}
    assert set(response.headers.keys()) - PLAIN <= set(headers), at
    must = {name for name, header in headers.items() if header.get("required")}
    assert must <= set(response.headers.keys()), at
    return headers


def test_the_headers_of_every_answer_are_documented(
    app: Flask, billing: Billing, document: dict[str, Any]
) -> None:
    actor = busy_account(billing)
    ask = Asker(app, billing, actor)
    for route in (route for route in ROUTES if route.face == "native"):
        path = route.at(ids_of(actor)[route.about]) if route.about else route.at()
        at = (route.method, re.sub(r"<(\w+)>", r"{\1}", route.path))
        key = {"Idempotency-Key": "once"} if route.method == "POST" else {}
        for _ in "12":
            response = ask.route([], route, path, headers=key, **route.sent)
        headers = headers_told(document, response, at=at)
        assert ("Idempotent-Replayed" in headers) == (route.method == "POST"), at
        assert ("ETag" in headers) == ("ETag" in response.headers), at
        assert set(response.headers.keys()) >= EVERYWHERE, at
        refused = headers_told(document, app.test_client().open(path, method=route.method), at=at)
        assert "WWW-Authenticate" in refused


def test_a_304_and_a_429_tell_what_is_documented(
    database_url: str, document: dict[str, Any]
) -> None:
    billing = billing_on(database_url, rate_limit_per_minute=3)
    actor = account_with(billing)
    call = Caller(app_with(billing), token_of(billing, actor))
    made = call("POST", f"{NATIVE}/limits", json={"amountCents": 1})
    one = f"{NATIVE}/limits/{made.json['data']['id']}"
    at = ("GET", f"{NATIVE}/limits/{{limit_id}}")
    seen = call("GET", one, headers={"If-None-Match": made.headers["ETag"]})
    assert (seen.status_code, "ETag" in headers_told(document, seen, at=at)) == (304, True)
    refused = [call("GET", one) for _ in range(2)][-1]
    assert refused.status_code == 429
    assert headers_told(document, refused, at=at)["Retry-After"]["schema"] == {"type": "integer"}


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_fuzzing_finds_nothing(
    app: Flask, billing: Billing, mode: schemathesis.GenerationMode
) -> None:
    """Good and bad requests made from the document; every answer is held against it.

    One check is left out: a request that fits the document may still be refused, for no document
    can say which models have a price, which zones exist, or what the account can pay.
    """
    actor = busy_account(billing)
    keys = {
        False: {"Authorization": f"Bearer {token_of(billing, actor)}"},
        True: {"Authorization": "Bearer desk", "X-Billing-Account": str(actor.account_id)},
    }
    billing.authenticate = lambda asked: (
        billing.operator() if asked.headers.get("Authorization") == "Bearer desk" else None
    )
    schema = schemathesis.openapi.from_wsgi(OPENAPI, app)
    answered: Counter[str] = Counter()
    for found in schema.get_all_operations():
        operation = found.ok()
        key = keys[operation.label in FOR_OPERATORS]
        strategy = operation.as_strategy(generation_mode=mode)

        @FUZZING
        @given(case=strategy)
        def fuzz(case: Any) -> None:
            response = case.call(headers=key)  # noqa: B023 (called at once)
            answered[operation.label] += 1  # noqa: B023 (called at once)
            case.validate_response(
                response,
                headers=key,  # noqa: B023 (called at once)
                excluded_checks=[positive_data_acceptance],
            )

        fuzz()
    assert len(answered) == len(OPERATIONS)
    assert min(answered.values()) >= CASES


def test_fuzzing_would_find_something(app: Flask, billing: Billing) -> None:
    """A document that promises what is not so is found out."""
    document = app.test_client().get(OPENAPI).json
    balance = document["components"]["schemas"]["Balance"]
    balance["properties"]["posted"] = {"type": "string"}
    schema = schemathesis.openapi.from_dict(document)
    schema.app = app
    key = {"Authorization": f"Bearer {token_of(billing, busy_account(billing))}"}
    case = schema[f"{NATIVE}/balance"]["GET"].Case(headers=key)
    with pytest.raises(FailureGroup) as found:
        case.call_and_validate()
    assert [type(one) for one in found.value.exceptions] == [JsonSchemaError]
