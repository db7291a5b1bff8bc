"""The application's log, log/production.log. What queuekit says goes to standard error."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

from upkeep.database import ENVIRONMENT

FOLDER = Path("log")


@cache
def logger() -> logging.Logger:
    """What writes into it; the file is made by who first has something to say."""
    FOLDER.mkdir(exist_ok=True)
    logger = logging.getLogger("upkeep")
    logger.addHandler(logging.FileHandler(FOLDER / f"{ENVIRONMENT}.log"))
    logger.setLevel(logging.INFO)
    return logger
