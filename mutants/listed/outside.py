"""Mutants of what connects us with others: their proofs, ours, and the addresses we go to."""
from __future__ import annotations

from mutants.mutant import Mutant

ZOOM, EGRESS, CLIENT = "lrs/sources/zoom/signature.py", "workers/connectors/egress.py", "workers/connectors/http.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "zoom-unsigned", "Only what Zoom signed is believed to be Zoom's.", "lrs/hooks/zoom.py",
        '        raise http.Unauthorized(f"this is not signed by Zoom for this connection: {wrong}")\n', "",
        ("tests/hooks/test_zoom_http.py::test_what_zoom_did_not_sign_just_now_is_refused_and_leaves_nothing",)),
    Mutant(
        "zoom-signed-long-ago", "A signed webhook of another time is not believed: anybody could have recorded it.", ZOOM,
        "    if abs(now - int(timestamp)) > TOLERANCE:", "    if now < 0:",
        ("tests/sources/test_zoom_signature.py::test_five_minutes_early_or_late_is_fresh_and_a_second_more_is_not",)),
    Mutant(
        "any-plain-token-is-signed", "The handshake signs nothing that could be an event.", ZOOM,
        "    if not isinstance(token, str) or not _TOKEN.fullmatch(token) or not secret.split():",
        "    if not isinstance(token, str) or not secret.split():",
        ("tests/sources/test_zoom_signature.py::test_an_event_that_a_stranger_hides_in_the_handshake_is_never_signed",
         "tests/hooks/test_zoom_http.py::test_the_handshake_signs_no_event_for_a_stranger")),
    Mutant(
        "lms-unsigned", "A report of an LMS proves itself by its signature.", "lrs/hooks/lms.py",
        '        raise http.Unauthorized(f"the signature does not fit: {wrong}")', "        pass",
        ("tests/hooks/test_lms_http.py::test_a_wrong_signature_opens_nothing",
         "tests/hooks/test_lms_http.py::test_a_signature_over_another_body_or_by_another_connection_opens_nothing")),
    Mutant(
        "lms-of-a-revoked-connection", "A revoked connection is refused also where the signature fits.", "lrs/hooks/lms.py",
        "    if credential is None or credential.revoked or not", "    if credential is None or not",
        ("tests/hooks/test_lms_http.py::test_a_revoked_connection_is_refused_both_ways",)),
    Mutant(
        "our-signature-without-the-body", "What we send is signed, body included, as Standard Webhooks says.",
        "workers/connectors/webhook/connector.py",
        '    signed = f"{message_id}.{timestamp}.".encode() + body', '    signed = f"{message_id}.{timestamp}.".encode()',
        ("tests/connectors/test_sandbox_twins.py::test_the_signature_is_the_one_of_the_reference_library",
         "tests/connectors/test_sandbox_twins.py::test_a_webhook_is_accepted_by_a_receiver_that_verifies_and_refused_under_another_secret")),
    Mutant(
        "one-secret-while-rotating", "While a secret is rotated, the receiver verifies with the old and with the new one.",
        "workers/connectors/webhook/connector.py",
        "                    for s in secrets)", "                    for s in list(secrets)[:1])",
        ("tests/connectors/test_rotation.py::test_the_receiver_verifies_at_every_stage_of_a_rotation",)),
    Mutant(
        "redirects-are-followed", "A redirect leads us nowhere.", CLIENT,
        "follow_redirects=False", "follow_redirects=True",
        ("tests/connectors/test_egress_attacks.py::test_a_redirect_is_not_followed_and_is_a_failure",
         "tests/workers/test_deliver.py::test_a_redirect_is_a_failure_and_is_not_followed")),
    Mutant(
        "private-addresses", "No target leads inside unless it says so.", EGRESS,
        "        allowed = [a for a in found if self._allow_private or public(a)]", "        allowed = list(found)",
        ("tests/connectors/test_egress.py::test_a_public_name_that_resolves_inside_is_refused_after_one_look_up",
         "tests/connectors/test_egress_attacks.py::test_of_two_addresses_the_private_one_is_never_connected_to")),
    Mutant(
        "resolved-twice", "The address that was checked is the one that is connected to.", EGRESS,
        "self._inner.connect_tcp(address, port, self.left(timeout)",
        "self._inner.connect_tcp(self._resolve(host, port)[0], port, self.left(timeout)",
        ("tests/connectors/test_egress_attacks.py::test_a_name_that_changes_between_check_and_connect_is_looked_up_once",)),
    Mutant(
        "plain-http", "Nothing is sent in the clear to a public target.", CLIENT,
        'not (address.scheme == "http" and allow_private):', 'address.scheme != "http":',
        ("tests/connectors/test_egress.py::test_plain_http_is_refused_without_allow_private",)),
    Mutant(
        "certificates-are-not-checked", "A certificate that proves nothing ends the exchange.", CLIENT,
        "ssl.create_default_context(cafile=ca_file) if ca_file", "ssl._create_unverified_context(cafile=ca_file) if ca_file",
        ("tests/connectors/test_egress_attacks.py::test_a_certificate_that_proves_nothing_ends_the_exchange_before_a_byte_of_the_request",)),
    Mutant(
        "a-connection-lent-to-another", "A connection kept for one target opens nothing for another.", CLIENT,
        "        place = (target.name, address.scheme, address.host, address.port, allow_private, ca_file)",
        "        place = (address.scheme, address.host, address.port)",
        ("tests/connectors/test_kept_connections.py::test_a_connection_is_not_lent_to_another_target_or_under_other_rules",)),
    Mutant(
        "an-answer-without-end", "Of an answer no more is read than is needed.", CLIENT,
        "                    if len(body) > answer_max:\n                        break\n", "",
        ("tests/connectors/test_egress_attacks.py::test_of_an_endless_answer_20_kb_are_read_and_nothing_is_unpacked[length]",)),
    Mutant(
        "an-echoed-secret-is-kept", "A secret that the target echoes is not kept.", CLIENT,
        '            text = text.replace(secret, "********")', "            pass",
        ("tests/workers/test_deliver.py::test_what_is_kept_of_an_answer_is_short_and_without_the_secret",)),
)
