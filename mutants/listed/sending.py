"""Mutants of deliveries: claimed, sent, tried again, in order, within limits, and again on demand."""
from __future__ import annotations

from mutants.mutant import Mutant

CLAIMS, DELIVERIES, CLAIMING = "lrs/store/sqlite/claims.py", "lrs/store/sqlite/deliveries.py", "lrs/store/claiming.py"
DELIVER, LIMITS, SCHEDULE = "workers/deliver.py", "workers/limits.py", "workers/schedule.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "sent-before-the-claim-is-committed", "A claim is durable before anything is sent.", DELIVERIES,
        """            claims.record(db, ended, limits)
            return claims.claim(""",
        """            claims.record(db, ended, limits)
        with self._database.read() as db:
            return claims.claim(""",
        ("tests/store/test_work_deliveries.py::test_a_claim_carries_the_payload_and_holds_others_off",
         "tests/workers/test_deliver.py::test_a_claim_is_in_the_file_before_anything_is_sent")),
    Mutant(
        "a-stale-lease-records", "Only who holds the lease of a delivery says how it ended.", CLAIMS,
        "WHERE id = ? AND lease = ? AND state = 'leased' RETURNING target", "WHERE id = ? AND ? <> '' RETURNING target",
        ("tests/store/test_work_deliveries.py::test_an_expired_lease_comes_back_as_unclear_and_its_old_token_changes_nothing",)),
    Mutant(
        "an-expired-lease-is-clear", "A delivery whose worker ended may have arrived: it is unclear.", CLAIMS,
        "lease = '', owner = '', unclear = 1, released = 0", "lease = '', owner = '', released = 0",
        ("tests/store/test_work_deliveries.py::test_an_expired_lease_comes_back_as_unclear_and_its_old_token_changes_nothing",)),
    Mutant(
        "an-innocent-dies", "Losses in company prove nothing: only who was lost alone can be dead of it.", CLAIMING,
        "    if alone >= ALONE:", "    if lost >= ALONE:",
        ("tests/store/test_work_deliveries_claims.py::test_a_poison_delivery_is_dead_after_three_workers_that_had_nothing_else_and_its_neighbours_are_delivered",)),
    Mutant(
        "a-suspect-in-company", "A suspect goes alone: its owner has nothing beside it.", CLAIMING,
        "    return bool(holders) or in_flight if alone else owner in holders", "    return False",
        ("tests/store/test_work_deliveries_claims.py::test_one_suspect_is_in_flight_over_all_workers_and_its_owner_has_nothing_beside_it",)),
    Mutant(
        "an-unclear-one-is-just-sent",
        "Where the target cannot drop repeats, an unclear attempt is asked for before it is repeated.", DELIVER,
        "    if not connector.dedupes and (delivery.unclear or delivery.attempts):", "    if not delivery.id:",
        ("tests/workers/test_deliver.py::test_an_unclear_attempt_is_asked_for_before_anything_is_sent_again",)),
    Mutant(
        "sent-beyond-the-lease", "Nothing is sent with less than the timeout left of the lease.", DELIVER,
        "    return delivery.lease_until - clock() >= timeout_of(target) * SECOND", "    return True",
        ("tests/workers/test_deliver.py::test_nothing_is_sent_with_less_than_the_timeout_left_of_the_lease",)),
    Mutant(
        "another-id-at-each-retry", "`webhook-id` is constant over retries.", "workers/connectors/webhook/connector.py",
        "self._post(delivery.id, dict(delivery.payload), target)",
        'self._post(f"{delivery.id}-{delivery.attempts}", dict(delivery.payload), target)',
        ("tests/workers/test_deliver.py::test_ten_503_walk_exactly_the_schedule_under_one_webhook_id_and_then_the_delivery_is_dead",)),
    Mutant(
        "a-revoke-overtakes", "A later revision of an achievement waits for the earlier one.", CLAIMS,
        "e.revision < d.revision AND e.state IN {BLOCKING}", "e.revision < 0 AND e.state IN {BLOCKING}",
        ("tests/store/test_work_deliveries.py::test_an_open_revision_holds_back_the_next_one",
         "tests/store/test_work_deliveries.py::test_a_revoke_waits_behind_a_completion_that_may_have_arrived")),
    Mutant(
        "a-revoke-of-nothing", "What a target never got is not revoked there.", CLAIMING,
        '    if event.endswith(".revoked") and not got and not tried:', '    if event == ".revoked":',
        ("tests/store/test_work_deliveries.py::test_a_revoke_that_is_owed_while_its_completion_is_being_sent_goes_out_only_if_that_may_have_arrived",)),
    Mutant(
        "owed-twice", "An event is owed to a target once, under an id that anybody can compute.", "lrs/store/webhook_ids.py",
        '    return "msg_" + named_uuids.digits(NAMESPACE, f"{target}\\n{event_id}\\n{revision}")', '    return "msg_" + uuid.uuid4().hex',
        ("tests/store/test_work_deliveries.py::test_an_event_is_owed_once_to_each_target_under_an_id_that_anybody_can_compute",)),
    Mutant(
        "429-uses-an-attempt", "Being asked to slow down uses up no attempt.", SCHEDULE,
        '            return Step("waiting", attempts, due, why, says="slow", not_before=due)',
        '            return Step("waiting", attempts + 1, due, why, says="slow", not_before=due)',
        ("tests/workers/test_schedule.py::test_429_uses_no_attempt_even_on_the_last_one",
         "tests/workers/test_deliver.py::test_429_is_waited_out_as_asked_and_uses_no_attempt")),
    Mutant(
        "an-eleventh-attempt", "A delivery is dead after its tenth attempt.", SCHEDULE,
        "            if used >= len(STEPS):", "            if used > len(STEPS):",
        ("tests/workers/test_schedule.py::test_ten_failures_walk_exactly_the_ten_steps_and_then_the_delivery_is_dead",)),
    Mutant(
        "retry-after-is-not-obeyed", "A wait that the target asks for is obeyed.", SCHEDULE,
        "            due = asked or now_us + round(", "            due = now_us + round(",
        ("tests/workers/test_schedule.py::test_what_the_target_asks_for_wins_over_the_schedule_up_to_a_day",)),
    Mutant(
        "the-breaker-never-opens", "A target that fails again and again is left alone.", LIMITS,
        "        if health.failures < OPENS_AFTER:", "        if health.failures:",
        ("tests/workers/test_deliver_limits.py::test_the_breaker_opens_after_failures_in_a_row_and_pauses_longer_each_time",
         "tests/workers/test_deliver_sick.py::test_a_breaker_keeps_a_dead_target_from_using_up_attempts")),
    Mutant(
        "an-open-breaker-lets-through", "While its breaker is open a target is not called.", LIMITS,
        " or _ahead(health.open_until, now, PAUSES[-1]):\n        return Admission(0", ":\n        return Admission(0",
        ("tests/workers/test_deliver_limits.py::test_the_breaker_opens_after_failures_in_a_row_and_pauses_longer_each_time",)),
    Mutant(
        "more-in-flight-than-allowed", "No more calls of a target are in flight than it may have, over all workers.", LIMITS,
        "    places = (1 if health.failures else pace.in_flight) - in_flight", "    places = 1 if health.failures else pace.in_flight",
        ("tests/workers/test_deliver_limits.py::test_a_target_gets_what_its_in_flight_limit_leaves",
         "tests/store/test_work_deliveries_claims.py::test_no_more_calls_of_a_target_are_leased_than_it_may_have_in_flight")),
    Mutant(
        "a-refused-credential-kills", "A wrong password pauses the target, and no message dies of it.", "workers/connectors/http.py",
        '        return Misconfigured(f"answered {status}: the target\'s credential is not accepted")',
        '        return Rejected(f"answered {status}: the target\'s credential is not accepted")',
        ("tests/workers/test_deliver.py::test_a_refused_credential_pauses_the_target_and_the_delivery_goes_out_once_resumed",)),
    Mutant(
        "a-replay-counts-otherwise", "A replay sends as many as its dry run counted.", DELIVERIES,
        "        if dry or not ids:\n            return len(ids)\n",
        """        if dry:
            with self._database.read() as db:
                return int(db.execute(f"SELECT count(*) FROM deliveries WHERE state IN {FINISHED} AND {where}", values).fetchone()[0])
        if not ids:
            return 0
""",
        ("tests/store/test_work_deliveries_claims.py::test_a_replay_counts_what_it_sends_also_where_there_are_later_revisions_and_revokes",)),
    Mutant(
        "what-ended-is-forgotten", "An outcome that could not be recorded while the store was away is recorded when it is back.", DELIVER,
        "                self._ended = ended + self._ended\n", "                pass\n",
        ("tests/workers/test_deliver_sick.py::test_what_ended_while_the_store_was_away_is_recorded_when_it_is_back",), hangs=True),
    Mutant(
        "the-bad-row-kills-its-neighbours", "In a batch the bad row dies alone.", "workers/connectors/batches.py",
        "            if len(rows) > 1 and all(", "            if not rows and all(",
        ("tests/connectors/test_batches.py::test_of_a_hundred_the_bad_one_dies_alone_in_about_two_log2_calls",)),
    Mutant(
        "claims-after-it-was-told-to-stop", "Who was told to stop claims nothing more.", DELIVER,
        "room = 0 if self._stopping() else min(", "room = min(",
        ("tests/workers/test_told_to_stop.py::test_who_was_told_claims_nothing_more",)),
    Mutant(
        "begins-after-it-was-told-to-stop", "What was claimed and has not begun when a worker is told to stop goes back unsent.", DELIVER,
        "            ended = [Ended(one, None) for one in call] if self._stopping() else self.exchange(call)",
        "            ended = self.exchange(call)",
        ("tests/workers/test_told_to_stop.py::test_what_was_claimed_and_whose_call_has_not_begun_goes_back_unsent",)),
    Mutant(
        "a-batch-goes-on-after-it-was-told-to-stop", "Of a batch, calls that had not begun when the worker was told to stop are not made.",
        DELIVER,
        "lambda rows: not self._stopping() and _time_left(", "lambda rows: _time_left(",
        ("tests/workers/test_told_to_stop.py::"
         "test_of_a_batch_the_call_that_is_out_is_recorded_and_the_rest_is_another_workers_at_once",)),
    Mutant(
        "a-lost-channel-ends-the-worker", "A worker that lost its broker connects again.", "workers/lost_channel.py",
        "    Channel._connparams = address", "    Channel._connparams = real",
        ("tests/celery/test_celery_lost_channel.py::test_a_channel_that_lost_its_connection_with_a_message_in_hand_says_so",)),
)
