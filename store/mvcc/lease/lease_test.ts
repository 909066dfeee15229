/** Leases: keys die with them; the clock expires, renews, survives a change of leader. */
import assert from "node:assert/strict";
import { encodeAlarm } from "../admin_codec.ts";
import { bytes, Drive } from "../testing/drive.ts";
import { LeaseClock } from "./lease_clock.ts";

Deno.test("revoking deletes every key in one revision", () => {
  const drive = new Drive();
  drive.grant(5n);
  drive.put("b", "", { lease: 5n });
  drive.put("a", "", { lease: 5n });
  drive.put("c", "", { lease: 5n });
  drive.put("c", "");
  assert.deepEqual(drive.machine.leaseKeys(5n), [bytes("a"), bytes("b")]);
  assert.deepEqual(drive.revoke(5n), { kind: "revoked", revision: 6 });
  assert.equal(drive.machine.size().keyCount, 1);
  assert.equal(drive.revoke(5n).kind, "leaseNotFound");
  assert.equal(drive.put("d", "", { lease: 5n }).kind, "leaseNotFound");
});

Deno.test("grants are checked", () => {
  const drive = new Drive();
  assert.deepEqual(drive.grant(1n, 1), { kind: "lease", id: 1n, ttlSeconds: 2 });
  assert.equal(drive.grant(1n).kind, "leaseExists");
  assert.equal(drive.grant(2n, 9_000_000_001).kind, "leaseTtlTooLarge");
  drive.send("alarm", encodeAlarm({ action: "activate", memberId: 1n, alarm: "noSpace" }));
  assert.equal(drive.grant(3n).kind, "noSpace");
  assert.equal(drive.put("k", "").kind, "noSpace");
  assert.equal(drive.delete("k").kind, "deleteRange");
});

Deno.test("the clock expires, retries and renews", () => {
  const drive = new Drive();
  const clock = new LeaseClock(() => drive.machine.leases, { retryMillis: 3000 });
  clock.promote(0);
  drive.grant(1n, 10);
  drive.grant(2n, 20);
  assert.deepEqual(clock.expired(0, 10), []);
  assert.deepEqual(clock.remaining(1n, 4500), {
    kind: "remaining",
    seconds: 5,
    grantedSeconds: 10,
  });
  assert.equal(clock.renew(1n, 9000).kind, "lease");
  assert.deepEqual(clock.expired(10_000, 10), []);
  assert.deepEqual(clock.expired(19_000, 10), [1n]);
  assert.equal(clock.renew(1n, 19_000).kind, "leaseNotFound");
  assert.deepEqual(clock.expired(19_500, 10), []);
  assert.deepEqual(clock.expired(22_000, 10), [2n, 1n]);
  drive.revoke(1n);
  assert.deepEqual(clock.expired(30_000, 10), [2n]);
});

Deno.test("an id that is granted again lives its whole new life", () => {
  const drive = new Drive();
  const clock = new LeaseClock(() => drive.machine.leases, { checkpointMillis: 60_000 });
  clock.promote(0);
  drive.grant(1n, 100);
  clock.observe(0);
  assert.deepEqual(clock.dueCheckpoints(70_000, 10), [{ id: 1n, remainingTtlSeconds: 30 }]);
  drive.revoke(1n);
  drive.grant(1n, 100);
  clock.observe(80_000);
  assert.equal(clock.checkpointOf(1n), undefined);
  assert.deepEqual(clock.expired(100_000, 10), []);
  assert.deepEqual(clock.expired(179_999, 10), []);
  assert.deepEqual(clock.expired(180_000, 10), [1n]);
});

Deno.test("a new leader extends leases, or keeps what a checkpoint left", () => {
  const drive = new Drive();
  const clock = new LeaseClock(() => drive.machine.leases, { checkpointMillis: 1000 });
  clock.promote(0);
  drive.grant(1n, 100);
  clock.observe(0);
  assert.deepEqual(clock.dueCheckpoints(1500, 10), [{ id: 1n, remainingTtlSeconds: 99 }]);
  drive.machine.leases.checkpoint(1n, 40);
  clock.demote();
  assert.equal(clock.renew(1n, 0).kind, "notLeader");
  clock.promote(50_000);
  assert.deepEqual(clock.expired(89_000, 10), []);
  assert.deepEqual(clock.expired(90_000, 10), [1n]);
});

Deno.test("a renewal clears a checkpoint that is not applied yet, once", () => {
  const drive = new Drive();
  const clock = new LeaseClock(() => drive.machine.leases, { checkpointMillis: 1000 });
  clock.promote(0);
  drive.grant(1n, 100);
  clock.observe(0);
  const renew = (now: number) => {
    const renewed = clock.renew(1n, now);
    return renewed.kind === "lease" && renewed.wasCheckpointed;
  };
  assert.equal(renew(500), false);
  clock.dueCheckpoints(2500, 10);
  assert.equal(drive.machine.leases.get(1n)?.remainingTtlSeconds, 0);
  assert.equal(renew(2600), true);
  const first = clock.checkpointOf(1n);
  clock.dueCheckpoints(4500, 10);
  // The word that clears the first says nothing of the second.
  clock.cleared(1n, first);
  assert.equal(renew(4600), true);
  clock.cleared(1n, clock.checkpointOf(1n));
  assert.equal(renew(4700), false);
});

Deno.test("a lease renewed all the time is found once, when its last renewal runs out", () => {
  const drive = new Drive();
  const clock = new LeaseClock(() => drive.machine.leases);
  clock.promote(0);
  drive.grant(1n, 10);
  let renewedAt = 0;
  for (let now = 0; now < 60_000; now += 500) {
    assert.deepEqual(clock.expired(now, 10), []);
    clock.renew(1n, now);
    renewedAt = now;
  }
  assert.deepEqual(clock.expired(renewedAt + 9_999, 10), []);
  assert.deepEqual(clock.expired(renewedAt + 10_000, 10), [1n]);
});
