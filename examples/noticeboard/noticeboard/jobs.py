"""What happens in the background. Jobs are short: what they do is said by the other modules."""

from __future__ import annotations

from typing import ClassVar

import queuekit
from noticeboard.accounts import Current
from noticeboard.bundles import Bundle, add_to_bundles, due_in_batches
from noticeboard.database import transaction
from noticeboard.notices import Notice, delete_unused_tags
from noticeboard.webhooks import (
    Delivery,
    GoneError,
    NotReachedError,
    RefusedError,
    ServerTroubleError,
    Webhook,
)
from queuekit import CurrentJob, Discard, RecordNotFound, Retry, context
from queuekit.policies import DiscardOn


class ApplicationJob(queuekit.Job):
    """What all jobs here have in common: when what they are about is gone, there is no need."""

    discard_on: ClassVar[DiscardOn] = RecordNotFound  # a type that what inherits it can widen


class DispatchWebhooks(ApplicationJob):
    """A delivery and a job for each webhook. They are there when this job has ended, and only
    then: all of it is one commit."""

    queue = "webhooks"

    def perform(self, notice: Notice) -> None:
        with transaction() as connection:
            deliveries = [
                Delivery.create(webhook_id=webhook.id, notice_id=notice.id)
                for webhook in Webhook.where("account_id = ? and is_active", notice.account_id)
            ]
            queuekit.enqueue_all(
                [DeliverWebhook.bind(delivery) for delivery in deliveries], connection=connection
            )
            context.complete(connection)


def deactivate(job: CurrentJob, error: BaseException) -> None:
    (delivery,) = job.args
    delivery.webhook.update(is_active=0)


class DeliverWebhook(ApplicationJob):
    """Waits 3, 18, 83, 258 s and a little before it tries again; then it fails, to be looked at."""

    queue = "webhooks"
    timeout = 60
    retry_on = Retry(NotReachedError, ServerTroubleError, wait="polynomially_longer", attempts=5)
    discard_on = (RefusedError, Discard(GoneError, handler=deactivate))

    def perform(self, delivery: Delivery) -> None:
        delivery.deliver()


class NotifyMembers(ApplicationJob):
    def perform(self, notice: Notice) -> None:
        add_to_bundles(notice)


class DeliverBundles(ApplicationJob):
    """A job for each bundle that is due, many in one statement. To be run every half hour."""

    queue = "backend"

    def perform(self) -> None:
        for batch in due_in_batches():
            queuekit.enqueue_all([bind(bundle) for bundle in batch])


def bind(bundle: Bundle) -> queuekit.BoundJob:
    """This job acts for nobody, the next one for the bundle's account."""
    with Current.acting_for(bundle.account):
        return DeliverBundle.bind(bundle)


class DeliverBundle(ApplicationJob):
    """The mail and the end of this job are one commit: nobody gets it twice."""

    queue = "backend"

    def perform(self, bundle: Bundle) -> None:
        with transaction() as connection:
            bundle.deliver()
            context.complete(connection)


class DeleteUnusedTags(ApplicationJob):
    """To be run once a day."""

    queue = "backend"

    def perform(self) -> None:
        delete_unused_tags()
