"""Mutants of what counts as a completion, for whom, and how often it is said."""
from __future__ import annotations

from mutants.mutant import Mutant

ROUND = "workers/round.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a-parked-learner-is-sent", "Nothing leaves for somebody whom the directory does not know.", ROUND,
        "        if needs_person(subject):\n            self.parked", "        if not subject:\n            self.parked",
        ("tests/workers/test_route.py::test_nothing_leaves_for_somebody_whom_the_directory_does_not_know",)),
    Mutant(
        "an-alias-not-folded", "What was achieved under an alias is the achievement of its course.", ROUND,
        "else former_keys(course)", "else frozenset()",
        ("tests/workers/test_reread.py::test_an_alias_catalogued_later_joins_what_was_sent_under_it",)),
    Mutant(
        "an-alias-of-the-catalogue", "An alias of the catalogue is the course.", "lrs/completions/catalogue.py",
        """            return self._stands_for[activity_id]
        folded = product_alias(activity_id)
        return self._stands_for.get(folded, folded)
""",
        "            return activity_id\n        return activity_id\n",
        ("tests/completions/test_rules.py::test_rule_1a_an_alias_of_the_catalogue_is_the_course",)),
    Mutant(
        "windows-merged", "A recertification after the window is an achievement of its own.", "lrs/completions/windows.py",
        "    near = [w for w in windows if abs(w.anchor - at) <= reach]", "    near = [w for w in windows if reach >= 0]",
        ("tests/completions/test_rules_outcomes.py::test_rule_13_recertification_after_the_window_is_a_new_achievement",)),
    Mutant(
        "another-providers-course", "A credential cannot complete another provider's course (rule 16).", "lrs/completions/judge.py",
        '    return "" if owner == provider else owner', '    return ""',
        ("tests/completions/test_rules_trust.py::test_rule_16_a_credential_cannot_complete_another_providers_course",)),
    Mutant(
        "a-time-ahead", "A timestamp ahead of our clock is clamped (rule 15).", "lrs/completions/judge.py",
        "    if read.micros > arrived + CLOCK_TOLERANCE_US:", "    if not arrived:",
        ("tests/completions/test_rules_trust.py::test_rule_15_a_timestamp_more_than_five_minutes_ahead_is_clamped_and_flagged",)),
    Mutant(
        "attendance-sums", "Two devices at once are one presence: intervals are united, not summed.", "lrs/completions/attendance.py",
        "        if reached is None or start > reached:", "        if reached is None or start >= 0:",
        ("tests/completions/test_attendance.py::test_two_devices_that_overlap_count_once",
         "tests/workers/sessions/test_conclude.py::test_two_devices_at_once_count_their_union_once")),
    Mutant(
        "a-worse-result-is-sent", "A failed after a passed is recorded and not sent (rule 13).", "lrs/completions/outcome.py",
        '"failed": 3, "passed": 4,', '"failed": 5, "passed": 4,',
        ("tests/completions/test_rules_outcomes.py::test_rule_13_failed_after_passed_is_recorded_and_not_sent",)),
    Mutant(
        "a-void-revokes-nothing", "A void takes back what rested on the voided statement.", ROUND,
        "        elif record.void_effective and", "        elif not record.id and",
        ("tests/workers/test_route.py::test_a_void_takes_back_what_rested_on_it",)),
    Mutant(
        "a-state-counts-its-own-revisions", "What comes back goes on from the feed's last word of its id.", "lrs/completions/fold.py",
        "    if last is None:\n        return window\n", "    if last is None or window.id:\n        return window\n",
        ("tests/workers/test_found_by_simulation.py::"
         "test_an_achievement_that_comes_back_after_its_revoke_is_told_again_with_the_next_revision",)),
    Mutant(
        "the-first-of-two-takes-back", "What two courses know of one achievement falls with the last of them.", ROUND,
        "if one.event in TAKING and self._stands_elsewhere(subject, course, one.id):", "if one.event not in one.event:",
        ("tests/workers/test_found_by_simulation.py::test_what_two_courses_know_falls_with_the_last_of_them",)),
    Mutant(
        "a-map-sends-again", "Maps that go forth and back send nothing twice.", ROUND,
        "                folded = _quiet(before, folded, self._feed(subject))", "                pass",
        ("tests/workers/test_reread.py::test_a_better_reading_of_what_was_sent_is_on_record_only",)),
    Mutant(
        "a-map-forgets-what-was-sent", "What counts no longer stays where it was sent.", ROUND,
        "            kept = not needs_person(subject) and _was_sent(state, one)", "            kept = False",
        ("tests/workers/test_reread.py::test_what_counts_no_longer_stays_where_it_was_sent_and_is_forgotten_where_it_was_not",)),
    Mutant(
        "routing-skips-changes", "What was parked leaves by itself when the directory learns the learner.", "workers/route.py",
        "            round_.learn(change)\n", "            pass\n",
        ("tests/workers/test_route.py::test_it_leaves_by_itself_when_the_directory_learns_the_identifier",
         "tests/workers/test_route.py::test_a_parked_delivery_is_released_when_its_person_changes")),
    Mutant(
        "history-is-not-read-again", "A course that is catalogued later completes from its old statements.", "workers/route.py",
        "    again = reread.reread_once(services)\n", "    again = reread.Reread()\n",
        ("tests/workers/test_route.py::test_a_course_that_the_catalogue_learns_later_completes_from_its_old_statements",)),
    Mutant(
        "an-echo", "A target is not told what only it has said.", ROUND,
        "                if not self._is_echo(target, subject, course, one.id):", "                if target:",
        ("tests/workers/test_route.py::test_a_target_is_not_told_what_only_it_has_said",)),
    Mutant(
        "an-address-learned-as-a-hash", "A learner who waits under an address is met by its hash.", ROUND,
        '(unknown_subject([change.key]), self._addressed().get(change.key, ""))', "(unknown_subject([change.key]),)",
        ("tests/workers/test_route.py::test_a_person_whom_the_directory_knows_by_a_hash_only_is_met_by_address",)),
)
