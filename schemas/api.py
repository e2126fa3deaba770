"""Documents of the API of ``serve``: the source of its answers, its OpenAPI and its clients.

Records are those of the topics, with fields that a newer worker may add; times are RFC 3339 texts.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.agent_metrics import AgentFigures
from schemas.alert_actions import LONGEST_REASON, Silence
from schemas.alerts import AlertRecord
from schemas.audit import Actor, AuditRecord
from schemas.metrics import FigureValue, MetricRecord, NowFigures, QuarantinedSource, ScopeKind, WindowFigures

__all__ = [
    "AcknowledgeBody",
    "AgentsAnswer",
    "AlertHistoryAnswer",
    "AlertsAnswer",
    "AlertsMessage",
    "AliveAnswer",
    "AliveMessage",
    "AuditAnswer",
    "BoardsAnswer",
    "CatalogueAnswer",
    "ChangeMessage",
    "CustomersAnswer",
    "EarlierAnswer",
    "EarlierScope",
    "ExplainAnswer",
    "FiguresAnswer",
    "IntervalsAnswer",
    "OpenApiDocument",
    "OutlookAnswer",
    "Problem",
    "QueueAnswer",
    "ReadyAnswer",
    "ServedAlert",
    "SessionAnswer",
    "SessionsAnswer",
    "SilenceBody",
    "SilencesAnswer",
    "SnapshotMessage",
    "SourcesAnswer",
    "StandingAnswer",
    "TargetsAnswer",
    "TodayAnswer",
    "TrendsAnswer",
    "Unknown",
]

_Example = "2026-04-01T09:00:00.000Z"
_Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=[_Example])]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True, use_attribute_docstrings=True)


class SourceStanding(_Answer):
    """A source of events: when it was last seen, and its problems."""

    last_seen: _Time | None
    """Its last sign of life; null if it was never seen."""
    stale: bool
    """Whether it has been silent for too long."""
    quarantined: QuarantinedSource | None = None
    """Why it is quarantined; absent while it is not."""
    beyond_limits: dict[str, int] | None = None
    """Kind of name → events whose name counts as `(other)`; absent without."""
    complete_through: _Time | None = None
    """How far a source that reports afterwards is complete; absent for others."""


class TopicReading(_Answer):
    """How far a topic has been read whose end is not reached yet."""

    topic: str = Field(examples=["contactcenter.queue-metrics-latest.v1"])
    share: float | None = Field(ge=0, le=1, examples=[0.45])
    """How much of it has been read; null for accounts that may not see all figures, because it shows the amount of others."""


class _Header(_Answer):
    as_of: _Time | None
    """The newest instant that the figures include; null before any are known."""
    complete_through: _Time | None
    """Nothing earlier is still to come; null while part of the stream has reported nothing."""
    server_time: _Time
    """When the answer was created."""
    age_seconds: float | None = Field(examples=[1.0])
    """`server_time` − `as_of`, in seconds; null without `as_of`."""
    stale: bool
    """Whether the figures are too old for the present, or can grow no newer."""
    ready: bool = Field(examples=[True])
    """Whether the topics of figures have been read."""
    connected: bool = Field(examples=[True])
    """Whether Kafka answers."""
    figures_reading: TopicReading | None = None
    """While `ready` is false: how far the topics of figures have been read; lists are empty until then. Null while they cannot be read."""
    standing_still: dict[str, list[int]] | None = Field(examples=[{"queue-panes.v1": [1]}])
    """Topic without prefix → its partitions that no live worker counts; null while no worker is known."""
    recovering: dict[str, _Time] = Field(examples=[{"queue:claims": "2026-04-01T08:59:35.000Z"}])
    """`KIND:NAME` of scopes whose figures are stalled while others continue → the instant that they are as of."""
    sources: dict[str, SourceStanding]
    """Every source of events by name."""


class Place(_Answer):
    """The site and department of a queue or team, if the account may see figures of them."""

    site: str | None = Field(examples=["tokyo"])
    department: str | None = Field(examples=["support"])
    """Of a queue; a team has none."""


class DefinitionInWords(_Answer):
    """What the service level of a queue counts."""

    definition: str = Field(examples=["strict@1"])
    """Its name and version, as in records; `service_level` is a queue's own, or the default."""
    threshold_seconds: float = Field(examples=[20])
    """The wait up to which an answer is in time."""
    text_en: str
    """Which contacts are in time, which are too late, and which count nowhere."""
    text_ja: str


class FiguresAnswer(_Header):
    """All figures that the account may see."""

    zone: str = Field(examples=["Asia/Tokyo"])
    """The time zone in which pages and sentences show times: `default_zone` of the configuration. Times of the API are UTC."""
    targets: dict[str, float] = Field(examples=[{"sales": 0.8}])
    """Queue → its service level target, 0 to 1."""
    fed_by: dict[str, list[str]] = Field(examples=[{"queue:sales": ["pbx"]}])
    """`queue:NAME` or `team:NAME` → the sources that feed it, where the configuration names them."""
    places: dict[str, Place] = Field(examples=[{"queue:sales": {"site": "tokyo", "department": None}}])
    """`queue:NAME` or `team:NAME` → its place, where the configuration has one."""
    definitions: list[DefinitionInWords] = Field(default_factory=list)
    """Those that queues are judged by, as far as the configuration alone decides it."""
    judged_by: dict[str, dict[str, list[int]]] = Field(default_factory=dict, examples=[{"sales": {"voice": [0]}}])
    """Queue → channel → indexes in `definitions`; the first decides, the others are beside it (`by_definition` of records)."""
    records: dict[str, MetricRecord]
    """Key → record, in the order of keys; keys are opaque. Ages in records of now are as of this answer.

    Those of queues on the business clock also have the times of the coming week in which the oldest of the backlog grows older, in
    `backlog_oldest_grows`: a list of begins and ends."""


