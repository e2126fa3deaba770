"""The AsyncAPI document and the page of topics: complete, true to the list of topics, and with references that lead somewhere."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.generate import products
from schemas.generators.asyncapi import asyncapi_document
from schemas.generators.parties import PARTIES, is_internal
from schemas.topics import TOPICS, Topic

ROOT = Path(__file__).parents[2]
DOCUMENT: dict[str, Any] = yaml.safe_load(products()["schemas/asyncapi.yaml"])
PAGE = products()["docs/topics.md"]
#: A folder with the npm package @asyncapi/parser, where there is one.
PARSER = os.environ.get("CONTACT_STREAMS_ASYNCAPI_PARSER", "")

#: Object → the fields that AsyncAPI 3.0.0 permits in it; those that it requires are in capitals.
FIELDS = {
    "root": "ASYNCAPI id INFO servers defaultContentType channels operations components",
    "info": "TITLE VERSION description termsOfService contact license tags externalDocs",
    "server": "HOST PROTOCOL protocolVersion pathname description title summary variables security tags externalDocs bindings",
    "channel": "address messages title summary description servers parameters tags externalDocs bindings",
    "operation": "ACTION CHANNEL title summary description security tags externalDocs bindings traits messages reply",
    "message": "headers payload correlationId contentType name title summary description tags externalDocs bindings examples traits",
    "channel binding": "topic partitions replicas topicConfiguration bindingVersion",
    "message binding": "key schemaIdLocation schemaIdPayloadEncoding schemaLookupStrategy bindingVersion",
}


def faults_of(kind: str, value: dict[str, Any]) -> list[str]:
    """Return the fields of an object that are missing, or that its kind does not have."""
    fields = FIELDS[kind].split()
    allowed = {name.lower() for name in fields if name.isupper()} | {name for name in fields if not name.isupper()}
    required = {name.lower() for name in fields if name.isupper()}
    unknown = {name for name in value if name not in allowed and not name.startswith("x-")}
    return [f"{kind}: {name}" for name in sorted(unknown | (required - value.keys()))]


def structure(document: dict[str, Any]) -> list[str]:
    """Return what in a document is not as AsyncAPI 3.0.0 wants it."""
    found = faults_of("root", document) + faults_of("info", document["info"])
    for server in document["servers"].values():
        found += faults_of("server", server)
        found += [f"variable {name}" for name in re.findall(r"\{(\w+)\}", server["host"]) if name not in server["variables"]]
    for channel in document["channels"].values():
        found += faults_of("channel", channel) + faults_of("channel binding", channel["bindings"]["kafka"])
    for operation in document["operations"].values():
        found += faults_of("operation", operation)
        found += [] if operation["action"] in {"send", "receive"} else [f"action {operation['action']}"]
        # A message of an operation must be one of its channel, not of the components.
        inside = f"{operation['channel']['$ref']}/messages/"
        found += [f"message {each['$ref']}" for each in operation["messages"] if not each["$ref"].startswith(inside)]
    for message in document["components"]["messages"].values():
        found += faults_of("message", message) + faults_of("message binding", message["bindings"]["kafka"])
    return found


def references(value: Any) -> list[str]:
    """Return all references in a document."""
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for part in value.values() for found in references(part)]
    return [found for part in value for found in references(part)] if isinstance(value, list) else []


def lookup(document: Any, pointer: str) -> Any:
    """Return what a pointer such as ``#/a/b`` leads to; raise KeyError if it leads nowhere."""
    for part in pointer.removeprefix("#/").split("/"):
        document = document[part]
    return document


def test_the_document_has_the_form_of_asyncapi() -> None:
    """Every object has the fields it must have and none that AsyncAPI 3 does not know."""
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert structure(DOCUMENT) == []


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("info/title", None, "info: title"),
        ("channels/queue-panes-v1/publish", {}, "channel: publish"),
        ("operations/send-queue-panes-v1/action", "publish", "action publish"),
        ("operations/send-queue-panes-v1/messages", [{"$ref": "#/components/messages/queue-panes-v1"}], "message #/components"),
        ("servers/kafka/url", "kafka:9092", "server: url"),
    ],
)
def test_faults_of_form_are_seen(path: str, value: Any, fault: str) -> None:
    """A missing field, one of AsyncAPI 2, and a reference to the wrong place are found."""
    broken = copy.deepcopy(DOCUMENT)
    above, _, name = path.rpartition("/")
    if value is None:
        del lookup(broken, above)[name]
    else:
        lookup(broken, above)[name] = value

    assert [found for found in structure(broken) if found.startswith(fault)]


