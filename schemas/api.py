"""What the API of ``serve`` answers with: the types of its documents, its OpenAPI and its clients.

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
    """A source of events: when it was last heard, and what is wrong with it."""

    last_seen: _Time | None
    """Its last sign of life; null if it was never heard."""
    stale: bool
    """Whether it has been silent for too long."""
    quarantined: QuarantinedSource | None = None
    """Why its records are set aside; absent while they are not."""
    beyond_limits: dict[str, int] | None = None
    """Kind of name → events whose name counts as `(other)`; absent without."""
    complete_through: _Time | None = None
    """How far a source that tells afterwards is complete; absent for others."""


class TopicReading(_Answer):
    """How far a topic has been read that is not read to its end yet."""

    topic: str = Field(examples=["contactcenter.queue-metrics-latest.v1"])
    share: float | None = Field(ge=0, le=1, examples=[0.45])
    """How much of it has been read; null for who may not see all figures: it tells how much there is of others."""


class _Header(_Answer):
    as_of: _Time | None
    """The newest instant that figures take in; null before any are known."""
    complete_through: _Time | None
    """Nothing earlier is still to come; null while a part of the stream has said nothing."""
    server_time: _Time
    """When the answer was made."""
    age_seconds: float | None = Field(examples=[1.0])
    """`server_time` − `as_of`, in seconds; null without `as_of`."""
    stale: bool
    """Whether the figures are too old to be taken for the present, or nothing would make them newer."""
    ready: bool = Field(examples=[True])
    """Whether the topics of figures have been read."""
    connected: bool = Field(examples=[True])
    """Whether Kafka answers."""
    figures_reading: TopicReading | None = None
    """While `ready` is false: how far the topics of figures have been read, lists are empty until then; null while they cannot be."""
    standing_still: dict[str, list[int]] | None = Field(examples=[{"queue-panes.v1": [1]}])
    """Topic without prefix → its partitions that no live worker counts; null while no worker is known."""
    recovering: dict[str, _Time] = Field(examples=[{"queue:claims": "2026-04-01T08:59:35.000Z"}])
    """`KIND:NAME` of scopes whose figures stand still while others go on → the instant that they are as of."""
    sources: dict[str, SourceStanding]
    """Every source of events by name."""


class Place(_Answer):
    """What a queue or team belongs to, as far as one may see figures of that."""

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
    """All figures that one may see."""

    zone: str = Field(examples=["Asia/Tokyo"])
    """The time zone in which pages and sentences show times: `default_zone` of the configuration. Times of the API are UTC."""
    targets: dict[str, float] = Field(examples=[{"sales": 0.8}])
    """Queue → its service level target, 0 to 1."""
    fed_by: dict[str, list[str]] = Field(examples=[{"queue:sales": ["pbx"]}])
    """`queue:NAME` or `team:NAME` → the sources that feed it, where the configuration names them."""
    places: dict[str, Place] = Field(examples=[{"queue:sales": {"site": "tokyo", "department": None}}])
    """`queue:NAME` or `team:NAME` → its place, where the configuration says one."""
    definitions: list[DefinitionInWords] = Field(default_factory=list)
    """Those that queues are judged by, as far as the configuration alone says it."""
    judged_by: dict[str, dict[str, list[int]]] = Field(default_factory=dict, examples=[{"sales": {"voice": [0]}}])
    """Queue → channel → places in `definitions`, the first of which decides; the others stand beside (`by_definition` of records)."""
    records: dict[str, MetricRecord]
    """Key → record, in the order of keys; keys are opaque. Ages in records of now are as of this answer.

    Those of queues on the business clock also say when the oldest of the backlog grows older in the week to come, in
    `backlog_oldest_grows`: a list of begins and ends."""


class ChannelFigures(_Answer):
    """What is known of one channel of a queue."""

    now: NowFigures | None
    """What is going on; null while nothing is known."""
    windows: dict[str, WindowFigures]
    """Window → its newest record."""


class QueueAnswer(_Header):
    """What is known of one queue."""

    queue: str = Field(examples=["sales"])
    target: float | None
    """Its service level target, 0 to 1; null without."""
    channels: dict[str, ChannelFigures]
    """By channel; `-` for figures about people."""


class AcknowledgedBy(_Answer):
    """Who has acknowledged an alert."""

    by: Actor
    at: _Time
    note: str | None = None


class SilencedBy(_Answer):
    """Why people are told nothing of an alert."""

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
    """An alert, and what people have done about it."""

    acknowledged: AcknowledgedBy | None = Field(default=None, description="absent while nobody has")
    silenced: SilencedBy | None = Field(default=None, description="the silence that ends last; absent while there is none")
    told: list[ToldTo] | None = Field(default=None, description="messages about it, the oldest first; absent without")


class AlertEvent(_Answer):
    """One thing that happened to an alert, or was done about it."""

    event: Literal["fired", "escalated", "due", "delivered", "refused", "acknowledged", "cleared"]
    """`escalated`: decided to tell the next receivers; `due`, `delivered` and `refused`: what has come of a message."""
    at: _Time
    value: float | None = None
    """Of the figure, when it fired or cleared."""
    receiver: str | None = None
    """Of a message, or of an escalation."""
    of: Literal["fired", "escalated", "cleared"] | None = None
    """What a message is about."""
    step: int | None = None
    """Which escalation it was, from 1 on."""
    by: Actor | None = None
    """Who acknowledged it."""
    note: str | None = None
    because: Literal["recovered", "too_few_contacts", "closed", "rule_removed"] | None = None
    """Why it cleared."""


class PastAlertAnswer(AlertRecord):
    """An alert as it stands, and what became of it."""

    duration_seconds: float | None = Field(
        default=None, description="from `since` to `cleared_at`, both as of the figures; null while it fires"
    )
    events: list[AlertEvent] = Field(description="in order of time; what was done about it is kept for seven days")


class AlertHistoryAnswer(_Header):
    """What became of alerts."""

    history: list[PastAlertAnswer] | None
    """The last to fire first; null while nothing is known of it."""


class AcknowledgeBody(BaseModel):
    """What goes with an acknowledgement."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    note: str | None = Field(default=None, max_length=LONGEST_REASON, examples=["calling two people back from training"])


