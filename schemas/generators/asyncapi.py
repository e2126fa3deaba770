"""Writes `schemas/asyncapi.yaml`: the topics as an AsyncAPI 3 document, with payloads by reference to the JSON Schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from schemas.dead_letters import HEADER_NAMES
from schemas.generators.parties import PARTIES, compatibility, is_internal
from schemas.topics import DEFAULT_PREFIX, TOPICS

if TYPE_CHECKING:
    from schemas.topics import Topic

__all__ = ["asyncapi_document", "asyncapi_source"]

#: Of the bindings for Kafka in AsyncAPI's own repository.
_BINDING: Final = "0.5.0"

#: The schemas mean the same in this version as in their own, and it is the one that every tool for AsyncAPI knows.
_SCHEMA_FORMAT: Final = "application/schema+json;version=draft-07"

_HEAD = "# Written by `python -m schemas.generate` from schemas/topics.py and the models: change those.\n"

_DESCRIPTION = f"""Turns what happens in a contact center into figures, over Kafka.

Addresses begin with the default prefix `{DEFAULT_PREFIX}`; an installation may have another one. Read with
`isolation.level=read_committed`: workers write in transactions. Numbers of partitions are permanent.
"""

#: What AsyncAPI's binding supports; docs/topics.md has the remaining settings of a topic.
_NUMBERS: Final = ("retention.ms", "delete.retention.ms", "max.message.bytes")


def _channel_id(topic: Topic) -> str:
    return topic.name.replace(".", "-")


def _topic_configuration(topic: Topic) -> dict[str, Any]:
    config = topic.config()
    numbers: dict[str, Any] = {name: int(config[name]) for name in _NUMBERS if name in config}
    return {"cleanup.policy": [topic.cleanup_policy], **numbers}


def _channel(topic: Topic) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "address": topic.full_name(),
        "title": topic.name,
        "summary": topic.summary,
        "description": f"Key: {topic.key}.\nCompatibility: {compatibility(topic)}.\n",
        "messages": {"record": {"$ref": f"#/components/messages/{_channel_id(topic)}"}},
        "bindings": {
            "kafka": {
                "topic": topic.full_name(),
                "partitions": topic.partitions,
                "topicConfiguration": _topic_configuration(topic),
                "bindingVersion": _BINDING,
            }
        },
    }
    if is_internal(topic):
        channel["x-internal"] = True
    return channel


def _message(topic: Topic) -> dict[str, Any]:
    message: dict[str, Any] = {"name": topic.name, "title": topic.name, "summary": topic.summary}
    if topic.model is None:
        message["contentType"] = "application/octet-stream"
    else:
        message["contentType"] = "application/json"
        message["payload"] = {"schemaFormat": _SCHEMA_FORMAT, "schema": {"$ref": f"json/topics/{topic.name}.json"}}
    if topic.name.endswith("-dead-letters.v1"):
        properties = {name: {"type": "string"} for name in HEADER_NAMES}
        message["headers"] = {"type": "object", "properties": properties}
    key = {"type": "string", "description": topic.key}
    message["bindings"] = {"kafka": {"key": key, "bindingVersion": _BINDING}}
    return message


def _operations(topic: Topic) -> dict[str, Any]:
    """Return what this application does with a topic; the document of one application does not describe others."""
    name, ours = _channel_id(topic), {"worker", "serve", "gateway", "connectors"}
    parties = PARTIES[topic.name]
    operations = {}
    for action, programs in (("send", parties.writers), ("receive", parties.readers)):
        acting = [program for program in programs if program in ours]
        if acting:
            operations[f"{action}-{name}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{name}"},
                "summary": f"By {', '.join(acting)}.",
                "messages": [{"$ref": f"#/channels/{name}/messages/record"}],
            }
    return operations


def asyncapi_document() -> dict[str, Any]:
    """Return the document."""
    operations: dict[str, Any] = {}
    for topic in TOPICS:
        operations |= _operations(topic)
    return {
        "asyncapi": "3.0.0",
        "id": "urn:contact-streams",
        "info": {"title": "Contact Streams", "version": "1.0.0", "description": _DESCRIPTION, "license": {"name": "Apache-2.0"}},
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "The brokers; `--bootstrap` of every command.",
                "variables": {"bootstrap": {"default": "127.0.0.1:9092"}},
            }
        },
        "channels": {_channel_id(topic): _channel(topic) for topic in TOPICS},
        "operations": operations,
        "components": {"messages": {_channel_id(topic): _message(topic) for topic in TOPICS}},
    }


class _Dumper(yaml.SafeDumper):
    """Writes YAML readably: lists indented, long texts as blocks, nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - an override
        """Write everything in full."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - an override
        """Indent the items of lists."""
        super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def asyncapi_source() -> str:
    """Return the text of `schemas/asyncapi.yaml`."""
    return _HEAD + yaml.dump(asyncapi_document(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=140)