def test_references_lead_somewhere() -> None:
    """Every reference leads to a part of the document, or to a generated schema whose own references are inside of it."""
    found = references(DOCUMENT)
    assert len(found) > 3 * len(TOPICS)
    files = products()
    for reference in found:
        if reference.startswith("#/"):
            assert isinstance(lookup(DOCUMENT, reference), dict)
        else:
            schema = json.loads(files[f"schemas/{reference}"])
            for inner in references(schema):
                assert isinstance(lookup(schema, inner), dict)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: str(topic.name))
def test_channels_are_the_topics(topic: Topic) -> None:
    """Each topic is a channel with its full name, partitions, settings and schema, and its own are marked as such."""
    name = topic.name.replace(".", "-")
    channel, message = DOCUMENT["channels"][name], DOCUMENT["components"]["messages"][name]
    binding = channel["bindings"]["kafka"]

    assert channel["address"] == binding["topic"] == topic.full_name()
    assert binding["partitions"] == topic.partitions
    assert binding["topicConfiguration"]["cleanup.policy"] == [topic.cleanup_policy]
    assert binding["topicConfiguration"].get("retention.ms") == topic.retention_ms
    assert channel.get("x-internal", False) is is_internal(topic)
    assert ("payload" in message) is (topic.model is not None)
    if topic.model is not None:
        assert message["payload"]["schema"] == {"$ref": f"json/topics/{topic.name}.json"}


def test_there_are_no_other_channels() -> None:
    """The document has a channel and a message for each topic, and no more."""
    names = {topic.name.replace(".", "-") for topic in TOPICS}

    assert DOCUMENT["channels"].keys() == DOCUMENT["components"]["messages"].keys() == names


def test_yaml_holds_the_document() -> None:
    """Written and read again, the document is the same."""
    assert asyncapi_document() == DOCUMENT


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: str(topic.name))
def test_the_page_describes_each_topic(topic: Topic) -> None:
    """A section for each topic with its key, settings, parties and what a reader may rely on, and a row in the overview to it."""
    assert PAGE.count(f"\n### {topic.name}\n") == 1
    section = PAGE.partition(f"\n### {topic.name}\n")[2].partition("\n### ")[0]

    assert topic.summary in section
    assert topic.key.replace("|", "\\|") in section
    assert f"| partitions | {topic.partitions}" in section
    assert "| compatibility | " in section
    assert all(f"`{name}={value}`" in section for name, value in topic.config().items())
    assert all(party in section for party in (*PARTIES[topic.name].writers, *PARTIES[topic.name].readers))
    assert f"(#{topic.name.replace('.', '')})" in PAGE


def test_links_of_the_page_lead_somewhere() -> None:
    """Files that the page links to exist."""
    targets = re.findall(r"\]\(([^)#]+)\)", PAGE)

    assert targets
    assert all((ROOT / "docs" / target).is_file() for target in targets)


if PARSER:  # by night: it comes from npm, and most machines have none

    def test_asyncapis_own_parser_takes_it() -> None:
        """AsyncAPI's own parser finds no error in the document."""
        script = """
          const { Parser, fromFile } = require(require.resolve('@asyncapi/parser', { paths: [process.argv[1]] }));
          fromFile(new Parser(), process.argv[2]).parse().then(({ document, diagnostics }) => {
            const errors = diagnostics.filter(found => found.severity === 0).map(found => found.message);
            console.log(JSON.stringify({ valid: document !== undefined, errors }));
          });
        """
        done = subprocess.run(
            ["node", "-e", script, PARSER, str(ROOT / "schemas" / "asyncapi.yaml")], capture_output=True, text=True, timeout=60, check=True
        )

        assert json.loads(done.stdout) == {"valid": True, "errors": []}
