"""How fast queuekit is, beside the bare statements on the same machine in the same run.

    __main__.py   the command line, and the rounds: every measurement once per round, interleaved
    databases.py  the servers and files that are measured, their settings, fresh databases
    bare.py       the statements that the same work takes at least, through the same drivers
    enqueue.py    enqueueing, one by one and in bulk
    drain.py      jobs run by `bin/jobs start`
    idle.py       what an installation costs that has nothing to do
    recurring.py  what thousands of recurring tasks cost
    deep.py       a command of its own: deep queues, histories, old transactions, clearing
    filling.py    millions of rows for it
    running.py    `bin/jobs start` for the three of them
    processes.py  what a process has used
    counters.py   what the databases count, for idle.py
    counting.py   what counts in their place on SQLite
    jobs.py       the jobs that are run
    report.py     figures, their medians and ratios, as Markdown and JSON

Machines differ by half from hour to hour, so a rate alone says little: each stands beside that of
the bare statements, measured seconds before or after it. To add a measurement, write a function
that takes a Target and a size and returns a Sample, and list it in `__main__`.
"""