class SilenceBody(BaseModel):
    """Which alerts to be silent about: of a rule, about a scope, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rule: str | None = Field(default=None, min_length=1, max_length=200, examples=["low-service-level"])
    scope: str | None = Field(
        default=None, max_length=300, pattern="^(queue|department|business|site|team|total):.+$", examples=["queue:sales"]
    )
    until: _Time
    reason: str = Field(min_length=1, max_length=LONGEST_REASON, examples=["fire drill"])


class SilencesAnswer(_Answer):
    """The silences that hold."""

    silences: list[Silence] | None
    """Those that end first come first; null while nothing is known of them."""


class AlertsAnswer(_Header):
    """Where every alert stands."""

    alerts: list[ServedAlert] | None
    """In the order of their keys; null while nothing is known of alerts."""


class Interval(_Answer):
    """One interval of a queue's day."""

    start: _Time
    end: _Time
    final: bool
    """All its contacts are decided."""
    offered: float | None
    """Contacts; null where nothing can be said."""
    service_level: float | None
    """0 to 1; null where nobody counts."""
    denominator: float | None
    """The contacts that the service level is of."""
    exceptions: list[str]
    """Names of the calendar exceptions that any of it falls into."""


class Trend(_Answer):
    """The day so far of one queue and channel."""

    queue: str = Field(examples=["sales"])
    channel: str = Field(examples=["voice"])
    intervals: list[Interval]
    """In order of time."""


class TrendsAnswer(_Header):
    """The day so far of every queue, made at most every five seconds."""

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
    """Names of the calendar exceptions that any of it falls into."""
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
    """How many agents the forecast says are needed; null without one."""


class EarlierScope(QueueInterval):
    """A queue, or everything, in an interval."""

    scope_kind: Literal["queue", "total"]
    scope: str = Field(examples=["sales"])
    channel: str = Field(examples=["voice"])
    target: float | None
    """The service level of the queue to reach today, 0 to 1; null without one."""


class WaitBucket(_Answer):
    """How many waited so long: up to its edge, and longer than that of the bucket before."""

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
    """Those that it is judged by, the first of which decides."""
    self_service: dict[str, FigureValue | None] | None = None
    """KPI → figure of the day so far, of sessions with a bot or a FAQ; null where there are none."""
    today: QueueInterval | None
    """The day so far; null before its first contact."""
    waits: list[WaitBucket]
    """Of the day so far, the shortest first."""
    flow_outs: dict[str, int] = Field(examples=[{"overflow": 3}])
    """Way out of the queue other than an answer and abandonment → contacts of the day so far, the most first."""
    intervals: list[QueueInterval]
    """Those that are held, in order of time: of today and some days before."""


