"""Who is told of alerts, how, and who is told next: ``docs/alerts.md``. Secrets are named here, and stand in the environment alone."""

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
#: The languages of a message; ``both`` says everything twice.
_Language = Literal["en", "ja", "both"]
_Patterns = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=300)], ...], Field(min_length=1, strict=False)]


class WebhookReceiver(Model):
    """JSON to an address of one's own, signed as by `CONTACT_STREAMS_ALERT_WEBHOOK_SECRET`."""

    kind: Literal["webhook"]
    """What it is: `webhook`."""
    language: _Language = "both"
    """Of the texts: `en`, `ja` or `both`."""
    url_variable: _Variable
    """Environment variable that holds the address."""
    secret_variable: _Variable | None = None
    """Environment variable that holds the secret to sign with."""


class SlackReceiver(Model):
    """A channel of Slack, by an incoming webhook."""

    kind: Literal["slack"]
    """What it is: `slack`."""
    language: _Language = "both"
    """Of the texts: `en`, `ja` or `both`."""
    url_variable: _Variable
    """Environment variable that holds the webhook's address."""


class TeamsReceiver(Model):
    """A channel of Microsoft Teams, by a webhook of Workflows."""

    kind: Literal["teams"]
    """What it is: `teams`."""
    language: _Language = "both"
    """Of the texts: `en`, `ja` or `both`."""
    url_variable: _Variable
    """Environment variable that holds the webhook's address."""


class LineReceiver(Model):
    """A person or group on LINE, by a push message of an official account."""

    kind: Literal["line"]
    """What it is: `line`."""
    language: _Language = "both"
    """Of the texts: `en`, `ja` or `both`."""
    token_variable: _Variable
    """Environment variable that holds the channel access token."""
    to_variable: _Variable
    """Environment variable that holds the id of the user, group or room."""
    api_url: Annotated[str, Field(pattern=_URL, max_length=300)] = "https://api.line.me"
    """Where the Messaging API is; another for a proxy."""


class MailReceiver(Model):
    """Mail addresses, by an SMTP server."""

    kind: Literal["mail"]
    """What it is: `mail`."""
    language: _Language = "both"
    """Of the texts: `en`, `ja` or `both`."""
    to: Annotated[tuple[_Address, ...], Field(min_length=1, max_length=20, strict=False)]
    """To whom."""
    sender: _Address
    """From whom."""
    host: Annotated[str, Field(pattern=_HOST)]
    """The SMTP server."""
    port: int = Field(default=587, ge=1, le=65_535)
    """Its port."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is protected: after a greeting in plain text, from the start, or not at all."""
    user_variable: _Variable | None = None
    """Environment variable that holds the user; without it no one logs in."""
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
    """Who is told next of an alert that no one has acknowledged."""

    escalate_after_seconds: int = Field(ge=1, le=604_800)
    """So long after those before were told."""
    receivers: Annotated[tuple[Name, ...], Field(min_length=1, max_length=20, strict=False)]
    """Names among `receivers`."""


class Route(Model):
    """Who is told of which alerts. The first route that fits an alert holds."""

    rules: _Patterns = ("*",)
    """Names of rules, where `*` stands for anything."""
    scopes: _Patterns = ("*",)
    """Scopes such as `queue:sales`, where `*` stands for anything."""
    severities: Annotated[tuple[Literal["warning", "critical"], ...], Field(min_length=1, strict=False)] = ("warning", "critical")
    """Of these severities."""
    receivers: Annotated[tuple[Name, ...], Field(max_length=20, strict=False)]
    """Names among `receivers`, told when it fires and when it clears; none: of these alerts no one is told."""
    escalation: Annotated[tuple[Escalation, ...], Field(max_length=5, strict=False)] = ()
    """Who is told next, step by step, while no one acknowledges."""

    def fits(self, rule: str, scope: str, severity: str) -> bool:
        """Say whether it is about an alert; ``scope`` is KIND:NAME."""
        of_rule, of_scope = self._compiled
        named = any(each.fullmatch(rule) for each in of_rule) and any(each.fullmatch(scope) for each in of_scope)
        return named and severity in self.severities

    def step(self, number: int) -> tuple[str, ...]:
        """Return who is told at a step: 0 when it fires; none where there is no such step."""
        if number == 0:
            return self.receivers
        return self.escalation[number - 1].receivers if number <= len(self.escalation) else ()

    @cached_property
    def _compiled(self) -> tuple[tuple[re.Pattern[str], ...], tuple[re.Pattern[str], ...]]:
        return _compile(self.rules), _compile(self.scopes)


def _compile(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL) for pattern in patterns)


class Alerting(Model):
    """Who is told of alerts."""

    group_seconds: int = Field(default=5, ge=0, le=600)
    """Alerts of one rule that fire, or clear, within this are told in one message."""
    board_url: Annotated[str, Field(pattern=_URL, max_length=300)] | None = None
    """Where people reach the page, for links; by default `public_url` of the access file."""
    receivers: dict[Name, Receiver] = Field(default_factory=dict)
    """Receivers by name."""
    routes: Annotated[tuple[Route, ...], Field(max_length=100, strict=False)] = ()
    """Who is told of what; without a route no one is told."""

    def route(self, rule: str, scope: str, severity: str) -> Route | None:
        """Return the route of an alert; ``scope`` is KIND:NAME."""
        return next((each for each in self.routes if each.fits(rule, scope, severity)), None)


def variables_of(receiver: Receiver) -> list[str]:
    """Return the environment variables that a receiver needs."""
    found = (getattr(receiver, name) for name in type(receiver).model_fields if name.endswith("_variable"))
    return [each for each in found if each is not None]


def wrong_routes(alerting: Alerting, rules: Mapping[str, object]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what is wrong with the routes in the light of everything else that is configured: its place in the file and the reason."""
    known = alerting.receivers
    for number, route in enumerate(alerting.routes):
        told: list[tuple[tuple[str | int, ...], str]] = [(("receivers", place), name) for place, name in enumerate(route.receivers)]
        for step, escalation in enumerate(route.escalation):
            told += [(("escalation", step, "receivers", place), name) for place, name in enumerate(escalation.receivers)]
        for at, name in told:
            if name not in known:
                reason = f"{name!r} is no receiver{nearest(name, known)}; permitted: {', '.join(known) or 'none is configured'}"
                yield ("alerting", "routes", number, *at), reason
        for place, pattern in enumerate(route.rules):
            if "*" not in pattern and pattern not in rules:
                reason = f"{pattern!r} is no rule of alerts{nearest(pattern, rules)}; permitted: {', '.join(rules) or 'none is configured'}"
                yield ("alerting", "routes", number, "rules", place), reason