class ChannelFigures(_Answer):
    """The figures of one channel of a queue."""

    now: NowFigures | None
    """The present state; null while nothing is known."""
    windows: dict[str, WindowFigures]
    """Window → its newest record."""


class QueueAnswer(_Header):
    """The figures of one queue."""

    queue: str = Field(examples=["sales"])
    target: float | None
    """Its service level target, 0 to 1; null without."""
    channels: dict[str, ChannelFigures]
    """By channel; `-` for figures about agents."""


class AcknowledgedBy(_Answer):
    """Who has acknowledged an alert."""

    by: Actor
    at: _Time
    note: str | None = None


class SilencedBy(_Answer):
    """Why an alert notifies no receiver."""

    silence_id: str
    by: Actor
    until: _Time
    reason: str


class ToldTo(_Answer):
    """One message about an alert to a receiver."""

    receiver: str
    event: Literal["fired", "escalated", "cleared"]
    outcome: Literal["due", "delivered", "refused"]
    decided_at: _Time
    settled_at: _Time | None
    """When it was delivered or refused."""


class ServedAlert(AlertRecord):
    """An alert with its acknowledgement, silence and notifications."""

    acknowledged: AcknowledgedBy | None = Field(default=None, description="absent while it is not acknowledged")
    silenced: SilencedBy | None = Field(default=None, description="the silence that ends last; absent while there is none")
    told: list[ToldTo] | None = Field(default=None, description="messages about it, the oldest first; absent without")


class AlertEvent(_Answer):
    """An event or action in the history of an alert."""

    event: Literal["fired", "escalated", "due", "delivered", "refused", "acknowledged", "cleared"]
    """`escalated`: the next receivers are to be notified; `due`, `delivered` and `refused`: the state of a message."""
    at: _Time
    value: float | None = None
    """Of the figure, when it fired or cleared."""
    receiver: str | None = None
    """Of a message, or of an escalation."""
    of: Literal["fired", "escalated", "cleared"] | None = None
    """The event that a message reports."""
    step: int | None = None
    """Which escalation it was, from 1 on."""
    by: Actor | None = None
    """Who acknowledged it."""
    note: str | None = None
    because: Literal["recovered", "too_few_contacts", "closed", "rule_removed"] | None = None
    """Why it cleared."""


class PastAlertAnswer(AlertRecord):
    """An alert in its present state, with its history."""

    duration_seconds: float | None = Field(
        default=None, description="from `since` to `cleared_at`, both as of the figures; null while it fires"
    )
    events: list[AlertEvent] = Field(description="in order of time; actions are retained for seven days")


class AlertHistoryAnswer(_Header):
    """The history of alerts."""

    history: list[PastAlertAnswer] | None
    """The last to fire first; null while nothing is known of it."""


class AcknowledgeBody(BaseModel):
    """The content of an acknowledgement."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    note: str | None = Field(default=None, max_length=LONGEST_REASON, examples=["calling two people back from training"])


class SilenceBody(BaseModel):
    """The alerts to silence: of a rule, about a scope, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rule: str | None = Field(default=None, min_length=1, max_length=200, examples=["low-service-level"])
    scope: str | None = Field(
        default=None, max_length=300, pattern="^(queue|department|business|site|team|total):.+$", examples=["queue:sales"]
    )
    until: _Time
    reason: str = Field(min_length=1, max_length=LONGEST_REASON, examples=["fire drill"])


class SilencesAnswer(_Answer):
    """The active silences."""

    silences: list[Silence] | None
    """Those that end first come first; null while nothing is known of them."""


class AlertsAnswer(_Header):
    """The state of every alert."""

    alerts: list[ServedAlert] | None
    """In the order of their keys; null while nothing is known of alerts."""


class Interval(_Answer):
    """One interval of a queue's day."""

    start: _Time
    end: _Time
    final: bool
    """All its contacts are decided."""
    offered: float | None
    """Contacts; null where it is unknown."""
    service_level: float | None
    """0 to 1; null where no contact counts."""
    denominator: float | None
    """The contacts that the service level is computed from."""
    exceptions: list[str]
    """Names of the calendar exceptions that touch it."""


class Trend(_Answer):
    """The day so far of one queue and channel."""

    queue: str = Field(examples=["sales"])
    channel: str = Field(examples=["voice"])
    intervals: list[Interval]
    """In order of time."""


class TrendsAnswer(_Header):
    """The day so far of every queue, computed at most every five seconds."""

    window: str = Field(examples=["interval_15m"])
    """The window that the intervals are of."""
    trends: list[Trend]
    """By queue and channel."""


