"""The command line, run as its users run it: as a process, mostly on SQLite, without a terminal."""
