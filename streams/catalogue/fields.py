"""Every counted field, declared once: its name on the wire, its meaning, the windows in which it is booked, and its dimensions.

Formulas (`streams.catalogue.entries`) read these; ``docs/metrics.md`` lists them. Declare a new field here, or with the entry that
reads it (`declare`), and book it with a line where it happens (``docs/contributing.md``).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from streams.catalogue.quantities import Booked, Field, Sum, Unit
from streams.catalogue.quantities import parse as _parse

__all__ = ["FIELD_BY_ID", "WAYS_OUT", "declare", "declare_time", "parse"]

FIELD_BY_ID: Final[dict[str, Field]] = {}

#: Ways out of a queue other than an answer and abandonment; a lost contact never ended.
WAYS_OUT: Final = ("timeout", "overflow", "voicemail", "keypress", "empty", "callback", "withdrawn", "transfer", "other", "lost")


def declare(
    key: str,
    means: str,
    text: str | None = None,
    *,
    unit: Unit = "contacts",
    per: int = 1,
    booked: Booked = "both",
    wire: str | None = None,
    members: tuple[str, ...] = (),
    label: str | None = None,
    has_total: bool = True,
    needed: bool = False,
    by_definition: bool = False,
    raw: str | None = None,
) -> Field:
    """Declare a field. An entry's module may declare a field that only it reads: the catalogue imports it."""
    if key in FIELD_BY_ID:
        raise ValueError(f"the field {key} is declared twice")
    wire = key if wire is None else wire
    terms = ((wire, 1),) if has_total and "{" not in wire else tuple((wire.format(reason=member), 1) for member in members)
    field = Field(
        key=key, means=means, text=key.replace("_", " ") if text is None else text, unit=unit, per=per, booked=booked, wire=wire,
        members=members, label=label, has_total=has_total, needed=needed, by_definition=by_definition, raw=raw, terms=terms, fields=(key,),
    )  # fmt: skip
    FIELD_BY_ID[key] = field
    return field


def declare_time(key: str, means: str, text: str, *, booked: Booked = "both", needed: bool = False, by_definition: bool = False) -> Field:
    """Declare a sum of milliseconds, served in seconds."""
    return declare(key, means, text, unit="seconds", per=1000, booked=booked, needed=needed, by_definition=by_definition)


def _waits(key: str, whose: str, wire: str, *, needed: bool = False) -> Field:
    """Declare a histogram of waits: one count for each bucket, named by its upper edge in ms."""
    return declare(key, f"waits of {whose}: contacts by upper edge in ms", wire=f"{wire}_wait_le_{{edge}}", needed=needed)


# --- visits to queues, and episodes in larger scopes
OFFERED = declare("offered", "entered a queue; once per conversation in scopes larger than a queue")
ANSWERED = declare("answered", "an agent accepted (call answered, chat started) or first replied (ticket, mail, social)")
ANSWERED_WAIT_MS = declare_time("answered_wait_ms", "from the entry to the answer", "Σ wait of answered")
ANSWERED_WAITS = _waits("answered_wait", "answered contacts", "answered")
ABANDONED = declare("abandoned", "left the queue unanswered by the customer's doing")
ABANDONED_WAIT_MS = declare_time("abandoned_wait_ms", "from the entry to the abandonment", "Σ wait of abandoned")
ABANDONED_WAITS = _waits("abandoned_wait", "abandoned contacts", "abandoned")
SHORT_ABANDONED_WAITS = _waits(
    "short_abandoned_wait", "abandons short by the system's clock, below a limit in ms", "short_{limit}_abandoned", needed=True
)
FLOW_OUT = declare(
    "flow_out", "left the queue in a way other than an answer or abandonment", "flow-outs", wire="flow_out_{reason}", members=WAYS_OUT
)
LEFT_WAITS = _waits("left_wait", "contacts that flowed out in a way that may be met", "left_{reason}", needed=True)
LEFT_WAIT_MS = declare_time("left_wait_ms", "from the entry to the flow-out, without those lost", "Σ wait of flow-outs", needed=True)
ABANDONED_AFTER_ANSWER = declare(
    "abandoned_after_answer",
    "abandoned a later queue, in a larger scope that had answered before",
    raw="it explains why queues have more abandons than their larger scopes",
)
TRANSFERS_IN = declare(
    "transfers_in",
    "entered a queue after an agent, or a scope that had answered before",
    raw="it explains how much of offered comes from other queues",
)