class StaffInterval(_Answer):
    """People in an interval, on average; in one that runs over the part whose time is counted, null for its first minute."""

    start: _Time
    end: _Time
    actual: float | None
    """At work or available for it."""
    scheduled: float | None
    """Planned to work."""


class QueueStaff(_Answer):
    """People of the queue's site, or of all, where it has none: they may serve other queues too."""

    scope_kind: Literal["site", "total"]
    scope: str = Field(examples=["tokyo"])
    intervals: list[StaffInterval]
    """In order of time."""


class EarlierAnswer(_Header):
    """All queues in one interval of the past."""

    window: str = Field(examples=["interval_15m"])
    """The window that the interval is of."""
    start: _Time | None
    """Null where none is held for that instant."""
    end: _Time | None
    starts: list[_Time]
    """The begins of all intervals that are held, in order of time."""
    scopes: list[EarlierScope]
    """Each with its channel; what had no contact in the interval is not there."""


class IntervalsAnswer(_Header):
    """The intervals of one queue that are held, and its day so far."""

    queue: str = Field(examples=["sales"])
    window: str = Field(examples=["interval_15m"])
    """The window that the intervals are of."""
    channels: list[QueueChannel]
    staff: QueueStaff | None
    """Null where it is not known, or not for who asks."""


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
    """Whether it is reached; null without a target, or while nobody counts."""
    contacts_to_restore: int | None
    """How many contacts in a row have to be answered in time until it is reached, 0 if it is; null where none suffice, or `met` is null."""
    contacts_to_spare: int | None
    """How many contacts in a row may be missed while it is still reached; null where any number may, or `met` is null."""
    events_uncounted: dict[str, int] = Field(examples=[{"no_begin": 2}])
    """Reason → events that counted nothing."""
    coverage: dict[str, float] = Field(examples=[{"aht": 0.9}])
    """KPI → measured ÷ all, of those that not every contact is measured for."""


class TodayAnswer(_Header):
    """The day so far of every scope that had a contact, made at most every five seconds."""

    days: list[ScopeDay]
    """In the order of keys."""


#: Why a figure has no value.
Unknown = Literal["not_reported", "nothing_yet", "too_few"]


class CustomersWindow(_Answer):
    """What a day of a scope and channel, or a day or month of customers, says of them."""

    scope_kind: ScopeKind
    scope: str = Field(examples=["sales"])
    channel: str | None = Field(examples=["voice"])
    """Null for windows of customers."""
    window: str = Field(examples=["day", "customers_day"])
    start: _Time
    end: _Time
    final: bool
    """Whether nothing of it will change."""
    figures: dict[str, FigureValue] = Field(examples=[{"csat": {"value": 4.2, "numerator": 42, "denominator": 10, "coverage": 0.5}}])
    """KPI → figure, of those that say anything."""
    contacts_by_category: dict[str, int] = Field(examples=[{"delivery": 12}])
    complaints_by_category: dict[str, int] = Field(default_factory=dict, examples=[{"delivery": 3}])
    complaints_without_category: int = Field(default=0, examples=[1])
    """Complaints of contacts that no event names a category of."""
    thanks_by_category: dict[str, int] = Field(default_factory=dict, examples=[{"delivery": 5}])
    """Contacts in whose texts a connector found thanks, by category."""
    thanks_without_category: int = Field(default=0, examples=[0])
    unknown: dict[str, Unknown] = Field(default_factory=dict, examples=[{"nps": "nothing_yet"}])
    """KPI → why there is no value: no source reports it; nothing that it is of came yet; too few customers to tell of."""


class CustomersAnswer(_Header):
    """The day so far of every scope that says anything of customers, and their last days and months; made at most every five seconds."""

    windows: list[CustomersWindow]
    """In the order of keys."""


class BoardWords(_Answer):
    """A text in the languages in which it was written."""

    en: str | None = Field(examples=["Calls"])
    ja: str | None


