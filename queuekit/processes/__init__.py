"""The processes: a supervisor, and the workers, dispatchers and the scheduler that it forks.

    supervisor.py     forks what is configured, replaces what dies, stops all; one thread
    children.py       its table of children, without system calls
    throttle.py       when a child that died may be replaced
    runner.py         what every child does: register, beat, run its role, leave
    worker.py         the role that runs jobs: turns, a pool of threads and an event loop
    dispatcher.py     the role that moves due jobs from scheduled to ready
    scheduler.py      the role that enqueues recurring tasks at their times
    pool.py           the threads that run user code, and touch no connection of the queue
    lease.py          until when this process may begin jobs
    bench.py          one such thread's place, with its job and its timeout
    waiting.py        the jobs that wait for one of them
    prefetch.py       how many of these there are to be
    starting.py       jobs on their way from the claim to the pool, throttles among them
    handing_back.py   jobs on their way back, since no thread has come to begin them
    loop.py           the event loop that runs async jobs, in one thread
    selector.py       which queues a worker claims from, in which order
    frontier.py       where in the order of claiming it begins to look
    lifetime.py       when a worker has had enough
    registration.py   the processes' rows: heartbeats, and what happens to a dead one's claims
    outage.py         a database that cannot be used: said once, tried ever more slowly
    wakeup.py         waiting that anything may cut short
    hints.py          what an idle process hears of new work
    pace.py           how soon an idle worker looks for it again
    signals.py        recording signals, for loops that act on them
    title.py          what ps shows

Enqueueing imports nothing from here.
"""