# --- legs
HANDLED = declare("handled", "finished by an agent: per visit at queue level, once per conversation in larger scopes")
TALK_MS = declare_time("talk_ms", "time with the customer, without hold; includes hold if its source does not separate it", "Σ talk")
TALK_COUNT = declare("talk_count", "handled whose talk is known", "handled whose talk is known")
HOLD_MS = declare_time("hold_ms", "time on hold", "Σ hold")
HOLD_COUNT = declare("hold_count", "handled whose hold is known", "handled whose hold is known")
HELD_COUNT = declare("held_count", "handled that were on hold", "handled that were on hold")
WRAP_MS = declare_time("wrap_ms", "work on a contact after its leg ended", "Σ wrap-up")
WRAP_COUNT = declare("wrap_count", "handled whose wrap-up is known", "handled whose wrap-up is known")
HANDLE_MS = declare_time("handle_ms", "talk, hold and wrap-up; touch time in reply channels", "Σ (talk + hold + wrap-up)")
HANDLE_COUNT = declare("handle_count", "handled whose parts are known", "handled whose parts are known")
HANDLE_HOLD_MS = declare_time("handle_hold_ms", "the hold within handle_ms", "hold in it", needed=True)
CONSULT_MS = declare_time("consult_ms", "time in which an agent consulted another", "Σ consultations")
CONSULT_COUNT = declare("consult_count", "consultations whose length is known", "consultations", unit="count")
TRANSFERS_OUT = declare("transfers_out", "transfers by agents", "transfers by agents")
NON_RESPONSE = declare("non_response", "offers to an agent that ended with no answer", unit="offers")

# --- the conversation
FIRST_RESPONSE_MS = declare_time(
    "first_response_ms",
    "from the start to the first answer or first public message of an agent",
    "Σ (first response − start)",
    by_definition=True,
)
FIRST_RESPONSE_COUNT = declare("first_response_count", "conversations responded to", "conversations responded to")
RESOLVED = declare("resolved", "resolved or closed while not resolved")
FIRST_RESOLVED = declare("first_resolved", "resolved for the first time", "first resolutions")
RESOLUTION_MS = declare_time("resolution_ms", "from the start to the first resolution", "Σ (first resolution − start)")
RESOLUTION_COUNT = declare("resolution_count", "first resolutions whose start is known", "first resolutions whose start is known")
FIRST_CONTACT_RESOLVED = declare(
    "first_contact_resolved",
    "resolved for the first time without transfer, escalation or second visit",
    "resolved without transfer, escalation or second visit",
)
FIRST_CONTACT_UNDONE = declare("first_contact_undone", "reopened after first_contact_resolved, once", "those reopened")
REOPENED = declare("reopened", "reopened while resolved")
ESCALATIONS = declare("escalations", "times a contact was escalated")
CALLBACKS_REQUESTED = declare("callbacks_requested", "callbacks requested while none was pending")
CALLBACKS_REACHED = declare("callbacks_reached", "customers reached by a pending callback", "customers reached by a pending callback")
CALLBACK_WAIT_MS = declare_time(
    "callback_wait_ms",
    "from the entry of the first visit, else the request, to the customer reached",
    "Σ (reached − entry of the first visit, else request)",
)
LOST_CONTACTS = declare(
    "lost_contacts",
    "open, and nothing more known of it for lost_after_seconds of its channel, or missing from a snapshot of its source",
    "contacts lost",
)
SURVEYS_INVITED = declare("surveys_invited", "surveys customers were invited to")
SURVEYS_ANSWERED = declare("surveys_answered", "surveys answered")
CSAT_MILLI = declare("csat_milli", "scores on the scale 1-5, or converted to it", "Σ score, converted to 1-5", unit="score", per=1000)
CSAT_COUNT = declare("csat_count", "satisfaction scores within their scale", "scores within their scale")
CSAT_GOOD_OR_BAD = declare("csat_good_or_bad", "scores on a scale of two, such as good and bad", "good or bad")
CSAT_SCALE = declare("csat_scale", "scores on another scale than 1-5", label="scale", has_total=False)
CSAT_TOP = declare("csat_top", "scores of at least 4 on the scale 1-5, or converted to it", "scores of at least 4, converted to 1-5")
CSAT_TOPS = declare("csat_tops", "scores of at least another lowest top", "top scores", wire="csat_top_{top}", needed=True)
NPS_COUNT = declare("nps_count", "scores on the scale 0-10", "scores on the scale 0-10")
NPS_PROMOTERS = declare("nps_promoters", "scores of 9 and 10", "scores of 9 and 10")
NPS_DETRACTORS = declare("nps_detractors", "scores of 0 to 6", "scores of 0 to 6")