class BoardTile(_Answer):
    """A figure, a text, queues, a map of them or alerts; what is about another kind of tile is absent."""

    kind: Literal["figure", "text", "queues", "map", "alerts"] = Field(examples=["figure"])
    width: int = Field(examples=[1])
    """Columns of the page."""
    height: int = Field(examples=[1])
    """Rows of the page."""
    title: BoardWords | None
    """What stands above; null for what is shown, and of what."""
    kpi: str = Field(default="", examples=["service_level_live"])
    scope: str = Field(default="", examples=["total:all"])
    """`KIND:NAME`."""
    channel: str | None = Field(default=None, examples=["voice"])
    warn: float | None = None
    """From here on it is yellow."""
    bad: float | None = None
    """From here on it is red."""
    text: BoardWords | None = None
    color: Literal["plain", "accent", "good", "warn", "bad"] = "plain"
    queues: list[str] = Field(default=[], examples=[["sales"]])
    """These alone; all if there are none."""
    site: str | None = None
    department: str | None = None
    channels: list[str] = []
    """These alone; all if there are none."""
    columns: list[str] = Field(default=[], examples=[["service_level_live", "waiting"]])
    """Ids of KPIs."""
    severities: list[Literal["warning", "critical"]] = []
    """These alone; all if there are none."""


class BoardPage(_Answer):
    """Tiles on a grid, as many of its page as one may see."""

    title: BoardWords | None
    columns: int = Field(examples=[4])
    rows: int = Field(examples=[3])
    tiles: list[BoardTile]


class Board(_Answer):
    """What a wall shows."""

    title: BoardWords
    theme: Literal["dark", "light"]
    window_minutes: int = Field(examples=[15])
    """Of which trailing window its figures are."""
    rotate_seconds: int = Field(examples=[20])
    """How long each page stays; 0 turns none."""
    pages: list[BoardPage]


class BoardsAnswer(_Answer):
    """The boards of which one may see anything."""

    boards: dict[str, Board]
    """By name; those of the configuration first."""


class SourceHealth(SourceStanding):
    """How a source stands, in one sentence."""

    source: str = Field(examples=["pbx"])
    code: Literal["heard", "silent", "never_heard", "quarantined"]
    silent_seconds: float | None
    """How long ago it was last heard; null if it never was."""
    feeds: list[str] = Field(examples=[["queue:sales"]])
    """The scopes that the configuration says it feeds."""
    text_en: str
    text_ja: str


class DeadLetterTopic(_Answer):
    """Dead letters of one topic, at most: marks of transactions are counted too. 0 is none."""

    last_hour: int
    last_day: int
    held: int


class SourcesAnswer(_Header):
    """Every source with a sentence, and how many dead letters there are."""

    health: list[SourceHealth]
    """Those that need somebody first."""
    dead_letters: dict[str, DeadLetterTopic] | None = Field(
        examples=[{"contact-events-dead-letters.v1": {"last_hour": 0, "last_day": 2, "held": 4}}]
    )
    """Topic without prefix → its dead letters; null where that is not known, or not for who sees a part."""


class IntervalAhead(_Answer):
    """An interval to come, as it is expected."""

    start: _Time
    end: _Time
    contacts: float
    """Contacts expected: the mean of the same interval of former weeks, else yesterday's, at the level of the last two hours."""
    agents_needed: int | None
    """The fewest agents that reach the target by Erlang A, or C where patience is not known; null without a target or a handle time."""
    service_level: float | None
    """0 to 1, with `agents_now`; null where that is not known."""


class QueueOutlook(_Answer):
    """What the next two hours of a queue of calls will be like."""

    queue: str = Field(examples=["sales"])
    channel: str = Field(examples=["voice"])
    threshold_seconds: float
    """The wait up to which an answer is in time."""
    target: float | None
    """The service level to reach, 0 to 1; null without one."""
    aht_seconds: float | None
    """Average handle time of the last while; null where it is not known."""
    patience_seconds: float | None
    """How long customers are ready to wait on average: all waiting time over abandoned; null of fewer than five abandoned."""
    agents_now: int | None
    """How many agents would give the service level of the last while; null where it says nothing: few contacts, or every one met."""
    breach_expected_at: _Time | None
    """The first interval within half an hour that is expected below the target with `agents_now`."""
    past_error: float | None
    """Σ |expected − offered| ÷ Σ offered of the last six hours, each interval as expected when it began; null where nothing was."""
    expected_from: _Time | None = None
    """From when on something can be expected, as it takes what came a day before; null while it can, and before anything has come."""
    intervals: list[IntervalAhead]
    """In order of time; those of which nothing can be expected are left out."""


