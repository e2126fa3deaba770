"""Receivers of alerts, routes and escalation: ``docs/alerts.md``. Secrets are only named here; their values are in the environment."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field, model_validator

from streams.configuration.base import PERMITTED, Model, Name, nearest, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "Alerting",
    "Escalation",
    "LineReceiver",
    "MailReceiver",
    "Receiver",
    "Route",
    "SlackReceiver",
    "TeamsReceiver",
    "WebhookReceiver",
    "variables_of",
    "wrong_routes",
]

_VARIABLE: Final = "^[A-Z][A-Z0-9_]{0,99}$"
_ADDRESS: Final = r"^[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+$"
_HOST: Final = r"^[A-Za-z0-9.:-]{1,253}$"
_URL: Final = r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"
PERMITTED[_VARIABLE] = "the name of an environment variable: capital letters, digits and _"
PERMITTED[_ADDRESS] = "a mail address such as floor@example.com"
PERMITTED[_HOST] = "a host such as mail.example.com"
PERMITTED[_URL] = "an address such as https://board.example.com"

_Variable = Annotated[str, Field(pattern=_VARIABLE)]
_Address = Annotated[str, Field(pattern=_ADDRESS, max_length=254)]
#: The languages of a message; ``both`` sends each text in both.
_Language = Literal["en", "ja", "both"]
_Patterns = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=300)], ...], Field(min_length=1, strict=False)]


class WebhookReceiver(Model):
    """JSON to an address, signed as by `CONTACT_STREAMS_ALERT_WEBHOOK_SECRET`."""

    kind: Literal["webhook"]
    """What it is: `webhook`."""
    language: _Language = "both"
    """The language of the texts: `en`, `ja` or `both`."""
    url_variable: _Variable
    """Environment variable that holds the address."""
    secret_variable: _Variable | None = None
    """Environment variable that holds the secret to sign with."""


class SlackReceiver(Model):
    """A channel of Slack, by an incoming webhook."""

    kind: Literal["slack"]
    """What it is: `slack`."""
    language: _Language = "both"
    """The language of the texts: `en`, `ja` or `both`."""
    url_variable: _Variable
    """Environment variable that holds the webhook's address."""


class TeamsReceiver(Model):
    """A channel of Microsoft Teams, by a webhook of Workflows."""

    kind: Literal["teams"]
    """What it is: `teams`."""
    language: _Language = "both"
    """The language of the texts: `en`, `ja` or `both`."""
    url_variable: _Variable
    """Environment variable that holds the webhook's address."""


class LineReceiver(Model):
    """A user or group on LINE, by a push message of an official account."""

    kind: Literal["line"]
    """What it is: `line`."""
    language: _Language = "both"
    """The language of the texts: `en`, `ja` or `both`."""
    token_variable: _Variable
    """Environment variable that holds the channel access token."""
    to_variable: _Variable
    """Environment variable that holds the id of the user, group or room."""
    api_url: Annotated[str, Field(pattern=_URL, max_length=300)] = "https://api.line.me"
    """The address of the Messaging API; another for a proxy."""


class MailReceiver(Model):
    """Mail addresses, by an SMTP server."""

    kind: Literal["mail"]
    """What it is: `mail`."""
    language: _Language = "both"
    """The language of the texts: `en`, `ja` or `both`."""
    to: Annotated[tuple[_Address, ...], Field(min_length=1, max_length=20, strict=False)]
    """The recipients."""
    sender: _Address
    """The sender's address."""
    host: Annotated[str, Field(pattern=_HOST)]
    """The SMTP server."""
    port: int = Field(default=587, ge=1, le=65_535)
    """Its port."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is protected: after a greeting in plain text, from the start, or not at all."""
    user_variable: _Variable | None = None
    """Environment variable that holds the user; without it the connection does not log in."""
    password_variable: _Variable | None = None
    """Environment variable that holds the password."""

    @model_validator(mode="after")
    def _logs_in_safely(self) -> MailReceiver:
        if (self.user_variable is None) != (self.password_variable is None):
            raise refuse("permitted: user_variable and password_variable, or neither")
        if self.user_variable is not None and self.tls == "none":
            raise refuse("a password would be sent in plain text; permitted: tls: starttls or tls")
        return self


