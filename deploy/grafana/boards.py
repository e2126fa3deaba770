"""What the dashboards show: the wallboard, one queue in detail, and the pipeline; titles and texts of figures are the catalogue's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from deploy.grafana.model import Panel, Query, annotation, board, from_label, threshold_steps
from streams.catalogue import KPI_BY_ID, SERVING_METRICS, Kpi, Unit, metrics_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BOARDS"]

_UNITS = {unit: {"seconds": "s", "ratio": "percentunit"}.get(unit, "short") for unit in get_args(Unit)}
#: Every selector follows the choice of job and instance on the page.
_JOB = 'job=~"$job"'
_WHERE = f'{_JOB}, instance=~"$instance"'
_GREEN, _YELLOW, _RED = "semi-dark-green", "semi-dark-yellow", "semi-dark-red"
#: Of what is held against a target: the target itself is 1, and the difference to it 0.
_ATTAINED = threshold_steps((None, _RED), (1, _GREEN))
_TO_TARGET = threshold_steps((None, _RED), (0, _GREEN))
#: Where a click on a queue's name leads: its own board, with data source, job and time as they are.
_QUEUE_BOARD = (
    "/d/contact-streams-queue?var-scope=${__value.raw:percentencode}&${datasource:queryparam}&${job:queryparam}&${__url_time_range}"
)
_TARGET = "contact_center_service_level_target_ratio"
_FRESH = threshold_steps((None, _GREEN), (10, _YELLOW), (30, _RED))
_NONE_IS_GOOD = threshold_steps((None, _GREEN), (1, _RED))


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def _description(kpi: Kpi) -> str:
    return f"{kpi.meaning_en}\n\n{kpi.ja}: {kpi.meaning_ja}\n\n{_capitalized(kpi.text)}."


def _newest(metric: str, select: str) -> str:
    """Return the series of a metric once, whichever replicas of serve export it."""
    return f"max without (instance) ({metric}{{{_WHERE}, {select}}})"


def _of(kpi: Kpi, select: str, *, window: str = "$window") -> str:
    chosen = select if "now" in kpi.windows else f'{select}, window="{window}"'
    assert kpi.metric is not None  # noqa: S101 - a figure that Prometheus does not get has no panel
    return _newest(kpi.metric, chosen)


def _figure(kpi_id: str, select: str, legend: str, *, window: str = "$window", **changes: Any) -> Panel:
    """Return the panel of one figure, as the catalogue has it."""
    kpi = KPI_BY_ID[kpi_id]
    facts: dict[str, Any] = {
        "title": _capitalized(kpi.en),
        "description": _description(kpi),
        "queries": (Query(_of(kpi, select, window=window), legend),),
        "unit": _UNITS[kpi.unit],
        "decimals": 1 if kpi.unit == "ratio" else 0,
        "maximum": 1 if kpi.unit == "ratio" else None,
    }
    return Panel(**(facts | changes))


def _figures(title: str, kpi_ids: tuple[str, ...], select: str, *, by: str = "channel", window: str = "$window", **changes: Any) -> Panel:
    """Return one panel with several figures of the same unit."""
    kpis = [KPI_BY_ID[kpi_id] for kpi_id in kpi_ids]
    return Panel(
        title=title,
        description="\n\n".join(f"**{_capitalized(kpi.en)}** ({kpi.ja}): {kpi.meaning_en}" for kpi in kpis),
        queries=tuple(Query(_of(kpi, select, window=window), f"{_capitalized(kpi.en)} {{{{{by}}}}}") for kpi in kpis),
        unit=_UNITS[kpis[0].unit],
        **changes,
    )


def _measured(title: str, kpi_ids: tuple[str, ...], select: str, **changes: Any) -> Panel:
    """Return the panel of how much of some figures is measured."""
    kpis = [KPI_BY_ID[kpi_id] for kpi_id in kpi_ids]
    coverage = [(kpi, metric) for kpi in kpis for metric in metrics_of(kpi) if metric.part == "coverage"]
    return Panel(
        title=title,
        description="\n\n".join(metric.help for _, metric in coverage),
        queries=tuple(
            Query(_newest(metric.name, f'{select}, window="$window"'), f"{_capitalized(kpi.en)} {{{{channel}}}}")
            for kpi, metric in coverage
        ),
        unit="percentunit",
        maximum=1,
        **changes,
    )


def _target(select: str) -> str:
    return _newest(_TARGET, select)


def _against_target(kpi_id: str, select: str, legend: str, **changes: Any) -> Panel:
    """Return the panel of a service level in the colors of the queue's own target: met, missed, and none where it has no target."""
    level, target = _of(KPI_BY_ID[kpi_id], select), _target(select)
    queries = (
        Query(f"{level} >= ignoring (window) {target}", legend),
        Query(f"{level} < ignoring (window) {target}", legend),
        Query(f"{level} unless ignoring (window) {target}", legend),
    )
    return _figure(kpi_id, select, legend, queries=queries, colors=(_GREEN, _RED, None), **changes)