class OutlookAnswer(_Header):
    """What is to be expected of queues of calls, made at most every fifteen seconds."""

    interval_minutes: int = Field(examples=[15])
    outlook: list[QueueOutlook]
    """By queue and channel."""


class TargetProgress(FigureValue):
    """How far the way from the start to the target has been gone; the value is 1 at the target."""

    expected: float
    """How far it should be by now, 0 to 1."""
    on_track: bool
    ahead: float
    """How far it is ahead of what is expected, as a share of the way."""
    projected_at: _Time | None
    """When it would be reached at this pace; null where that cannot be said."""


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
    """What is judged."""
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
    """Every target with its judgment, made at most every two seconds."""

    targets: list[TargetStanding]


#: Who gave up last comes first, or who has been waiting for a call for the longest.
CallOrder = Literal["newest", "longest"]
#: What a person may be doing; stale: nothing was heard for too long.
PersonState = Literal["handling", "wrap_up", "idle", "available", "unavailable", "offline", "stale"]


class AgentsAnswer(_Header):
    """Figures of single people."""

    agents: list[AgentFigures] | None
    """In the order of their keys; null while nothing is known of people."""


class ReadingStanding(TopicReading):
    """How far events have been read that are not read to their end yet."""

    since: _Time
    """From when on they are read."""


class WorkOnContact(_Answer):
    """What a person is at with a contact, by the events of contacts."""

    queue: str | None = Field(examples=["sales"])
    """Null where it may not be seen."""
    channel: str = Field(examples=["voice"])
    since: _Time
    wraps_up: bool
    """Whether it is the work after the conversation."""


class SiteOfPeople(_Answer):
    """Whether people of a site are shown."""

    site: str = Field(examples=["tokyo"])
    individual_figures: bool
    """As the configuration has it: people of a site are shown where it is true."""


class StateOfDay(_Answer):
    """What a person was doing from ``start`` to the start of the next one."""

    start: _Time
    state: PersonState | None = Field(examples=["handling"])
    """Null while nothing was known."""
    reason: str | None = Field(examples=["lunch"])
    """Why, else the platform's word for the state."""


class PersonStanding(_Answer):
    """What one person is doing."""

    person: str = Field(examples=["tanaka"])
    """The name in the configuration."""
    team: str | None = Field(examples=["north"])
    """Null where there is none, or one that may not be seen; so are site and queues."""
    site: str | None = Field(examples=["tokyo"])
    queues: list[str] | None = Field(examples=[["sales"]])
    """Those that the person serves; null where the platform does not say."""
    skills: list[str] | None = Field(default=None, examples=[["english"]])
    """Those that the person has; null where the platform does not say."""
    at_work: list[WorkOnContact] | None = None
    """The contacts that the person is at, the latest first; null where events of contacts have not been read."""
    state: PersonState = Field(examples=["unavailable"])
    word: str | None = Field(examples=["not_ready"])
    """The platform's word for the state."""
    reason: str | None = Field(examples=["lunch"])
    """Why, as the platform says it."""
    since: _Time
    """When the state began, with this word and reason."""
    seconds: int = Field(ge=0, examples=[1260])
    """From then to `people_as_of`."""
    limit_seconds: int | None = Field(examples=[900])
    """Longer than this is too long (`too_long_seconds` of the configuration); null: never."""
    too_long: bool
    handled: int | None = Field(examples=[14])
    """Contacts handled today; null where no figures of the person are known."""
    occupancy: FigureValue | None
    """Of today."""
    strip: list[StateOfDay] | None = None
    """The day so far, where that is asked for."""


class PeopleAnswer(_Header):
    """What single people are doing, of sites that permit figures of them."""

    people_as_of: _Time | None
    """The instant of all durations here; null before anything is known."""
    people_complete: bool
    """Whether all there is has been read; until then states may be older ones."""
    days_known: bool = True
    """Whether figures of people have been read; until then `handled` and `occupancy` are null."""
    people: list[PersonStanding]
    """By name; who is not heard of is not there."""
    reading: ReadingStanding | None = None
    """How far events have been read; null once that is to their end."""
    sites: list[SiteOfPeople] = Field(default_factory=list)
    """The sites that may be seen, by name."""


