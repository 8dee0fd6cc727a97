"""Bad input on every face and every route: refused in the face's shape, and nothing happens."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from billing_plugin import Actor, Billing, Money, operations
from tests.dialects.faces import (
    INVALID,
    WORDS,
    Asker,
    assert_refused,
    busy_account,
    ids_of,
    nothing_happens,
    used_rules,
)
from tests.dialects.routes import (
    BODY_ROUTES,
    CONDUIT,
    ID_ROUTES,
    NATIVE,
    PREFIXES,
    PUBLIC,
    ROUTES,
    SPIDERIQ,
    USE,
    Route,
)
from tests.factories import Caller, Clock, account_with, app_with, token_of

BROKEN: dict[str, bytes] = {
    "cut off": b"{",
    "trailing comma": b'{"amountCents": 1,}',
    "single quotes": b"{'amountCents': 1}",
    "doubled name": b'{"amountCents": 100, "amountCents": 999999}',
    "doubled name within": b'{"metadata": {"a": 1, "a": 2}}',
    "not a number": b'{"amountCents": NaN}',
    "endless": b'{"amountCents": Infinity}',
    "two documents": b"{}{}",
    "spaces": b"   ",
    "not UTF-8": b'{"model": "\xff\xfe"}',
    "half a surrogate pair in UTF-8": b'{"model": "\xed\xa0\x80"}',
    "UTF-16": '{"amountCents": 1}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"amountCents": 1}',
    "a line break in text": b'{"model": "a\nb"}',
    "a raw NUL": b'{"model": "a\0b"}',
    "too many digits": b'{"amountCents": ' + b"9" * 5000 + b"}",
    "deeper than the parser goes": b"[" * 100_000,
}
NOT_OBJECTS = ["[]", "[{}]", '"text"', "1", "1.5", "true", "null"]
DEEP = '{"metadata": ' + '{"a":' * 40 + "1" + "}" * 40 + "}"
UNSTORABLE = ["\0", "a\0b", "\ud800", "a\udfffb"]
OTHER_TYPES = [
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    "application/xml",
    "application/jsonp",
    "",
]
BAD_CENTS = [
    *("1.5", "1.0", "1e2", "1e400", "-1", "-0.5", "true", "false", '"100"', '"1e2"', '""', "null"),
    *("[]", "{}", "[100]", str(2**63), str(10**30), str(-(2**63)), "9" * 4000),
]
BAD_AMOUNTS = [
    *('"-5"', '"+5"', '"1e3"', '"NaN"', '"Infinity"', '" 5"', '"5 "', '"5\\n"', '"1_000"', '""'),
    *('"\u0663"', '"0x10"', '"5,00"', '"$5"', '".5"', '"5."', '"1.0000000001"', '"5 USD"'),
    *("5", "5.0", "true", "null", "[]", "{}", f'"{"9" * 40}"', f'"{2**63}"'),
]
BAD_COUNTS = [*("1.5", "1.0", "true", '"5"', "null", "-1", "[]", str(10**12 + 1), "1e400", "1E3")]
BAD_PRICES = [
    *('"-1"', '"+1"', '"1e3"', '"NaN"', '" 1"', '"1\\n"', '""', '".5"', '"1."', "1", "0.1", "null"),
    *(f'"{"9" * 13}"', '"0.' + "1" * 25 + '"', "true", "[]", "{}"),
]
BAD_FLAGS = ['"true"', "1", "0", "null", "[]", '""']
BAD_TEXT = ["1", "1.5", "true", "[]", "{}", '""']
BAD_TIMES = [
    *('"yesterday"', '"2026-03-09"', '"2026-03-09T14:32:00"', '"1969-12-31T23:59:59Z"', "1"),
    *('"0001-01-01T00:00:00+23:59"', '"2026-03-09T14:40:00Z"', '"9999-12-31T23:59:59-23:59"'),
]
# Well-formed, so that a batch refuses that record alone (see tests/dialects/native).
REFUSED_ALONE = ['"no-such-model-anywhere"', '"a\\tb"', *BAD_TIMES[-2:]]
# field -> values that it refuses, in place of a good one; by path
BAD_SECONDS = [*BAD_CENTS[:-4], "0", str(10**9)]
BAD_REASON = [*BAD_TEXT[:-1], "null", f'"{"x" * 501}"']
BAD_NAMES = {
    "model": [*BAD_TEXT, "null", f'"{"x" * 201}"', '"no-such-model-anywhere"'],
    "provider": [*BAD_TEXT[:-1], "null", f'"{"x" * 101}"'],
    "metadata": ["1", "true", '"x"', "[]", "null", '{"a": 1e400}', '{"a": [-1e999]}'],
}
QUANTITIES = (
    *("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", "reasoningTokens"),
    *("inputAudioTokens", "outputAudioTokens", "cacheAudioReadTokens", "inputImageTokens"),
    "outputImageTokens",
)
BAD_COUNTED: dict[str, list[str]] = dict.fromkeys(QUANTITIES, BAD_COUNTS)
BAD_AMOUNT = {"amountCents": BAD_CENTS, "amount": BAD_AMOUNTS}
BAD_PLAN = {
    "window": [*BAD_TEXT, "null", '"yearly"', '"MONTHLY"', '"3600"', "0", "-1", str(10**12)],
    "zone": [*BAD_TEXT, "null", '"Mars/Olympus"', '"../../etc/passwd"', '"/etc/passwd"'],
    "technique": [*BAD_TEXT, "null", '"slides"'],
    "action": [*BAD_TEXT, "null", '"harder"'],
    "filters": [
        *("1", '"key"', "[]", "null", '{"key": []}', '{"key": "x"}', '{"key": [1]}', '{"": ["x"]}'),
        *('{"color": ["x"]}', '{"metadata.": ["x"]}', '{"key": {}}', '{"key": null}'),
        '{"key": ["' + "x" * 201 + '"]}',
    ],
    "partitions": ["1", '"key"', "{}", "null", "[1]", '[""]', '["color"]', '["metadata."]'],
    "name": [*BAD_TEXT[:-1], "null", f'"{"x" * 201}"'],
}
BAD_PLAN["window"].remove("1")  # a window of one second
BAD_DAYS = [*BAD_TEXT, "null", '"2026-02-30"', '"20260301"', '"2026-03-01\\n"', '"0001-01-01"']
BAD_CHOICE = [*BAD_TEXT, f'"{"x" * 1001}"']
BAD_FACTS = ["1", "true", '"x"', "[]", '{"": 1}', '{"a": null}', '{"a": {"b": 1}}', '{"a": [1]}']
BAD_ITEM = {
    "amount": [one for one in BAD_CENTS if one != "-1"],
    "amountExact": [
        *(one for one in BAD_AMOUNTS if one not in ('"-5"', '"1.0000000001"')),
        *('"--5"', '"-"', '"1.0000000000000000001"', '"9999999999"'),
    ],
    "name": [*BAD_TEXT, "null", '" "', f'"{"x" * 201}"'],
    "currency": [*BAD_TEXT, "null", '"usd"', '"EURO"', '"EUR\\n"'],
    "tags": ["1", '"x"', "{}", "[1]", "[null]", '[""]', '[" "]', '["' + "x" * 401 + '"]',
             json.dumps([str(number) for number in range(101)])],
    "date": [*BAD_TIMES[:-2], BAD_TIMES[-1], "null"],
    "description": [*BAD_TEXT, f'"{"x" * 4001}"'],
    "provider": BAD_CHOICE,
    "adapter": BAD_CHOICE,
    "recurring": BAD_FLAGS,
    "period": [*BAD_TEXT, '"hourly"', '"MONTHLY"', '"monthly"'],  # of what does not recur
    "providerRef": [*BAD_CHOICE, '"r"'],  # of nobody
    **dict.fromkeys(("serviceId", "featureKey", "stageAppId", "environment"), BAD_CHOICE),
    "categoryId": BAD_CHOICE,
    "authorEmail": BAD_CHOICE,
    "scope": [*BAD_FACTS, '{"kind": 1}', '{"kinds": "x"}', '{"id": "' + "x" * 4001 + '"}'],
    "usage": [*BAD_FACTS, '{"sku_id": "x"}', '{"amount": 1e400}'],
    "meta": [*BAD_FACTS, '{"a": 1e400}', '{"' + "x" * 401 + '": 1}'],
}  # fmt: skip
BAD_CATEGORY = {
    "name": [*BAD_TEXT, "null", '" "', f'"{"x" * 201}"'],
    "description": [*BAD_TEXT, f'"{"x" * 2001}"'],
    "color": [*BAD_TEXT, '"red"', '"#fff"', '"#GGGGGG"', '"#4A90D9\\n"', '"4A90D9"'],
    "parentId": BAD_CHOICE,
    "stageAppId": [*BAD_TEXT, f'"{"x" * 2001}"'],
    "authorEmail": [*BAD_TEXT, f'"{"x" * 2001}"'],
}
BAD_ENDS = [*BAD_TIMES[:-2], BAD_TIMES[-1], "null"]
BAD_ENDPOINT = {
    "url": [
        *(
            *BAD_TEXT,
            "null",
            '"x"',
            '"http://a.example/"',
            '"https://10.0.0.1/"',
            '"https://0x7f.1"',
        ),
        *('"https://a@b.example/"', '"https://a.example/#b"', '"https://a.example/\\n"'),
        f'"https://a.example/{"x" * 2000}"',
    ],
    "events": ["1", '"*"', "[]", "{}", "null", '["balance.high"]', "[1]", "[null]", '["*", ""]'],
    "description": [*BAD_TEXT[:-1], "null", f'"{"x" * 201}"'],
}
BAD_FIELDS: dict[str, dict[str, list[str]]] = {
    f"{NATIVE}/accounts": {
        "name": [*BAD_TEXT, '" "', "null", f'"{"x" * 201}"'],
        "currency": [*BAD_TEXT, '"usd"', '"EURO"', '"EUR\\n"'],
    },
    f"{NATIVE}/account/postpaid": BAD_AMOUNT,
    f"{NATIVE}/account/low-balance": BAD_AMOUNT,
    f"{NATIVE}/webhooks": BAD_ENDPOINT,
    f"{NATIVE}/webhooks/<endpoint_id>": {**BAD_ENDPOINT, "enabled": BAD_FLAGS},
    f"{NATIVE}/webhooks/<endpoint_id>/secret": {"keepOldS": [*BAD_SECONDS[:-2], "2592001"]},
    f"{NATIVE}/webhooks/<endpoint_id>/replay": {
        "since": BAD_ENDS,
        "until": BAD_ENDS,
        "after": [*BAD_TEXT[:-1], "null", f'"{"x" * 101}"'],
    },
    f"{NATIVE}/ledger/<entry_id>/reversal": {"reason": BAD_REASON},
    f"{NATIVE}/ledger/<entry_id>/refunds": {
        "amountCents": [*BAD_CENTS, "0"],
        "amount": [*BAD_AMOUNTS, '"0"'],
        "reason": BAD_REASON,
    },
    f"{NATIVE}/adjustments": {
        "amountCents": [one for one in BAD_CENTS if one != "-1"] + ["0"],
        "amount": [one for one in BAD_AMOUNTS if one != '"-5"'] + ['"0"', '"--5"', '"-"'],
        "kind": [*BAD_TEXT, "null", '"topup"'],
        "reason": BAD_REASON,
    },
    f"{NATIVE}/credits": {
        "amountCents": [*BAD_CENTS, "0"],
        "amount": [*BAD_AMOUNTS, '"0"'],
        "kind": [*BAD_TEXT, "null", '"paid"'],
        "expiresAt": [*BAD_TIMES[:-2], '"2026-03-09T14:32:00Z"', '"9999-12-31T23:59:59-23:59"'],
        "priority": ["-1", "101", "1.5", "true", '"1"', "[]"],
        "reason": BAD_REASON,
    },
    f"{NATIVE}/holds": {
        **BAD_AMOUNT,
        **BAD_COUNTED,
        "model": [*BAD_TEXT[:-1], "null", f'"{"x" * 201}"'],
        "provider": BAD_NAMES["provider"],
        "metadata": BAD_NAMES["metadata"],
        "expiresInS": [one for one in BAD_SECONDS if one != "null"],
    },
    f"{NATIVE}/holds/<hold_id>/capture": {
        **BAD_AMOUNT,
        **BAD_COUNTED,
        "model": [*BAD_TEXT[:-1], "null", f'"{"x" * 201}"'],
        "provider": BAD_NAMES["provider"],
        "metadata": BAD_NAMES["metadata"],
        "policy": [*BAD_TEXT, "null", '"overdrafts"'],
    },
    f"{NATIVE}/holds/<hold_id>/extend": {"expiresInS": BAD_SECONDS},
    f"{NATIVE}/usage/rerating": {
        "from": BAD_DAYS,
        "to": [*BAD_DAYS, '"2026-02-28"'],
        "dryRun": BAD_FLAGS,
    },
    f"{NATIVE}/limits": {**BAD_AMOUNT, **BAD_PLAN},
    f"{NATIVE}/limits/<limit_id>": {**BAD_AMOUNT, **BAD_PLAN},
    f"{NATIVE}/limits/<limit_id>/raises": {
        "amountCents": [*BAD_CENTS, "0"],
        "amount": [*BAD_AMOUNTS, '"0"'],
        "lastsS": BAD_SECONDS,
        "decideWithinS": BAD_SECONDS,
        "reason": BAD_REASON,
    },
    f"{NATIVE}/prices": {
        "provider": [*BAD_TEXT, "null", f'"{"x" * 101}"', '" "', '"*"'],
        "model": [*BAD_TEXT, "null", f'"{"x" * 201}"', '" "', '"*"'],
        "prices": [
            *("1", '"x"', "[]", "{}", "null", '{"tokens": "1"}', '{"": "1"}'),
            *(f'{{"input_tokens": {price}}}' for price in BAD_PRICES),
        ],
        "everybody": BAD_FLAGS,
        "currency": [*BAD_TEXT, '"usd"', '"EURO"', '"EUR\\n"'],
        "validFrom": [*BAD_TIMES[:-2], '"2026-03-09T14:31:59Z"', BAD_TIMES[-1]],
        "validUntil": [*BAD_TIMES[:-2], '"2026-03-09T14:32:00Z"', BAD_TIMES[-1]],
        "source": [*BAD_TEXT, "null", f'"{"x" * 201}"'],
        "retroactive": BAD_FLAGS,
    },
    f"{NATIVE}/prices/<price_id>/end": {
        "at": [*BAD_TIMES[:-2], '"2026-03-09T14:31:59Z"', BAD_TIMES[-1]],
    },
    f"{NATIVE}/topups": {
        "amountCents": [*BAD_CENTS, "0", "99", "1000001"],
        "amount": [*BAD_AMOUNTS, '"0"', '"0.99"', '"10000.01"'],
        "paymentMethod": [*BAD_TEXT, "null", f'"{"x" * 101}"'],
        "attended": BAD_FLAGS,
    },
    f"{NATIVE}/billing-profile": {
        "name": [*BAD_TEXT, '"a\\tb"', f'"{"x" * 201}"'],
        "taxId": [*BAD_TEXT, '"DE136695976"', f'"{"1" * 41}"'],  # without its type
        "email": [*BAD_TEXT, '"x"', '"a@"', '"a@b"', '"a b@example.com"', f'"{"x" * 250}@a.com"'],
        "address": [
            *("1", '"x"', "[]", '{"country": "XX"}', '{"country": "de"}', '{"country": "DE\\n"}'),
            *('{"line1": ""}', '{"city": 1}', f'{{"line2": "{"x" * 201}"}}', '{"street": "x"}'),
            *('{"postalCode": "' + "1" * 21 + '"}', '{"region": "a\\nb"}', '{"postal_code": "1"}'),
        ],
        "taxIdType": [*BAD_TEXT, '"vat"', '"us_ein"'],  # without its number
    },
    f"{NATIVE}/auto-topup": {
        "amountCents": [*BAD_CENTS, "0", "99", "1000001"],
        "amount": [*BAD_AMOUNTS, '"0"', '"0.99"', '"10000.01"', '"5.001"'],
        "thresholdCents": BAD_CENTS,
        "threshold": BAD_AMOUNTS,
        "paymentMethod": [*BAD_TEXT, "null", f'"{"x" * 101}"'],
        "enabled": BAD_FLAGS,
        "dailyCount": ["-1", "10001", "1.5", "true", '"1"', "[]"],
        "dailyCents": [one for one in BAD_CENTS if one != "null"],
        "monthlyCount": ["-1", "10001", "1.5", "true", '"1"', "[]"],
        "monthlyCents": [one for one in BAD_CENTS if one != "null"],
    },
    f"{NATIVE}/invoices/<invoice_id>/mark": {
        "status": [*BAD_TEXT, "null", '"open"', '"draft"', '"PAID"', '"paid "'],
        "reason": BAD_REASON,
    },
    f"{NATIVE}/usage": {
        **BAD_NAMES,
        **BAD_COUNTED,
        "cost": [value for value in BAD_AMOUNTS if value != "null"],
        "effectiveAt": BAD_TIMES,
        "idempotencyKey": ["1", "true", "[]", "{}", '""', f'"{"x" * 256}"', '"a\\tb"'],
    },
    f"{NATIVE}/usage/batch": {
        "records": ["1", "{}", '"x"', "null", "[]", "[1]", "[null]", "[[]]", "[{}]"],
    },
    f"{NATIVE}/items": BAD_ITEM,
    f"{NATIVE}/items/<item_id>": BAD_ITEM,
    f"{NATIVE}/categories": BAD_CATEGORY,
    f"{NATIVE}/categories/<id_or_name>": BAD_CATEGORY,
    f"{NATIVE}/sync": {
        "provider": [*BAD_TEXT, f'"{"x" * 101}"'],
    },
}
BAD_PAGES = [
    *("limit=0", "limit=101", "limit=-1", "limit=x", "limit=", "limit=1&limit=2", "page=2"),
    *("cursor=", "cursor=x", "cursor=%00", "cursor=AAAA", "cursor=" + "A" * 300, "cursor=%C3%A9"),
    *("cursor=" + "A" * 301, "before=1", "cursor=a&cursor=b", "Cursor=x", "cursor='--"),
]
BAD_SPANS = [
    *("from=", "to=", "from=yesterday", "from=2026-02-30", "to=20260301", "from=2026-03-01%0A"),
    *("from=2026-03-02&to=2026-03-01", "from=1969-12-31", "to=9999-12-31", "from=1&from=2"),
    *("from=2026-03-01T00:00:00", "to=2026-03-01%2000:00", "since=2026-03-01", "until=2026-03-01"),
    *("category=", "provider=", "service=", f"category={'x' * 501}", "provider=%00"),
]
BAD_REPORTS = [
    *BAD_SPANS,
    *("source=", "source=,", "source=fake", "source=manual,fake", "currency=", "currency=usd"),
    *("recurring=true", "limit=1"),
]
BAD_FORMATS = [
    *("format=", "format=xml", "format=CSV", "format=csv&format=csv", "Format=csv", "format=%00"),
]
BAD_FILES = [
    *(*BAD_FORMATS, "format=csv&limit=5", "format=csv&cursor=AAAA", "format=csv&limit=0"),
]
BAD_CHOSEN = [one for one in BAD_REPORTS if "from" not in one and "to=" not in one]
BAD_MONTHS = [
    *("cycle=", "cycle=2026", "cycle=2026-13", "cycle=2026-3", "cycle=2026-03-01", "cycle=0000-01"),
    *("since=9999-12", "since=x", "since=1969-12", "cycle=2026-03&cycle=2026-03", "since=%D9%A8"),
]
BAD_COVERAGES = [
    *("coverage=", "coverage=49", "coverage=91", "coverage=80.5", "coverage=x", "coverage=0.8"),
    *("coverage=80&coverage=80", "coverage=-80", "coverage=%D9%A8%D9%A0"),
]
BAD_QUERIES = {
    f"{NATIVE}/items": [
        *(one for one in BAD_PAGES if one != "limit=101"),
        *BAD_SPANS,
        *BAD_FILES,
        *(
            "limit=1001",
            "recurring=",
            "recurring=1",
            "recurring=True",
            "tags=",
            "tags=,",
            "author=",
        ),
        *("stageApp=", "source=", "source=metered", "source=manual,sync", "categoryId=x"),
        "tags=" + ",".join(map(str, range(101))),
    ],
    f"{NATIVE}/items/by-provider-ref": [
        *("", "provider=p", "providerRef=r", "provider=&providerRef=r", "provider=p&provider=p"),
        *("provider=p&providerRef=r&x=1", "provider=p&providerRef=%00", "provider_ref=r"),
    ],
    f"{NATIVE}/search": [
        *("", "q=", "Q=x", "q=%00", "q=a%00b", f"q={'x' * 501}", "q=a&q=b", "q=a&offset=1"),
        *("q=a&limit=0", "q=a&limit=1001", "q=a&cursor=x", "q=" + "+".join(map(str, range(40)))),
        *(f"q=a&{one}" for one in (*BAD_SPANS, *BAD_FORMATS, "format=csv&cursor=AAAA")),
    ],
    f"{NATIVE}/reports/summary": [*BAD_REPORTS, *BAD_FORMATS, "by=provider", "interval=day"],
    f"{NATIVE}/reports/breakdown": [
        *(
            *BAD_REPORTS,
            *BAD_FORMATS,
            "by=",
            "by=model",
            "by=category%3B--",
            "by=tag&by=tag",
            "interval=day",
        ),
    ],
    f"{NATIVE}/reports/trend": [
        *(*BAD_REPORTS, *BAD_FORMATS, "interval=", "interval=hour", "interval=Day"),
    ],
    f"{NATIVE}/categories": [*BAD_FORMATS, "limit=1", "name=x"],
    f"{NATIVE}/invoices": [
        *(*BAD_PAGES, *BAD_FILES, *BAD_MONTHS, "kind=", "kind=credit_note", "kind=topup,monthly"),
        *("origin=", "origin=all", "ids=", "ids=,", f"ids={'x' * 101}", "status=paid"),
        "ids=" + ",".join(map(str, range(101))),
    ],
    f"{NATIVE}/credit-notes": [*BAD_PAGES, *BAD_FILES, *BAD_MONTHS, "kind=topup", "ids=x"],
    f"{NATIVE}/exports/focus": [
        *(one for one in BAD_REPORTS if "currency" not in one),
        *("format=csv", "currency=USD", "by=provider"),
    ],
    f"{NATIVE}/reports/series": [
        *("", "from=2026-03-01", "from=x&to=y", "from=2026-03-02&to=2026-03-01"),
        *(
            f"from=2026-03-01&to=2026-03-02&{one}"
            for one in (
                *("unit=", "unit=second", "zone=", "zone=Mars", "zone=UTC&zone=UTC", "values="),
                *(
                    "values=euros",
                    "values=cost:p99",
                    "values=cost,,cost",
                    "groupBy=",
                    "groupBy=colour",
                ),
                *(
                    "groupBy=model,model",
                    "limit=0",
                    "limit=1001",
                    "limit=x",
                    "model=%00",
                    "interval=day",
                ),
                "unit=hour&groupBy=model&limit=1000"
                "&values=cost,records,inputTokens,outputTokens,reasoningTokens",
                f"model={'x' * 501}",
                f"provider={','.join('x' * 101)}",
            )
        ),
        "from=2026-01-01&to=2026-12-31&unit=hour",
        *(f"from=2026-03-01&to=2026-03-02&{one}" for one in (*BAD_FORMATS, "format=csv&limit=0")),
    ],
    f"{NATIVE}/reports/forecast": [*BAD_CHOSEN, *BAD_COVERAGES, *BAD_FORMATS, "from=2026-03-01"],
    f"{NATIVE}/reports/recurring": [*BAD_CHOSEN, *BAD_FORMATS, "to=2026-03-01", "coverage=80"],
    f"{NATIVE}/reports/anomalies": [
        *(one for one in BAD_REPORTS if "currency" not in one),
        *("leastAmount=", "leastAmount=-1", "leastAmount=1.5", f"leastAmount={2**63}"),
        *("from=2026-03-10", "from=2025-01-01&to=2026-03-01", "from=1970-01-01&to=1970-01-02"),
        *(*BAD_FORMATS, "currency=USD"),
    ],
    f"{NATIVE}/reports/run-out": [*BAD_COVERAGES, *BAD_FORMATS, "provider=p", "currency=USD"],
    f"{NATIVE}/accounts": [*BAD_PAGES, *BAD_FILES],
    f"{NATIVE}/holds": [
        *BAD_PAGES,
        *BAD_FILES,
        "status=",
        "status=OPEN",
        "status=open&status=open",
    ],
    f"{NATIVE}/raises": [*BAD_PAGES, *BAD_FILES, "status=open"],
    f"{NATIVE}/usage": [*BAD_PAGES, *BAD_FILES, "from=2026-03-01", "to=2026-03-01", "from=x&to=y"],
    f"{NATIVE}/changes": [*BAD_PAGES, *BAD_FILES, "money=", "money=1", "money=True", "money=no"],
    f"{NATIVE}/prices": [
        *BAD_PAGES,
        *BAD_FILES,
        "at=",
        "at=yesterday",
        "at=2026-03-09T14:31:00",
        "at=1",
    ],
    f"{NATIVE}/balance/past": [
        *("", "at=", "at=yesterday", "at=2026-03-09", "at=2026-03-09T14:31:00", "at=1"),
        *("at=1969-12-31T23:59:59Z", "at=2026-03-09T14:31:00Z&at=2026-03-09T14:31:00Z", "At=1"),
    ],
    f"{NATIVE}/ledger": [
        *BAD_PAGES[7:],
        *(*BAD_FILES, "format=csv&offset=0"),
        *("limit=0", "limit=101", "limit=-1", "limit=1.5", "limit=x", "limit=", "limit=1_0"),
        *("limit=%2B1", "limit=%201", "limit=%D9%A3", "limit=1&limit=2", "offset=-1"),
        *(f"offset={2**63}", f"offset={10**30}", "page=2", "Limit=1", "limit=1%00"),
    ],
    f"{NATIVE}/spend": [
        *("from=2026-03-01", "to=2026-03-01", "from=2026-03-02&to=2026-03-01", "from=x&to=y"),
        *("from=2026-02-30&to=2026-03-01", "from=20260301&to=20260302", "groupBy=account"),
        *("groupBy=", "groupBy=model%3B--", "from=9999-12-31&to=9999-12-31", "group_by=day"),
        *(*BAD_FORMATS, "format=csv&limit=1", "from=0001-01-01&to=0001-01-02"),
        *("from=2026-03-01%0A&to=2026-03-02", "groupBy=%00"),
    ],
    f"{NATIVE}/sync/jobs": ["limit=0", "limit=101", "provider=", "provider=%00", "status=done"],
    f"{CONDUIT}/ledger": ["limit=0", "limit=101", "offset=-1", "limit=%00", "x=%00", "limit=1_0"],
    f"{SPIDERIQ}/sync-billing": ["provider_name=", "provider_name=%00", "x=%00"],
}
OF_NOBODY = (f"{NATIVE}/accounts", f"{NATIVE}/prices")  # may be asked about no account
BAD_KEYS = {
    "none": {},
    "empty": {"Authorization": ""},
    "another scheme": {"Authorization": "Basic c2s6c2s="},
    "no scheme": {"Authorization": "sk_0_0"},
    "only the scheme": {"Authorization": "Bearer"},
    "of nobody": {"Authorization": f"Bearer sk_{'0' * 32}_secret"},
    "malformed": {"Authorization": "Bearer sk_xyz"},
    "endless": {"Authorization": "Bearer sk_" + "a" * 60_000},
    "latin-1": {"Authorization": "Bearer sk_\xe9\xff_\xa0"},
    "SQL": {"Authorization": "Bearer sk_' OR 1=1 --_x"},
    "three parts of nobody": {"Authorization": f"Bearer cli_{'0' * 32}:sk_{'0' * 32}:secret_x"},
    "X-API-Key of nobody": {"X-API-Key": "sk_0_0"},
}
ODD_METHODS = ["PUT", "PATCH", "DELETE", "POST", "GET", "TRACE", "FOO", "CONNECT", "PROPFIND"]


@pytest.fixture
def owner(billing: Billing) -> Actor:
    return busy_account(billing)


@pytest.fixture
def app(billing: Billing) -> Flask:
    return app_with(billing)


@pytest.fixture
def ask(app: Flask, billing: Billing, owner: Actor) -> Asker:
    return Asker(app, billing, owner)


def test_the_table_names_every_route(app: Flask) -> None:
    tested = {(route.method, route.path) for route in ROUTES} | {("GET", rule) for rule in PUBLIC}
    assert tested == used_rules(app)
    assert {route.path for route in ROUTES if "<" in route.path} == {one.path for one in ID_ROUTES}


def test_the_good_requests_of_the_table_are_good(
    app: Flask, ask: Asker, owner: Actor, billing: Billing
) -> None:
    for route in ROUTES:
        path = route.at(ids_of(owner)[route.about]) if route.about else route.at()
        response = ask.route([], route, path, **route.sent)
        assert response.status_code == route.status, (route.name, response.data)


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_broken_json(
    ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    with nothing_happens(billing, caplog) as answers:
        for route in BODY_ROUTES:
            options = {"data": body, "content_type": "application/json"}
            response = ask.route(answers, route, **options)
            assert_refused(response, route.face, 400, "MALFORMED_JSON", "VALIDATION_ERROR")


def test_what_is_not_an_object(
    ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture
) -> None:
    with nothing_happens(billing, caplog) as answers:
        for route in BODY_ROUTES:
            for body in NOT_OBJECTS:
                options = {"data": body, "content_type": "application/json"}
                response = ask.route(answers, route, **options)
                assert_refused(response, route.face, 400, "VALIDATION_ERROR")


def test_an_empty_body_says_what_is_missing(
    ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture
) -> None:
    with nothing_happens(billing, caplog) as answers:
        for route in BODY_ROUTES:
            if route.json:  # where everything is optional, nothing is missing
                for body in (b"", b"{}"):
                    options = {"data": body, "content_type": "application/json"}
                    response = ask.route(answers, route, **options)
                    assert_refused(response, route.face, 400, "VALIDATION_ERROR")


def test_unknown_fields(ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture) -> None:
    with nothing_happens(billing, caplog) as answers:
        for route in BODY_ROUTES:
            for name in ("balance", "accountId", "account_id", "id", "createdAt", "", "é" * 500):
                body = {**(route.json or {}), name: 1}
                response = ask.route(answers, route, json=body)
                told = assert_refused(response, route.face, 400, "VALIDATION_ERROR")
                assert told["fields"] == {(name or "body")[:100]: "Unknown field."}


def test_thousands_of_unknown_fields_get_a_short_answer(
    ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture
) -> None:
    with nothing_happens(billing, caplog) as answers:
        for route in BODY_ROUTES:
            body = {f"field {number}": number for number in range(20_000)}
            response = ask.route(answers, route, json=body)
            assert_refused(response, route.face, 400, "VALIDATION_ERROR")
            assert len(response.data) < 4000


def test_every_route_with_a_body_has_bad_fields() -> None:
    said = {route.path for route in BODY_ROUTES if route.json or route.path.endswith("reversal")}
    assert said - set(BAD_FIELDS) == set()


@pytest.mark.parametrize("path", BAD_FIELDS)
def test_bad_fields(
    ask: Asker, billing: Billing, owner: Actor, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    [route] = [route for route in BODY_ROUTES if route.path == path]
    known = ids_of(owner).get(route.about, "")
    options = {"content_type": "application/json"}
    with nothing_happens(billing, caplog) as answers:
        for name, values in BAD_FIELDS[path].items():
            for value in values:
                body = with_field(route.json or {}, name, value)
                response = ask.route(answers, route, route.at(known), data=body, **options)
                assert response.status_code == 400, (name, value, response.text)
                codes = ("VALIDATION_ERROR", "MALFORMED_JSON", "AMOUNT_OUT_OF_RANGE")
                codes += ("UNPRICED_MODEL", "FUTURE_TIME", "TIME_OUT_OF_RANGE", "INVALID_CURRENCY")
                codes += ("PAST_PRICE",)
                assert_refused(response, "native", 400, *codes)


def test_bad_records_in_a_batch(
    ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture
) -> None:
    """One malformed record refuses the whole batch: nothing of it is half written."""
    with nothing_happens(billing, caplog) as answers:
        for name, values in BAD_FIELDS[f"{NATIVE}/usage"].items():
            for value in values:
                if value in REFUSED_ALONE:
                    continue
                bad = with_field(USE, name, value)
                body = f'{{"records": [{json.dumps(USE)}, {bad}]}}'
                options = {"data": body, "content_type": "application/json"}
                response = ask(answers, "POST", f"{NATIVE}/usage/batch", **options)
                codes = ("VALIDATION_ERROR", "MALFORMED_JSON")
                assert response.status_code == 400, (name, value, response.text)
                assert_refused(response, "native", 400, *codes)


def test_both_amounts_at_once(
    ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture
) -> None:
    with nothing_happens(billing, caplog) as answers:
        for route in (route for route in BODY_ROUTES if "amount" in BAD_FIELDS.get(route.path, {})):
            body = {**(route.json or {}), "amountCents": 500, "amount": "5.00"}
            response = ask.route(answers, route, json=body)
            assert_refused(response, "native", 400, "VALIDATION_ERROR", "NOT_FOUND")


@pytest.mark.parametrize("text", UNSTORABLE, ids=ascii)
def test_text_that_cannot_be_stored(
    ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    texts = ("model", "provider", "idempotencyKey")
    bodies = [(f"{NATIVE}/usage", {**USE, name: text}) for name in texts]
    for held in ({"a": text}, {text: 1}, {"a": [{"b": text}]}):
        bodies.append((f"{NATIVE}/usage", {**USE, "metadata": held}))
        bodies.append((f"{NATIVE}/usage/batch", {"records": [{**USE, "metadata": held}]}))
    bodies.append((f"{NATIVE}/limits", {"amountCents": 1, "zone": text}))
    bodies.append((f"{NATIVE}/topups", {"amountCents": 500, "paymentMethod": text}))
    bodies.append((f"{NATIVE}/sync", {"provider": text}))
    with nothing_happens(billing, caplog) as answers:
        for path, body in bodies:
            response = ask(answers, "POST", path, json=body)
            assert_refused(response, "native", 400, "VALIDATION_ERROR")


def test_nested_too_deeply(ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture) -> None:
    with nothing_happens(billing, caplog) as answers:
        for route in BODY_ROUTES:
            options = {"data": DEEP, "content_type": "application/json"}
            response = ask.route(answers, route, **options)
            assert_refused(response, route.face, 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("content_type", OTHER_TYPES)
def test_other_content_types(
    ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture, content_type: str
) -> None:
    with nothing_happens(billing, caplog) as answers:
        for route in BODY_ROUTES:
            options = {"data": json.dumps(route.json), "content_type": content_type}
            response = ask.route(answers, route, **options)
            assert_refused(response, route.face, 415, "UNSUPPORTED_MEDIA_TYPE")


def test_too_large_a_body(ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture) -> None:
    most = billing.instance.settings.max_body_bytes
    with nothing_happens(billing, caplog) as answers:
        for route in BODY_ROUTES:
            body = {**(route.json or {}), "metadata": "x" * most}
            response = ask.route(answers, route, json=body)
            assert_refused(response, route.face, 413, "PAYLOAD_TOO_LARGE")


def test_too_large_a_batch(ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture) -> None:
    records = [{"model": "m", "cost": "0.01"}] * (billing.instance.settings.max_batch + 1)
    with nothing_happens(billing, caplog) as answers:
        response = ask(answers, "POST", f"{NATIVE}/usage/batch", json={"records": records})
        assert_refused(response, "native", 413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("path", BAD_QUERIES)
def test_bad_queries(
    ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    route = next(route for route in ROUTES if route.path == path)  # the first is what is looked at
    with nothing_happens(billing, caplog) as answers:
        for query in BAD_QUERIES[path]:
            response = ask.route(answers, route, f"{path}?{query}")
            assert response.status_code == INVALID[route.face], (query, response.text)
            assert_refused(response, route.face, INVALID[route.face], "VALIDATION_ERROR")


def test_unknown_ids_and_those_of_others_are_answered_alike(
    ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture
) -> None:
    theirs = ids_of(account_with(billing, "50"))
    longest = "x" * 20_000
    with nothing_happens(billing, caplog) as answers:
        for route in ID_ROUTES:
            unknown = [theirs[route.about][:-1] + "z", "nobody", "0", "-1", "'", longest, "é", "%"]
            bodies = [
                told_about(ask.route(answers, route, route.at(one), **route.sent), route, one)
                for one in (theirs[route.about], *unknown)
            ]
            assert all(body == bodies[0] for body in bodies), route.name


def test_ids_that_cannot_be_stored(
    ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture
) -> None:
    with nothing_happens(billing, caplog) as answers:
        for route in ID_ROUTES:
            response = ask.route(answers, route, route.at("a%00b"), **route.sent)
            assert_refused(response, route.face, INVALID[route.face], "VALIDATION_ERROR")


def test_queries_that_are_not_utf8_are_read_with_replacement(
    ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture
) -> None:
    with nothing_happens(billing, caplog) as answers:
        response = ask(answers, "POST", f"{SPIDERIQ}/sync-billing?provider_name=%ff%fe")
        assert_refused(response, "spideriq", 404, "NOT_FOUND")
        response = ask(answers, "GET", f"{NATIVE}/limits/%ff")
        assert_refused(response, "native", 404, "NOT_FOUND")


@pytest.mark.parametrize("headers", BAD_KEYS.values(), ids=BAD_KEYS)
def test_keys_that_open_nothing(
    app: Flask, billing: Billing, caplog: pytest.LogCaptureFixture, headers: dict[str, str]
) -> None:
    client = app.test_client()
    with nothing_happens(billing, caplog) as answers:
        for route in ROUTES:
            options = {"method": route.method, "headers": headers, **route.sent}
            answers.append(client.open(route.at(), **options))
            assert_refused(answers[-1], route.face, 401, WORDS[route.face]["key"])


def test_keys_that_were_revoked_or_have_expired(
    app: Flask,
    billing: Billing,
    owner: Actor,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    operator, account = billing.operator(), str(owner.account_id)
    revoked = operations.create_key(operator, account)
    operations.revoke_key(operator, account, revoked.key.id)
    end = clock() + timedelta(minutes=1)
    expired = operations.create_key(operator, account, expires_at=end)
    clock.forward(minutes=1)
    altered = token_of(billing, owner)[:-1] + "~"
    with nothing_happens(billing, caplog) as answers:
        for token in (revoked.token, expired.token, altered):
            for route in ROUTES:
                answers.append(Caller(app, token)(route.method, route.at(), **route.sent))
                assert_refused(answers[-1], route.face, 401, WORDS[route.face]["key"])


def test_a_key_without_the_scope(
    app: Flask, billing: Billing, owner: Actor, caplog: pytest.LogCaptureFixture
) -> None:
    scopes = operations.account_scopes()
    tokens = {route.scope: token_of(billing, owner, *scopes - {route.scope}) for route in ROUTES}
    with nothing_happens(billing, caplog) as answers:
        for route in ROUTES:
            caller = Caller(app, tokens[route.scope])
            answers.append(caller(route.method, route.at(), **route.sent))
            told = assert_refused(answers[-1], route.face, 403, "FORBIDDEN")
            assert route.scope in told["message"]


def test_wrong_methods(
    app: Flask, ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture
) -> None:
    served = used_rules(app)
    with nothing_happens(billing, caplog) as answers:
        for route in ROUTES:
            path = route.at().partition("?")[0]
            own = {method for method, rule in served if rule == path}  # a word that is no id
            right = own or {method for method, rule in served if fits_rule(path, rule)}
            for method in set(ODD_METHODS) - right:
                response = ask(answers, method, route.at())
                assert_refused(response, route.face, 405, "METHOD_NOT_ALLOWED")
                allowed = set(response.headers["Allow"].split(", "))
                assert allowed - {"HEAD", "OPTIONS"} == right, route.name


@pytest.mark.parametrize("face", PREFIXES)
def test_unknown_paths(
    app: Flask, ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture, face: str
) -> None:
    ends = ["", "/", "/nothing", "/balance/x", "/..", "/%2e%2e", "/%00", "/x" * 2000, "/é"]
    prefix = PREFIXES[face]
    with nothing_happens(billing, caplog) as answers:
        for end in ends:
            for method in ODD_METHODS:
                assert_refused(ask(answers, method, prefix + end), face, 404, "NOT_FOUND")
        answers.append(app.test_client().get(f"{prefix}/nothing"))  # without any key as well
        assert_refused(answers[-1], face, 404, "NOT_FOUND")


@pytest.mark.parametrize("face", PREFIXES)
def test_paths_beside_the_prefix_are_the_hosts(app: Flask, face: str) -> None:
    for path in (PREFIXES[face] + "x", PREFIXES[face][:-1], PREFIXES[face].upper()):
        response = app.test_client().get(path)
        assert response.status_code == 404
        assert response.mimetype == "text/html"


def test_a_head_has_no_body_and_options_need_no_key(app: Flask, ask: Asker) -> None:
    for route in ROUTES:
        if route.method == "GET" and not route.about and not route.for_operators:
            response = ask([], "HEAD", route.at())
            assert (response.status_code, response.data) == (200, b"")
        preflight = app.test_client().options(route.at())
        assert preflight.status_code == 200
        assert route.method in preflight.headers["Allow"]


def test_idempotency_keys_that_are_none(
    ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture
) -> None:
    with nothing_happens(billing, caplog) as answers:
        posts = [route for route in ROUTES if (route.face, route.method) == ("native", "POST")]
        for route in (route for route in posts if route.keyed):
            for key in ("x" * 256, "a\tb", "", "\xa0"):
                options = {**route.sent, "headers": {"Idempotency-Key": key}}
                response = ask.route(answers, route, **options)
                assert_refused(response, "native", 400, "VALIDATION_ERROR")


def test_a_key_of_an_operator_is_not_an_account(billing: Billing) -> None:
    host = Flask("host")
    other = Billing(
        billing.instance.database, authenticate=lambda request: other.operator(), processor="fake"
    )
    other.init_app(host)
    client = host.test_client()
    for route in (route for route in ROUTES if not route.path.startswith(OF_NOBODY)):
        sent = route.sent if route.csv else {"json": route.json or {}}
        response = client.open(route.at(), method=route.method, **sent)
        assert_refused(response, route.face, INVALID[route.face], "VALIDATION_ERROR")


def test_more_than_is_there(ask: Asker, billing: Billing, caplog: pytest.LogCaptureFixture) -> None:
    with nothing_happens(billing, caplog) as answers:
        body = {"model": "m", "cost": "100000.00"}
        told = assert_refused(
            ask(answers, "POST", f"{NATIVE}/usage", json=body), "native", 402, "INSUFFICIENT_FUNDS"
        )
        assert told["available"] == "99.50"
        assert told["requested"] == "100000.00"


def with_field(good: dict[str, Any], name: str, raw: str) -> str:
    """JSON of a good request in which one field has a raw value."""
    kept = {key: value for key, value in good.items() if key != name}
    if name.startswith("amount"):
        kept = {key: value for key, value in kept.items() if not key.startswith("amount")}
    return json.dumps({**kept, name: "RAW"}).replace('"RAW"', raw)


def fits_rule(path: str, rule: str) -> bool:
    """Whether the path is one of the rule's; an id may be any word."""
    return bool(re.fullmatch(re.sub(r"<\w+>", "[^/]+", rule), path.partition("?")[0]))


def told_about(response: Any, route: Route, identifier: str) -> dict[str, Any]:
    """What is told about an unknown id, without what differs in every answer and the id itself."""
    told = assert_refused(response, route.face, 404, "NOT_FOUND")
    message = told["message"].removesuffix(f": {identifier[:100]}")
    return {**told, "requestId": None, "message": message}


def test_money_is_left_as_it_was(ask: Asker, owner: Actor) -> None:
    """The checks above would not notice a table they cannot read: the balance is what counts."""
    before = operations.check_balance(owner, str(owner.account_id)).available
    assert before == Money.parse("99.5")
    assert ask([], "POST", f"{NATIVE}/usage", json=USE).status_code == 201
    assert operations.check_balance(owner, str(owner.account_id)).available < before