def _below_target(select: str) -> Panel:
    """Return how many queues miss their target; nothing where none has one."""
    level = KPI_BY_ID["service_level_live"]
    return Panel(
        title="Queues below target",
        description=f"Queues whose service level, live, misses their own target.\n\n{_help(_TARGET)}",
        queries=(Query(f"sum({_of(level, select)} < bool ignoring (window) {_target(select)})", "Queues below target"),),
        unit="short",
        kind="stat",
        width=4,
        height=4,
        decimals=0,
        steps=_NONE_IS_GOOD,
    )


def _marks(select: str) -> list[dict[str, Any]]:
    """Return what marks times on the panels: alerts while they fire, and calendar exceptions."""
    firing, exception = "contact_center_alert_firing", "contact_center_calendar_exception"
    return [
        annotation("Alerts", f"{_newest(firing, select)} == 1", "{{rule}}", "{{severity}}: {{scope}} {{channel}}", "red"),
        annotation("Calendar exceptions", _newest(exception, select), "{{exception}}", "{{scope}}", "blue"),
    ]


def _window() -> dict[str, Any]:
    """Return the choice of a window among those that serve exports; the day too, where it does."""
    return from_label("window", "Window", f'contact_center_contacts_offered{{{_JOB}, window!~"customers.*"}}', several=False, chosen="15m")


def _help(metric: str) -> str:
    return next(about.help for about in SERVING_METRICS if about.name == metric)


def _age(title: str, metric: str, **changes: Any) -> Panel:
    expr = f"time() - max without (instance) ({metric}{{{_WHERE}}})"
    return Panel(title=title, description=_help(metric), queries=(Query(expr, title),), unit="s", decimals=0, **changes)


def _serving_variables() -> list[dict[str, Any]]:
    return [
        from_label("job", "Job", "contact_center_build_info"),
        from_label("instance", "Instance", 'contact_center_build_info{job=~"$job"}'),
    ]


def _freshness() -> tuple[Panel, ...]:
    silent = "contact_center_source_stale"
    return (
        _age("Age of the figures", "contact_center_as_of_timestamp_seconds", kind="stat", width=4, height=4, steps=_FRESH),
        Panel(
            title="Silent sources",
            description=_help(silent),
            queries=(Query(f"sum(max without (instance) ({silent}{{{_WHERE}}}))", "Silent sources"),),
            unit="short",
            kind="stat",
            width=4,
            height=4,
            decimals=0,
            steps=_NONE_IS_GOOD,
        ),
    )


def _still_to_do(select: str) -> list[Panel]:
    """Return what is pending: the backlog by state and by age, replies and callbacks."""
    states = ("backlog_untouched", "backlog_in_progress", "backlog_waiting_on_customer", "backlog_on_hold")
    return [
        _figures("Backlog", states, select, width=12),
        _figure("backlog_by_age", select, "{{age}} {{channel}}", width=8),
        _figure("reply_overdue", select, "{{channel}}", kind="stat", width=4, steps=_NONE_IS_GOOD),
        _figure("backlog_oldest", select, "{{channel}}", kind="stat", width=4),
        _figure("callbacks_waiting", select, "{{channel}}", kind="stat", width=4),
        _figure("callbacks_overdue", select, "{{channel}}", kind="stat", width=4, steps=_NONE_IS_GOOD),
    ]


