"""The client of Amazon's services, and the meaning of its errors. Needs ``contact-streams[amazon]``."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError

from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

__all__ = ["address", "answering", "service"]

#: Caches the services' descriptions; it holds no connection.
_SESSION: Final = AioSession()

#: One attempt at a time: the runner retries, and reports that it waits.
_CONFIG: Final = AioConfig(connect_timeout=10, read_timeout=40, retries={"max_attempts": 1})

_LIMITED: Final = ("Throttl", "LimitExceeded", "ThroughputExceeded", "SlowDown", "RequestLimit", "OverLimit")
_REFUSED_STATUS, _SERVER_ERROR = 400, 500


def address(name: str, settings: Mapping[str, Any]) -> str:
    """Return the address of a service; raise ValueError where no region is configured."""
    return str(settings.get("endpoint_url") or f"https://{name}.{text_of(settings, 'region')}.amazonaws.com")


def service(name: str, settings: Mapping[str, Any]) -> AbstractAsyncContextManager[Any]:
    """Return the client of a service. Without an access key it has the machine's identity: a role, a profile, the environment."""
    client: AbstractAsyncContextManager[Any] = _SESSION.create_client(
        name,
        region_name=text_of(settings, "region"),
        endpoint_url=settings.get("endpoint_url") or None,
        aws_access_key_id=settings.get("access_key_id") or None,
        aws_secret_access_key=settings.get("secret_access_key") or None,
        config=_CONFIG,
    )
    return client


@contextmanager
def answering(name: str) -> Iterator[None]:
    """Raise PollError for failures of a service."""
    try:
        yield
    except ClientError as error:
        code, status = (
            str(error.response.get("Error", {}).get("Code", "")),
            error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0),
        )
        if any(part in code for part in _LIMITED):
            raise PollError("limited", f"({name}) too many requests: {code[:60]}") from None
        if _REFUSED_STATUS <= status < _SERVER_ERROR:
            raise PollError("refused", f"({name}) answered with {code[:60]}") from None
        raise PollError("unavailable", f"({name}) answered with {code[:60]}") from None
    except (BotoCoreError, OSError, TimeoutError) as error:
        # The text of the error may hold the address.
        raise PollError("unreachable", f"({name}) cannot be reached, or there are no credentials ({type(error).__name__})") from None
