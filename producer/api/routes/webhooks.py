"""Webhooks: where to be told what happens, what was told, how every attempt went, and telling it again."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.exceptions import RequestValidationError
from pydantic import Field, JsonValue, StringConstraints

from core.errors import ImpossibleWorkError
from core.ledger.webhooks import Event, History, Webhook
from producer.api.access import ADMIN, Me
from producer.api.answers import Moment
from producer.api.cursors import Cursor, Limit, cursor_of, moment_after
from producer.api.describe import refusals
from producer.api.opened import Factory
from producer.webhooks.addresses import check_url
from schemas.events import EventType
from schemas.frozen import Frozen

router = APIRouter(prefix="/v1", tags=["webhooks"], dependencies=[ADMIN])

WebhookId = Annotated[str, Path(pattern="^wh_[0-9a-f]{32}$", description="The id of a webhook.")]
EventId = Annotated[str, Path(pattern="^evt_[0-9a-f]{32}$", description="The id of an event.")]


class WebhookOrder(Frozen):
    """Where to tell what."""

    url: Annotated[
        str,
        StringConstraints(pattern=r"^https?://[!-~]+$", max_length=2000),
        Field(description="An https address that the factory reaches.", examples=["https://example.com/hooks"]),
    ]
    types: Annotated[tuple[EventType, ...], Field(min_length=1, max_length=10)] = tuple(EventType)


class WebhookAnswer(Frozen):
    """A webhook."""

    webhook: str
    url: str
    types: tuple[EventType, ...]
    created_at: Moment
    disabled_reason: Annotated[str, Field(description="Why nothing is sent to it any more; empty while it is.")]

    @classmethod
    def of(cls, one: Webhook) -> "WebhookAnswer":
        """Return a webhook as it is answered: never with its secret."""
        return cls(
            webhook=one.id,
            url=one.url,
            types=one.types,
            created_at=one.created_at,
            disabled_reason=one.disabled_reason,
        )


class NewWebhookAnswer(Frozen):
    """A webhook that was made, with the secret that signs what is sent to it. Nobody can show it again."""

    webhook: WebhookAnswer
    secret: str


class WebhookList(Frozen):
    """The webhooks of a tenant."""

    webhooks: tuple[WebhookAnswer, ...]


class EventAnswer(Frozen):
    """What happened."""

    event: str
    type: EventType
    subject: Annotated[str, Field(description="The campaign or job that it happened to.")]
    at: Moment
    data: dict[str, JsonValue]

    @classmethod
    def of(cls, one: Event) -> "EventAnswer":
        """Return an event as it is answered."""
        return cls(event=one.id, type=one.type, subject=one.subject, at=one.at, data=one.data)


class EventPage(Frozen):
    """Events, newest first."""

    events: tuple[EventAnswer, ...]
    next_cursor: str | None


class AttemptAnswer(Frozen):
    """What came of sending an event once; without a status there was no answer."""

    at: Moment
    seconds: float
    status: int | None
    error: str


class DeliveryAnswer(Frozen):
    """An event on its way to one webhook."""

    webhook: str
    state: str
    next_at: Moment | None
    attempts: tuple[AttemptAnswer, ...]

    @classmethod
    def of(cls, one: History) -> "DeliveryAnswer":
        """Return a delivery as it is answered."""
        tried = (AttemptAnswer(at=t.at, seconds=t.seconds, status=t.status, error=t.error) for t in one.attempts)
        return cls(webhook=one.webhook_id, state=one.state, next_at=one.next_at, attempts=tuple(tried))


class EventDetails(Frozen):
    """An event and how each of its deliveries went."""

    event: EventAnswer
    deliveries: tuple[DeliveryAnswer, ...]


class ReplayAnswer(Frozen):
    """To how many webhooks an event is sent again."""

    event: str
    deliveries: int


@router.post("/webhooks", status_code=201, responses=refusals(409))
def create_webhook(factory: Factory, me: Me, order: WebhookOrder) -> NewWebhookAnswer:
    """Be told what happens from now on. The answer holds the secret; it is shown this once."""
    try:
        check_url(order.url, allow_private=factory.settings.webhook_private_addresses)
    except ImpossibleWorkError as error:
        raise RequestValidationError([{"type": "url", "loc": ("body", "url"), "msg": str(error)}]) from error
    made, secret = factory.ledger.webhooks.create(me.tenant, order.url, order.types)
    return NewWebhookAnswer(webhook=WebhookAnswer.of(made), secret=secret)


@router.get("/webhooks", responses=refusals())
def list_webhooks(factory: Factory, me: Me) -> WebhookList:
    """List the webhooks, also those that are disabled."""
    return WebhookList(webhooks=tuple(map(WebhookAnswer.of, factory.ledger.webhooks.of(me.tenant))))


@router.delete("/webhooks/{webhook}", status_code=204, responses=refusals(404))
def delete_webhook(factory: Factory, me: Me, webhook: WebhookId) -> None:
    """Tell it nothing any more, not even what is on its way."""
    factory.ledger.webhooks.delete(me.tenant, webhook)


@router.get("/events", responses=refusals())
def list_events(factory: Factory, me: Me, limit: Limit = 50, cursor: Cursor = None) -> EventPage:
    """List what webhooks were told, newest first."""
    found = factory.ledger.webhooks.page(me.tenant, limit + 1, moment_after(cursor))
    shown = found[:limit]
    following = cursor_of(shown[-1].at, shown[-1].id) if len(found) > limit else None
    return EventPage(events=tuple(map(EventAnswer.of, shown)), next_cursor=following)


@router.get("/events/{event}", responses=refusals(404))
def get_event(factory: Factory, me: Me, event: EventId) -> EventDetails:
    """Show an event and how every attempt to deliver it went."""
    found, deliveries = factory.ledger.webhooks.history(me.tenant, event)
    return EventDetails(event=EventAnswer.of(found), deliveries=tuple(map(DeliveryAnswer.of, deliveries)))


@router.post("/events/{event}/replay", status_code=202, responses=refusals(404, 409))
def replay_event(factory: Factory, me: Me, event: EventId) -> ReplayAnswer:
    """Send an event again, under its old id, to the webhooks that it was meant for."""
    return ReplayAnswer(event=event, deliveries=factory.ledger.webhooks.replay(me.tenant, event))