# --- messages
RESPONSE_MS = declare_time(
    "response_ms",
    "from the first message of the customer not yet answered to the agent's reply",
    "Σ (agent's reply − first message of the customer not yet answered)",
)
RESPONSE_COUNT = declare("response_count", "replies that ended the customer's wait", "such replies", unit="messages")
REPLIES = declare("replies", "replies to what a customer wrote")
REPLIES_NAMED = declare("replies_named", "replies that name their agent")
DUPLICATE_REPLIES = declare(
    "duplicate_replies", "customer's messages already answered that another agent answers again; once a message, unknown agents never"
)
EXCHANGES = declare("exchanges", "messages of the customer answered by a reply", "round trips", unit="count")
EXCHANGED = declare(
    "exchanged", "resolutions of contacts whose messages are reported", "resolutions of contacts whose messages are reported"
)
TEXTS = declare("texts", "contacts with customer text", "contacts with customer text")
TEXTS_SEARCHED = declare(
    "texts_looked",
    "contacts with customer text that the connector searched for thanks",
    "contacts with customer text that the connector searched",
)
THANKED = declare("thanked", "contacts with a word of thanks", "contacts with a word of thanks", label="category")

# --- contacts without a queue, subjects, self-service
NOT_OFFERED = declare("not_offered", "contacts kept out of every queue, each reason once a conversation", label="reason", has_total=False)
EXCLUDED = declare("excluded", "conversations excluded, once, where they would have counted", label="reason", has_total=False)
UNCOUNTED = declare("uncounted", "events about what is not known or not open", label="reason", has_total=False)
CATEGORY = declare("category", "conversations by their last category, once", label="category", has_total=False)
COMPLAINTS = declare("complaints", "conversations marked as a complaint, once", label="category")
COMPLAINTS_DATED = declare("complaints_dated", "complaints whose start is known", "complaints whose start is known")
COMPLAINTS_WITHIN_DAY = declare(
    "complaints_within_day",
    "complaints resolved within 24 h of the conversation's start",
    "complaints resolved within 24 h of the conversation's start",
)
SESSIONS = declare("sessions", "sessions with a bot or FAQ that began", unit="sessions")
SESSIONS_DECIDED = declare("sessions_decided", "sessions that ended", "sessions decided", unit="sessions", label="category")
SESSIONS_CONTAINED = declare(
    "sessions_contained",
    "sessions ended without hand-over, and without people later in the same conversation",
    "sessions ended without hand-over, and without people later in the same conversation",
    unit="sessions",
    label="category",
)
SESSIONS_SOLVED = declare(
    "sessions_solved",
    "sessions confirmed solved, or left without people in the same conversation",
    "(confirmed solved + left without people in the same conversation)",
    unit="sessions",
    label="category",
)

# --- agents
HANDLING_MS = declare_time("handling_ms", "agents' time in handling", "handling", booked="outcome")
WRAP_UP_MS = declare_time("wrap_up_ms", "agents' time in wrap-up", "wrap-up", booked="outcome")
IDLE_MS = declare_time("idle_ms", "agents' time idle", "idle", booked="outcome")
AVAILABLE_MS = declare_time("available_ms", "agents' time present, idle or not", "available", booked="outcome")
UNAVAILABLE_MS = declare_time("unavailable_ms", "agents' time present, and not available for contacts", "unavailable", booked="outcome")
UNATTRIBUTED_MS = declare_time(
    "unattributed_ms", "worked time of agents whose contacts the configuration counts elsewhere", "unattributed", booked="outcome"
)
SLOTTED_MS = declare_time("slotted_ms", "time at work of agents whose slots are known", "time whose slots are known", booked="outcome")
SLOT_CAPACITY_MS = declare_time("slot_capacity_ms", "capacity × time at work", "Σ capacity × time", booked="outcome")
SLOT_IN_USE_MS = declare_time("slot_in_use_ms", "contacts in use × time at work", "Σ contacts in use × time", booked="outcome")
PLANNED_MS = declare(
    "planned_ms",
    "planned time, by whether work was planned and the outcome",
    unit="seconds",
    per=1000,
    booked="outcome",
    wire="planned_{plan}_{how}_ms",
)
STAFFED_MS = declare_time(
    "staffed_ms", "length of the cells in which an agent of the scope worked, where it has a fixed cost", "staffed time", booked="outcome"
)
LABOR_COST = declare(
    "labor_cost", "worked time × hourly cost, in ms × hundredths an hour", "worked hours × hourly cost",
    unit="currency", per=360_000_000, booked="outcome",
)  # fmt: skip