class QueueInterval(_Answer):
    """One window of a queue: its interval, or its day so far."""

    start: _Time
    end: _Time
    final: bool
    """All its contacts are decided."""
    exceptions: list[str]
    """Names of the calendar exceptions that touch it."""
    offered: float | None
    answered: float | None
    abandoned: float | None
    handled: float | None
    answer_rate: FigureValue | None
    service_level: FigureValue | None
    asa_seconds: float | None
    aht_seconds: float | None
    workload_agents: float | None
    """How many agents the handling of its contacts takes on average: handled × AHT ÷ length; null while it runs."""
    staff_required: float | None
    """How many agents the forecast requires; null without one."""


class EarlierScope(QueueInterval):
    """A queue, or everything, in an interval."""

    scope_kind: Literal["queue", "total"]
    scope: str = Field(examples=["sales"])
    channel: str = Field(examples=["voice"])
    target: float | None
    """The service level of the queue to reach today, 0 to 1; null without one."""


class WaitBucket(_Answer):
    """How many waited up to this edge, and longer than that of the bucket before."""

    up_to_seconds: float | None
    """Null for the last one, which has no edge."""
    answered: int
    abandoned: int


class QueueChannel(_Answer):
    """One channel of a queue."""

    channel: str = Field(examples=["voice"])
    target: float | None
    """The service level of the queue to reach, 0 to 1; null without one."""
    threshold_seconds: float
    """The wait up to which an answer is in time."""
    definitions: list[DefinitionInWords] = Field(default_factory=list)
    """Those that it is judged by; the first decides."""
    self_service: dict[str, FigureValue | None] | None = None
    """KPI → figure of the day so far, of sessions with a bot or a FAQ; null where there are none."""
    today: QueueInterval | None
    """The day so far; null before its first contact."""
    waits: list[WaitBucket]
    """Of the day so far, the shortest first."""
    flow_outs: dict[str, int] = Field(examples=[{"overflow": 3}])
    """Way out of the queue other than an answer and abandonment → contacts of the day so far, the most first."""
    intervals: list[QueueInterval]
    """Those in memory, in order of time: of today and some days before."""


class StaffInterval(_Answer):
    """Agents in an interval, on average; in a running one over the part whose time is counted, null for its first minute."""

    start: _Time
    end: _Time
    actual: float | None
    """At work or available for it."""
    scheduled: float | None
    """Planned to work."""


class QueueStaff(_Answer):
    """Agents of the queue's site, or of all sites if it has none: they may serve other queues too."""

    scope_kind: Literal["site", "total"]
    scope: str = Field(examples=["tokyo"])
    intervals: list[StaffInterval]
    """In order of time."""


class EarlierAnswer(_Header):
    """All queues in one interval of the past."""

    window: str = Field(examples=["interval_15m"])
    """The window that the interval is of."""
    start: _Time | None
    """Null where none is in memory for that instant."""
    end: _Time | None
    starts: list[_Time]
    """The begins of all intervals in memory, in order of time."""
    scopes: list[EarlierScope]
    """Each with its channel; scopes without a contact in the interval are left out."""


class IntervalsAnswer(_Header):
    """The intervals of one queue that are in memory, and its day so far."""

    queue: str = Field(examples=["sales"])
    window: str = Field(examples=["interval_15m"])
    """The window that the intervals are of."""
    channels: list[QueueChannel]
    staff: QueueStaff | None
    """Null where it is not known, or the account may not see it."""


class ScopeDay(_Answer):
    """The day so far of a scope on one channel."""

    scope_kind: ScopeKind
    scope: str = Field(examples=["sales"])
    channel: str = Field(examples=["voice"])
    start: _Time
    end: _Time
    offered: float | None
    answered: float | None
    abandoned: float | None
    handled: float | None
    answer_rate: FigureValue | None
    abandon_rate: FigureValue | None
    service_level: FigureValue | None
    asa: FigureValue | None
    aht: FigureValue | None
    threshold_seconds: float | None
    """The wait up to which an answer is in time; null where queues of the scope differ."""
    target: float | None
    """The service level to reach today, 0 to 1; null without one."""
    met: bool | None
    """Whether it is reached; null without a target, or while no contact counts."""
    contacts_to_restore: int | None
    """How many contacts in a row have to be answered in time until it is reached, 0 if it is; null if none suffice, or `met` is null."""
    contacts_to_spare: int | None
    """How many contacts in a row may be missed while it is still reached; null where any number may, or `met` is null."""
    events_uncounted: dict[str, int] = Field(examples=[{"no_begin": 2}])
    """Reason → events that counted nothing."""
    coverage: dict[str, float] = Field(examples=[{"aht": 0.9}])
    """KPI → measured ÷ all, of KPIs that are not measured for every contact."""


class TodayAnswer(_Header):
    """The day so far of every scope that had a contact, computed at most every five seconds."""

    days: list[ScopeDay]
    """In the order of keys."""


#: Why a figure has no value.
Unknown = Literal["not_reported", "nothing_yet", "too_few"]


