"""Stories of the mode fork once more, with all in one process: the same roles, the same tests.

Left out are those about forking: several processes of a kind, and children that are killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stories.conftest import make_application
from tests.stories.promises import assert_clean_termination
from tests.stories.support import Application
from tests.stories.test_life import (
    test_a_failed_job_keeps_its_error_and_succeeds_when_retried,
    test_a_list_of_queues_comes_before_priorities,
    test_a_paused_queue_rests_until_it_is_resumed,
    test_a_process_says_what_it_is_when_it_starts,
    test_a_scheduled_job_runs_when_it_is_due_and_not_before,
    test_finished_jobs_need_not_be_kept,
    test_jobs_that_run_when_their_queue_is_paused_finish,
    test_lower_priorities_run_first_then_as_enqueued,
    test_two_supervisors_share_the_work,
    test_what_one_process_enqueues_another_runs,
    test_what_was_due_while_nothing_ran_runs_at_the_next_start,
)
from tests.stories.test_servers_gone import (
    test_results_wait_for_the_server_and_each_outage_is_said_once,
)
from tests.stories.test_servers_silent import (
    proxy,
    test_who_was_silent_for_too_long_is_pruned_and_its_late_results_change_nothing,
)
from tests.stories.test_stopping import (
    test_a_job_that_outlasts_the_shutdown_timeout_runs_again_after_the_next_start,
    test_control_c_in_a_terminal_reaches_everybody_and_is_int,
    test_five_times_term_is_term,
    test_jobs_in_flight_finish_and_nothing_new_begins,
    test_programs_that_a_job_starts_can_be_ended,
    test_quit_cuts_a_graceful_stop_short,
    test_quit_puts_running_jobs_back_at_once,
)

__all__ = [
    "proxy",
    "test_a_failed_job_keeps_its_error_and_succeeds_when_retried",
    "test_a_job_that_outlasts_the_shutdown_timeout_runs_again_after_the_next_start",
    "test_a_list_of_queues_comes_before_priorities",
    "test_a_paused_queue_rests_until_it_is_resumed",
    "test_a_process_says_what_it_is_when_it_starts",
    "test_a_scheduled_job_runs_when_it_is_due_and_not_before",
    "test_control_c_in_a_terminal_reaches_everybody_and_is_int",
    "test_finished_jobs_need_not_be_kept",
    "test_five_times_term_is_term",
    "test_jobs_in_flight_finish_and_nothing_new_begins",
    "test_jobs_that_run_when_their_queue_is_paused_finish",
    "test_lower_priorities_run_first_then_as_enqueued",
    "test_programs_that_a_job_starts_can_be_ended",
    "test_quit_cuts_a_graceful_stop_short",
    "test_quit_puts_running_jobs_back_at_once",
    "test_results_wait_for_the_server_and_each_outage_is_said_once",
    "test_two_supervisors_share_the_work",
    "test_what_one_process_enqueues_another_runs",
    "test_what_was_due_while_nothing_ran_runs_at_the_next_start",
    "test_who_was_silent_for_too_long_is_pruned_and_its_late_results_change_nothing",
]


class AsyncApplication(Application):
    """An application whose configuration asks for the mode async."""

    def configure(self, **settings: Any) -> None:
        super().configure(**({"mode": "async"} | settings))


@pytest.fixture
def application(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Application]:
    folder = tmp_path / "application"
    yield from make_application(folder, database_url, monkeypatch, AsyncApplication)


@pytest.fixture
def killable_application(killable_application: Application) -> Iterator[Application]:
    folder = killable_application.folder.with_name("async")
    application = AsyncApplication(folder, killable_application.database_url)
    yield application
    application.close()


def test_the_mode_is_what_the_command_line_says(application: Application) -> None:
    application.configure(mode="fork")
    application.start("--mode", "async")

    assert {process.pid for process in application.processes()} == {application.alive()[0]}
    assert len(application.alive()) == 1
    application.stop()
    assert_clean_termination(application)
