"""The only wiring file: settings become an instance, an instance becomes a mounted blueprint."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import flask
from flask import Flask, Request, Response, request
from flask_smorest import Blueprint
from peewee import Database
from werkzeug.routing import Rule

from billing_plugin import dashboard, providers, webhooks
from billing_plugin.config import PREFIX, Settings
from billing_plugin.context import Actor, Instance, connect_to, require, utc_now
from billing_plugin.dialects import conduit, native, spideriq
from billing_plugin.dialects.entrance import EXTENSION, Entrance, attend, cheap_routes
from billing_plugin.errors import ConfigurationError, NotSupported

if TYPE_CHECKING:  # mounting must not pay for it
    from billing_plugin.operations.metered import HeldCall
    from billing_plugin.providers.listing import Listing, PriceList

FACES: tuple[tuple[Entrance, str], ...] = (
    (Entrance("native", native.ROUTES), "native_prefix"),
    (Entrance("spideriq", spideriq.ROUTES), "spideriq_prefix"),
    (Entrance("conduit", conduit.ROUTES), "conduit_prefix"),
    (Entrance("webhooks", webhooks.ROUTES, package=webhooks.__name__), "webhooks_prefix"),
    (Entrance("dashboard", dashboard.ROUTES, package=dashboard.__name__), "dashboard_prefix"),
)
# Methods that Werkzeug and Flask add by themselves.
AUTOMATIC = frozenset({"HEAD", "OPTIONS"})


class Billing:
    """One billing system: give it a database, mount it, use it.

    `database` is a URL or the host's own peewee database; `authenticate(request)` may return the
    Actor of a request or None to have API keys checked; `providers` adds adapters by name;
    `processor` is a Processor or the name of a built-in one. Further keyword arguments are
    settings (see config.Settings) and win over the host's BILLING_ configuration.
    Raises ConfigurationError for an unknown setting or a path that the host already serves.
    """

    def __init__(
        self,
        database: str | Database | None = None,
        *,
        authenticate: Callable[[Request], Actor | None] | None = None,
        providers: Mapping[str, Any] | None = None,
        processor: Any = None,
        price_list: Any = None,
        clock: Callable[[], datetime] = utc_now,
        name: str = "billing",
        **settings: Any,
    ) -> None:
        self.name = name
        self.authenticate = authenticate
        self._database = database
        self._given = {f"BILLING_{key.upper()}": value for key, value in settings.items()}
        self._parts = {"providers": providers or {}, "processor": processor}
        self._price_list = price_list
        self._clock = clock
        self._instance: Instance | None = None
        self._blueprint: Blueprint | None = None
        Settings.load(self._given)

    @classmethod
    def from_environment(cls, database: str | None = None, **options: Any) -> Billing:
        """A system made from the BILLING_ variables; what is given here wins over them.

        Raises ConfigurationError for an unknown variable or a malformed value.
        """
        return cls(database, **{**Settings.from_environment(), **options})

    @property
    def instance(self) -> Instance:
        """The instance at work behind this mount; made from given settings where not mounted."""
        if self._instance is None:
            self._instance = self._build({})
        return self._instance

    @property
    def blueprint(self) -> Blueprint:
        """What a host registers: on its app, on a blueprint, or on its own flask-smorest Api."""
        if self._blueprint is None:
            self._blueprint = Mount(self)
        return self._blueprint

    def init_app(self, app: Flask) -> None:
        """Mounts every face on the app, with settings from its BILLING_ configuration."""
        self.configure(app.config)
        app.register_blueprint(self.blueprint)

    def configure(self, config: Mapping[str, Any]) -> None:
        """Takes the BILLING_ settings of a host's configuration.

        Raises ConfigurationError when the instance is at work with other settings already.
        """
        if self._instance is None:
            self._instance = self._build(config)
        elif Settings.load(config, self._given) != self._instance.settings and _names_any(config):
            raise ConfigurationError(
                f"{self.name} has its settings already; another Billing can have others."
            )

    def actor(
        self,
        account_id: str | None = None,
        *,
        scopes: frozenset[str] | None = None,
        agent: str | None = None,
    ) -> Actor:
        """Who asks from inside the host's own code: all scopes of one account, or an operator.

        `agent` names the program that acts, where limits are about agents.
        """
        held = frozenset({"*"}) if scopes is None else scopes
        return Actor(self.instance, account_id=account_id, scopes=held, agent=agent)

    def hold(self, account_id: str, expected: Any, **options: Any) -> HeldCall:
        """A hold around a call: `with billing.hold(account_id, Usage(…)) as held: …`.

        `expected` is Money or a Usage, best the most that the call can cost. Options are `policy`,
        `agent`, and those of `operations.hold`.
        """
        actor = self.actor(account_id, agent=options.pop("agent", None))
        call: HeldCall = _metered().HeldCall(actor, account_id, expected, **options)
        return call

    def billed(
        self, expected: Any, *, account: str = "account_id", used: Any = None, **options: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Makes every call of a function one under a hold: `@billing.billed(Usage(…), used=…)`.

        See operations.metered.billed; options as for `hold`.
        """

        def call(account_id: str) -> HeldCall:
            return self.hold(account_id, expected, **options)

        made: Callable[..., Any] = _metered().billed(call, account=account, used=used)
        return made

    def operator(self) -> Actor:
        """The operator of this instance."""
        return Actor(self.instance, scopes=frozenset({"*"}))

    def close(self) -> None:
        """Closes every connection that the database's pool keeps. For scripts and tests."""
        database: Any = self.instance.database
        getattr(database, "close_all", database.close)()

    def _build(self, config: Mapping[str, Any]) -> Instance:
        settings = Settings.load(config, self._given)
        if settings.redis_url:
            require("rq", extra="redis")
        database = self._database or settings.database_url
        instance = Instance(
            database=connect_to(database) if isinstance(database, str) else database,
            settings=settings,
            providers={**providers.BUILT_IN, **self._parts["providers"]},
            processor=_processor(self._parts["processor"] or settings.processor, settings),
            price_list=self._price_list or LazyPrices(),
            enqueue=lambda job, identifier: _enqueue(settings, job, identifier),
            open_vault=lambda: _vault(settings.secret_keys),
            clock=self._clock,
        )
        if settings.auto_migrate:
            instance.prepare = migrate
        return instance


