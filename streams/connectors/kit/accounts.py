"""Settings that several connectors of one vendor need to poll it; data alone."""

from __future__ import annotations

from typing import Final

from streams.connectors.kit.model import Setting

__all__ = ["URL", "ZENDESK_CREDENTIALS", "ZENDESK_SETTINGS"]

URL: Final = Setting(name="url", meaning="Address of the platform's API, if it is not the public one")

ZENDESK_SETTINGS: Final = (
    Setting(name="subdomain", meaning="The account's, of SUBDOMAIN.zendesk.com; needed to poll it"),
    URL,
)
ZENDESK_CREDENTIALS: Final = (
    Setting(name="email", meaning="Mail address of the user of the API token"),
    Setting(name="api_token", meaning="The token: Admin Center, Apps and integrations, Zendesk API"),
    Setting(name="access_token", meaning="In place of both: the token of an OAuth client with the scope `read`"),
)
