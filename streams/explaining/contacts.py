"""List the contacts behind a figure: source, time, wait and outcome of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.catalogue.fields import ABANDONED, ABANDONED_WAIT_MS, ANSWERED, ANSWERED_WAIT_MS, FLOW_OUT, WAYS_OUT
from streams.catalogue.quantities import LABEL_MARK
from streams.explaining.question import QuestionError
from streams.tracking.facts import Queued
from streams.tracking.spaces import id_of
from streams.windows.labels import COUNTED_BY_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.explaining.answer import Answer
    from streams.explaining.log import Known, PartitionLog
    from streams.windows.sums import Counts

__all__ = ["Contact", "contacts_behind", "counted_by_label"]

#: Way out of a queue → its count.
_FLOW_OUTS = {reason: FLOW_OUT.name(reason=reason) for reason in sorted(WAYS_OUT)}


class Contact(NamedTuple):
    """A conversation behind a figure of a queue."""

    conversation_id: str
    source: str | None
    #: Its parts of the figure.
    parts: tuple[str, ...]
    #: Its last entry into the queue; None where it never entered.
    entered_ms: int | None
    #: Its wait in the queue, within the window of the figure; None where unknown.
    waited_ms: int | None
    #: ``abandoned``, ``answered``, ``waiting``, or the reason why it left; None where the figure does not determine it.
    outcome: str | None
    #: The last queue of the scope that it entered; None where it never did.
    queue: str | None


def counted_by_label(kpi: str) -> str:
    """Return the field that counts a KPI's contacts by label; raise QuestionError where there is none."""
    field = COUNTED_BY_LABEL.get(kpi)
    if field is None:
        raise QuestionError(f"{kpi[:40]!r} is not counted by label; permitted with label: {', '.join(COUNTED_BY_LABEL)}")
    return field


def contacts_behind(
    answer: Answer,
    logs: Mapping[int, PartitionLog],
    *,
    waiting: bool = False,
    label: str | None = None,
    belongs: Callable[[str], bool] | None = None,
) -> list[Contact]:
    """Return the conversations of an answer, or those waiting at its instant: abandoned first, then the latest first.

    ``label`` restricts them to contacts counted under this label; empty: under none.
    ``belongs`` returns whether a queue belongs to the scope, where the scope is not a queue itself.
    """
    question, parts = answer.question, dict[str, list[str]]()
    if waiting:
        parts = {name: ["waiting"] for name in answer.waiting_since_ms}
    else:
        for behind in answer.parts:
            for name in behind.names:
                parts.setdefault(name, []).append(behind.part)
        if question.kpi == "service_level_live":
            for name in answer.waiting_names:
                parts.setdefault(name, []).append("waiting")
    if label is not None:
        field = counted_by_label(question.kpi)
        parts = {name: mine for name, mine in parts.items() if _is_under(answer.shares.get(name, {}), field, label)}
    known: dict[str, Known] = {each.name: each for log in logs.values() for each in log.conversations() if each.name in parts}
    queue = question.scope.partition(":")[2]
    of_scope = belongs or (lambda name: name == queue)
    contacts = [_contact(known[name], tuple(mine), answer, of_scope) for name, mine in parts.items() if name in known]
    return sorted(contacts, key=lambda each: (each.outcome != "abandoned", -(each.entered_ms or 0), each.conversation_id))


def _is_under(counts: Counts, field: str, label: str) -> bool:
    """Return whether a contact counts in a field under a label; with an empty label, whether it counts under none."""
    prefix = f"{field}{LABEL_MARK}"
    if label:
        return counts.get(prefix + label, 0) > 0
    return counts.get(field, 0) > 0 and not any(number > 0 for name, number in counts.items() if name.startswith(prefix))


def _contact(known: Known, parts: tuple[str, ...], answer: Answer, belongs: Callable[[str], bool]) -> Contact:
    counts, since = answer.shares.get(known.name, {}), answer.waiting_since_ms.get(known.name)
    end_ms = answer.question.span.end_ms
    entries = [fact for fact in known.facts if type(fact) is Queued and fact.at < end_ms and belongs(fact.queue)]
    outcome, waited = _outcome(counts)
    entered = entries[-1].at if entries else None
    if outcome is None and since is not None:
        outcome, entered = "waiting", since
        until = answer.question.until_ms
        waited = None if until is None else max(0, until - since)
    return Contact(id_of(known.name), known.source, parts, entered, waited, outcome, entries[-1].queue if entries else None)


def _outcome(counts: Counts) -> tuple[str | None, int | None]:
    """Return outcome and wait of a contact from its counts; of several visits the worst outcome and the sum of waits."""
    waited = counts.get(ABANDONED_WAIT_MS.key, 0) + counts.get(ANSWERED_WAIT_MS.key, 0)
    if counts.get(ABANDONED.key, 0) > 0:
        return "abandoned", waited
    if counts.get(ANSWERED.key, 0) > 0:
        return "answered", waited
    return next((reason for reason, name in _FLOW_OUTS.items() if counts.get(name, 0) > 0), None), None
