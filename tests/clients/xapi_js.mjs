// @xapi/xapi for Node: every resource that it knows, against LRS_URL.
import assert from "node:assert/strict";
import { randomUUID, createHash } from "node:crypto";
import { createRequire } from "node:module";
const require = createRequire(process.env.MODULES + "/");
const XAPI = require("@xapi/xapi").default;

const lrs = (version, adapter) => new XAPI({
  endpoint: process.env.LRS_URL + "/", auth: XAPI.toBasicAuth(process.env.LRS_KEY, process.env.LRS_SECRET), version, adapter });
const agent = { objectType: "Agent", mbox: "mailto:js@example.com", name: "Jo S." };
const activityId = "http://js.example.com/a";
const statement = (more = {}) => ({
  actor: agent, verb: { id: "http://adlnet.gov/expapi/verbs/experienced", display: { "en-US": "experienced" } },
  object: { objectType: "Activity", id: activityId, definition: { name: { "en-US": "A thing" } } }, ...more });

for (const version of ["1.0.3", "2.0.0"]) {
  const xapi = lrs(version);
  const about = await xapi.getAbout();
  assert(about.data.version.includes(version));

  const [id] = (await xapi.sendStatement({ statement: statement() })).data;
  assert.equal((await xapi.getStatement({ statementId: id })).data.object.id, activityId);
  const many = (await xapi.sendStatements({ statements: Array.from({ length: 25 }, () => statement({ id: randomUUID() })) })).data;
  assert.equal(many.length, 25);

  const seen = new Set();
  let page = (await xapi.getStatements({ agent, activity: activityId, limit: 7 })).data;
  for (;;) {
    page.statements.forEach((one) => seen.add(one.id));
    if (!page.more) break;
    page = (await xapi.getMoreStatements({ more: page.more })).data;
  }
  assert([id, ...many].every((one) => seen.has(one)));

  await xapi.voidStatement({ actor: agent, statementId: id });
  assert.equal((await xapi.getVoidedStatement({ voidedStatementId: id })).data.id, id);
  await assert.rejects(xapi.getStatement({ statementId: id }));

  const at = { activityId, agent, stateId: "place-" + version, registration: randomUUID() };
  await xapi.setState({ ...at, state: { page: 3, of: 9 } });
  assert.deepEqual((await xapi.getState(at)).data, { page: 3, of: 9 });
  await xapi.createState({ ...at, state: { page: 4 } });
  assert.deepEqual((await xapi.getState(at)).data, { page: 4, of: 9 });
  assert.deepEqual((await xapi.getStates({ activityId, agent, registration: at.registration })).data, [at.stateId]);
  const { headers } = await xapi.getState(at);
  await xapi.deleteState({ ...at, etag: headers.etag });

  const profile = { activityId, profileId: "profile-" + version };
  await xapi.setActivityProfile({ ...profile, profile: { a: 1 }, etag: "*", matchHeader: "If-None-Match" });
  const stands = await xapi.getActivityProfile(profile);
  await xapi.setActivityProfile({ ...profile, profile: { a: 2 }, etag: stands.headers.etag, matchHeader: "If-Match" });
  await assert.rejects(xapi.setActivityProfile({ ...profile, profile: { a: 3 }, etag: stands.headers.etag, matchHeader: "If-Match" }));
  assert.deepEqual((await xapi.getActivityProfile(profile)).data, { a: 2 });

  const own = { agent, profileId: "profile-" + version };
  await xapi.createAgentProfile({ ...own, profile: { likes: "tea" } });
  assert.deepEqual((await xapi.getAgentProfile(own)).data, { likes: "tea" });
  assert((await xapi.getAgentProfiles({ agent })).data.includes(own.profileId));
  assert.deepEqual((await xapi.getAgent({ agent })).data.name, ["Jo S."]);
  assert.equal((await xapi.getActivity({ activityId })).data.definition.name["en-US"], "A thing");

  const content = new TextEncoder().encode("a certificate, " + version);
  const attachment = { usageType: "http://id.tincanapi.com/attachment/certificate-of-completion", display: { "en-US": "Certificate" },
    contentType: "text/plain", length: content.length, sha2: createHash("sha256").update(content).digest("hex") };
  // with axios in Node the library sends the parts without the multipart type; with fetch it does
  const [withData] = (await lrs(version, "fetch").sendStatement({ statement: statement({ attachments: [attachment] }), attachments: [content.buffer] })).data;
  const back = await xapi.getStatement({ statementId: withData, attachments: true });
  assert.match(JSON.stringify(back.data), /a certificate, /);
}
console.log("all good");
