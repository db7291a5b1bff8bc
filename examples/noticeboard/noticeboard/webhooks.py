"""Telling other people's servers: one delivery for each notice and webhook, with its state.

    pending -> in_progress -> completed
                           -> errored -> in_progress ...

A delivery that has completed is not made again, whoever asks. Errors are sorted by what can be done
about them; jobs decide by their classes.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass

from noticeboard.database import Record, transaction
from noticeboard.notices import Notice

PATIENCE = 10.0


class DeliveryError(Exception):
    """A webhook was not told."""


class NotReachedError(DeliveryError):
    """Nobody answered. It may be better later."""


class ServerTroubleError(DeliveryError):
    """It answered that it has trouble of its own. It may be better later."""


class RefusedError(DeliveryError):
    """It answered that it does not take this. Asking again would not help."""


class GoneError(DeliveryError):
    """It answered 410: it wants to be asked no more."""


@dataclass(frozen=True)
class Webhook(Record):
    account_id: int
    url: str
    is_active: int

    table = "webhooks"


@dataclass(frozen=True)
class Delivery(Record):
    webhook_id: int
    notice_id: int
    state: str
    error: str | None

    table = "deliveries"

    @property
    def webhook(self) -> Webhook:
        return Webhook.find(self.webhook_id)

    def deliver(self) -> None:
        """Tell the webhook, unless it has been told. The request is made outside of a transaction:
        nobody waits for the file while a server somewhere thinks.

        Raises DeliveryError.
        """
        with transaction():
            if Delivery.find(self.id).state == "completed":
                return
            self.update(state="in_progress", error=None)
        try:
            post(self.webhook.url, {"notice": Notice.find(self.notice_id).title})
        except DeliveryError as error:
            self.update(state="errored", error=f"{type(error).__name__}: {error}")
            raise
        self.update(state="completed")


def post(url: str, message: dict[str, str]) -> None:
    """Send JSON to a URL, with every way to go wrong as one of the classes above."""
    request = urllib.request.Request(
        url, json.dumps(message).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE):
            pass
    except urllib.error.HTTPError as answer:
        with answer:
            raise _kind(answer.code)(f"it answered {answer.code}") from None
    except urllib.error.URLError as error:
        raise NotReachedError(_reason(error.reason)) from error
    except (OSError, http.client.HTTPException) as error:
        raise NotReachedError(_reason(error)) from error


def _kind(status: int) -> type[DeliveryError]:
    if status == 410:
        return GoneError
    return ServerTroubleError if status >= 500 or status == 429 else RefusedError


def _reason(error: object) -> str:
    if isinstance(error, socket.gaierror):
        return "dns_lookup_failed"
    if isinstance(error, TimeoutError):
        return "connection_timeout"
    if isinstance(error, ssl.SSLError):
        return "failed_tls"
    return "destination_unreachable"