class KpiMetric(_Answer):
    """A Prometheus gauge that carries one part of a KPI."""

    name: str = Field(examples=["contact_center_service_level_ratio"])
    part: Literal["value", "numerator", "denominator", "coverage"]
    unit: str = Field(examples=["ratio"])
    help: str


class KpiDescription(_Answer):
    """Everything that is said of a KPI."""

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
    """The Prometheus name of its value; null where Prometheus gets none."""
    source: str
    """Where it stands in topics or answers."""
    numerator_unit: str | None
    denominator_unit: str | None
    measured: bool
    """Whether it has a coverage."""
    per_channel: bool
    """Whether channels are never put together."""
    definition_dependent: bool
    """Whether a definition of the configuration decides what it means."""
    horizon: str | None
    """For how long after its window it may still change, or the setting that says so; null where it does not."""
    split_by: str | None
    members: list[str]
    """The values by which a count of now is broken down."""
    label: str | None
    """The label by which it is counted; null where it is counted as a whole."""
    parts: list[str]
    dimensions: list[str]
    """By what it is served."""
    prometheus: bool
    metrics: list[KpiMetric]


class CatalogueAnswer(_Answer):
    """The KPIs, the states of agents and the words of pages."""

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
    """A count that the contacts found do not make as it was served."""

    contacts: int
    served: int


class RecordsRead(_Answer):
    """The records of a partition that are about conversations of the window."""

    partition: int
    first_offset: int
    last_offset: int
    records: int


class EventsRead(_Answer):
    """What was read for an answer."""

    topic: str
    records: int | None
    """Null for who may not see all figures: it tells how much there is of others."""
    bytes: int | None
    complete: bool
    incomplete: list[str]
    """Why not everything could be read."""


class ExplainAnswer(FigureValue):
    """What is behind a figure: made of the contacts that were found, beside the figure that was served."""

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
    served: FigureValue | None = Field(description="the figure that was served; null where it is not kept any more")
    agrees: bool | None = Field(description="whether the contacts make the served figure; null where none is served")
    differences: dict[str, CountDifference] = Field(description="count → what contacts make of it and what was served, where they differ")
    late_events: int | None
    counts: dict[str, int] = Field(description="the sums that the figure comes from; times in milliseconds")
    parts: list[ContactPart]
    waiting_past_threshold: ContactPart | None = Field(description="who waits beyond the threshold, where that is part of the figure")
    records: list[RecordsRead]
    read: EventsRead


class ContactBehind(_Answer):
    """One contact behind a figure."""

    conversation_id: str = Field(examples=["CA1234"])
    source: str | None = Field(examples=["pbx"])
    queue: str | None = Field(default=None, examples=["sales"])
    """The queue of the scope that it came to last; null where it never came to one."""
    parts: list[str] = Field(examples=[["abandoned_missed"]])
    """The parts of the figure that it is in, as `/api/v1/explain` names them."""
    entered: _Time | None
    """When it came to the queue last; null where it never waited there."""
    waited_seconds: float | None = Field(examples=[42.0])
    """In the queue, in the window; null where nothing is known."""
    outcome: str | None = Field(examples=["abandoned"])
    """`abandoned`, `answered`, `waiting`, or why it left the queue; null where the figure does not tell."""
    link: str | None
    """Its page at the platform (`links` of the configuration); null without."""
    platform: str | None = Field(default=None, examples=["Zendesk"])
    """Where the link leads: the name that the configuration gives, else that of the platform or the host; null without a link."""


class ContactsAnswer(_Answer):
    """The contacts behind a figure."""

    scope: str = Field(examples=["queue:sales"])
    queue: str | None = Field(examples=["sales"])
    """Null for a wider scope."""
    channel: str = Field(examples=["voice"])
    kpi: str = Field(examples=["abandoned"])
    label: str | None = None
    """Under which label of the figure they count, as was asked for; null for all, empty for those under none."""
    window: str | None = Field(examples=["trailing_15m"])
    """Null for who waits now; so are its begin and end."""
    window_start: _Time | None
    window_end: _Time | None
    contacts_as_of: _Time | None
    """What was received after this is not in it; null where the figure is not of an instant."""
    agrees: bool | None
    """Whether the contacts make the served figure; null where none is served."""
    complete: bool
    """Whether everything that was to be read was read."""
    total: int = Field(ge=0)
    """How many there are, listed or not."""
    contacts: list[ContactBehind]
    """Abandoned first, then the latest first."""