# --- forecasts
FORECASTS = declare("forecasts", "forecasts of volume", "forecasts", booked="offer")
FORECAST_MILLI = declare(
    "forecast_milli", "contacts forecast, spread evenly over the interval", "Σ forecast volume", per=1000, booked="offer"
)
FORECASTS_OF_WORK = declare("forecasts_of_work", "forecasts of volume and handle time", booked="offer")
FORECAST_WORK_MILLI = declare(
    "forecast_work_milli", "contacts forecast with a handle time", "volume with a handle time", per=1000, booked="offer"
)
FORECAST_WORK_MS = declare_time(
    "forecast_work_ms", "forecast volume × forecast handle time", "Σ forecast volume × forecast handle time", booked="offer"
)
FORECASTS_OF_STAFF = declare("forecasts_of_staff", "forecasts of staff", booked="offer")
STAFF_MS = declare_time("staff_ms", "forecast staff × its time", "Σ staff of the latest forecast × its time", booked="offer")

# --- customers
CUSTOMER_CONTACTS = declare("customer_contacts", "contacts with a customer key", "contacts with a customer key", booked="customers")
REPEATED_CONTACTS = declare(
    "repeated_contacts",
    "contacts followed by another of the customer within repeat_days, in the same category where both have one",
    "contacts followed by another contact of the customer (in the same category, where both have one) within repeat_days",
    booked="customers",
)
CUSTOMER_RESOLVED = declare("customer_resolved", "of customer_contacts: resolved", "resolved for the first time", booked="customers")
CUSTOMER_RESOLVED_ONCE = declare(
    "customer_resolved_once",
    "of customer_resolved: at first contact, not reopened and not repeated",
    "resolved at first contact, not reopened and not repeated within repeat_days",
    booked="customers",
)


def _customers(key: str, means: str) -> Field:
    return declare(key, means, means, unit="customers", booked="customers")


ORDER_CUSTOMERS = _customers("order_customers", "customers with an order in the window")
REPEAT_CUSTOMERS = _customers("repeat_customers", "customers with at least 2 orders in the window")
ORDER_CUSTOMERS_AFTER_CONTACT = _customers(
    "order_customers_after_contact", "customers with an order in the window after their first contact"
)
REPEAT_CUSTOMERS_AFTER_CONTACT = _customers("repeat_customers_after_contact", "of these with at least 2 orders in the window")
SUPPORTED_CUSTOMERS = _customers("supported_customers", "customers with a contact")
SUPPORTED_ORDERS = declare("supported_orders", "orders of supported_customers", "their orders", unit="count", booked="customers")
SUPPORTED_ORDERS_VALUED = declare(
    "supported_orders_valued", "of these with a value in customers.currency", "their orders with a value", unit="count", booked="customers"
)
SUPPORTED_VALUE_MILLI = declare(
    "supported_value_milli", "value of these orders", "Σ order value in customers.currency", unit="currency", per=1000, booked="customers"
)
ACTIVE_AT_START = _customers("active_at_start", "customers active at the start of the month")
RETAINED_CUSTOMERS = _customers("retained_customers", "customers active at its start and at its end")

# --- beside all figures
LATE_EVENTS = declare(
    "late_events", "events that came later than the grace", booked="both", raw="window records serve it beside their KPIs"
)


@lru_cache(maxsize=4096)
def parse(name: str) -> Sum | None:
    """Return the field of a sum by its name on the wire, with its dimensions, label and definition; None for an unknown name."""
    return _parse(name, FIELD_BY_ID)
