"""The board from a terminal:

python -m noticeboard setup | subscribe URL | post TITLE [TAG...] | show | listen PORT
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

from noticeboard import board
from noticeboard.accounts import Account, Current
from noticeboard.database import DATABASE, SCHEMA, connect, transaction


def main(command: str = "show", *words: str) -> None:
    if command == "setup":
        setup()
    elif command == "listen":
        listen(*words)
    else:
        (account,) = Account.where("true")
        commands: dict[str, Callable[..., object]] = {
            "subscribe": board.subscribe,
            "post": board.post,
            "show": show,
        }
        with Current.acting_for(account):
            commands[command](*words)


def setup() -> None:
    """The board's own tables, beside the queue's, and somebody to tell."""
    DATABASE.parent.mkdir(exist_ok=True)
    connect().executescript(SCHEMA)
    board.open_account("Tea House", "ada@example.org", "grace@example.org")


def show() -> None:
    with transaction() as connection:
        for table in ("notices", "deliveries", "bundles", "mails"):
            print(table)
            for row in connection.execute(f"select * from {table}"):
                print("   ", *row)


def listen(port: str) -> None:
    """Somebody else's server: it prints what it is told."""

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
            self.send_response(200)
            self.end_headers()

    HTTPServer(("127.0.0.1", int(port)), Listener).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