Receiver = Annotated[WebhookReceiver | SlackReceiver | TeamsReceiver | LineReceiver | MailReceiver, Field(discriminator="kind")]


class Escalation(Model):
    """The next receivers of an alert that is not acknowledged."""

    escalate_after_seconds: int = Field(ge=1, le=604_800)
    """How long after the receivers before were notified."""
    receivers: Annotated[tuple[Name, ...], Field(min_length=1, max_length=20, strict=False)]
    """Names among `receivers`."""


class Route(Model):
    """The receivers of some alerts. The first route that fits an alert decides."""

    rules: _Patterns = ("*",)
    """Names of rules, where `*` matches anything."""
    scopes: _Patterns = ("*",)
    """Scopes such as `queue:sales`, where `*` matches anything."""
    severities: Annotated[tuple[Literal["warning", "critical"], ...], Field(min_length=1, strict=False)] = ("warning", "critical")
    """Only these severities."""
    receivers: Annotated[tuple[Name, ...], Field(max_length=20, strict=False)]
    """Names among `receivers`, notified when it fires and when it clears; none: these alerts notify no receiver."""
    escalation: Annotated[tuple[Escalation, ...], Field(max_length=5, strict=False)] = ()
    """The next receivers, step by step, while the alert is not acknowledged."""

    def fits(self, rule: str, scope: str, severity: str) -> bool:
        """Return whether it fits an alert; ``scope`` is KIND:NAME."""
        rules, scopes = self._compiled
        is_named = any(pattern.fullmatch(rule) for pattern in rules) and any(pattern.fullmatch(scope) for pattern in scopes)
        return is_named and severity in self.severities

    def step(self, number: int) -> tuple[str, ...]:
        """Return the receivers of a step: 0 when it fires; none if there is no such step."""
        if number == 0:
            return self.receivers
        return self.escalation[number - 1].receivers if number <= len(self.escalation) else ()

    @cached_property
    def _compiled(self) -> tuple[tuple[re.Pattern[str], ...], tuple[re.Pattern[str], ...]]:
        return _compile(self.rules), _compile(self.scopes)


def _compile(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL) for pattern in patterns)


class Alerting(Model):
    """The receivers of alerts."""

    group_seconds: int = Field(default=5, ge=0, le=600)
    """Alerts of one rule that fire, or clear, within this share one message."""
    board_url: Annotated[str, Field(pattern=_URL, max_length=300)] | None = None
    """The address of the page for links; by default `public_url` of the access file."""
    receivers: dict[Name, Receiver] = Field(default_factory=dict)
    """Receivers by name."""
    routes: Annotated[tuple[Route, ...], Field(max_length=100, strict=False)] = ()
    """Which alerts notify which receivers; without a route none is notified."""

    def route(self, rule: str, scope: str, severity: str) -> Route | None:
        """Return the route of an alert; ``scope`` is KIND:NAME."""
        return next((route for route in self.routes if route.fits(rule, scope, severity)), None)


def variables_of(receiver: Receiver) -> list[str]:
    """Return the environment variables that a receiver needs."""
    variables = (getattr(receiver, name) for name in type(receiver).model_fields if name.endswith("_variable"))
    return [variable for variable in variables if variable is not None]


def wrong_routes(alerting: Alerting, rules: Mapping[str, object]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the routes' references that are not configured: location in the file and reason."""
    known = alerting.receivers
    for number, route in enumerate(alerting.routes):
        names: list[tuple[tuple[str | int, ...], str]] = [(("receivers", index), name) for index, name in enumerate(route.receivers)]
        for step, escalation in enumerate(route.escalation):
            names += [(("escalation", step, "receivers", index), name) for index, name in enumerate(escalation.receivers)]
        for at, name in names:
            if name not in known:
                reason = f"{name!r} is no receiver{nearest(name, known)}; permitted: {', '.join(known) or 'none is configured'}"
                yield ("alerting", "routes", number, *at), reason
        for index, pattern in enumerate(route.rules):
            if "*" not in pattern and pattern not in rules:
                reason = f"{pattern!r} is no rule of alerts{nearest(pattern, rules)}; permitted: {', '.join(rules) or 'none is configured'}"
                yield ("alerting", "routes", number, "rules", index), reason