class ContactsReadingAnswer(_Answer):
    """How far events have been read for a question about contacts."""

    reading: ReadingStanding | None
    """Null where none are being read for that question of who asks: it waits for its turn, or is answered."""


class AbandonedContact(_Answer):
    """A customer who gave up waiting."""

    conversation_id: str = Field(examples=["CA1234"])
    """Of the last time."""
    source: str = Field(examples=["pbx"])
    queue: str = Field(examples=["sales"])
    channel: str | None = Field(examples=["voice"])
    left: _Time
    """When the customer gave up."""
    waited_seconds: float = Field(examples=[42.0])
    customer: str | None = Field(examples=["3f9a1c2e"])
    """Eight digits made of the customer's key, the same for the same customer; null without a key."""
    times: int = Field(ge=1, examples=[2])
    """How often the customer gave up since somebody was reached last."""
    waits_again: bool
    """Whether the customer waits in a queue at this moment."""
    first_left: _Time | None = None
    """When the customer gave up for the first of these times."""
    link: str | None
    """Its page at the platform (`links` of the configuration); null without."""
    platform: str | None = Field(default=None, examples=["Zendesk"])
    """Where the link leads: the name that the configuration gives, else that of the platform or the host; null without a link."""


class ReachedContact(AbandonedContact):
    """A customer who gave up waiting and has got through since: no one has to call."""

    reached: _Time
    """When customer and agent were connected last."""


class AbandonedAnswer(_Header):
    """Whom to call back, and who has got through since."""

    since: _Time | None
    """From when on events have been read, or the begin of the hours asked for; null before anything is known."""
    abandoned_as_of: _Time | None
    """The newest event that was read."""
    complete: bool
    """Whether all there is since then has been read; until then some may have got through."""
    total: int = Field(ge=0)
    """How many there are, listed or not."""
    abandoned: list[AbandonedContact]
    """In the order that was asked for."""
    got_through_total: int = Field(ge=0)
    """How many gave up, have got through since and not given up again; listed or not."""
    got_through: list[ReachedContact]
    """Those who gave up last first."""
    reading: ReadingStanding | None = None
    """How far events have been read; null once that is to their end."""
    links_known: bool = False
    """Whether `customer.linked` events could be read; if not, who got through under another key may be there."""
    short_total: int = Field(default=0, ge=0)
    """How many abandonments of these hours and queues are left out, because the definition of their queue takes them for short."""
    short_abandon_seconds: list[float] = Field(default_factory=list, examples=[[5.0]])
    """The limits (`short_abandon_s`) below which they are, each once."""


class AuditAnswer(_Answer):
    """A page of the audit."""

    records: list[AuditRecord]
    """The oldest first; what does not apply is absent."""
    unreadable: int = Field(ge=0)
    """How many records on the way could not be read."""


class AliveAnswer(_Answer):
    """The process runs."""

    status: Literal["ok"]
    configuration: str | None = None
    """Which configuration runs, and since when; absent without a configuration file."""


class ReadyAnswer(_Answer):
    """Whether there are figures."""

    status: Literal["ready", "reading"]
    connected: bool
    stale: bool
    code: str = Field(examples=["ok"])
    """What is wrong, as in `/api/v1/standing`, but for what is about single sources and scopes."""
    since: _Time | None
    """Since when; null where nothing is wrong, or it is not known."""
    configuration: str | None = None
    """As in `/healthz`."""


class StandingFault(_Answer):
    """One thing that is wrong."""

    code: str = Field(examples=["worker_silent"])
    """For programs; docs/operations.md has them all."""
    part: Literal["kafka", "worker", "source", "configuration", "serve"] = Field(examples=["worker"])
    """Which part it is."""
    since: _Time | None
    """Null where that is not known."""
    names: list[str] = Field(examples=[[]])
    """The sources, scopes or partitions that it is about, as far as one may see them."""
    call: str | None = Field(examples=["IT operations, extension 4000"])
    """Whom to call: `on_call` of the configuration; null where it says nothing."""
    text_en: str = Field(
        examples=[
            "No worker has counted since 09:00:02: figures are right as of 09:00:00, and events since then wait in Kafka to be counted."
        ]
    )
    """One sentence: which part, since when, what is still right, whom to call; times are in `default_zone`."""
    text_ja: str = Field(examples=["集計プロセス（worker）が09:00:02から停止しています。"])
    """The same in Japanese."""


