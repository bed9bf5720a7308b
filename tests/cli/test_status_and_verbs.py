"""`lrs status` and `lrs verbs` tell an operator what there is."""
import json

import pytest
from click.testing import CliRunner

from lrs.cli.main import command
from lrs.config import load
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.services import Services
from lrs.store.open_store import open_store

WHO = Provider("k", frozenset({"all"}), "lab", {"objectType": "Agent", "account": {"homePage": "https://x.example", "name": "k"}})
COURSE = {"id": "https://c.example/1", "definition": {"type": "http://adlnet.gov/expapi/activities/course"}}
PASSED = {"actor": {"mbox": "mailto:ada@acme.example"}, "verb": {"id": "https://adlnet.gov/expapi/verbs/passed/"}, "object": COURSE}


@pytest.fixture
def run(tmp_path):
    open_store(tmp_path / "data").close()
    return lambda *words, **more: CliRunner().invoke(command, ["--data", str(tmp_path / "data"), *words], **more)


def test_status_counts_what_arrived_and_what_is_behind(run, tmp_path):
    assert json.loads(run("status", "--json").output)["accepted"] == 0
    store = open_store(tmp_path / "data")
    accept(Services(load({"LRS_DATA": str(tmp_path / "data")}), store), json.dumps([PASSED] * 3).encode(), WHO)
    store.close()
    told = json.loads(run("status", "--json").output)
    assert (told["accepted"], told["behind"], told["events"], told["dead"]) == (3, 3, 0, 0)
    screen = run("status").output
    for label in ("accepted", "refused", "parked", "waiting", "dead", "last export"):
        assert label in screen


def test_explain_names_row_rule_and_what_it_triggers(run):
    told = json.loads(run("verbs", "explain", "-", "--json", input=json.dumps(PASSED)).output)
    assert (told["verb"], told["rule"], told["courses"]) == ("passed", "8", ["https://c.example/1"])
    assert told["row"]["verb_iri"] == "http://adlnet.gov/expapi/verbs/passed"
    assert told["row"]["folded"] is True
    assert "parked until the directory knows mbox:ada@acme.example" in run("verbs", "explain", "-", input=json.dumps(PASSED)).output


@pytest.mark.parametrize(("verb", "triggers"), [
    ("http://adlnet.gov/expapi/verbs/passed", "learning.completed, or learning.updated if it is better, for https://c.example/1, parked"),
    ("http://adlnet.gov/expapi/verbs/scored", "nothing by itself; it updates the score on record for https://c.example/1"),
    ("https://w3id.org/xapi/vle/verbs/voided-completion", "learning.revoked, where nothing else supports the completion,"),
    ("http://adlnet.gov/expapi/verbs/progressed", "nothing"),
    ("https://acme.example/never-heard-of", "nothing"),
])
def test_explain_promises_no_completion_where_there_is_none(run, verb, triggers):
    said = run("verbs", "explain", "-", input=json.dumps({**PASSED, "verb": {"id": verb}})).output
    assert said.rstrip().splitlines()[-1].startswith(f"triggers  {triggers}")


@pytest.mark.parametrize("text", ["{", "[]", "7"])
def test_explain_refuses_what_is_no_statement(run, text):
    assert run("verbs", "explain", "-", input=text).exit_code == 65


def test_explain_says_what_a_statement_would_be_refused_for(run):
    said = run("verbs", "explain", "-", input=json.dumps({**PASSED, "actor": {"mbox": "ada@acme.example"}})).output.splitlines()
    assert said[0].startswith("refused   /actor/mbox: not a mailto IRI")
    assert said[-1] == "triggers  nothing: as it stands it would be refused"
    assert json.loads(run("verbs", "explain", "-", "--json", input="{}").stdout)["refused"][0]["rule"] == "statement.required"


def test_explain_takes_a_statement_of_either_version_and_with_attachments_as_valid(run):
    around = {"contextAgents": [{"objectType": "contextAgent", "agent": {"mbox": "mailto:bo@acme.example"}}]}
    drawing = {"usageType": "u:x", "display": {"en": "D"}, "contentType": "text/plain", "length": 1, "sha2": "a" * 64}
    for more in ({"context": around}, {"attachments": [drawing]}):
        told = json.loads(run("verbs", "explain", "-", "--json", input=json.dumps({**PASSED, **more})).stdout)
        assert (told["refused"], told["verb"]) == ([], "passed")


@pytest.mark.parametrize(("given", "code", "said"), [
    (b"\xef\xbb\xbf" + json.dumps(PASSED).encode(), 0, "verb      passed"), (b'{"a": "\xe9"}', 65, "not in UTF-8")])
def test_explain_reads_the_file_as_others_are_read(run, given, code, said):
    result = run("verbs", "explain", "-", input=given)
    assert (result.exit_code, said in result.output) == (code, True)


def test_unmapped_verbs_are_counted_by_provider_with_a_suggestion(run, tmp_path):
    store = open_store(tmp_path / "data")
    odd = {**PASSED, "verb": {"id": "https://xapi.acme.example/verbs/completed"}}
    accept(Services(load({"LRS_DATA": str(tmp_path / "data")}), store), json.dumps([odd, odd, PASSED]).encode(), WHO)
    store.close()
    assert [json.loads(line) for line in run("verbs", "unmapped", "--json").output.splitlines()] == [
        {"provider": "lab", "verb": "https://xapi.acme.example/verbs/completed", "count": 2, "suggestion": "completed"}]


def test_list_prints_every_row_of_the_map(run):
    rows = [json.loads(line) for line in run("verbs", "list", "--json").output.splitlines()]
    assert len(rows) == 197
    assert "rows, version" in run("verbs", "list", "--verb", "waived").output