class CustomersWindow(_Answer):
    """Figures of customers in a day of a scope and channel, or in a day or month of customers."""

    scope_kind: ScopeKind
    scope: str = Field(examples=["sales"])
    channel: str | None = Field(examples=["voice"])
    """Null for windows of customers."""
    window: str = Field(examples=["day", "customers_day"])
    start: _Time
    end: _Time
    final: bool
    """Whether it changes no more."""
    figures: dict[str, FigureValue] = Field(examples=[{"csat": {"value": 4.2, "numerator": 42, "denominator": 10, "coverage": 0.5}}])
    """KPI → figure, of those with content."""
    contacts_by_category: dict[str, int] = Field(examples=[{"delivery": 12}])
    complaints_by_category: dict[str, int] = Field(default_factory=dict, examples=[{"delivery": 3}])
    complaints_without_category: int = Field(default=0, examples=[1])
    """Complaints of contacts whose category no event names."""
    thanks_by_category: dict[str, int] = Field(default_factory=dict, examples=[{"delivery": 5}])
    """Contacts in whose texts a connector found thanks, by category."""
    thanks_without_category: int = Field(default=0, examples=[0])
    unknown: dict[str, Unknown] = Field(default_factory=dict, examples=[{"nps": "nothing_yet"}])
    """KPI → why there is no value: no source reports it; its contacts are still to come; too few customers to show."""


class CustomersAnswer(_Header):
    """The day so far of every scope with figures of customers, and their last days and months; computed at most every five seconds."""

    windows: list[CustomersWindow]
    """In the order of keys."""


class BoardWords(_Answer):
    """A text in the languages in which it was written."""

    en: str | None = Field(examples=["Calls"])
    ja: str | None


class BoardTile(_Answer):
    """A figure, a text, queues, a map of them or alerts; fields of other kinds of tile are absent."""

    kind: Literal["figure", "text", "queues", "map", "alerts"] = Field(examples=["figure"])
    width: int = Field(examples=[1])
    """Columns of the page."""
    height: int = Field(examples=[1])
    """Rows of the page."""
    title: BoardWords | None
    """The heading; null for the default one, of the figure and its scope."""
    kpi: str = Field(default="", examples=["service_level_live"])
    scope: str = Field(default="", examples=["total:all"])
    """`KIND:NAME`."""
    channel: str | None = Field(default=None, examples=["voice"])
    warn: float | None = None
    """From this value on it is yellow."""
    bad: float | None = None
    """From this value on it is red."""
    text: BoardWords | None = None
    color: Literal["plain", "accent", "good", "warn", "bad"] = "plain"
    queues: list[str] = Field(default=[], examples=[["sales"]])
    """Only these; all if there are none."""
    site: str | None = None
    department: str | None = None
    channels: list[str] = []
    """Only these; all if there are none."""
    columns: list[str] = Field(default=[], examples=[["service_level_live", "waiting"]])
    """Ids of KPIs."""
    severities: list[Literal["warning", "critical"]] = []
    """Only these; all if there are none."""


class BoardPage(_Answer):
    """Tiles on a grid: those of the page that the account may see."""

    title: BoardWords | None
    columns: int = Field(examples=[4])
    rows: int = Field(examples=[3])
    tiles: list[BoardTile]


class Board(_Answer):
    """The content of a wall screen."""

    title: BoardWords
    theme: Literal["dark", "light"]
    window_minutes: int = Field(examples=[15])
    """The trailing window of its figures."""
    rotate_seconds: int = Field(examples=[20])
    """How long each page stays; 0 for no rotation."""
    pages: list[BoardPage]


class BoardsAnswer(_Answer):
    """The boards of which the account may see any part."""

    boards: dict[str, Board]
    """By name; those of the configuration first."""


class SourceHealth(SourceStanding):
    """The state of a source, in one sentence."""

    source: str = Field(examples=["pbx"])
    code: Literal["heard", "silent", "never_heard", "quarantined"]
    silent_seconds: float | None
    """How long ago it was last seen; null if it never was."""
    feeds: list[str] = Field(examples=[["queue:sales"]])
    """The scopes that it feeds by the configuration."""
    text_en: str
    text_ja: str


class DeadLetterTopic(_Answer):
    """Upper limits of the dead letters of one topic: transaction markers are counted too. 0 is none."""

    last_hour: int
    last_day: int
    held: int


class SourcesAnswer(_Header):
    """Every source with a sentence, and how many dead letters there are."""

    health: list[SourceHealth]
    """Those that need action first."""
    dead_letters: dict[str, DeadLetterTopic] | None = Field(
        examples=[{"contact-events-dead-letters.v1": {"last_hour": 0, "last_day": 2, "held": 4}}]
    )
    """Topic without prefix → its dead letters; null where it is not known, or the account may see only a part."""


class IntervalAhead(_Answer):
    """A future interval, as expected."""

    start: _Time
    end: _Time
    contacts: float
    """Contacts expected: the mean of the same interval of former weeks, else yesterday's, at the level of the last two hours."""
    agents_needed: int | None
    """The fewest agents that reach the target by Erlang A, or C where patience is not known; null without a target or a handle time."""
    service_level: float | None
    """0 to 1, with `agents_now`; null where it is not known."""


