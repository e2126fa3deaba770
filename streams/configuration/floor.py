"""Settings of the people view and of links: how long is too long in a state, and where a contact's page at its platform is."""

from __future__ import annotations

from string import Formatter
from typing import Annotated, Final
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, Field

from streams.configuration.base import Model, Name, refuse

__all__ = ["TOO_LONG_SECONDS", "Links", "TooLong", "plain_state", "too_long_after"]

#: State, reason or the platform's term → seconds after which an agent is marked, unless the configuration sets another limit.
#: A short break is 10 to 15 minutes and a meal an hour nearly everywhere; other reasons deserve a check after half an hour.
#: Times planned by the hour have no limit.
TOO_LONG_SECONDS: Final[dict[str, int]] = {
    "wrap_up": 300,
    "unavailable": 1800,
    "break": 900,
    "lunch": 3600,
    "meal": 3600,
    "meeting": 0,
    "training": 0,
    "coaching": 0,
}

_WAYS_UP: Final = frozenset({".", ".."})
#: End of a host → the common name of the platform.
_PLATFORMS: Final = {
    "zendesk.com": "Zendesk",
    "force.com": "Salesforce",
    "salesforce.com": "Salesforce",
    "mypurecloud.com": "Genesys Cloud",
    "mypurecloud.de": "Genesys Cloud",
    "mypurecloud.ie": "Genesys Cloud",
    "mypurecloud.jp": "Genesys Cloud",
    "mypurecloud.com.au": "Genesys Cloud",
    "pure.cloud": "Genesys Cloud",
    "my.connect.aws": "Amazon Connect",
    "awsapps.com": "Amazon Connect",
    "twilio.com": "Twilio",
    "freshdesk.com": "Freshdesk",
    "intercom.com": "Intercom",
    "custhelp.com": "Oracle B2C Service",
    "chatwoot.com": "Chatwoot",
}
_FIELDS: Final = frozenset({"conversation_id", "source"})
_EXAMPLE: Final = "such as https://platform.example/conversations/{conversation_id}"


def plain_state(term: str) -> str:
    """Return a platform's term in the form of the table: in lower case, with underscores."""
    return term.strip().lower().replace(" ", "_").replace("-", "_")


def _plain_states(given: dict[str, int]) -> dict[str, int]:
    return {plain_state(term): seconds for term, seconds in given.items()}


TooLong = Annotated[dict[Name, Annotated[int, Field(ge=0, le=86_400)]], AfterValidator(_plain_states)]


def too_long_after(limits: dict[str, int], *terms: str | None) -> int | None:
    """Return after how many seconds a state is too long, by the first of its terms that has a limit; None: never."""
    known = {**TOO_LONG_SECONDS, **limits}
    return next((known[plain] or None for term in terms if term is not None and (plain := plain_state(term)) in known), None)


def _is_address(template: str) -> str:
    try:
        fields = [part[1:] for part in Formatter().parse(template) if part[1] is not None]
        parts = urlsplit(template)
    except ValueError as error:
        raise refuse(f"{template!r} is no address: {error}; {_EXAMPLE}") from error
    if any(name not in _FIELDS or form or conversion for name, form, conversion in fields):
        raise refuse(f"{template!r}: only {{conversation_id}} and {{source}} may be in braces; {_EXAMPLE}")
    if all(name != "conversation_id" for name, _, _ in fields):
        raise refuse(f"{template!r} has no {{conversation_id}}; {_EXAMPLE}")
    if parts.scheme not in {"https", "http"} or not parts.netloc:
        raise refuse(f"{template!r} does not begin with https:// and a host; {_EXAMPLE}")
    if "{" in parts.netloc or "@" in parts.netloc:
        raise refuse(f"{template!r}: the host is fixed, and has no user; {_EXAMPLE}")
    if any(character.isspace() or not character.isprintable() for character in template):
        raise refuse("an address has no blanks and no control characters")
    return template


Template = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_is_address)]


class Links(Model):
    """The pages of contacts at their platforms: addresses with `{conversation_id}`, and `{source}` if needed, after the host."""

    conversation: Template | None = None
    """For contacts of every source that has none below."""
    sources: dict[Name, Template] = Field(default_factory=dict)
    """For contacts of a source, by its name."""
    names: dict[Name, Name] = Field(default_factory=dict)
    """The name of a source's platform, by the source's name; by default the common name of its host, else the host."""

    def of_conversation(self, conversation_id: str, source: str | None) -> str | None:
        """Return the address of a conversation, None if none is configured; values in place of the fields are escaped."""
        template = self._template(source)
        # Escaping does not change what browsers read as a way up: it would lead elsewhere.
        if template is None or conversation_id in _WAYS_UP or source in _WAYS_UP:
            return None
        return template.format(conversation_id=quote(conversation_id, safe=""), source=quote(source or "", safe=""))

    def platform_of(self, source: str | None) -> str | None:
        """Return the name of the platform to which the addresses of a source lead; None if there is none."""
        if source is not None and source in self.names:
            return self.names[source]
        template = self._template(source)
        host = None if template is None else urlsplit(template).hostname
        known = (name for end, name in _PLATFORMS.items() if host is not None and (host == end or host.endswith(f".{end}")))
        return next(known, host)

    def _template(self, source: str | None) -> str | None:
        return self.conversation if source is None else self.sources.get(source, self.conversation)
