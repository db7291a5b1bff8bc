"""The least that the same work takes: bare statements through the drivers that queuekit uses.

They write the same rows into the same tables, sent in the way that proved fastest with each driver.
What queuekit does beyond that (ids, checks, JSON, receipts, threads, fencing) is what the ratios
show: here ids are counted up. Nothing of queuekit is in them but its schema, so that whoever makes
queuekit faster does not move the yardstick.
"""

from benchmarks.bare.mysql import BareMySQL
from benchmarks.bare.postgresql import BarePostgreSQL
from benchmarks.bare.protocol import Bare
from benchmarks.bare.sqlite import BareSQLite

__all__ = ["Bare", "BareMySQL", "BarePostgreSQL", "BareSQLite"]