class QueueOutlook(_Answer):
    """What to expect of a queue of calls in the next two hours."""

    queue: str = Field(examples=["sales"])
    channel: str = Field(examples=["voice"])
    threshold_seconds: float
    """The wait up to which an answer is in time."""
    target: float | None
    """The service level to reach, 0 to 1; null without one."""
    aht_seconds: float | None
    """Average handle time of the last hours; null where it is not known."""
    patience_seconds: float | None
    """How long customers are ready to wait on average: all waiting time ÷ abandoned; null for fewer than five abandoned."""
    agents_now: int | None
    """How many agents would give the service level of the last hours; null where that is undecidable: few contacts, or every one met."""
    breach_expected_at: _Time | None
    """The first interval within half an hour that is expected below the target with `agents_now`."""
    past_error: float | None
    """Σ |expected − offered| ÷ Σ offered of the last six hours, each interval as expected when it began; null without expectations."""
    expected_from: _Time | None = None
    """From when on expectations are possible, as they need data of a day before; null while they are, and before any data."""
    intervals: list[IntervalAhead]
    """In order of time; intervals without expectations are left out."""


class OutlookAnswer(_Header):
    """What to expect of queues of calls, computed at most every fifteen seconds."""

    interval_minutes: int = Field(examples=[15])
    outlook: list[QueueOutlook]
    """By queue and channel."""


class TargetProgress(FigureValue):
    """The progress from the start to the target; the value is 1 at the target."""

    expected: float
    """How far it should be by now, 0 to 1."""
    on_track: bool
    ahead: float
    """How far it is ahead of what is expected, as a share of the distance."""
    projected_at: _Time | None
    """When it would be reached at this pace; null where that is unknown."""


class TargetStanding(_Answer):
    """A target with its judgment; numbers are in the unit of the KPI."""

    kpi: str = Field(examples=["service_level"])
    scope_kind: ScopeKind
    scope: str = Field(examples=["sales"])
    channel: str | None
    """Null where it is about all channels together."""
    window: str | None = Field(examples=["day"])
    """Null for a figure of now."""
    of_queue: bool
    """Whether it is a queue's `target` in the configuration."""
    unit: str = Field(examples=["ratio"])
    direction: Literal["up", "down", "none"]
    """Which way is good; none where the target is a band."""
    target: float | None
    stretch: float | None
    low: float | None
    """Lower end of a band."""
    high: float | None
    """Upper end of a band."""
    start_value: float | None
    start_date: str | None
    due: str | None
    """A date, YYYY-MM-DD."""
    figure: FigureValue
    """The figure that is judged."""
    window_start: _Time | None
    """The begin of the window that the figure is of; null for figures of now."""
    provisional: bool | None
    """Whether the figure may still change; null where there is none."""
    attainment: FigureValue
    """How much of the target the figure attains; from 1 on it is met."""
    standing: Literal["unknown", "stretch_met", "met", "missed", "on_track", "behind", "open"]
    met: bool | None
    stretch_met: bool | None
    margin: float | None
    """How far the figure is on the good side of the target."""
    progress: TargetProgress | None
    """Null for a target without a start."""


class TargetsAnswer(_Header):
    """Every target with its judgment, computed at most every two seconds."""

    targets: list[TargetStanding]


#: The last to give up first, or the longest without a callback first.
CallOrder = Literal["newest", "longest"]
#: The states of an agent; stale: not seen for too long.
PersonState = Literal["handling", "wrap_up", "idle", "available", "unavailable", "offline", "stale"]


class AgentsAnswer(_Header):
    """Figures of single agents."""

    agents: list[AgentFigures] | None
    """In the order of their keys; null while nothing is known of agents."""


class ReadingStanding(TopicReading):
    """How far events have been read whose end is not reached yet."""

    since: _Time
    """From when on they are read."""


class WorkOnContact(_Answer):
    """The work of an agent on a contact, by the events of contacts."""

    queue: str | None = Field(examples=["sales"])
    """Null where the account may not see it."""
    channel: str = Field(examples=["voice"])
    since: _Time
    wraps_up: bool
    """Whether it is the work after the conversation."""


class SiteOfPeople(_Answer):
    """Whether agents of a site are shown."""

    site: str = Field(examples=["tokyo"])
    individual_figures: bool
    """As configured: agents of a site are shown where it is true."""


class StateOfDay(_Answer):
    """What an agent was doing from ``start`` to the start of the next one."""

    start: _Time
    state: PersonState | None = Field(examples=["handling"])
    """Null while nothing was known."""
    reason: str | None = Field(examples=["lunch"])
    """Why, else the platform's term for the state."""


class PersonStanding(_Answer):
    """What one agent is doing."""

    person: str = Field(examples=["tanaka"])
    """The name in the configuration."""
    team: str | None = Field(examples=["north"])
    """Null where there is none, or the account may not see it; so are site and queues."""
    site: str | None = Field(examples=["tokyo"])
    queues: list[str] | None = Field(examples=[["sales"]])
    """Those that the agent serves; null where the platform does not report them."""
    skills: list[str] | None = Field(default=None, examples=[["english"]])
    """Those that the agent has; null where the platform does not report them."""
    at_work: list[WorkOnContact] | None = None
    """The contacts that the agent works on, the latest first; null where events of contacts have not been read."""
    state: PersonState = Field(examples=["unavailable"])
    word: str | None = Field(examples=["not_ready"])
    """The platform's term for the state."""
    reason: str | None = Field(examples=["lunch"])
    """Why, as the platform reports it."""
    since: _Time
    """When the state began, with this term and reason."""
    seconds: int = Field(ge=0, examples=[1260])
    """From then to `people_as_of`."""
    limit_seconds: int | None = Field(examples=[900])
    """A longer time is too long (`too_long_seconds` of the configuration); null: never."""
    too_long: bool
    handled: int | None = Field(examples=[14])
    """Contacts handled today; null where no figures of the agent are known."""
    occupancy: FigureValue | None
    """Of today."""
    strip: list[StateOfDay] | None = None
    """The day so far, if asked for."""


