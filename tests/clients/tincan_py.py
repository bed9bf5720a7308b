"""TinCan for Python against LRS_URL; run in a process of its own, with the library on PYTHONPATH."""
import os
import uuid

from tincan import Activity, Agent, RemoteLRS, Statement, Verb
from tincan.documents import ActivityProfileDocument, AgentProfileDocument, StateDocument

lrs = RemoteLRS(endpoint=os.environ["LRS_URL"] + "/", version="1.0.3", username=os.environ["LRS_KEY"], password=os.environ["LRS_SECRET"])
agent = Agent(mbox="mailto:tincan@example.com", name="Tin C.")
activity = Activity(id="http://tincan.example.com/a")


def good(answer):
    assert answer.success, (answer.response.status, answer.data)
    return answer.content


assert "1.0.3" in good(lrs.about()).version
one = good(lrs.save_statement(Statement(actor=agent, verb=Verb(id="http://adlnet.gov/expapi/verbs/experienced"), object=activity)))
assert good(lrs.retrieve_statement(one.id)).id == one.id
many = [Statement(id=str(uuid.uuid4()), actor=agent, verb=one.verb, object=activity) for _ in range(9)]
good(lrs.save_statements(many))
found = good(lrs.query_statements({"agent": agent, "limit": 4}))
seen = {str(s.id) for s in found.statements}
while found.more:
    found = good(lrs.more_statements(found))
    seen |= {str(s.id) for s in found.statements}
assert len(seen) == 10, len(seen)

state = StateDocument(activity=activity, agent=agent, id="bookmark", content=bytearray(b"page 3"), content_type="text/plain")
good(lrs.save_state(state))
assert bytes(good(lrs.retrieve_state(activity, agent, "bookmark")).content) == b"page 3"
assert good(lrs.retrieve_state_ids(activity, agent)) == ["bookmark"]
good(lrs.delete_state(state))

for document, save in (
    (ActivityProfileDocument(activity=activity, id="p", content=bytearray(b"x"), content_type="text/plain"), lrs.save_activity_profile),
    (AgentProfileDocument(agent=agent, id="p", content=bytearray(b"x"), content_type="text/plain"), lrs.save_agent_profile),
):
    # the library can name an entity tag only: without one a profile is protected, with a wrong one too
    for etag in (None, '"no"'):
        document.etag = etag
        answer = save(document)
        assert not answer.success
    print(type(document).__name__, "is protected")
print("all good")
