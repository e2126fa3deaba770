"""The page of a survey link: GET shows the question, POST takes the answer; the link is the only credential, and the last answer counts."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import parse_qs

from aiohttp import web

from schemas.times import to_ms
from streams.connectors.configured import Configured
from streams.connectors.pages.publishing import page_sender
from streams.connectors.pages.recent import Recent
from streams.connectors.pages.survey_texts import POLICY, language_of, message_page, question_page
from streams.connectors.senders import Bucket
from streams.connectors.survey_links import LinkKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.connectors.intake import Intake
    from streams.connectors.pages.publishing import PagePublisher
    from streams.connectors.pages.survey_texts import Language
    from streams.connectors.survey_links import SurveyLink

__all__ = ["SURVEY_PATH", "SurveyPages"]

logger = logging.getLogger(__name__)

#: Where the page is, followed by the source's name and the token. Short, for SMS.
SURVEY_PATH: Final = "/s/"

#: The longest body of an answer.
_MAX_ANSWER_BYTES: Final = 1_024

#: The most answers an hour about one conversation, over all its links.
_ANSWERS_OF_A_LINK, _HOUR_SECONDS = 20, 3600.0

#: Invalid tokens that are checked a second, and at once; a signature of 128 bits cannot be guessed anyway.
_WRONG_A_SECOND, _WRONG_AT_ONCE = 20.0, 200.0


@dataclass(slots=True)
class _Survey:
    configured: Configured
    keys: LinkKeys
    wrong: Bucket


class SurveyPages:
    """The pages of the survey links of a gateway.

    Args:
        pages: publishes their answers.
        intake: admits requests, as for senders.
        monotonic: seconds, for rates.
    """

    def __init__(self, pages: PagePublisher, intake: Intake, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pages = pages
        self._intake = intake
        self._monotonic = monotonic
        self._surveys: dict[str, _Survey] = {}
        self._answers = Recent(_ANSWERS_OF_A_LINK, _HOUR_SECONDS)

    def take(self, connectors: Mapping[str, Configured]) -> None:
        """Apply these connectors from the next request on."""
        before, self._surveys = self._surveys, {}
        for source, configured in connectors.items():
            if configured.connector.name != "survey-link":
                continue
            try:
                keys = LinkKeys(configured.secrets)
            except ValueError as error:
                logger.error("No survey is shown. source=%s reason=%s", source, error)  # noqa: TRY400 - the reason is complete
                continue
            previous = before.get(source)
            wrong = previous.wrong if previous is not None else Bucket(_WRONG_A_SECOND, _WRONG_AT_ONCE, self._monotonic)
            self._surveys[source] = _Survey(configured, keys, wrong)

    @property
    def sources(self) -> frozenset[str]:
        """The sources whose pages are served."""
        return frozenset(self._surveys)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Declare the routes."""
        router.add_get(SURVEY_PATH + "{source}/{token}", self._show)
        router.add_post(SURVEY_PATH + "{source}/{token}", self._answer)

    async def _show(self, request: web.Request) -> web.Response:
        opened = self._open(request)
        if isinstance(opened, web.Response):
            return opened
        survey, link = opened
        self._pages.count(survey.configured, "shown")
        return _question_response(request, survey, link)

    def _open(self, request: web.Request) -> tuple[_Survey, SurveyLink] | web.Response:
        """Return survey and link if it may be answered, else the page that states why not."""
        language = _language(request)
        survey = self._surveys.get(request.match_info["source"])
        if survey is None:
            return _page(message_page(language, "not_valid"), 404)
        organization = _organization(survey)
        link = survey.keys.read(request.match_info["token"])
        if link is None:
            # A valid link is opened however many invalid ones are tried.
            wait = survey.wrong.wait_seconds()
            survey.wrong.pay(1)
            self._pages.count(survey.configured, "too_often" if wait else "not_valid")
            page = message_page(language, "not_valid", organization)
            return _page(page, 429 if wait else 404, retry_after=min(55, int(wait) + 1) if wait else None)
        if link.expires <= self._pages.now().timestamp():
            self._pages.count(survey.configured, "expired")
            return _page(message_page(language, "expired", organization), 410)
        return survey, link

    async def _answer(self, request: web.Request) -> web.Response:
        opened = self._open(request)
        if isinstance(opened, web.Response):
            return opened
        survey, link = opened
        sender = page_sender(survey.configured.source)
        refusal = self._intake.stopped() or self._intake.refusal(request, sender)
        if refusal is not None:
            return _message_response(request, survey, "later", refusal.status, retry_after=int(refusal.headers.get("Retry-After", "5")))
        return await self._intake.take(request, sender, lambda body: self._accept(request, survey, link, body))

    async def _accept(self, request: web.Request, survey: _Survey, link: SurveyLink, body: bytes) -> web.Response:
        source = survey.configured.source
        self._intake.pay(page_sender(source), 1)
        score = _score(body, link)
        if score is None:
            # No number was tapped, or the request is not from the page: show the question again.
            return _question_response(request, survey, link)
        if not self._answers.allows(f"{source}/{link.kind}/{link.conversation_id}", self._monotonic()):
            self._pages.count(survey.configured, "too_often")
            return _message_response(request, survey, "too_often", 429, retry_after=55)
        content: dict[str, object] = {"conversation_id": link.conversation_id, "kind": link.kind, "scale": link.scale, "score": score}
        content["answered_ms"] = to_ms(self._pages.now())
        if not await self._pages.publish(survey.configured, content):
            return _message_response(request, survey, "later", 503, retry_after=5)
        return _question_response(request, survey, link, score)


def _question_response(request: web.Request, survey: _Survey, link: SurveyLink, answered: int | None = None) -> web.Response:
    texts = survey.configured.context.settings.get("texts")
    questions = texts if isinstance(texts, dict) else {}
    return _page(question_page(_language(request), link, _organization(survey), questions, answered))


def _message_response(
    request: web.Request, survey: _Survey, message: Literal["later", "too_often"], status: int, *, retry_after: int
) -> web.Response:
    return _page(message_page(_language(request), message, _organization(survey)), status, retry_after=retry_after)


def _language(request: web.Request) -> Language:
    return language_of(request.query.get("lang"), request.headers.get("Accept-Language", ""))


def _score(body: bytes, link: SurveyLink) -> int | None:
    """Return the score that a form holds, None if it holds none of the link's scale."""
    if len(body) > _MAX_ANSWER_BYTES:
        return None
    try:
        given = parse_qs(body.decode("ascii"), max_num_fields=5).get("score", [])
    except ValueError:
        return None
    if len(given) != 1 or not given[0].isascii() or not given[0].isdecimal() or len(given[0]) > 3:  # noqa: PLR2004 - 999 is the highest
        return None
    return int(given[0]) if link.low <= int(given[0]) <= link.high else None


def _organization(survey: _Survey) -> str:
    return str(survey.configured.context.settings.get("organization") or "")


def _page(text: str, status: int = 200, *, retry_after: int | None = None) -> web.Response:
    response = web.Response(text=text, status=status, content_type="text/html", charset="utf-8")
    response.headers.update(
        {
            "Content-Security-Policy": POLICY,
            # The address is the credential: it may reach no other site, cache or index.
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "X-Robots-Tag": "noindex, nofollow",
            "X-Content-Type-Options": "nosniff",
            "Vary": "Accept-Language",
        }
    )
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response
