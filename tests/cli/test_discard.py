"""`bin/jobs discard`."""

from __future__ import annotations

import pytest

from tests.cli.shop import Shop

MISSING = "00000000-0000-7000-8000-000000000000"


def test_a_job_that_waits_is_given_up(shop_on_each: Shop) -> None:
    shop = shop_on_each
    first, second = shop.enqueue(2)

    result = shop.jobs("discard", first)

    assert (result.status, result.out, result.err) == (0, "discarded 1 job\n", "")
    assert shop.jobs("discard", second, "--json").json == {"discarded": 1}
    assert "\nstate         discarded\n" in shop.jobs("show", first).out
    assert shop.count("finished") == 2


def test_a_failed_job_is_given_up_too(shop: Shop) -> None:
    (job_id,) = shop.enqueue()
    shop.work(ValueError("no"))
    assert shop.jobs("discard", job_id).out == "discarded 1 job\n"
    assert (shop.count("failed"), shop.count("finished")) == (0, 1)


def test_a_job_that_runs_or_has_ended_is_one_line(shop: Shop) -> None:
    (ended,) = shop.enqueue()
    shop.work()
    (running,) = shop.enqueue()
    worker = shop.register("Worker")
    shop.claim(worker)

    result = shop.jobs("discard", running)
    assert (result.status, result.out) == (1, "")
    assert result.err == (
        f"Error: the job {running} is claimed by process {worker}: "
        "only jobs that wait or have failed can be discarded\n"
    )
    result = shop.jobs("discard", ended)
    assert (result.status, result.err) == (
        1,
        f"Error: the job {ended} has ended already: finished\n",
    )


@pytest.mark.parametrize("job_id", [MISSING, "0199b2c1", "../x"])
def test_an_id_of_no_job_is_one_line(shop: Shop, job_id: str) -> None:
    shop.enqueue()
    result = shop.jobs("discard", job_id)
    assert (result.status, result.out) == (1, "")
    assert result.err == f"Error: no job has the id {job_id}\n"