class PeopleAnswer(_Header):
    """What single agents are doing, at sites that permit figures of them."""

    people_as_of: _Time | None
    """The instant of all durations here; null before anything is known."""
    people_complete: bool
    """Whether all events have been read; until then states may be older ones."""
    days_known: bool = True
    """Whether figures of agents have been read; until then `handled` and `occupancy` are null."""
    people: list[PersonStanding]
    """By name; agents not seen yet are left out."""
    reading: ReadingStanding | None = None
    """How far events have been read; null once their end is reached."""
    sites: list[SiteOfPeople] = Field(default_factory=list)
    """The sites that the account may see, by name."""


class KpiMetric(_Answer):
    """A Prometheus gauge that carries one part of a KPI."""

    name: str = Field(examples=["contact_center_service_level_ratio"])
    part: Literal["value", "numerator", "denominator", "coverage"]
    unit: str = Field(examples=["ratio"])
    help: str


class KpiDescription(_Answer):
    """The complete description of a KPI."""

    id: str = Field(examples=["service_level"])
    en: str = Field(examples=["service level"])
    ja: str = Field(examples=["サービスレベル"])
    ja_calls: str | None = None
    """Its Japanese name where all contacts are calls; null where that is the same."""
    meaning_en: str
    meaning_ja: str
    formula: str
    unit: str = Field(examples=["ratio"])
    direction: Literal["up", "down", "none"]
    windows: list[Literal["trailing", "interval", "day", "customers_day", "customers_month", "now"]]
    """The kinds of windows that have it."""
    subject: Literal["contacts", "people", "customers", "targets"]
    metric: str | None
    """The Prometheus name of its value; null where it is not exported."""
    source: str
    """Its field in topics or answers."""
    numerator_unit: str | None
    denominator_unit: str | None
    measured: bool
    """Whether it has a coverage."""
    per_channel: bool
    """Whether channels are never added together."""
    definition_dependent: bool
    """Whether a definition of the configuration decides what it means."""
    horizon: str | None
    """How long after its window it may still change, or the setting of that; null where it does not."""
    split_by: str | None
    members: list[str]
    """The values by which a count of now is broken down."""
    label: str | None
    """The label by which it is counted; null where it has none."""
    parts: list[str]
    dimensions: list[str]
    """The dimensions by which it is served."""
    prometheus: bool
    metrics: list[KpiMetric]


class CatalogueAnswer(_Answer):
    """The KPIs, the states of agents and the texts of pages."""

    kpis: list[KpiDescription]
    agent_states: list[str]
    """In the order in which pages show them."""
    words: dict[str, dict[str, str]]
    """Language → name of a text → text."""
    stale_after_seconds: float
    """Older figures are stale."""
    ahead_seconds: float
    """Figures further ahead of the clock are stale too."""
    zone: str = Field(examples=["Asia/Tokyo"])
    """The time zone in which pages and sentences show times: `default_zone` of the configuration."""


class ContactPart(_Answer):
    """A part of a figure, and the conversations in it."""

    part: str = Field(examples=["abandoned_missed"])
    amount: float
    conversations: int
    """How many there are."""
    listed: list[str]
    """Their ids, the largest amounts first."""
    not_listed: int


class CountDifference(_Answer):
    """A count of the contacts that differs from the served count."""

    contacts: int
    served: int


class RecordsRead(_Answer):
    """The records of a partition that are about conversations of the window."""

    partition: int
    first_offset: int
    last_offset: int
    records: int


class EventsRead(_Answer):
    """The records that were read for an answer."""

    topic: str
    records: int | None
    """Null for accounts that may not see all figures, because it shows the amount of others."""
    bytes: int | None
    complete: bool
    incomplete: list[str]
    """Why some records could not be read."""


class ExplainAnswer(FigureValue):
    """How a figure comes about: recomputed from the contacts found, beside the figure that was served."""

    kpi: str = Field(examples=["service_level"])
    label: str
    meaning: str
    formula: str
    definition: str | None = Field(examples=["service_level@1"])
    scope: str = Field(examples=["queue:sales"])
    channel: str = Field(examples=["voice"])
    window: str = Field(examples=["trailing_15m"])
    window_start: _Time
    window_end: _Time
    as_of: _Time | None = Field(description="null where the figure is not of an instant")
    served: FigureValue | None = Field(description="the figure that was served; null where it is no longer in memory")
    agrees: bool | None = Field(description="whether the contacts give the served figure; null where none is served")
    differences: dict[str, CountDifference] = Field(description="count → its value from the contacts and as served, where they differ")
    late_events: int | None
    counts: dict[str, int] = Field(description="the sums behind the figure; times in milliseconds")
    parts: list[ContactPart]
    waiting_past_threshold: ContactPart | None = Field(description="waiting beyond the threshold, where that is part of the figure")
    records: list[RecordsRead]
    read: EventsRead


