"""The database layer by itself: URLs, connections, queries, migrations, and what may go wrong."""
