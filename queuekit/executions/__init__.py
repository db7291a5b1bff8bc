"""A job's life: which table its execution row is in, and how it gets from one to the next.

                     due                 claim              settle
    enqueue --> scheduled -----> ready ---------> claimed ---------> finished
                  (dispatch)     ^ ^ |  (turn)    |    |   (turn)      ^ ^ ^
    enqueue ---------------------+ | |            |    |               | | |
                                   | |  release   |    |               | | |
                                   +-|------------+    +--> failed ----+ | |   discarded by hand
                                     |                        |          | |
                                     +-- discarded by hand ---|----------+ |   queue cleared
                   a new attempt, ready <---- retry by hand --+------------+   the old: 'retried'

A retry is a new attempt, too, ready or scheduled, while the old one is finished as 'retried'
(`turn.retry`). A job may also go from claimed to finished in a transaction of its own
(`claimed.complete`). `steps` is about how far a job has come, by the id that its attempts share.

One module per state, and `turn`, the transaction in which a worker settles and claims at once. A
transition is one transaction that deletes the row here and inserts it there; the statements stand
in `sql/<dialect>/` under the modules' names. `jobs.misplaced` finds every job that is not in
exactly one state: there must be none at any time.
"""
