"""The only wiring file: settings become an instance, an instance becomes a mounted blueprint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask import Flask, Request, Response, request
from flask_smorest import Blueprint
from peewee import Database

from billing_plugin import operations, processors, providers
from billing_plugin.config import Settings
from billing_plugin.context import Actor, Instance, connect_to, utc_now
from billing_plugin.dialects.conduit import conduit
from billing_plugin.dialects.dialect import EXTENSION, Dialect
from billing_plugin.dialects.native import native
from billing_plugin.dialects.spideriq import spideriq
from billing_plugin.errors import ConfigurationError, NotSupported
from billing_plugin.queue import enqueuer

FACES: tuple[tuple[Dialect, str], ...] = (
    (native, "native_prefix"),
    (spideriq, "spideriq_prefix"),
    (conduit, "conduit_prefix"),
)


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
        """Takes BILLING_ settings of a host's configuration, unless the instance is made."""
        if self._instance is None:
            self._instance = self._build(config)

    def actor(
        self, account_id: str | None = None, *, scopes: frozenset[str] | None = None
    ) -> Actor:
        """Who asks from inside the host's own code: all scopes of one account, or an operator."""
        return Actor(self.instance, account_id=account_id, scopes=scopes or frozenset({"*"}))

    def operator(self) -> Actor:
        """The operator of this instance."""
        return operations.operator(self.instance)

    def _build(self, config: Mapping[str, Any]) -> Instance:
        settings = Settings.load(config, self._given)
        database = self._database or settings.database_url
        instance = Instance(
            database=connect_to(database) if isinstance(database, str) else database,
            settings=settings,
            providers={**providers.BUILT_IN, **self._parts["providers"]},
            processor=processors.load(self._parts["processor"] or settings.processor),
            price_list=self._price_list or LazyPrices(),
            enqueue=enqueuer(settings),
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
        self._prefixes: dict[str, Dialect] = {}
        self._faces_registered = False
        self.before_app_request(self._answer_unmatched)

    def register(self, app: Flask, options: dict[str, Any]) -> None:
        """Mounts the faces on the app; refuses a path that the host serves already."""
        self._billing.configure(app.config)
        self._nest()
        before = {rule.rule: rule.methods or set() for rule in app.url_map.iter_rules()}
        super().register(app, options)
        _refuse_clashes(app, before, prefix=f"{_full_name(self, options)}.")
        app.extensions.setdefault(EXTENSION, {})[_full_name(self, options)] = self._billing
        root = options.get("url_prefix") or self.url_prefix or ""
        for face, prefix in self._faces():
            self._prefixes[root.rstrip("/") + prefix] = face
        _exempt_from_csrf(app, [face for face, _ in self._faces()])

    def _nest(self) -> None:
        if not self._faces_registered:
            for face, prefix in self._faces():
                self.register_blueprint(face, url_prefix=prefix)
            self._faces_registered = True

    def _faces(self) -> list[tuple[Dialect, str]]:
        settings = self._billing.instance.settings
        return [(face, prefix) for face, key in FACES if (prefix := getattr(settings, key))]

    def _answer_unmatched(self) -> Response | None:
        error = request.routing_exception
        if error is None:
            return None
        for prefix in sorted(self._prefixes, key=len, reverse=True):
            if request.path == prefix or request.path.startswith(prefix + "/"):
                return self._prefixes[prefix].unmatched(error)
        return None


class LazyPrices:
    """The price list of the extra `pricing`, loaded at the first question."""

    def __init__(self) -> None:
        self._list: Any = None

    def quote(self, *args: Any, **kwargs: Any) -> Any:
        """See GenaiPrices.quote. Raises NotSupported where the extra is not installed."""
        if self._list is None:
            self._list = _price_list()
        return self._list.quote(*args, **kwargs)


def migrate(instance: Instance) -> None:
    """Creates or upgrades the tables of the instance; its connection is open."""
    from billing_plugin import migrations  # lazy: mounting must not pay for it

    migrations.migrate(instance.database)


def _price_list() -> Any:
    try:
        from billing_plugin.providers.price_list import GenaiPrices  # lazy: an optional extra
    except ImportError as error:
        raise NotSupported("No price list is installed; install the extra `pricing`.") from error
    return GenaiPrices()


def _vault(keys: str) -> Any:
    from billing_plugin.vault import Vault  # lazy: cryptography costs more than the whole mount

    return Vault(keys)


def _full_name(mount: Mount, options: dict[str, Any]) -> str:
    name = options.get("name", mount.name)
    prefix = options.get("name_prefix", "")
    return f"{prefix}.{name}".lstrip(".")


def _refuse_clashes(app: Flask, before: dict[str, set[str]], *, prefix: str) -> None:
    for rule in app.url_map.iter_rules():
        ours = rule.endpoint.startswith(prefix)
        shared = (rule.methods or set()) & before.get(rule.rule, set()) - {"HEAD", "OPTIONS"}
        if ours and shared:
            raise ConfigurationError(
                f"The host serves {rule.rule} already; give the face another prefix."
            )


def _exempt_from_csrf(app: Flask, faces: list[Dialect]) -> None:
    """Keys, not cookies, authenticate the faces, so a form token has nothing to protect."""
    protection = app.extensions.get("csrf")
    if protection is not None:
        for face in faces:
            protection.exempt(face)