def _outside() -> list[Panel]:
    """Return what comes to no queue: by reason, and what bots and FAQs keep from coming."""
    total = 'scope_kind="total"'
    return [
        _figure("not_offered", total, "{{reason}} {{channel}}", width=8, minimum=0),
        _figure("outbound_contacts", total, "{{channel}}", width=8, minimum=0),
        _figure("outbound_reach_rate", total, "{{channel}}", width=4),
        _figure("outbound_talk_time", total, "{{channel}}", width=4),
        _figure("self_service_rate", total, "{{channel}}", width=8),
        _figure("containment_rate", total, "{{channel}}", width=8),
    ]


def _subjects(select: str) -> list[Panel]:
    """Return categories, complaints, exclusions, uncounted events; complaints have a day to be resolved, so that share is of the day."""
    within = KPI_BY_ID["complaints_within_day_rate"]
    return [
        _figure("contacts_by_category", select, "{{category}} {{channel}}", kind="bargauge", width=8),
        _figure("complaints", select, "{{channel}}", width=4),
        _figure(within.id, select, "", queries=(Query(_of(within, select, window="day"), "{{channel}}"),), width=4),
        _figure("excluded", select, "{{reason}} {{channel}}", width=4),
        _figure("events_uncounted", select, "{{reason}} {{channel}}", width=4, minimum=0),
    ]


def _customers(total: str) -> list[Panel]:
    """Return what stands in windows of customers: by the day and by the month."""
    shop, day = 'scope_kind="total"', "customers_day"
    return [
        _figures("Repeated contacts", ("repeat_contact_rate", "first_contact_resolution_with_repeats"), total, window=day, width=8),
        _figures("Orders", ("repeat_customer_rate", "repeat_customer_rate_after_contact"), shop, by="scope", window=day, width=8),
        _figure("lifetime_value", shop, "{{scope}}", window=day, width=8),
        _figures("Customers who stay", ("retention_rate", "churn_rate"), shop, by="scope", window="customers_month", width=8),
    ]


def _forecast(total: str) -> list[Panel]:
    """Return what is forecast for the half hour."""
    half = "interval_30m"
    return [
        _figure("forecast_contacts", total, "{{channel}}", window=half, width=8),
        _figures("Forecast and required staff", ("staff_forecast", "staff_required"), total, window=half, width=16),
    ]


def _attainment() -> Panel:
    """Return how far every target is attained, each in the window that it is for; more than the whole is possible."""
    kpi = KPI_BY_ID["target_attainment"]
    query = _newest(metrics_of(kpi)[0].name, 'scope_kind=~".+", window=~".+"')
    legend = "{{kpi}} {{scope}} {{channel}} {{window}}"
    queries = (Query(query, legend),)
    return _figure(kpi.id, "", legend, queries=queries, kind="bargauge", width=24, maximum=None, steps=_ATTAINED)


