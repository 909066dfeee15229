/** Tries certificate signing requests: who asks, who decides, who signs. */
import assert from "node:assert/strict";
import type { KubeObject } from "../../meta.ts";
import { cells, prepared, problems, worded } from "../testing.ts";
import { certificateSigningRequests as row } from "../../resources.ts";

const pem = (type: string) => btoa(`-----BEGIN ${type}-----\nAA==\n-----END ${type}-----\n`);
const spec = {
  request: pem("CERTIFICATE REQUEST"),
  signerName: "example.com/signer",
  usages: ["client auth"],
};
const context = {
  nowMillis: 0,
  newUid: () => "",
  user: { name: "ann", groups: ["staff"] },
};
const approved = { type: "Approved", status: "True", reason: "ByHand" };

function created(): KubeObject {
  const object = prepared(row, { spec: { ...spec, username: "mallory" } });
  row.rules.prepareForCreate?.(object, context);
  return object;
}

Deno.test("a request bears the name of who asked", () => {
  const object = created();
  assert.equal(object.spec.username, "ann");
  assert.deepEqual(object.spec.groups, ["staff"]);
  assert.deepEqual(problems(row, object), []);
  assert.deepEqual(cells(row, object).slice(2), [
    "example.com/signer",
    "ann",
    "<none>",
    "Pending",
  ]);
});

Deno.test("requests are refused for what upstream refuses", () => {
  const cases: readonly [Record<string, unknown>, string][] = [
    [{ request: "" }, "PEM block type must be CERTIFICATE REQUEST"],
    [{ usages: [] }, "spec.usages: Required value"],
    [{ usages: ["juggling"] }, 'spec.usages[0]: Unsupported value: "juggling"'],
    [{ signerName: "me" }, "must be a fully qualified domain and path of the form"],
    [{ expirationSeconds: 5 }, "may not specify a duration less than 600 seconds (10 minutes)"],
  ];
  for (const [change, expected] of cases) {
    const found = problems(row, prepared(row, { spec: { ...spec, ...change } })).join("\n");
    assert.ok(found.includes(expected), found);
  }
});

Deno.test("only an approval decides, only a status certifies", () => {
  const old = created();
  const draft = structuredClone(old);
  draft.status = { conditions: [structuredClone(approved)], certificate: pem("CERTIFICATE") };
  const { approval } = row.rules.parts ?? {};
  approval.prepare(draft, old, context);
  assert.equal(draft.status.certificate, undefined);
  assert.equal(draft.status.conditions[0].lastUpdateTime, "1970-01-01T00:00:00Z");
  assert.deepEqual(worded(approval.validateUpdate?.(draft, old)), []);

  const signed = structuredClone(draft);
  signed.status.conditions = [];
  signed.status.certificate = pem("CERTIFICATE");
  row.rules.prepareForStatusUpdate?.(signed, draft, context);
  assert.equal(signed.status.conditions[0].type, "Approved");
  assert.deepEqual(worded(row.rules.validateStatusUpdate?.(signed, draft)), []);
  assert.equal(cells(row, signed).at(-1), "Approved,Issued");

  const again = structuredClone(signed);
  again.status.certificate = pem("PRIVATE KEY");
  const found = worded(row.rules.validateStatusUpdate?.(again, signed)).join("\n");
  assert.match(found, /only CERTIFICATE PEM blocks are allowed, found "PRIVATE KEY"/);
  assert.match(found, /updates may not modify existing certificate content/);
});

Deno.test("a decision is not taken back, nor both ways", () => {
  const old = created();
  old.status = { conditions: [approved] };
  const draft = structuredClone(old);
  draft.status.conditions = [{ type: "Denied", status: "True" }];
  assert.deepEqual(worded(row.rules.parts?.approval.validateUpdate?.(draft, old)), [
    'status.conditions: Forbidden: updates may not remove a condition of type "Approved"',
  ]);
  draft.status.conditions = [approved, { type: "Denied", status: "True" }];
  assert.match(problems(row, draft).join(), /mutually exclusive/);
});
