"""`bin/bench --peers`: other Python libraries, measured in the same way and in the same run.

    listed.py       who they are, what they need, and how their workers are started
    comparison.py   the rounds
    acting.py       what is done with a library, in its own environment: filling, enqueueing
    redis.py        a throwaway Redis, where there is one
    with_*.py       a library's task and how it is enqueued, as its documentation has it

Each library has an environment of its own in .venv/peers. All run the same task, which writes a
stamp (benchmarks/stamps.py), so that none is asked how fast it believes to be. queuekit is one of
them, with the same task. What is stored differs: some keep what has finished, some forget it; some
sync each commit to the disk, some nothing at all. A rate alone says little of that.
"""