def _wallboard() -> dict[str, Any]:
    total, queues = 'scope_kind="total", channel=~"$channel"', 'scope_kind="queue", channel=~"$channel"'
    teams = 'scope_kind="team"'
    small: dict[str, Any] = {"kind": "stat", "width": 4, "height": 4}
    table_of = ("service_level_live", "waiting", "longest_wait", "asa", "abandon_rate", "offered", "answered")
    columns = [KPI_BY_ID[kpi_id] for kpi_id in table_of]
    return board(
        uid="contact-streams-wallboard",
        title="Wallboard",
        description="What is going on now, over all queues and by queue.",
        annotations=_marks('scope_kind=~".+"'),
        variables=[
            *_serving_variables(),
            from_label("channel", "Channel", 'contact_center_contacts_waiting{job=~"$job"}'),
            _window(),
        ],
        rows=[
            (
                "Now",
                [
                    *_freshness(),
                    _figure("waiting", total, "{{channel}}", **small),
                    _figure("longest_wait", total, "{{channel}}", **small),
                    _figure("in_progress", total, "{{channel}}", **small),
                    _below_target(queues),
                    _figure("service_level_live", total, "{{channel}}", **small),
                ],
            ),
            (
                "Queues",
                [
                    Panel(
                        title="Queues",
                        description="\n\n".join(f"**{_capitalized(kpi.en)}**: {kpi.meaning_en}" for kpi in columns),
                        queries=(
                            *(Query(_of(kpi, queues)) for kpi in columns),
                            Query(_target(queues)),
                            Query(f"{_of(columns[0], queues)} - ignoring (window) {_target(queues)}"),
                        ),
                        unit="short",
                        kind="table",
                        width=24,
                        height=10,
                        columns={
                            **{_capitalized(kpi.en): _UNITS[kpi.unit] for kpi in columns},
                            "Target": "percentunit",
                            "To target": "percentunit",
                        },
                        column_steps={"To target": _TO_TARGET},
                        links={"Queue": ("Queue detail", _QUEUE_BOARD)},
                    ),
                    _figure("service_level_live", queues, "{{scope}} {{channel}}", width=12),
                    _figure("waiting", queues, "{{scope}} {{channel}}", width=12),
                ],
            ),
            ("Targets", [_attainment()]),
            ("Still to do", _still_to_do(total)),
            ("Outside the queues", _outside()),
            (
                "People",
                [
                    _figure("agents_by_state", 'scope_kind="total"', "{{state}}", kind="bargauge", width=12),
                    _figure("occupancy", teams, "{{scope}}", width=12),
                ],
            ),
            (
                "Staff",
                [
                    _figures("Scheduled and actual staff", ("staff_scheduled", "staff_actual"), teams, by="scope", width=12),
                    _figures("Schedule", ("adherence", "shrinkage"), teams, by="scope", width=12, maximum=1),
                    # Some platforms let people have more contacts than their capacity: by slots it may pass 100 %.
                    _figures(
                        "Use of working time",
                        ("utilization", "utilization_with_idle", "occupancy_slot_weighted"),
                        teams,
                        by="scope",
                        width=12,
                    ),
                    _figure("contacts_per_hour", teams, "{{scope}}", width=6, decimals=1),
                    _figure("cost_per_contact", teams, "{{scope}}", width=6),
                ],
            ),
            ("Customers, where serve exports their windows", _customers(total)),
            ("Forecast, where serve exports interval_30m", _forecast(total)),
        ],
    )


