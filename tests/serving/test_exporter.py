"""The exposition: golden text, no sample for what is unknown, names that promtool accepts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiokafka import TopicPartition
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as parse_text

from schemas.times import parse_time_ms
from streams.catalogue import KPIS, SERVING_METRICS, kind_of_window, labels_of, metrics_of
from streams.configuration.file import ConfigurationFile
from streams.configuration.models import Configuration
from streams.listening import Connections
from streams.listening.tls import Certificates, TlsFiles
from streams.serving.audit.writer import AuditWriter
from streams.serving.exporter import DEFAULT_WINDOWS, FigureCollector, Process, exposition
from streams.windows.exceptions import Exceptions
from streams.windows.targets import terms_of
from tests.serving.records import (
    Backend,
    alert,
    figure,
    live_workers,
    now_record,
    people_now,
    people_window,
    progress,
    small_center,
    window,
)
from tests.support.certificates import Authority
from tests.support.require import require

if TYPE_CHECKING:
    from prometheus_client.core import Metric

GOLDEN = Path(__file__).with_name("golden.prom")
#: Targets of queues, one of them a queue that no record names.
TARGETS = {"sales": 0.8, "nobody": 0.9}
KPI_TARGETS = terms_of(
    Configuration.model_validate(
        {
            "queues": {"sales": {}},
            "teams": {"north": {}},
            "targets": [
                {"kpi": "asa", "scope": "queue:sales", "window": "trailing_15m", "unit": "seconds", "target": 20},
                {"kpi": "csat", "scope": "queue:sales", "channel": "voice", "window": "trailing_15m", "unit": "score", "target": 5},
                {"kpi": "waiting", "scope": "total:all", "unit": "contacts", "target": 1},
                {"kpi": "occupancy", "scope": "team:north", "window": "trailing_15m", "unit": "percent", "low": 70, "high": 75},
                {"kpi": "asa", "scope": "total:all", "unit": "seconds", "target": 20},
            ],
        }
    )
)
#: An outage at one of two queues, and one that was over before.
EXCEPTIONS = Exceptions(
    Configuration.model_validate(
        {
            "queues": {"sales": {}, "claims": {}},
            "calendar_exceptions": [
                {"name": "line down", "kind": "outage", "from": "2026-04-01T08:30", "queues": ["sales"]},
                {"name": "storm", "kind": "closed", "from": "2026-03-31T08:30", "to": "2026-03-31T20:00"},
            ],
        }
    )
)
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def parse_openmetrics(exposed: str) -> list[Metric]:
    """Return the families of an OpenMetrics exposition; raise if it is invalid."""
    return list(text_string_to_metric_families(exposed))  # type: ignore[no-untyped-call]


def text(
    backend: Backend, *, windows: tuple[str, ...] = DEFAULT_WINDOWS, accept: str = "", certificates: Certificates | None = None
) -> str:
    """Return the exposition."""
    collector = FigureCollector(
        backend.store,
        backend,
        windows=windows,
        version="1.2.3",
        targets=TARGETS,
        kpi_targets=KPI_TARGETS,
        exceptions=EXCEPTIONS,
        alerts=backend.alerts,
        process=Process(
            clients=4,
            rejected=backend.store.rejected + backend.alerts.rejected,
            delivered=backend.deliveries.at(backend.clock()),
            file=ConfigurationFile(
                Path(__file__).parents[2] / "deploy" / "configuration" / "contact-center.yaml", parse_time_ms("2026-04-01T08:00:00Z")
            ),
            connections=tuple(Connections(certificates=certificates).collect()),
            audit=tuple(AuditWriter("127.0.0.1:9092", "contactcenter").collect()),
            stalled=None if backend.workers is None else backend.workers.stalled,
        ),
    )
    pieces, _ = exposition(collector, accept)
    return b"".join(pieces).decode()


def whole_center() -> Backend:
    """Return the small center with alerts: one firing, one cleared, and one delivered at the second attempt."""
    backend = Backend.fed(small_center()).with_alerts(
        alert(), alert("queue:claims", "mail", state="cleared"), alert("team:north", None, rule="busy", severity="warning", state="pending")
    )
    backend.deliveries.attempts |= {"failed": 1, "delivered": 1}
    backend.deliveries.waiting_since_ms[TopicPartition("alerts", 3)] = parse_time_ms("2026-04-01T08:59:00Z")
    return backend


def samples(exposed: str) -> dict[str, float]:
    """Return the samples of an exposition by name and labels."""
    return {
        f"{sample.name}{{{','.join(f'{name}={value}' for name, value in sorted(sample.labels.items()))}}}": sample.value
        for family in parse_text(exposed)
        for sample in family.samples
    }


def test_golden() -> None:
    """The exposition of a small center equals golden.prom; compare with ``diff`` before changing it."""
    assert text(whole_center()) == GOLDEN.read_text(encoding="utf-8")


def test_several_definitions_side_by_side() -> None:
    """A scope with several definitions has a sample of each, named with its version; a scope with one has none."""
    levels = {"service_level": figure(0.74, 37, 50)}
    beside = {"strict@4": {"service_level": figure(0.6, 30, 50)}, "lenient@1": {"service_level": figure(None, 0, 0)}}
    two = window("queue:two", kpis=levels, definitions={"service_level": "standard@2"}, by_definition=beside)
    values = samples(text(Backend.fed([progress(), two, window("queue:one", kpis=levels)])))

    stem = "contact_center_service_level_by_definition_"
    labels = "channel=voice,definition={},scope=two,scope_kind=queue,window=15m"
    assert {name.removeprefix(stem): value for name, value in values.items() if name.startswith(stem)} == {
        f"ratio{{{labels.format('standard@2')}}}": 0.74,
        f"ratio{{{labels.format('strict@4')}}}": 0.6,
        f"numerator{{{labels.format('standard@2')}}}": 37,
        f"numerator{{{labels.format('strict@4')}}}": 30,
        f"numerator{{{labels.format('lenient@1')}}}": 0,
        f"denominator{{{labels.format('standard@2')}}}": 50,
        f"denominator{{{labels.format('strict@4')}}}": 50,
        f"denominator{{{labels.format('lenient@1')}}}": 0,
    }
    assert values["contact_center_service_level_ratio{channel=voice,scope=two,scope_kind=queue,window=15m}"] == 0.74


def test_openmetrics_is_negotiated() -> None:
    """A client that accepts OpenMetrics gets it with units and an end mark, and the same samples; others get text."""
    backend = Backend.fed(small_center())
    collector = FigureCollector(backend.store, backend, windows=DEFAULT_WINDOWS, version="1.2.3")
    pieces, content_type = exposition(collector, f"{OPENMETRICS},text/plain;version=0.0.4;q=0.5")
    plain_pieces, plain_type = exposition(collector, "text/plain;version=0.0.4")
    body, plain = b"".join(pieces), b"".join(plain_pieces)

    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert plain_type.startswith("text/plain; version=0.0.4")
    assert body.endswith(b"# EOF\n")
    assert b"# UNIT contact_center_asa_seconds seconds\n" in body
    opened = sorted((s.name, sorted(s.labels.items()), s.value) for family in parse_openmetrics(body.decode()) for s in family.samples)
    assert opened == sorted((s.name, sorted(s.labels.items()), s.value) for family in parse_text(plain.decode()) for s in family.samples)


def test_promtool_reports_nothing() -> None:
    """``promtool check metrics`` accepts the names, the help texts and the types."""
    promtool = shutil.which("promtool")
    require(promtool, "promtool checks the exposition: apt-get install prometheus")
    assert promtool is not None
    done = subprocess.run([promtool, "check", "metrics"], input=text(whole_center()), capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_null_has_no_sample() -> None:
    """An unknown value is absent, not 0; its known parts are present."""
    found = samples(text(Backend.fed(small_center())))
    labels = "channel=mail,scope=claims,scope_kind=queue"

    assert found[f"contact_center_contacts_offered{{{labels},window=15m}}"] == 0
    assert found[f"contact_center_service_level_denominator{{{labels},window=15m}}"] == 0
    assert f"contact_center_service_level_ratio{{{labels},window=15m}}" not in found
    assert f"contact_center_abandon_numerator{{{labels},window=15m}}" not in found
    assert found[f"contact_center_contacts_waiting{{{labels}}}"] == 0
    assert f"contact_center_longest_wait_seconds{{{labels}}}" not in found


def test_attainment_of_targets() -> None:
    """Targets with a known figure: 20 of 18.4 s (25 of 23), 4.25 of 5, 1 of 2, 0.75 of 0.8125; no sample for unknown figures."""
    found = {labels: value for labels, value in samples(text(whole_center())).items() if "target_attainment" in labels}
    sales = "kpi=asa,scope=sales,scope_kind=queue,window=15m"
    csat = "channel=voice,kpi=csat,scope=sales,scope_kind=queue,window=15m"
    name = "contact_center_target_attainment"

    assert {labels: value for labels, value in found.items() if "ratio" in labels and "coverage" not in labels} == {
        f"{name}_ratio{{channel=,{sales}}}": 25 / 23,
        f"{name}_ratio{{{csat}}}": 0.85,
        f"{name}_ratio{{channel=,kpi=waiting,scope=all,scope_kind=total,window=now}}": 0.5,
        f"{name}_ratio{{channel=,kpi=occupancy,scope=north,scope_kind=team,window=15m}}": 0.75 / 0.8125,
    }
    assert found[f"{name}_numerator{{channel=,{sales}}}"] == 20
    assert found[f"{name}_denominator{{channel=,{sales}}}"] == 18.4
    assert found[f"{name}_coverage_ratio{{{csat}}}"] == 0.8


def test_every_metric_of_the_catalogue_is_exported(tmp_path: Path) -> None:
    """A record with every KPI yields every metric of the catalogue, with its labels and help, and no others."""
    of_windows = [kpi for kpi in KPIS if kpi.metric is not None and "now" not in kpi.windows]
    contacts, people = ([kpi for kpi in of_windows if kpi.subject == subject] for subject in ("contacts", "people"))
    backend = Backend.fed(
        [
            *small_center(),
            window(
                "queue:full",
                kpis={kpi.id: figure(0.5, 1, 2, 1) for kpi in contacts},
                by_label={kpi.id: {"some": figure(2)} for kpi in contacts if kpi.label is not None},
                by_definition={"strict@1": {"service_level": figure(0.5, 1, 2, 1)}},
            ),
            window("team:full", None, kpis={kpi.id: figure(0.5, 1, 2, 1) for kpi in people}, definitions={}),
            window("total:all", None, kpis={kpi.id: figure(0.5, 1, 2, 1) for kpi in KPIS if kpi.subject == "customers"}),
        ]
    ).with_alerts(alert())
    backend.workers = live_workers(backend.clock, {})
    pair = Authority(tmp_path).server("localhost")
    certificates = Certificates(TlsFiles(certificate=pair.certificate, key=pair.key))
    families = {family.name: family for family in parse_openmetrics(text(backend, accept=OPENMETRICS, certificates=certificates))}
    expected = {metric.name: (metric.help, set(labels_of(kpi))) for kpi in KPIS for metric in metrics_of(kpi)}
    expected |= {metric.name.removesuffix("_total").removesuffix("_info"): (metric.help, set(metric.labels)) for metric in SERVING_METRICS}

    assert families.keys() == expected.keys()
    for name, (help_text, labels) in expected.items():
        assert (name, families[name].documentation) == (name, help_text)
        assert families[name].samples
        assert all(set(sample.labels) == labels for sample in families[name].samples)


@pytest.mark.parametrize(
    ("windows", "labels"), [(("trailing_5m",), {"5m"}), (("day", "trailing_15m"), {"15m", "day"}), ((), set())], ids=range(3)
)
def test_only_the_windows_asked_for(windows: tuple[str, ...], labels: set[str]) -> None:
    """The settings select the exported windows, possibly none."""
    names = ("trailing_5m", "trailing_15m", "interval_15m", "day")
    backend = Backend.fed([window("queue:a", name=name, kpis={"offered": figure(1, 1)}) for name in names])
    found = {s.labels["window"] for family in parse_text(text(backend, windows=windows)) for s in family.samples if "window" in s.labels}

    assert found == labels
    assert all(kind_of_window(name) for name in names)


def test_one_sample_a_series() -> None:
    """Of two records of one series, such as consecutive intervals, the newer is exported: a repeated sample would void the scrape."""
    first = window("queue:a", name="interval_30m", kpis={"offered": figure(1, 1)}, window_end="2026-04-01T17:30:00+09:00", revision=9)
    second = window("queue:a", name="interval_30m", kpis={"offered": figure(2, 2)}, window_end="2026-04-01T09:00:00Z")
    for order in ((first, second), (second, first)):
        backend = Backend()
        for n, (_, value) in enumerate(order):
            backend.store.feed(b"%d" % n, value)
        offered = [
            v for name, v in samples(text(backend, windows=("interval_30m",))).items() if name.startswith("contact_center_contacts_offered")
        ]
        assert offered == [2]


def test_no_figures_before_the_topic_is_read() -> None:
    """Before the end of the topic, only metrics of the process are exported."""
    backend = whole_center()
    backend.ready = False
    found = samples(text(backend))

    assert {name for name in found if not name.startswith(("contact_center_alert_", "contact_center_audit_", "contact_center_http_"))} == {
        "contact_center_reader_connected{}",
        "contact_center_metric_records_rejected_total{}",
        "contact_center_event_stream_clients{}",
        "contact_center_configuration_valid{}",
        "contact_center_configuration_changed_timestamp_seconds{}",
        "contact_center_build_info{version=1.2.3}",
    }
    assert found["contact_center_reader_connected{}"] == 0
    assert {name.partition("{")[0] for name in found if name.startswith("contact_center_alert_")} == {
        "contact_center_alert_delivery_attempts_total",
        "contact_center_alert_oldest_undelivered_seconds",
    }


def test_a_lost_connection_is_exported_with_the_last_figures() -> None:
    """Without Kafka the last figures stay, with their as-of, and the connection is reported as lost."""
    backend = Backend.fed(small_center())
    backend.connected = False
    found = samples(text(backend))

    assert found["contact_center_reader_connected{}"] == 0
    assert "contact_center_as_of_timestamp_seconds{}" in found


def test_the_longest_wait_is_of_the_current_as_of() -> None:
    """A scrape after as-of has advanced has a longer wait, though the now record is the same."""
    backend = Backend.fed(small_center())
    name = "contact_center_longest_wait_seconds{channel=voice,scope=sales,scope_kind=queue}"
    assert samples(text(backend))[name] == 72

    backend.store.feed(*progress(0, revision=2, as_of="2026-04-01T09:00:10Z"))
    assert samples(text(backend))[name] == 82


def test_labels_are_escaped() -> None:
    """A queue may have any name."""
    name = 'a"b\\c {d}'
    backend = Backend.fed([now_record(f"queue:{name}", waiting=1), people_now("team:営業", {"unavailable": 0})])
    found = {s.labels["scope"]: s.value for family in parse_text(text(backend)) for s in family.samples if "scope" in s.labels}

    assert found == {name: 1, "営業": 0}


def test_a_state_without_agents_is_zero() -> None:
    """A team with known agents has a sample of every state, 0 for empty ones; a state outside the catalogue is exported too."""
    backend = Backend.fed([people_now("team:t", {"idle": 2, "resting": 1}), now_record("total:all", waiting=1)])
    agents = {s.labels["state"]: s.value for family in parse_text(text(backend)) for s in family.samples if "state" in s.labels}

    assert agents == {"handling": 0, "wrap_up": 0, "idle": 2, "available": 0, "unavailable": 0, "stale": 0, "resting": 1}


def test_people_and_contacts_do_not_mix() -> None:
    """A record about agents exports no contact metric, even if it holds one, because it has no channel."""
    backend = Backend.fed([people_window("team:t", figure(0.5, 1, 2, 1)), window("team:u", None, kpis={"offered": figure(1, 1)})])
    exposed = samples(text(backend))

    assert exposed["contact_center_occupancy_ratio{scope=t,scope_kind=team,window=15m}"] == 0.5
    assert not [name for name in exposed if name.startswith("contact_center_contacts_offered")]