class StandingAnswer(_Answer):
    """How everything stands: the first fault, or `ok`, and all faults."""

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
    """The newest instant that figures take in; null before any are known."""
    server_time: _Time
    faults: list[StandingFault]
    """The cause of most first; what only follows from another fault is not among them."""
    call_missing: bool = Field(default=False, examples=[False])
    """Somebody should be called, and `on_call` of the configuration, which would say whom, is missing."""
    call_when_unreached: str | None = Field(examples=["IT operations, extension 4000"])
    """Whom to call when this server answers no more: it cannot say so then."""


class SessionAnswer(_Answer):
    """Who asks."""

    kind: Literal["anyone", "token", "user", "provider", "kiosk", "certificate"] = Field(examples=["user"])
    """How that was proved; `anyone` where no access file asks."""
    name: str | None = Field(examples=["yuki"])
    """Of the account, as the access file or the provider has it; null for anyone."""
    rights: list[str] = Field(examples=[["figures"]])
    """What that one may, at least somewhere."""
    contacts_of: list[str] | None = Field(default=None, examples=[["queue:sales"]])
    """With the right `contacts` somewhere alone: the scopes whose contacts that one may see; absent where it holds everywhere."""


class ListedSession(_Answer):
    """One login, or one screen."""

    id: str = Field(examples=["3f9a0c51d2b7e864"])
    """To end it by; it opens nothing."""
    kind: Literal["user", "provider", "kiosk"] = Field(examples=["user"])
    name: str = Field(examples=["yuki"])
    """Of the account."""
    began_at: _Time
    """When it was logged in, or its link was opened."""
    used_at: _Time | None
    """When it was last used; null for a screen."""
    ends_at: _Time | None
    """When it ends unless it is used before, and of a screen in any case; null for one that ends with its entry alone."""


class SessionsAnswer(_Answer):
    """Who is logged in at this server, and the screens of all servers."""

    sessions: list[ListedSession]


class SnapshotMessage(FiguresAnswer):
    """Event `snapshot`: everything, in place of what was told before."""

    version: int = Field(ge=0)
    """Grows with every change; also the id of the event."""


class ChangeMessage(_Header):
    """Event `change`: what came in place of earlier records."""

    version: int = Field(ge=0)
    records: dict[str, MetricRecord]
    """Key → record."""
    removed: list[str]
    """Keys of records that are no more."""


class AlertsMessage(_Answer):
    """Event `alerts`: which alerts fire, and which do no more."""

    version: int = Field(ge=0)
    whole: bool
    """Whether these are all that fire, in place of what was told before."""
    firing: dict[str, ServedAlert] | None
    """Key → record; null while nothing is known of alerts."""
    ended: list[str]
    """Keys of alerts that fire no more."""


class AliveMessage(_Answer):
    """Event `alive`: nothing is new, and the connection holds."""


class OpenApiDocument(_Answer):
    """A document of OpenAPI."""

    model_config = ConfigDict(extra="allow")

    openapi: str = Field(examples=["3.1.0"])
    info: dict[str, Any]


class Problem(_Answer):
    """What is wrong and what to do about it (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["about:blank"], json_schema_extra={"format": "uri-reference"})
    """`about:blank`: the status says all that a program needs."""
    title: str = Field(examples=["Bad Request"])
    """The name of the status."""
    status: int = Field(ge=400, le=599, examples=[400])
    detail: str = Field(examples=["unknown parameter 'windows': did you mean 'window'?"])
    """What, where, and what is permitted."""
    error: str = Field(examples=["unknown parameter 'windows': did you mean 'window'?"], deprecated=True)
    """As `detail`, for clients of the first releases."""
    waiting: int | None = Field(default=None, ge=0)
    """How many questions wait, where there are too many."""
    figures_reading: TopicReading | None = None
    """How far the topics of figures have been read, where what was asked for is not known before that."""