def _queue_detail() -> dict[str, Any]:
    here = 'scope_kind="queue", scope="$scope", channel=~"$channel"'
    small: dict[str, Any] = {"kind": "stat", "width": 4, "height": 4}
    handling, scores = ("att", "average_hold", "acw", "aht"), ("csat", "nps")
    times = ("first_response_time", "average_response_time", "resolution_time")
    level, live = KPI_BY_ID["service_level"], KPI_BY_ID["service_level_live"]
    return board(
        uid="contact-streams-queue",
        title="Queue detail",
        description="One queue over time.",
        annotations=_marks('scope_kind="queue", scope="$scope"'),
        variables=[
            *_serving_variables(),
            from_label("scope", "Queue", 'contact_center_contacts_waiting{job=~"$job", scope_kind="queue"}', several=False),
            from_label("channel", "Channel", 'contact_center_contacts_waiting{job=~"$job", scope_kind="queue", scope="$scope"}'),
            _window(),
        ],
        since="now-6h",
        rows=[
            (
                "Now",
                [
                    *_freshness(),
                    _figure("waiting", here, "{{channel}}", **small),
                    _figure("longest_wait", here, "{{channel}}", **small),
                    _figure("in_progress", here, "{{channel}}", **small),
                    _against_target("service_level", here, "{{channel}}", **small),
                ],
            ),
            (
                "Service",
                [
                    Panel(
                        title=_capitalized(level.en),
                        description=f"{_description(level)}\n\n**{_capitalized(live.en)}**: {live.meaning_en}",
                        queries=(
                            Query(_of(level, here), f"{_capitalized(level.en)} {{{{channel}}}}"),
                            Query(_of(live, here), f"{_capitalized(live.en)} {{{{channel}}}}"),
                            Query(_target(here), "Target {{channel}}"),
                        ),
                        unit="percentunit",
                        width=12,
                        maximum=1,
                    ),
                    _figures("Answered and abandoned", ("answer_rate", "abandon_rate"), here, width=12, maximum=1),
                    _figures("Waiting times", ("asa", "time_to_abandon", "longest_wait"), here, width=12),
                    _figures("Contacts", ("offered", "answered", "abandoned", "handled", "lost_contacts", "waiting"), here, width=12),
                ],
            ),
            ("Still to do", _still_to_do(here)),
            (
                "Work",
                [
                    _figures("Handling times", (*handling, "average_consult_time"), here, width=12),
                    _measured("Measured share of the handling times", handling, here, width=6),
                    _figure("non_response", here, "{{channel}}", width=6),
                    # Of things that happen at different times, a window may hold more of the one than of the other: shares may pass 100 %.
                    _figures("Transfers and escalations", ("transfer_rate", "escalation_rate"), here, width=6),
                    _figure("escalation_count", here, "{{channel}}", width=6),
                    _figure("callbacks_requested", here, "{{channel}}", width=6),
                    _figure("callback_reach_rate", here, "{{channel}}", width=6, maximum=None),
                    _figure("callback_wait", here, "{{channel}}", width=6),
                ],
            ),
            (
                "Response and resolution",
                [
                    _figures("Times to response and resolution", times, here, width=8),
                    _measured("Measured share of the resolution time", ("resolution_time",), here, width=4),
                    # More may be reopened in a window than is resolved in it: first contact resolution may fall below 0.
                    _figures("Resolution", ("resolution_rate", "first_contact_resolution", "reopen_rate"), here, width=12, minimum=None),
                ],
            ),
            ("What it is about", _subjects(here)),
            (
                "Messages",
                [
                    _figure("exchanges_per_contact", here, "{{channel}}", width=6, decimals=1),
                    _figure("duplicate_replies", here, "{{channel}}", width=6),
                    _figure("gratitude_rate", here, "{{channel}}", width=6, maximum=None),
                    _measured("Measured share of messages and thanks", ("exchanges_per_contact", "gratitude_rate"), here, width=6),
                ],
            ),
            (
                "Surveys",
                [
                    _figure("csat", here, "{{channel}}", width=6, decimals=2, minimum=1, maximum=5),
                    _figure("csat_top2", here, "{{channel}}", width=6),
                    _figure("csat_other_scales", here, "{{scale}} {{channel}}", width=4, minimum=0),
                    _figure("nps", here, "{{channel}}", width=4, minimum=-100, maximum=100),
                    _figure("survey_response_rate", here, "{{channel}}", width=4, maximum=None),
                    _measured("Measured share of the scores", scores, here, width=24, height=6),
                ],
            ),
        ],
    )


def _rate(metric: str) -> str:
    return f"sum without (instance) (rate({metric}{{{_WHERE}}}[$__rate_interval]))"


def _of_process(title: str, description: str, query: str, legend: str, unit: str, **changes: Any) -> Panel:
    return Panel(title=title, description=description, queries=(Query(query, legend),), unit=unit, **changes)


def _gauge(metric: str) -> str:
    return f"{metric}{{{_WHERE}}}"


