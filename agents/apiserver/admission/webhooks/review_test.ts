/** Whatever a webhook answers is a verdict: read, or called malformed, and never a crash. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { readVerdict } from "./review.ts";

const ASKED = { version: "v1", uid: "u", mayPatch: true };
const review = (response: unknown) =>
  JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response });

Deno.test("any answer is read or called malformed", () => {
  const names = ["allowed", "patch", "patchType", "status", "warnings", "auditAnnotations"];
  const response = fc.dictionary(fc.constantFrom(...names), fc.jsonValue())
    .map((fields) => review({ uid: "u", ...fields }));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), response), (text) => {
      const verdict = readVerdict(text, ASKED);
      assert.ok(["allowed", "denied", "malformed"].includes(verdict.kind));
      if (verdict.kind !== "denied") return;
      const { message, reason, code } = verdict.told;
      assert.deepEqual([typeof message, typeof reason, typeof code], [
        "string",
        "string",
        "number",
      ]);
    }),
    { numRuns: 300, seed: 7 },
  );
});

Deno.test("a refusal keeps what makes sense of its status", () => {
  const told = (status: unknown) => {
    const verdict = readVerdict(review({ uid: "u", allowed: false, status }), ASKED);
    return verdict.kind === "denied" ? verdict.told : verdict;
  };
  const details = { name: "n", causes: [{ reason: "R", message: "m", field: "f" }] };
  assert.deepEqual(told({ code: 403, reason: "Forbidden", message: "no", details }), {
    code: 403,
    reason: "Forbidden",
    message: "no",
    details,
  });
  const nothing = { code: 0, reason: "", message: "", details: null };
  assert.deepEqual(told({ code: "403", reason: [], message: 7, details: "x" }), nothing);
  assert.deepEqual(told({ details: { causes: "x" } }), nothing);
  assert.deepEqual(told(null), nothing);
});
