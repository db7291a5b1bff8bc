"""What a person, or a health check, asks of the application:

python -m upkeep login EMAIL | links | health | heartbeats
"""

from __future__ import annotations

import json
import sys

from upkeep.heartbeats import HeartbeatLog, health
from upkeep.magic_links import MagicLink


def main(command: str = "health", *words: str) -> int:
    if command == "login":
        print(MagicLink.issue(*words))
    elif command == "links":
        print(MagicLink.count())
    elif command == "heartbeats":
        for beat in HeartbeatLog.recent(10):
            print(beat.executed_at.isoformat(), beat.environment, beat.hostname)
    else:
        answer = health()
        print(json.dumps(answer))
        return 0 if answer["healthy"] else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