def _pipeline() -> dict[str, Any]:
    seen = "contact_center_source_last_seen_timestamp_seconds"
    complete = "contact_center_complete_through_timestamp_seconds"
    publish = "contact_center_gateway_publish_seconds"
    quantiles = tuple(
        Query(f"histogram_quantile({quantile}, {_rate(f'{publish}_bucket')})", f"{label} of requests")
        for quantile, label in ((0.5, "half"), (0.99, "99 %"))
    )
    return board(
        uid="contact-streams-pipeline",
        title="Pipeline",
        description="How events come in, how they are counted and how fresh the figures are, in the order of the data path.",
        variables=[
            from_label("job", "Job", 'up{job=~"contact-streams-.+"}'),
            from_label("instance", "Instance", 'up{job=~"$job"}'),
        ],
        rows=[
            (
                "Sources",
                [
                    _of_process(
                        "Silence by source", _help(seen), f"time() - max without (instance) ({_gauge(seen)})", "{{source}}", "s", width=12
                    ),
                    _of_process(
                        "Processes that answer",
                        "Processes that Prometheus reaches, by kind.",
                        f"sum without (instance) ({_gauge('up')})",
                        "{{job}}",
                        "short",
                        width=12,
                    ),
                ],
            ),
            (
                "Gateway",
                [
                    _of_process(
                        "Events taken",
                        "Events that Kafka acknowledged, by sender.",
                        _rate("contact_center_gateway_events_accepted_total"),
                        "{{sender}}",
                        "eps",
                        width=6,
                    ),
                    _of_process(
                        "Events refused",
                        "Events that break a rule, by sender and reason; they become dead letters.",
                        _rate("contact_center_gateway_events_rejected_total"),
                        "{{sender}}: {{reason}}",
                        "eps",
                        width=6,
                    ),
                    _of_process(
                        "Requests",
                        "Requests for /v1/events by the status they were answered with.",
                        _rate("contact_center_gateway_requests_total"),
                        "{{status}}",
                        "reqps",
                        width=6,
                    ),
                    Panel(
                        title="Publishing",
                        description="From the first event handed to Kafka until all of a request's were acknowledged.",
                        queries=quantiles,
                        unit="s",
                        width=6,
                    ),
                ],
            ),
            (
                "Workers",
                [
                    _of_process(
                        "Records processed",
                        "Records taken in, by flow.",
                        _rate("contact_center_events_processed_total"),
                        "{{flow}}",
                        "eps",
                    ),
                    Panel(
                        title="Late and repeated events",
                        description="Late ones came after the grace and change no figure; repeated ones were known and count once.",
                        queries=(
                            Query(_rate("contact_center_events_late_total"), "late: {{flow}}"),
                            Query(_rate("contact_center_events_repeated_total"), "repeated: {{flow}}"),
                        ),
                        unit="eps",
                    ),
                    _of_process(
                        "Dead letters",
                        "Records set aside, by flow and reason.",
                        _rate("contact_center_events_dead_lettered_total"),
                        "{{flow}}: {{reason}}",
                        "eps",
                    ),
                    _of_process(
                        "Commits",
                        "Committed transactions a second.",
                        f"rate({_gauge('contact_center_flushes_total')}[$__rate_interval])",
                        "{{instance}}",
                        "ops",
                    ),
                    _of_process(
                        "Duration of a commit",
                        "How long the last transaction took; at 8 seconds Kafka ends it.",
                        _gauge("contact_center_last_flush_duration_seconds"),
                        "{{instance}}",
                        "s",
                    ),
                    Panel(
                        title="Rows and records written",
                        description="Rows of state, and records published (panes, metrics, dead letters), a second.",
                        queries=(
                            Query(_rate("contact_center_flushed_rows_total"), "rows of state"),
                            Query(_rate("contact_center_flushed_records_total"), "records"),
                        ),
                        unit="wps",
                    ),
                    _of_process(
                        "Progress by partition",
                        "How fast the committed offset of each source partition moves; one that stands still while others move is stuck.",
                        f"clamp_min(deriv({_gauge('contact_center_committed_offset')}[$__rate_interval]), 0)",
                        "{{topic}} {{partition}}",
                        "eps",
                    ),
                    _of_process(
                        "Lag by partition",
                        "Records of each source partition that are not counted yet, marks of transactions among them.",
                        f"max without (instance) ({_gauge('contact_center_consumer_lag_records')})",
                        "{{topic}} {{partition}}",
                        "short",
                    ),
                    _of_process(
                        "Restoring",
                        "1 while a worker restores the state of its partitions.",
                        _gauge("contact_center_recovering"),
                        "{{instance}}",
                        "bool",
                        maximum=1,
                    ),
                    _of_process(
                        "Duration of restoring",
                        "How long the restore of each partition took.",
                        _gauge("contact_center_restore_duration_seconds"),
                        "{{topic}} {{partition}}",
                        "s",
                    ),
                ],
            ),
            (
                "Figures",
                [
                    _age("Age of the figures", "contact_center_as_of_timestamp_seconds"),
                    _age("Age of what is complete", complete),
                    _of_process(
                        "Serving",
                        _help("contact_center_reader_connected"),
                        _gauge("contact_center_reader_connected"),
                        "{{instance}}",
                        "bool",
                        maximum=1,
                        width=4,
                    ),
                    _of_process(
                        "Open event streams",
                        _help("contact_center_event_stream_clients"),
                        _gauge("contact_center_event_stream_clients"),
                        "{{instance}}",
                        "short",
                        width=4,
                    ),
                ],
            ),
        ],
    )


#: What makes each dashboard, in English.
BOARDS: tuple[Callable[[], dict[str, Any]], ...] = (_wallboard, _queue_detail, _pipeline)
