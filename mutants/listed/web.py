"""Mutants of who is let in, what is shown to whom, and how a refusal looks."""
from __future__ import annotations

from mutants.mutant import Mutant

CREDENTIALS, HTTP, DOCUMENTS = "lrs/auth/credentials.py", "lrs/http.py", "lrs/statements/documents.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a-revoked-credential-opens", "A revoked credential opens nothing from the next request on.", CREDENTIALS,
        "    if found is None or found.revoked or not hmac", "    if found is None or not hmac",
        ("tests/auth/test_credentials.py::test_a_wrong_secret_and_a_revoked_credential_open_nothing",
         "tests/feeds/test_feed_http.py::test_without_a_credential_or_with_a_wrong_or_revoked_one_it_is_401")),
    Mutant(
        "any-secret-opens", "A key opens with its own secret only.", CREDENTIALS,
        " or not hmac.compare_digest(found.digest, given):", " or not given:",
        ("tests/auth/test_credentials.py::test_a_wrong_secret_and_a_revoked_credential_open_nothing",)),
    Mutant(
        "a-scope-opens-one-more", "A scope opens what the table says and nothing else.", "lrs/auth/scopes.py",
        '    "feeds/read": frozenset({"feeds/read", "all/read", "all"}),',
        '    "feeds/read": frozenset({"feeds/read", "statements/read", "all/read", "all"}),',
        ("tests/auth/test_scopes.py::test_a_scope_opens_what_the_table_says_and_nothing_else",
         "tests/feeds/test_feed_http.py::test_only_the_scopes_of_the_table_open_the_feed")),
    Mutant(
        "scopes-are-not-asked", "A credential without the scope is refused.", HTTP,
        "    if not any(allowed(who.scopes, scope) for scope in scopes):", "    if not scopes:",
        ("tests/xapi/test_statements_over_http.py::test_a_scope_opens_what_it_opens_and_nothing_else",)),
    Mutant(
        "mine-shows-others", "With statements/read/mine one sees one's own.", "lrs/store/sqlite/statements.py",
        "query.credential_id in (None, record.credential_id):", "record.credential_id:",
        ("tests/store/test_statements_contract.py::test_a_credential_sees_only_its_own_records[sqlite]",
         "tests/xapi/test_statements_over_http.py::test_the_mine_scope_sees_its_own_only_also_through_references")),
    Mutant(
        "mine-by-id-shows-others", "With statements/read/mine one gets no other's statement by its id.", "lrs/xapi/statements.py",
        "(mine is None or record.credential_id == mine)", "(mine is None or bool(record.credential_id))",
        ("tests/xapi/test_statements_over_http.py::test_the_mine_scope_sees_its_own_only_also_through_references",)),
    Mutant(
        "half-a-body-is-a-body", "What had arrived when the connection broke is no body.", "lrs/serve/adapter.py",
        "            if empty > 1 or length not in (None, body.size):", "            if length == -1:",
        ("tests/serve/test_web.py::test_a_body_that_breaks_off_reaches_no_application",)),
    Mutant(
        "rejections-of-others", "A provider sees no refusal of another.", "lrs/admin/rejections.py",
        "    if not _sees_all():\n", "    if not who():\n",
        ("tests/admin/test_rejections_http.py::test_a_provider_sees_no_refusal_of_another",)),
    Mutant(
        "a-rejection-of-others-by-number", "A provider gets no refusal of another by its number.", "lrs/management/rejections.py",
        "    if found is None or (only_of and found.credential_id != only_of):", "    if found is None:",
        ("tests/admin/test_rejections_http.py::test_a_provider_sees_no_refusal_of_another",)),
    Mutant(
        "rejections-with-persons-and-secrets", "The log of refusals holds neither persons nor secrets.", HTTP,
        "            excerpt=masking.masked(excerpt),", "            excerpt=excerpt,",
        ("tests/xapi/test_validation_over_http.py::test_a_refusal_is_kept_for_its_provider_without_persons",)),
    Mutant(
        "members-named-secret", "A member whose name says that it is secret is hidden.", "lrs/auth/masking.py",
        "                if not hidden and SECRET_NAMES.match(key):", "                if hidden and SECRET_NAMES.match(key):",
        ("tests/auth/test_masking.py::test_no_person_and_no_secret_is_left",)),
    Mutant(
        "a-reader-sees-secrets-of-targets", "Secrets among the settings of a target or a connection are masked wherever they are shown.",
        "lrs/schema.py",
        "name: value if name in plain else MASK for", "name: value for",
        ("tests/admin/test_targets_http.py::test_a_reader_sees_no_secret_and_changes_nothing",)),
    Mutant(
        "an-unavailable-store-is-a-fault", "A store that cannot answer is a 503 with Retry-After: send it again.", HTTP,
        'StoreUnavailable: Answer(503, "store_unavailable"', 'StoreUnavailable: Answer(500, "store_unavailable"',
        ("tests/xapi/test_statements_over_http.py::test_a_store_that_cannot_answer_is_503_with_retry_after",)),
    Mutant(
        "etags-are-not-compared", "A document is not overwritten by who has seen an older one.", DOCUMENTS,
        "        if self.if_match is not None and not _matches(self.if_match, stored):", "        if self.if_match == '':",
        ("tests/xapi/test_documents_over_http.py::test_conditions_hold_for_every_method",
         "tests/xapi/test_documents_over_http.py::test_of_many_writers_who_saw_the_same_tag_one_wins")),
    Mutant(
        "a-profile-without-looking", "A profile that is there is not overwritten by who did not look.", DOCUMENTS,
        "            if stored is not None:\n                raise DocumentExists(",
        "            if stored == self:\n                raise DocumentExists(",
        ("tests/xapi/test_documents_over_http.py::test_a_profile_is_not_overwritten_by_who_did_not_look",)),
    Mutant(
        "a-change-is-not-audited", "Every change stands in the audit log under the name of who made it.", "lrs/management/audit.py",
        "    store.audit.append(Entry(who, action, thing, detail))\n", "",
        ("tests/admin/test_every_operation.py::test_a_change_is_in_the_audit_log_under_the_name_of_who_asked",)),
    Mutant(
        "a-header-passes-for-another", "A header with an underscore cannot pass for another one.", "lrs/serve/gateway.py",
        '        if "_" in name:\n            continue\n', "",
        ("tests/serve/test_web.py::test_a_header_with_an_underscore_cannot_pass_for_another",)),
    Mutant(
        "anybody-is-a-proxy", "Only a trusted proxy is believed about the client.", "lrs/serve/forwarded.py",
        '        if said and self._trusts(environ.get("REMOTE_ADDR", "")):', "        if said:",
        ("tests/serve/test_web.py::test_only_a_trusted_proxy_is_believed_about_the_client",)),
    Mutant(
        "a-csv-formula", "No cell of an export is run as a formula by a spreadsheet.", "analytics/exports/csv.py",
        "    if isinstance(value, str) and value.startswith(FORMULA):", "    if value is FORMULA:",
        ("tests/analytics/test_exports.py::test_a_csv_cell_never_begins_like_a_formula",)),
)
