"""Mutants of what lies on the disk: the log of statements, and the worker's file."""
from __future__ import annotations

from mutants.mutant import Mutant

INTENTS = "lrs/store/intents.py"
STATEMENTS, DATABASE, WORKFILE = "lrs/store/sqlite/statements.py", "lrs/store/sqlite/database.py", "lrs/store/sqlite/work.py"
COMMIT = "lrs/store/sqlite/commit.py"

LOG: tuple[Mutant, ...] = (
    Mutant(
        "intents-are-not-looked-at", "A reader is promised nothing that a writer who stands still will change.", INTENTS,
        "    return min([reached, *(one.low - 1 for one in standing)])", "    return reached",
        ("tests/store/test_intents.py::test_what_is_certain_ends_below_the_lowest_intent",)),
    Mutant(
        "a-seq-below-a-promise", "A seq is above everything that was promised, whatever the clock says.", INTENTS,
        "max(self._now(), self._low, known.reached + 1)", "max(self._now(), self._low)",
        ("tests/store/test_intents.py::test_a_seq_is_above_everything_that_was_promised_or_drawn_whatever_the_clock_says",)),
    Mutant(
        "an-intent-of-the-future", "A dead writer's intent holds readers up for its lease, whatever clock it was drawn by.", INTENTS,
        "{one: min(one.low, now, self._met.get(one, now)) for one in standing}", "{one: one.low for one in standing}",
        ("tests/store/test_intents.py::test_an_intent_whose_time_is_ahead_is_given_up_when_it_was_seen_to_stand_for_as_long",)),
    Mutant(
        "marks-of-one-thread-alone", "Who is promised what refers to another looks for it, whichever thread learned of it.", INTENTS,
        "self._referring = max(self._referring, known.referring)", "self._referring = known.referring",
        ("tests/store/test_intents.py::test_who_is_told_what_another_thread_was_promised_knows_its_marks_too",)),
    Mutant(
        "commit-without-fsync", "What was answered with 2xx is on the disk.", DATABASE,
        "PRAGMA synchronous=FULL", "PRAGMA synchronous=OFF",
        ("tests/store/test_database.py::test_every_commit_is_written_through_to_the_disk",)),
    Mutant(
        "nobody-leads-on", "Who waits for a commit is served, whoever commits.", "lrs/store/groups.py",
        "                following.told.release()\n", "                pass\n",
        ("tests/store/test_groups.py::test_everyone_is_done_once_and_who_comes_meanwhile_goes_together",)),
    Mutant(
        "a-log-without-end", "The write-ahead log stays small however busy its writers are.", DATABASE,
        "                with self._turn():\n                    _, pages, done",
        "                if True:\n                    _, pages, done",
        ("tests/store/test_database.py::test_a_log_beyond_its_bound_is_cut_off_although_somebody_writes_without_end",)),
    Mutant(
        "a-failed-commit-is-silent", "A commit that failed is told to everyone whose statements were in it.", COMMIT,
        '                request.error = StoreUnavailable(getattr(error, "original", error))',
        "                request.error = request.error",
        ("tests/store/test_statements_faults.py::test_a_failed_commit_is_told_to_every_request_of_the_group",)),
    Mutant(
        "half-a-batch-stays", "A batch that is refused leaves nothing behind.", "lrs/store/batches.py",
        "            if not adding.back(mark):", "            if mark is None:",
        ("tests/store/test_statements_groups.py::test_in_one_group_each_request_is_whole_or_refused_by_itself[sqlite]",)),
    Mutant(
        "a-writer-does-not-wait", "There is one writer at a time, over all processes.", DATABASE,
        "            self._turns.take(PATIENCE)\n", "            self._turns.take(0) if self._writer is None else None\n",
        ("tests/store/test_database.py::test_the_lock_is_idle_unless_somebody_writes",)),
    Mutant(
        "stored-before-the-lock", "`stored` is drawn inside the write lock, so that the order of times is that of commits.", COMMIT,
        """            with suppress(_Nothing), self._database.write() as db:
                results = self._add(db, left)
""",
        """            with self._database.read() as db:
                early = self._clock.peek(db)
            with suppress(_Nothing), self._database.write() as db:
                self._clock.advance = lambda *_: early or 0
                results = self._add(db, left)
""",
        ("tests/store/test_statements_processes.py::test_who_waits_for_the_lock_is_stamped_when_he_has_it",)),
    Mutant(
        "consistent-through-in-the-snapshot", "What a reader is told to be complete holds nothing that he was not shown.", STATEMENTS,
        """        idle = not self._database.reading() and self._database.idle()
        now = self._now() if idle else 0
        idle = idle and self._database.idle()
        with self._database.read() as db:
            seen = rows.highest(db)
""",
        """        within = self._database.reading()
        with self._database.read() as db:
            seen = rows.highest(db)
            idle = not within and self._database.idle()
            now = self._now() if idle else 0
            idle = idle and self._database.idle()
""",
        ("tests/store/test_statements_processes.py::test_what_is_stored_after_the_snapshot_is_not_promised_by_it",)),
    Mutant(
        "consistent-through-while-somebody-writes", "While somebody writes, only what is seen is promised.", STATEMENTS,
        """        idle = not self._database.reading() and self._database.idle()
        now = self._now() if idle else 0
        idle = idle and self._database.idle()
""",
        """        idle = not self._database.reading()
        now = self._now() if idle else 0
""",
        ("tests/store/test_statements_processes.py::test_a_reader_while_somebody_writes_promises_what_it_sees",)),
    Mutant(
        "one-look-whether-somebody-writes", "Who comes to write while the clock is read is noticed by the second look.", STATEMENTS,
        "        idle = idle and self._database.idle()\n", "",
        ("tests/store/test_statements_processes.py::test_who_comes_to_write_while_the_clock_is_read_is_noticed",)),
    Mutant(
        "the-clock-of-a-reboot", "No time is given twice, also where the clock is behind after a reboot.", "lrs/store/sqlite/clock.py",
        "offset, ceiling = max(wall, kept[2]) - uptime, kept[2]", "offset, ceiling = wall - uptime, kept[2]",
        ("tests/store/test_statements_clock.py::test_a_reboot_with_any_clock_stays_above_what_was_given",)),
    Mutant(
        "since-and-until-swapped", "`since` is exclusive and `until` inclusive.", STATEMENTS,
        """    low = 0 if query.since is None else query.since + 1
    high = through if query.until is None else min(query.until, through)
""",
        """    low = 0 if query.since is None else query.since
    high = through if query.until is None else min(query.until - 1, through)
""",
        ("tests/store/test_statements_contract.py::test_since_is_exclusive_and_until_inclusive_on_stored[sqlite]",
         "tests/xapi/test_filters_over_http.py::test_since_is_exclusive_and_until_inclusive_on_stored")),
    Mutant(
        "a-page-forgets-one", "Following `more` shows every statement once.", STATEMENTS,
        "                return Page(records, records[-1].seq, through)", "                return Page(records, record.seq, through)",
        ("tests/store/test_statements_contract.py::test_paging_gives_each_record_once_while_others_arrive",)),
    Mutant(
        "merged-postings-vanish", "The index that was merged finds what the recent one found.", "lrs/store/sqlite/postings.py",
        '                tables.insert(db, "INSERT OR IGNORE INTO terms_main", rows)\n', "",
        ("tests/store/test_statements_contract.py::test_a_page_reads_recent_and_merged_rows_together",)),
    Mutant(
        "what-waits-is-not-found", "A statement is found by its terms before its index is written.", "lrs/store/sqlite/postings.py",
        "            self._rows = sorted(self._rows + self._waiting[first:first + self._size])[:self._size]\n", "            pass\n",
        ("tests/store/test_statements_waiting.py::test_a_page_reads_what_waits_what_is_recent_and_what_is_merged_together",)),
    Mutant(
        "too-many-wait-for-the-index", "Without a worker too, never more statements wait for the index than a reader can look at.",
        COMMIT, "        self._bound.added(db, size)\n", "",
        ("tests/store/test_statements_waiting.py::test_who_adds_indexes_a_slice_where_too_many_wait",)),
    Mutant(
        "references-are-not-indexed", "A statement is found by what the statement it refers to is about, whichever came first.",
        "lrs/store/sqlite/adding.py", "            references.link(self._db, seq, name, target, budget)", "            pass",
        ("tests/store/test_statements_model.py::test_every_subset_of_filters_with_references_equals_brute_force[sqlite]",)),
    Mutant(
        "void-of-another-provider", "A provider voids its own statements only, unless it has the scope for others'.",
        "lrs/store/sqlite/voiding.py",
        "    if row[1] != new.provider and not new.may_void_any:", "    if not row[1]:",
        ("tests/store/test_statements_voiding.py::test_another_provider_may_not_void[sqlite]",
         "tests/xapi/test_statements_over_http.py::test_a_provider_voids_its_own_and_not_another_s")),
    Mutant(
        "void-of-another-provider-sent-first", "A foreign void that came before its target has no effect on it.",
        "lrs/store/sqlite/voiding.py",
        "        if new.voids is None and (may_void_any or provider == new.provider):", "        if new.voids is None:",
        ("tests/store/test_statements_voiding.py::test_a_void_of_another_provider_that_came_first_has_no_effect[sqlite]",)),
    Mutant(
        "voided-ones-are-shown", "A voided statement is found only as a voided one.", STATEMENTS,
        "        if not record.voided and query.credential_id", "        if query.credential_id",
        ("tests/store/test_statements_voiding.py::test_the_target_is_hidden_and_found_as_voided",)),
    Mutant(
        "an-attachment-is-not-synced", "The data of an attachment is on the disk before its statement is answered.",
        "lrs/store/sqlite/attachments.py",
        "                os.fsync(file.fileno())", "                file.fileno()",
        ("tests/store/test_attachment_files.py::test_data_and_folders_are_synced_before_it_counts_as_kept",)),
)