class ContactBehind(_Answer):
    """One contact behind a figure."""

    conversation_id: str = Field(examples=["CA1234"])
    source: str | None = Field(examples=["pbx"])
    queue: str | None = Field(default=None, examples=["sales"])
    """The last queue of the scope that it entered; null where it never entered one."""
    parts: list[str] = Field(examples=[["abandoned_missed"]])
    """The parts of the figure that count it, named as in `/api/v1/explain`."""
    entered: _Time | None
    """When it last entered the queue; null where it never waited there."""
    waited_seconds: float | None = Field(examples=[42.0])
    """In the queue, in the window; null where it is unknown."""
    outcome: str | None = Field(examples=["abandoned"])
    """`abandoned`, `answered`, `waiting`, or why it left the queue; null where the figure does not state it."""
    link: str | None
    """Its page at the platform (`links` of the configuration); null without."""
    platform: str | None = Field(default=None, examples=["Zendesk"])
    """The destination of the link: the name that the configuration gives, else that of the platform or the host; null without a link."""


class ContactsAnswer(_Answer):
    """The contacts behind a figure."""

    scope: str = Field(examples=["queue:sales"])
    queue: str | None = Field(examples=["sales"])
    """Null for a wider scope."""
    channel: str = Field(examples=["voice"])
    kpi: str = Field(examples=["abandoned"])
    label: str | None = None
    """The label of the figure under which they count, as asked for; null for all, empty for those under none."""
    window: str | None = Field(examples=["trailing_15m"])
    """Null for contacts that wait now; so are its begin and end."""
    window_start: _Time | None
    window_end: _Time | None
    contacts_as_of: _Time | None
    """Later events are not included; null where the figure is not of an instant."""
    agrees: bool | None
    """Whether the contacts give the served figure; null where none is served."""
    complete: bool
    """Whether all of the records were read."""
    total: int = Field(ge=0)
    """How many there are, listed or not."""
    contacts: list[ContactBehind]
    """Abandoned first, then the latest first."""


class ContactsReadingAnswer(_Answer):
    """How far events have been read for a question about contacts."""

    reading: ReadingStanding | None
    """Null where none are being read for that question of this account: it waits for its turn, or is answered."""


class AbandonedContact(_Answer):
    """A customer who abandoned the wait."""

    conversation_id: str = Field(examples=["CA1234"])
    """Of the last time."""
    source: str = Field(examples=["pbx"])
    queue: str = Field(examples=["sales"])
    channel: str | None = Field(examples=["voice"])
    left: _Time
    """When the customer abandoned."""
    waited_seconds: float = Field(examples=[42.0])
    customer: str | None = Field(examples=["3f9a1c2e"])
    """Eight digits derived from the customer's key, the same for the same customer; null without a key."""
    times: int = Field(ge=1, examples=[2])
    """How often the customer abandoned since the last conversation."""
    waits_again: bool
    """Whether the customer waits in a queue at this moment."""
    first_left: _Time | None = None
    """When the customer abandoned for the first of these times."""
    link: str | None
    """Its page at the platform (`links` of the configuration); null without."""
    platform: str | None = Field(default=None, examples=["Zendesk"])
    """The destination of the link: the name that the configuration gives, else that of the platform or the host; null without a link."""


class ReachedContact(AbandonedContact):
    """A customer who abandoned and has got through since: no callback is needed."""

    reached: _Time
    """When customer and agent were connected last."""


class AbandonedAnswer(_Header):
    """Customers to call back, and those who have got through since."""

    since: _Time | None
    """From when on events have been read, or the begin of the hours asked for; null before anything is known."""
    abandoned_as_of: _Time | None
    """The newest event that was read."""
    complete: bool
    """Whether all events since then have been read; until then some customers may have got through."""
    total: int = Field(ge=0)
    """How many there are, listed or not."""
    abandoned: list[AbandonedContact]
    """In the order that was asked for."""
    got_through_total: int = Field(ge=0)
    """How many abandoned, have got through since and not abandoned again; listed or not."""
    got_through: list[ReachedContact]
    """The last to abandon first."""
    reading: ReadingStanding | None = None
    """How far events have been read; null once their end is reached."""
    links_known: bool = False
    """Whether `customer.linked` events could be read; if not, customers who got through under another key may be listed."""
    short_total: int = Field(default=0, ge=0)
    """How many abandonments of these hours and queues are left out because the definition of their queue counts them as short."""
    short_abandon_seconds: list[float] = Field(default_factory=list, examples=[[5.0]])
    """The limits (`short_abandon_s`) of short abandonments, each once."""


class AuditAnswer(_Answer):
    """A page of the audit."""

    records: list[AuditRecord]
    """The oldest first; what does not apply is absent."""
    unreadable: int = Field(ge=0)
    """How many records of the range could not be read."""


class AliveAnswer(_Answer):
    """The process runs."""

    status: Literal["ok"]
    configuration: str | None = None
    """The active configuration and since when it is; absent without a configuration file."""


class ReadyAnswer(_Answer):
    """Whether there are figures."""

    status: Literal["ready", "reading"]
    connected: bool
    stale: bool
    code: str = Field(examples=["ok"])
    """The problem, as in `/api/v1/standing`, but without those of single sources and scopes."""
    since: _Time | None
    """Since when; null without a problem, or where it is not known."""
    configuration: str | None = None
    """As in `/healthz`."""


