"""Settings of existing topics: read, and changed one by one, which aiokafka's admin client cannot do."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, NoError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka.admin import AIOKafkaAdminClient

__all__ = ["apply_settings"]

logger = logging.getLogger(__name__)

_SET = 0


class _AlterResponse(Response):
    """Answers IncrementalAlterConfigs, version 0."""

    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("resources", Array(("code", Int16), ("message", String("utf-8")), ("resource_type", Int8), ("resource_name", String("utf-8")))),
    )


class _AlterStruct(RequestStruct):
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = _AlterResponse
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                ("settings", Array(("name", String("utf-8")), ("operation", Int8), ("value", String("utf-8")))),
            ),
        ),
        ("validate_only", Boolean),
    )


class _Alter(Request[_AlterStruct]):
    """Changes single settings of topics and leaves the others."""

    API_KEY: ClassVar[int] = 44

    def __init__(self, settings: Mapping[str, Mapping[str, str]]) -> None:
        self._resources = [
            (int(ConfigResourceType.TOPIC), name, [(key, _SET, value) for key, value in wanted.items()])
            for name, wanted in settings.items()
        ]

    def build(self, request_struct_class: type[_AlterStruct]) -> _AlterStruct:
        """Return the request to send."""
        return request_struct_class(self._resources, False)  # noqa: FBT003 - not only validated


async def apply_settings(admin: AIOKafkaAdminClient, wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Change the settings of topics to the wanted ones; log a warning where Kafka refuses or does not support it."""
    if not wanted:
        return
    try:
        changes = await _changes(admin, wanted)
        if not changes:
            return
        answer: Any = await admin._send_request(_Alter(changes))
        refused = {name: f"{for_code(code).__name__} {message or ''}".strip() for code, message, _, name in answer.resources if code}
    except (KafkaError, NotImplementedError, KeyError) as error:
        changes, refused = {name: dict(settings) for name, settings in wanted.items()}, dict.fromkeys(wanted, repr(error))
    for name, settings in changes.items():
        shown = ", ".join(f"{key}={value}" for key, value in settings.items())
        if name in refused:
            logger.warning(
                "A topic may lack a setting, and it could not be set: record times are accepted up to this machine's clock. Set it by "
                "hand: kafka-configs.sh --alter --topic %s --add-config %s. reason=%s",
                name,
                shown,
                refused[name],
            )
        else:
            logger.info("A topic was given a setting. topic=%s setting=%s", name, shown)


async def _changes(admin: AIOKafkaAdminClient, wanted: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Return the wanted settings that topics do not have."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, configs=dict(settings)) for name, settings in wanted.items()]
    changes: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        for code, message, _, name, entries in answer.resources:
            error = for_code(code)
            if error is not NoError:
                raise error(message)
            current = {entry[0]: entry[1] for entry in entries}
            missing = {key: value for key, value in wanted[name].items() if current.get(key) != value}
            if missing:
                changes[name] = missing
    return changes