class Mount(Blueprint):
    """The root blueprint: holds the faces, answers what no route matches, touches nothing else."""

    def __init__(self, billing: Billing) -> None:
        super().__init__(billing.name, __name__)
        self._billing = billing
        self._nested = False
        attend(self)

    def register(self, app: Flask, options: dict[str, Any]) -> None:
        """Mounts the faces on the app; refuses a path that is served already."""
        self._billing.configure(app.config)
        faces = _faces(self._billing.instance.settings)
        self._nest(faces)
        with cheap_routes(app):
            super().register(app, options)
        name = f"{options.get('name_prefix', '')}.{options.get('name', self.name)}".lstrip(".")
        _refuse_clashes(app, ours=f"{name}.")
        app.extensions.setdefault(EXTENSION, {})[name] = self._billing
        root = (options.get("url_prefix") or self.url_prefix or "").rstrip("/")
        under = {root + prefix: face for prefix, face in faces.items()}
        _watch(app, under, name)

    def _nest(self, faces: dict[str, Entrance]) -> None:
        if not self._nested:
            for prefix, face in faces.items():
                flask.Blueprint.register_blueprint(self, face, url_prefix=prefix)
            self._nested = True

    def register_views_in_doc(self, *arguments: Any, **options: Any) -> None:
        """Describes every route in the document of a host's own Api."""
        for face in _faces(self._billing.instance.settings).values():
            documented = face.face._docs.items()
            self._docs.update({f"{face.name}.{view}": about for view, about in documented})
        super().register_views_in_doc(*arguments, **options)


class LazyPrices:
    """The price list of the extra `pricing`, loaded at the first question."""

    def __init__(self) -> None:
        self._list: PriceList | None = None

    @property
    def edition(self) -> str:
        """See PriceList; empty until it is loaded."""
        return self._list.edition if self._list else ""

    def find(self, model: str, *, provider: str | None, at: datetime) -> Listing:
        """See PriceList. Raises NotSupported where the extra is not installed."""
        return self._loaded().find(model, provider=provider, at=at)

    def models(self) -> Iterable[tuple[str, str]]:
        """See PriceList. Raises NotSupported where the extra is not installed."""
        return self._loaded().models()

    def _loaded(self) -> PriceList:
        self._list = self._list or _price_list()
        return self._list


