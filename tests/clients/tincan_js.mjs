// tincanjs for Node: statements, more, state and profiles, against LRS_URL.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
const require = createRequire(process.env.MODULES + "/");
const TinCan = require("tincanjs");

const lrs = new TinCan.LRS({ endpoint: process.env.LRS_URL + "/", username: process.env.LRS_KEY, password: process.env.LRS_SECRET, allowFail: false });
const call = (name, ...args) => new Promise((resolve, reject) => {
  const config = { callback: (err, result) => (err === null ? resolve(result) : reject(new Error(`${name}: ${err} ${result && result.responseText}`))) };
  const options = typeof args.at(-1) === "object" && args.at(-1).options ? args.pop().options : {};
  lrs[name](...args, { ...config, ...options });
});
const agent = new TinCan.Agent({ mbox: "mailto:tincanjs@example.com", name: "Tin C." });
const activity = new TinCan.Activity({ id: "http://tincanjs.example.com/a" });
const said = () => new TinCan.Statement({ actor: agent, verb: { id: "http://adlnet.gov/expapi/verbs/experienced" }, target: activity });

const one = said();
await call("saveStatement", one);
assert.equal((await call("retrieveStatement", one.id)).id, one.id);
await call("saveStatements", Array.from({ length: 9 }, said));
let found = await new Promise((resolve, reject) => lrs.queryStatements({ params: { agent, limit: 4 }, callback: (err, r) => (err === null ? resolve(r) : reject(err)) }));
const ids = new Set(found.statements.map((s) => s.id));
while (found.more) {
  const url = found.more;
  found = await new Promise((resolve, reject) => lrs.moreStatements({ url, callback: (err, r) => (err === null ? resolve(r) : reject(err)) }));
  found.statements.forEach((s) => ids.add(s.id));
}
assert.equal(ids.size, 10);

const at = { options: { agent, activity } };
await call("saveState", "bookmark", JSON.stringify({ page: 2 }), { options: { agent, activity, contentType: "application/json" } });
assert.deepEqual((await call("retrieveState", "bookmark", at)).contents, { page: 2 });
await call("dropState", "bookmark", at);
assert.equal(await call("retrieveState", "bookmark", at), null);

await call("saveActivityProfile", "p", "first", { options: { activity, contentType: "text/plain" } });
const profile = await call("retrieveActivityProfile", "p", { options: { activity } });
assert.equal(profile.contents, "first");
await call("saveActivityProfile", "p", "second", { options: { activity, contentType: "text/plain", lastSHA1: profile.etag.replaceAll('"', "") } });
assert.equal((await call("retrieveActivityProfile", "p", { options: { activity } })).contents, "second");
console.log("all good");
