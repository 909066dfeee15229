/** What a leader knows of a follower: probing, replicating, the window in flight. */
import assert from "node:assert/strict";
import { Inflights, Progress, type ProgressState } from "./progress.ts";

function progressIn(state: ProgressState, match: number, next: number): Progress {
  const progress = new Progress({
    id: 2n,
    learner: false,
    next: 1,
    recentActive: true,
    maxInflightMessages: 3,
  });
  progress.state = state;
  progress.match = match;
  progress.next = next;
  return progress;
}

Deno.test("the window of messages in flight wraps around and frees in order", () => {
  const inflights = new Inflights(3);
  for (const index of [2, 4, 6]) inflights.add(index);
  assert.equal(inflights.full, true);
  inflights.freeTo(1);
  assert.equal(inflights.count, 3);
  inflights.freeTo(5);
  assert.equal(inflights.count, 1);
  inflights.add(8);
  inflights.add(10);
  assert.equal(inflights.full, true);
  inflights.freeTo(9);
  assert.equal(inflights.count, 1);
  inflights.clear();
  assert.equal(inflights.count, 0);
});

Deno.test("a refusal moves a probe to the hint, never below what matches", () => {
  const cases: {
    state: ProgressState;
    match: number;
    next: number;
    rejected: number;
    hint: number;
    news: boolean;
    after: number;
  }[] = [
    { state: "probe", match: 0, next: 10, rejected: 9, hint: 4, news: true, after: 5 },
    { state: "probe", match: 0, next: 10, rejected: 9, hint: 20, news: true, after: 9 },
    { state: "probe", match: 4, next: 10, rejected: 9, hint: 1, news: true, after: 5 },
    { state: "probe", match: 0, next: 10, rejected: 7, hint: 4, news: false, after: 10 },
    { state: "replicate", match: 5, next: 10, rejected: 5, hint: 4, news: false, after: 10 },
    { state: "replicate", match: 5, next: 10, rejected: 9, hint: 7, news: true, after: 6 },
    { state: "snapshot", match: 0, next: 10, rejected: 9, hint: 4, news: false, after: 10 },
  ];
  for (const { state, match, next, rejected, hint, news, after } of cases) {
    const progress = progressIn(state, match, next);
    const name = `${state} ${match}/${next} rejects ${rejected} hint ${hint}`;
    assert.equal(progress.rejected(rejected, hint), news, name);
    assert.equal(progress.next, after, name);
  }
});

Deno.test("an acknowledgement raises match and keeps next above it", () => {
  const progress = progressIn("probe", 3, 4);
  progress.probeSent = true;
  assert.equal(progress.acknowledged(3), false);
  assert.equal(progress.probeSent, true);
  assert.equal(progress.acknowledged(6), true);
  assert.deepEqual([progress.match, progress.next, progress.probeSent], [6, 7, false]);
});

Deno.test("sending fills the window when replicating and pauses a probe", () => {
  const replicating = progressIn("replicate", 1, 2);
  replicating.sent(2, 1);
  assert.deepEqual([replicating.next, replicating.inflights.count], [4, 1]);
  replicating.sent(0, 3);
  assert.deepEqual([replicating.next, replicating.inflights.count], [4, 1]);
  const probing = progressIn("probe", 1, 2);
  probing.sent(1, 1);
  assert.deepEqual([probing.next, probing.probeSent], [2, true]);
});

Deno.test("a snapshot's outcome decides where the next probe starts", () => {
  const sent = progressIn("replicate", 3, 9);
  sent.becomeSnapshot(20);
  assert.equal(sent.next, 21);
  sent.becomeProbe();
  assert.equal(sent.next, 21);
  const failed = progressIn("replicate", 3, 9);
  failed.becomeSnapshot(20);
  failed.snapshotFailed();
  assert.deepEqual([failed.state, failed.next], ["probe", 4]);
});

Deno.test("a commit index is told once, and only as far as it can be used", () => {
  const progress = progressIn("replicate", 5, 6);
  progress.sentCommit = 3;
  assert.equal(progress.needsCommit(3), false);
  assert.equal(progress.needsCommit(4), true);
  progress.sent(0, 8);
  assert.equal(progress.needsCommit(9), false);
});
