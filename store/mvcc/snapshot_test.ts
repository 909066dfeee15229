/** Snapshots: equal after a round trip, consistent while writes and compactions go on. */
import assert from "node:assert/strict";
import { encodeAlarm, encodeName, encodeUserAdd } from "./admin_codec.ts";
import { bytes, Drive } from "./testing/drive.ts";

function restored(from: Uint8Array): Drive {
  const drive = new Drive();
  const restore = drive.machine.openRestore();
  for (let at = 0; at < from.length; at += 7) restore.push(from.subarray(at, at + 7));
  assert.equal(restore.finish(), undefined);
  return drive;
}

Deno.test("a snapshot shows one revision while writes go on", () => {
  const drive = new Drive();
  for (let i = 0; i < 100; i++) drive.put(`k${i % 30}`, `${i}`);
  drive.compact(60);
  drive.machine.compactStep(10);
  const wanted = drive.hash();
  const reader = drive.machine.openSnapshot();
  const chunks: number[] = [];
  for (let i = 0, chunk = reader.next(100); chunk !== undefined; chunk = reader.next(100)) {
    chunks.push(...chunk);
    drive.put(`new${i++}`, "later");
    drive.delete("k1");
    drive.machine.compactStep(50);
  }
  reader.close();
  const copy = restored(Uint8Array.from(chunks));
  assert.equal(copy.machine.revision, reader.revision);
  assert.equal(copy.machine.compactRevision, 60);
  assert.equal(copy.hash(), wanted);
  copy.settle();
  assert.equal(copy.hash(), wanted);
  assert.equal(copy.machine.size().keyCount, 30);
});

Deno.test("leases, users, roles and alarms travel too", () => {
  const drive = new Drive();
  drive.grant(-3n, 30);
  drive.put("k", "", { lease: -3n });
  drive.send("userAdd", encodeUserAdd({ name: "ann", hashedPassword: "h", noPassword: false }));
  drive.send("roleAdd", encodeName("r"));
  drive.send("alarm", encodeAlarm({ action: "activate", memberId: 9n, alarm: "corrupt" }));
  const { machine } = restored(drive.snapshot());
  assert.deepEqual(machine.leaseKeys(-3n), [bytes("k")]);
  assert.equal(machine.auth.user("ann")?.hashedPassword, "h");
  assert.deepEqual(machine.auth.roleNames(), ["r"]);
  assert.equal(machine.auth.revision, drive.machine.auth.revision);
  assert.deepEqual(machine.alarms("none"), [{ memberId: 9n, alarm: "corrupt" }]);
});

Deno.test("a cut snapshot is refused and changes nothing", () => {
  const drive = new Drive();
  drive.put("k", "v");
  const whole = drive.snapshot();
  const other = new Drive();
  const restore = other.machine.openRestore();
  restore.push(whole.subarray(0, whole.length - 1));
  assert.equal(restore.finish()?.kind, "invalidRequest");
  assert.equal(other.machine.revision, 1);
});
