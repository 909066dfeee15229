/** Membership changes: encoding, simple and joint ones, what is refused. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  applyToConf,
  decodeConfChange,
  encodeConfChange,
  leaveJoint,
  parseConfChange,
} from "./conf_change.ts";
import { confOf } from "./testing/group.ts";
import type { ConfChange, ConfChangeSingle, ConfState } from "./types.ts";

function change(
  changes: readonly ConfChangeSingle[],
  transition: ConfChange["transition"] = "auto",
): ConfChange {
  return { changes, transition, context: new Uint8Array(0) };
}

function applied(conf: ConfState, by: ConfChange): ConfState {
  const outcome = applyToConf(conf, by);
  assert.equal(outcome.kind, "changed");
  return (outcome as { conf: ConfState }).conf;
}

function refusal(conf: ConfState, by: ConfChange): string {
  const outcome = applyToConf(conf, by);
  return outcome.kind === "invalid" ? outcome.reason : "changed";
}

const arbitraryChange: fc.Arbitrary<ConfChange> = fc.record({
  changes: fc.array(fc.record({
    type: fc.constantFrom("addVoter", "addLearner", "remove", "update"),
    id: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  }, { noNullPrototype: true })),
  transition: fc.constantFrom("auto", "jointImplicit", "jointExplicit"),
  context: fc.uint8Array({ maxLength: 40 }),
}, { noNullPrototype: true });

Deno.test("a change survives encoding", () => {
  fc.assert(fc.property(arbitraryChange, (original) => {
    assert.deepEqual(decodeConfChange(encodeConfChange(original)), original);
  }));
});

Deno.test("bytes that are no change are refused, never misread", () => {
  const bytes = encodeConfChange(change([{ type: "addVoter", id: 5n }]));
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(parseConfChange(bytes.subarray(0, length)), null, `${length} bytes`);
  }
  for (const at of [0, 1, 4]) {
    const broken = bytes.slice();
    broken[at] = 9;
    assert.equal(parseConfChange(broken), null, `byte ${at}`);
  }
  assert.throws(() => decodeConfChange(new Uint8Array(0)), /well-formed/);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (random) => {
    const parsed = parseConfChange(random);
    if (parsed !== null) assert.deepEqual(encodeConfChange(parsed), random);
  }));
});

Deno.test("one change is simple, several are joint and may end by themselves", () => {
  const conf = confOf([1n, 2n, 3n]);
  assert.deepEqual(applied(conf, change([{ type: "addVoter", id: 4n }])), confOf([1n, 2n, 3n, 4n]));
  assert.deepEqual(applied(conf, change([{ type: "remove", id: 3n }])), confOf([1n, 2n]));
  assert.deepEqual(applied(conf, change([{ type: "addLearner", id: 3n }])), confOf([1n, 2n], [3n]));
  const two = change([{ type: "addVoter", id: 4n }, { type: "remove", id: 1n }]);
  const joint = { ...confOf([2n, 3n, 4n]), votersOutgoing: [1n, 2n, 3n], autoLeave: true };
  assert.deepEqual(applied(conf, two), joint);
  assert.deepEqual(applied(joint, leaveJoint), confOf([2n, 3n, 4n]));
  const explicit = applied(conf, { ...two, transition: "jointExplicit" });
  assert.equal(explicit.autoLeave, false);
});

Deno.test("a voter demoted jointly becomes a learner when the joint configuration ends", () => {
  const conf = confOf([1n, 2n]);
  const joint = applied(conf, change([{ type: "addLearner", id: 2n }], "jointImplicit"));
  assert.deepEqual([joint.learners, joint.learnersNext], [[], [2n]]);
  assert.deepEqual(applied(joint, leaveJoint), confOf([1n], [2n]));
});

Deno.test("a learner is promoted and a voter removed in one change", () => {
  const conf = confOf([1n, 2n], [3n]);
  const joint = applied(
    conf,
    change([{ type: "addVoter", id: 3n }, { type: "remove", id: 2n }]),
  );
  assert.deepEqual(applied(joint, leaveJoint), confOf([1n, 3n]));
});

Deno.test("contradictory changes are refused", () => {
  const conf = confOf([1n]);
  const joint = applied(conf, change([{ type: "addVoter", id: 2n }], "jointExplicit"));
  assert.equal(refusal(conf, leaveJoint), "the configuration is not joint");
  assert.equal(
    refusal(joint, change([{ type: "addVoter", id: 3n }])),
    "the joint configuration must be left first",
  );
  assert.equal(refusal(conf, change([{ type: "remove", id: 1n }])), "no voter would remain");
  assert.equal(
    refusal(conf, change([{ type: "addVoter", id: 0n }])),
    "a member's id is never zero",
  );
});