WORK: tuple[Mutant, ...] = (
    Mutant(
        "cursor-in-another-write", "A consumer's cursor and its output are one write.", WORKFILE,
        """            db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", (consumer, now.seq, now.change))
            return True
""",
        """        with self._database.write() as db:
            db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", (consumer, now.seq, now.change))
            return True
""",
        ("tests/store/test_work_cursor.py::test_output_and_cursor_are_one_commit",)),
    Mutant(
        "an-old-cursor-writes", "Of two workers at one cursor one writes.", WORKFILE,
        "for name, cursor in ((consumer, was), *output.fences)) or", "for name, cursor in output.fences) or",
        ("tests/store/test_work_cursor.py::test_a_second_worker_with_an_old_cursor_writes_nothing",
         "tests/store/test_work_cursor.py::test_of_many_workers_at_one_cursor_exactly_one_wins")),
    Mutant(
        "fences-are-open", "Routing and reading again never write over each other.", WORKFILE,
        "for name, cursor in ((consumer, was), *output.fences)) or", "for name, cursor in ((consumer, was),)) or",
        ("tests/store/test_work_cursor.py::test_nothing_is_written_where_another_consumer_has_moved_meanwhile",)),
    Mutant(
        "feed-rows-renumbered", "A row of the feed never changes, neither its number nor its bytes.", WORKFILE,
        '"INSERT OR IGNORE INTO feed VALUES (?, ?, ?, ?, ?)"', '"INSERT OR REPLACE INTO feed VALUES (?, ?, ?, ?, ?)"',
        ("tests/store/test_work_cursor.py::test_a_revision_that_the_feed_has_is_refused_by_itself_and_stops_nobody",)),
    Mutant(
        "feed-with-gaps", "The feed is numbered without a gap.", WORKFILE,
        "(n + 1, one.event_id, one.revision, one.event, one.body)", "(n + 1 + bool(n), one.event_id, one.revision, one.event, one.body)",
        ("tests/store/test_work_cursor.py::test_the_feed_is_numbered_without_gaps_and_gives_the_bytes_it_was_given",)),
)
