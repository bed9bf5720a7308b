"""Mutants of the way in: what is read, checked, compared and indexed."""
from __future__ import annotations

from mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "the-good-part-of-a-batch", "A batch with a bad statement is refused whole.", "lrs/ingest/batch.py",
        "    if broken:\n        raise BatchRefused(broken, bad=bad, valid=len(received) - bad)\n",
        "    if broken:\n        received = [item for n, item in enumerate(received) if n not in {found.index for found in broken}]\n",
        ("tests/ingest/test_batch.py::test_one_bad_statement_keeps_the_batch_out_and_nobody_is_woken",
         "tests/xapi/test_validation_over_http.py::test_the_shape_of_a_refusal_is_the_documented_one")),
    Mutant(
        "nobody-is-woken", "What was stored is worked on at once, and not at the next look.", "lrs/ingest/batch.py",
        "    services.wake()\n", "",
        ("tests/ingest/test_batch.py::test_a_batch_is_handed_over_whole_and_in_order",)),
    Mutant(
        "an-id-twice-in-a-batch", "An id stands once in a batch.", "lrs/statements/validate.py",
        "first.setdefault(name.lower(), index) != index:", "first.setdefault(name.lower(), index) > index:",
        ("tests/statements/test_validate.py::test_an_id_that_stands_twice_in_a_batch_is_refused_naming_both_places",
         "tests/xapi/test_validation_over_http.py::test_one_id_twice_in_a_batch_names_both_places")),
    Mutant(
        "a-key-twice", "JSON in which a key occurs twice is refused, since nobody knows which one was meant.", "lrs/statements/parse.py",
        "    if doubtful and syntax.may_have_duplicates(raw, value):", "    if not raw:",
        ("tests/statements/test_parse.py::test_a_repeated_key_is_named_by_pointer_and_index",)),
    Mutant(
        "another-statement-under-a-known-id", "An id belongs to the first statement that came under it; another one is a conflict.",
        "lrs/store/sqlite/adding.py",
        "            elif same(stored[1], new.raw):", "            elif stored:",
        ("tests/store/test_statements_contract.py::test_another_statement_under_a_known_id_refuses_the_whole_batch[sqlite]",
         "tests/xapi/test_statements_over_http.py::test_another_statement_under_a_known_id_is_a_conflict_and_the_batch_is_refused_whole")),
    Mutant(
        "same-ignores-the-timestamp", "The same statement again has the same timestamp.", "lrs/statements/equality.py",
        'frozenset({"id", "stored", "authority", "version", "attachments"})',
        'frozenset({"id", "stored", "authority", "version", "attachments", "timestamp"})',
        ("tests/statements/test_equality.py::test_another_instant_is_another_statement_to_the_last_digit",)),
    Mutant(
        "numbers-as-floats", "Numbers are compared by exact decimal value.", "lrs/statements/equality.py",
        "parse_float=Decimal, parse_int=Decimal)", "parse_float=lambda n: Decimal(float(n)), parse_int=Decimal)",
        ("tests/statements/test_equality.py::test_numbers_are_equal_by_exact_decimal_value",)),
    Mutant(
        "a-related-agent-forgotten", "`related_agents` finds the instructor and the team.", "lrs/statements/terms.py",
        'for role in ("instructor", "team"):', 'for role in ("instructor",):',
        ("tests/statements/test_terms.py::test_every_set_of_filters_finds_what_the_model_finds",)),
    Mutant(
        "a-related-activity-forgotten", "`related_activities` finds every kind of context activity.", "lrs/statements/terms.py",
        'CONTEXT_ACTIVITIES = ("parent", "grouping", "category", "other")', 'CONTEXT_ACTIVITIES = ("parent", "grouping", "category")',
        ("tests/statements/test_terms.py::test_every_set_of_filters_finds_what_the_model_finds",)),
    Mutant(
        "whose-the-authority-is", "The authority of a statement is the credential's, whatever the client says.",
        "lrs/statements/envelope.py",
        'OURS = frozenset({"id", "stored", "timestamp", "authority", "version"})',
        'OURS = frozenset({"id", "stored", "timestamp", "version"})',
        ("tests/statements/test_envelope.py::test_what_the_client_says_about_authority_and_stored_is_replaced",)),
    Mutant(
        "the-hash-of-an-attachment", "The data of an attachment has the hash under which it is kept.", "lrs/ingest/attached.py",
        "            if not found.matches:", "            if found is None:",
        ("tests/xapi/test_attachments_over_http.py::test_a_broken_form_says_what_is_broken_and_stores_nothing",
         "tests/xapi/test_attachments_over_http.py::test_each_length_of_sha2_is_checked")),
    Mutant(
        "data-that-nobody-names", "Data that no attachment names is refused.", "lrs/ingest/attached.py",
        "        if sha2 not in named:", "        if not sha2:",
        ("tests/xapi/test_attachments_over_http.py::test_a_broken_form_says_what_is_broken_and_stores_nothing",)),
    Mutant(
        "a-bomb-is-unpacked", "A packed body is unpacked as far as the limit, and no further.", "lrs/encodings.py",
        "            found = machine.decompress(body, limit + 1)", "            found = machine.decompress(body)",
        ("tests/xapi/test_codings_and_browsers.py::test_a_bomb_costs_no_memory_beyond_the_limit",)),
    Mutant(
        "413-without-draining", "The sender of too large a body reads the 413 and not a broken connection.", "lrs/serve/adapter.py",
        "                            body.size += len(chunk)\n                            body.close()\n",
        "                            return self._too_large(limit)\n",
        ("tests/serve/test_web.py::test_the_sender_of_20_mb_reads_the_413_that_names_the_limit",)),
    Mutant(
        "a-slow-body-for-ever", "Who does not send his body in time is answered 408.", "lrs/serve/adapter.py",
        "            async with asyncio.timeout(self._body_seconds) as patience:",
        "            async with asyncio.timeout(None) as patience:",
        ("tests/serve/test_web.py::test_a_body_that_takes_too_long_is_answered_408_by_the_name_of_the_setting",), hangs=True),
)
