"""Settings of topics that exist already: asked for, and changed one by one, which aiokafka's admin client cannot do."""

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

__all__ = ["bring_to"]

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
    """Changes single settings of topics and leaves the others alone."""

    API_KEY: ClassVar[int] = 44

    def __init__(self, settings: Mapping[str, Mapping[str, str]]) -> None:
        self._resources = [
            (int(ConfigResourceType.TOPIC), name, [(key, _SET, value) for key, value in wanted.items()])
            for name, wanted in settings.items()
        ]

    def build(self, request_struct_class: type[_AlterStruct]) -> _AlterStruct:
        """Return the request as it is sent."""
        return request_struct_class(self._resources, False)  # noqa: FBT003 - Kafka's form: not only to be validated


async def bring_to(admin: AIOKafkaAdminClient, wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Give topics the settings wanted of each, where theirs are others; say so where Kafka refuses or does not know how."""
    if not wanted:
        return
    try:
        other = await _other(admin, wanted)
        if not other:
            return
        answer: Any = await admin._send_request(_Alter(other))
        refused = {name: f"{for_code(code).__name__} {message or ''}".strip() for code, message, _, name in answer.resources if code}
    except (KafkaError, NotImplementedError, KeyError) as error:
        other, refused = {name: dict(each) for name, each in wanted.items()}, dict.fromkeys(wanted, repr(error))
    for name, settings in other.items():
        told = ", ".join(f"{key}={value}" for key, value in settings.items())
        if name in refused:
            logger.warning(
                "A topic is not known to have a setting, and it could not be set: records' own times are believed up to this machine's "
                "clock. Set it by hand: kafka-configs.sh --alter --topic %s --add-config %s. reason=%s",
                name,
                told,
                refused[name],
            )
        else:
            logger.info("A topic was given a setting. topic=%s setting=%s", name, told)


async def _other(admin: AIOKafkaAdminClient, wanted: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Return what is wanted of topics whose settings are others."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, configs=dict(settings)) for name, settings in wanted.items()]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        for code, message, _, name, entries in answer.resources:
            error = for_code(code)
            if error is not NoError:
                raise error(message)
            has = {entry[0]: entry[1] for entry in entries}
            other = {key: value for key, value in wanted[name].items() if has.get(key) != value}
            if other:
                found[name] = other
    return found
