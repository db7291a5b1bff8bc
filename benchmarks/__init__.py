"""How fast queuekit is, beside the bare statements on the same machine in the same run.

    __main__.py      the command line
    measurements.py  what is measured, how much of it, and what it has to show
    rounds.py        the rounds: every measurement on every database once per round, interleaved
    databases.py     the servers and files that are measured, their settings, fresh databases
    bare/            the statements that the same work takes at least, through the same drivers
    enqueue.py       enqueueing, one by one and in bulk
    drain.py         jobs run by `bin/jobs start`
    latency.py       how long a job waits, and how late a scheduled one is
    backlog.py       draining beside many rows: a deep queue, a long history
    deep.py          a command of its own: deep queues, old transactions, clearing
    filling.py       millions of rows for it
    probe.py         what an idle worker asks
    idle.py          what an installation costs that has nothing to do
    recurring.py     what thousands of recurring tasks cost
    running.py       `bin/jobs start` for all of them
    processes.py     what a process has used
    counters.py      what the databases count, for idle.py
    counting.py      what counts in their place on SQLite
    stamps.py        when jobs began, as they wrote it down themselves
    jobs.py          the jobs that are run
    report.py        figures, their medians and ratios, as Markdown and JSON
    compare.py       one run beside another: what is a regression, and what is noise
    beside.py        two checkouts in the same rounds
    plots.py         the figures as PNG and SVG
    peers/           other libraries, measured in the same way

Machines differ by half from hour to hour, so a rate alone says little: each stands beside that of
the bare statements, measured seconds before or after it. To add a measurement, write a function
that takes a Target and a size and returns Samples, and list it in `measurements.py`.
"""