def _processor(named: Any, settings: Settings) -> Any:
    if not named:
        return None
    from billing_plugin import processors  # lazy: only where there is one

    return processors.load(named, settings)


def _enqueue(settings: Settings, job: str, identifier: str) -> None:
    from billing_plugin.queue import enqueue  # lazy: only where jobs are started

    enqueue(settings, job, identifier)


def _metered() -> Any:
    from billing_plugin.operations import metered  # lazy: mounting needs no operation

    return metered


def migrate(instance: Instance) -> None:
    """Creates or upgrades the tables of the instance; its connection is open."""
    from billing_plugin import migrations  # lazy: mounting must not pay for it

    migrations.migrate(instance.database)


def _price_list() -> PriceList:
    try:
        from billing_plugin.providers.price_list import GenaiPrices  # lazy: an optional extra
    except ImportError as error:
        raise NotSupported("No price list is installed; install the extra `pricing`.") from error
    return GenaiPrices()


def _vault(keys: str) -> Any:
    from billing_plugin.vault import Vault  # lazy: cryptography costs more than the whole mount

    return Vault(keys)


def _names_any(config: Mapping[str, Any]) -> bool:
    return any(key.startswith(PREFIX) for key in config)


def _faces(settings: Settings) -> dict[str, Entrance]:
    """The faces that are switched on, by prefix."""
    faces: dict[str, Entrance] = {}
    for face, key in FACES:
        prefix = getattr(settings, key).rstrip("/")
        if getattr(settings, key) and not prefix.startswith("/"):
            raise ConfigurationError(f"{PREFIX}{key.upper()} is a path such as /billing, or empty.")
        if key == "webhooks_prefix" and not settings.processor_webhook_secrets:
            continue  # it could take no message
        if prefix in faces:
            raise ConfigurationError(f"Two faces cannot both be at {prefix}.")
        if prefix:
            faces[prefix] = face
    return faces


def _refuse_clashes(app: Flask, *, ours: str) -> None:
    """Werkzeug would let whoever came first win, silently."""
    served: dict[tuple[str, str | None, str | None], list[Rule]] = {}
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]*>", "<>", rule.rule).rstrip("/")
        served.setdefault((path, rule.subdomain, rule.host), []).append(rule)
    for rules in served.values():
        if len(rules) > 1 and any(rule.endpoint.startswith(ours) for rule in rules):
            _refuse_shared_methods(rules)


def _refuse_shared_methods(rules: list[Rule]) -> None:
    methods = Counter(method for rule in rules for method in (rule.methods or ()))
    if any(times > 1 for method, times in methods.items() if method not in AUTOMATIC):
        raise ConfigurationError(
            f"{rules[-1].rule} is served already; give the face another prefix."
        )


def _watch(app: Flask, faces: dict[str, Entrance], name: str) -> None:
    """Answers unknown paths and wrong methods under the faces' prefixes, in the face's shape."""
    instance = app.extensions[EXTENSION][name].instance

    @app.before_request
    def answer_unmatched() -> Response | None:
        prefix, unmatched = _prefix_of(request.path, faces), request.routing_exception
        if prefix is None:
            return None
        face = faces[prefix]
        _exempt_from_csrf(app, face)  # here too: a host may set its protection up after us
        if unmatched is None and name not in request.blueprints:
            return None  # the host's own, on another domain
        error = face.wrong_method(request.path.removeprefix(prefix)) or unmatched
        return None if error is None else face.face.unmatched(error, instance)

    for face in faces.values():
        _exempt_from_csrf(app, face)


def _prefix_of(path: str, faces: dict[str, Entrance]) -> str | None:
    under = [prefix for prefix in faces if path == prefix or path.startswith(prefix + "/")]
    return max(under, key=len, default=None)


def _exempt_from_csrf(app: Flask, face: Entrance) -> None:
    """Keys, not cookies, authenticate the faces, so a form token has nothing to protect."""
    protection = app.extensions.get("csrf")
    if protection is not None:
        protection.exempt(face)
