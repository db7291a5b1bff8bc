"""Recurring tasks: what is enqueued again and again, by a schedule.

    for task in queuekit.recurring.list():
        print(task.key, task.last_run, task.next_run)
    queuekit.recurring.run("nightly_backup")    # now, beside its schedule

    task.py       what a task is
    reading.py    tasks as config/recurring.yml has them, and everything that is wrong with them
    declared.py   tasks declared beside the code, with @job(recurring=...)
    static.py     both together: the static tasks
    checking.py   what can be said of them before any runs, for bin/jobs check
    commands.py   tasks that are a command: a call of a dotted name with literal arguments
    targets.py    what a task enqueues: a job of queuekit's, or another library's task
    rows.py       the rows of tasks and of their runs
    agenda.py     which runs are due
    missed.py     which of those that were missed are made up for
    runs.py       enqueueing each run at most once
    clearing.py   clearing the rows of old runs
    dynamic.py    tasks that are made and removed while everything runs
    listing.py    the tasks as operators see them
    now.py        running one by hand

The process that does it is `processes/scheduler.py`; schedules are `queuekit.schedules`.
"""

from queuekit.recurring.listing import LastRun, ListedTask, list
from queuekit.recurring.now import run

__all__ = ["LastRun", "ListedTask", "list", "run"]