class StandingFault(_Answer):
    """One problem."""

    code: str = Field(examples=["worker_silent"])
    """For programs; docs/operations.md lists all codes."""
    part: Literal["kafka", "worker", "source", "configuration", "serve"] = Field(examples=["worker"])
    """The affected part."""
    since: _Time | None
    """Null where it is not known."""
    names: list[str] = Field(examples=[[]])
    """The affected sources, scopes or partitions, as far as the account may see them."""
    call: str | None = Field(examples=["IT operations, extension 4000"])
    """The contact to call: `on_call` of the configuration; null without one."""
    text_en: str = Field(
        examples=[
            "No worker has counted since 09:00:02: figures are right as of 09:00:00, and events since then wait in Kafka to be counted."
        ]
    )
    """One sentence: which part, since when, what is still right, whom to call; times are in `default_zone`."""
    text_ja: str = Field(examples=["集計プロセス（worker）が09:00:02から停止しています。"])
    """The same in Japanese."""


class StandingAnswer(_Answer):
    """The state of the system: the first fault, or `ok`, and all faults."""

    code: str = Field(examples=["ok"])
    """That of the first fault; `ok` without one."""
    part: Literal["kafka", "worker", "source", "configuration", "serve"] | None = Field(examples=["worker"])
    """Null without a fault."""
    since: _Time | None
    names: list[str] = Field(examples=[[]])
    call: str | None
    text_en: str = Field(examples=["Everything works: figures are as of 09:00:00."])
    text_ja: str = Field(examples=["正常に動作しています（09:00:00現在）。"])
    as_of: _Time | None
    """The newest instant that the figures include; null before any are known."""
    server_time: _Time
    faults: list[StandingFault]
    """The most fundamental first; a fault that only follows from another is left out."""
    call_missing: bool = Field(default=False, examples=[False])
    """A fault needs a call, and the configuration has no `on_call`."""
    call_when_unreached: str | None = Field(examples=["IT operations, extension 4000"])
    """Whom to call when this server no longer answers: it cannot state it then."""


class SessionAnswer(_Answer):
    """The account of the request."""

    kind: Literal["anyone", "token", "user", "provider", "kiosk", "certificate"] = Field(examples=["user"])
    """How it was identified; `anyone` where no access file requires a login."""
    name: str | None = Field(examples=["yuki"])
    """Of the account, as the access file or the provider has it; null for anyone."""
    rights: list[str] = Field(examples=[["figures"]])
    """The account's rights, each at least somewhere."""
    contacts_of: list[str] | None = Field(default=None, examples=[["queue:sales"]])
    """With the right `contacts` at some scopes only: those whose contacts the account may see; absent where it holds everywhere."""


class ListedSession(_Answer):
    """One login, or one screen."""

    id: str = Field(examples=["3f9a0c51d2b7e864"])
    """Ends the session; it gives no access."""
    kind: Literal["user", "provider", "kiosk"] = Field(examples=["user"])
    name: str = Field(examples=["yuki"])
    """Of the account."""
    began_at: _Time
    """When it was logged in, or its link was opened."""
    used_at: _Time | None
    """When it was last used; null for a screen."""
    ends_at: _Time | None
    """When it ends without further use, and a screen in any case; null if it ends only with its entry."""


class SessionsAnswer(_Answer):
    """The logins at this server, and the screens of all servers."""

    sessions: list[ListedSession]


class SnapshotMessage(FiguresAnswer):
    """Event `snapshot`: everything, in place of what was sent before."""

    version: int = Field(ge=0)
    """Grows with every change; also the id of the event."""


class ChangeMessage(_Header):
    """Event `change`: the records that replace earlier ones."""

    version: int = Field(ge=0)
    records: dict[str, MetricRecord]
    """Key → record."""
    removed: list[str]
    """Keys of deleted records."""


class AlertsMessage(_Answer):
    """Event `alerts`: which alerts fire, and which no longer do."""

    version: int = Field(ge=0)
    whole: bool
    """Whether these are all that fire, in place of what was sent before."""
    firing: dict[str, ServedAlert] | None
    """Key → record; null while nothing is known of alerts."""
    ended: list[str]
    """Keys of alerts that no longer fire."""


class AliveMessage(_Answer):
    """Event `alive`: nothing is new, and the connection works."""


class OpenApiDocument(_Answer):
    """A document of OpenAPI."""

    model_config = ConfigDict(extra="allow")

    openapi: str = Field(examples=["3.1.0"])
    info: dict[str, Any]


class Problem(_Answer):
    """A problem and what to do about it (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["about:blank"], json_schema_extra={"format": "uri-reference"})
    """`about:blank`: the status is all that a program needs."""
    title: str = Field(examples=["Bad Request"])
    """The name of the status."""
    status: int = Field(ge=400, le=599, examples=[400])
    detail: str = Field(examples=["unknown parameter 'windows': did you mean 'window'?"])
    """What, where, and what is permitted."""
    error: str = Field(examples=["unknown parameter 'windows': did you mean 'window'?"], deprecated=True)
    """As `detail`, for clients of the first releases."""
    waiting: int | None = Field(default=None, ge=0)
    """How many questions wait, if too many."""
    figures_reading: TopicReading | None = None
    """How far the topics of figures have been read, where the answer depends on them."""
