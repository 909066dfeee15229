/** The contract of Ready: what waits for the disk and what does not. */
import assert from "node:assert/strict";
import { encodeConfChange } from "./conf_change.ts";
import { createRaft } from "./raft.ts";
import { confOf } from "./testing/group.ts";
import type {
  Entry,
  HardState,
  Message,
  MessageType,
  RaftConfig,
  RaftCore,
  Ready,
} from "./types.ts";

const config: RaftConfig = {
  id: 1n,
  electionTicks: 10,
  heartbeatTicks: 1,
  preVote: false,
  checkQuorum: false,
  readMode: "readIndex",
  maxAppendBytes: 1 << 20,
  maxInflightMessages: 256,
  maxUncommittedBytes: 1 << 20,
  tailEntries: 2,
  tailBytes: 1 << 20,
  laggingBytes: 100,
  random: { nextInt: () => 0 },
};

const noData = new Uint8Array(0);

function entryOf(index: number, term: number): Entry {
  return { index, term, kind: "normal", data: noData };
}

function coreOf(
  found: { voters?: bigint[]; entries?: Entry[]; hard?: Partial<HardState>; applied?: number },
  changed: Partial<RaftConfig> = {},
): RaftCore {
  return createRaft({ ...config, ...changed }, {
    hardState: { term: 1, vote: 0n, commit: 0, ...found.hard },
    snapshot: { index: 0, term: 0, conf: confOf(found.voters ?? [1n, 2n, 3n]) },
    entries: found.entries ?? [],
    applied: found.applied ?? 0,
  });
}

function messageOf(type: MessageType, fields: Partial<Message>): Message {
  return {
    type,
    from: 2n,
    to: 1n,
    term: 1,
    logTerm: 0,
    index: 0,
    commit: 0,
    entries: [],
    reject: false,
    rejectHint: 0,
    snapshot: null,
    context: 0n,
    ...fields,
  };
}

/** Takes every Ready and acknowledges its write. */
function settle(core: RaftCore): Ready[] {
  const all: Ready[] = [];
  while (core.hasReady()) {
    const ready = core.ready();
    all.push(ready);
    const last = ready.entries.at(-1);
    if (ready.mustSync) core.persisted(last?.index ?? 0, last?.term ?? 0);
    const applied = ready.committed.at(-1);
    if (applied !== undefined) core.appliedTo(applied.index);
  }
  return all;
}

Deno.test("a vote waits for the disk", () => {
  const core = coreOf({});
  core.step(messageOf("vote", { term: 2 }));
  const ready = core.ready();
  assert.deepEqual(ready.hardState, { term: 2, vote: 2n, commit: 0 });
  assert.equal(ready.mustSync, true);
  assert.deepEqual(ready.messages, []);
  assert.deepEqual(ready.messagesAfterPersist.map((m) => m.type), ["voteResponse"]);
});

Deno.test("while a write is outstanding, later answers and entries wait for the next one", () => {
  const core = coreOf({});
  core.step(messageOf("append", { entries: [entryOf(1, 1)] }));
  assert.equal(core.ready().entries.length, 1);
  core.step(messageOf("append", { index: 1, logTerm: 1, entries: [entryOf(2, 1)], commit: 1 }));
  assert.equal(core.hasReady(), false);
  core.persisted(1, 1);
  const next = core.ready();
  assert.deepEqual(next.entries.map((entry) => entry.index), [2]);
  assert.deepEqual(next.messagesAfterPersist.map((m) => m.index), [2]);
  assert.deepEqual(next.committed.map((entry) => entry.index), [1]);
});

Deno.test("a follower commits no further than what an append proves equal", () => {
  const core = coreOf({ entries: [entryOf(1, 1), entryOf(2, 1), entryOf(3, 1)] });
  core.step(
    messageOf("append", { term: 2, index: 1, logTerm: 1, entries: [entryOf(2, 1)], commit: 3 }),
  );
  assert.equal(core.commit, 2);
});

Deno.test("malformed appends are dropped", () => {
  const core = coreOf({});
  const bad: Partial<Message>[] = [
    { entries: [entryOf(2, 1)] },
    { entries: [entryOf(1, 1), entryOf(3, 1)] },
    { entries: [entryOf(1, 2)] },
    { entries: [{ ...entryOf(1, 1), kind: "confChange", data: new Uint8Array([9]) }] },
  ];
  for (const fields of bad) core.step(messageOf("append", fields));
  assert.equal(core.lastIndex, 0);
  core.step(messageOf("append", { from: 1n, entries: [entryOf(1, 1)] }));
  assert.equal(core.lastIndex, 0, "nobody speaks for this member but itself");
});

Deno.test("nobody stands for election before committed memberships are applied", () => {
  const data = encodeConfChange({
    changes: [{ type: "remove", id: 3n }],
    transition: "auto",
    context: noData,
  });
  const change: Entry = { index: 1, term: 1, kind: "confChange", data };
  const core = coreOf({ entries: [change], hard: { commit: 1 } });
  core.campaign();
  assert.equal(core.role, "follower");
  const restarted = coreOf({ entries: [change], hard: { commit: 1 }, applied: 1 });
  assert.deepEqual(restarted.conf.voters, [1n, 2n]);
  restarted.campaign();
  assert.equal(restarted.role, "candidate");
});

Deno.test("a commit index alone needs neither sync nor an acknowledgement", () => {
  const core = coreOf({ voters: [1n] });
  core.campaign();
  settle(core);
  core.propose(new Uint8Array(3));
  const readies = settle(core);
  assert.deepEqual(readies.map((ready) => ready.mustSync), [true, false]);
  assert.equal(readies[1].hardState?.commit, 2);
});

Deno.test("proposals that come together leave in one message per follower", () => {
  const core = coreOf({});
  core.campaign();
  settle(core);
  core.step(messageOf("voteResponse", { term: 2 }));
  settle(core);
  core.step(messageOf("appendResponse", { term: 2, index: 1 }));
  settle(core);
  for (let i = 0; i < 5; i++) core.propose(new Uint8Array(1));
  const appends = core.ready().messages.filter((m) => m.to === 2n);
  assert.deepEqual(appends.map((m) => m.entries.length), [5]);
});

Deno.test("a forwarded proposal is taken by the leader and passed on by a follower", () => {
  const entries = [{ ...entryOf(0, 0), data: new Uint8Array(2) }];
  const leader = coreOf({ voters: [1n] });
  leader.campaign();
  settle(leader);
  leader.step(messageOf("propose", { term: 0, from: 9n, entries }));
  assert.equal(leader.lastIndex, 2);
  const follower = coreOf({});
  follower.step(messageOf("propose", { term: 0, from: 3n, entries }));
  assert.equal(follower.hasReady(), false, "no leader is known");
  follower.step(messageOf("heartbeat", {}));
  follower.step(messageOf("propose", { term: 0, from: 3n, entries }));
  const forwarded = follower.ready().messages.filter((m) => m.type === "propose");
  assert.deepEqual(forwarded.map((m) => [m.from, m.to]), [[3n, 2n]]);
});

Deno.test("a disk or a configuration that contradicts itself is refused", () => {
  assert.throws(() => coreOf({ hard: { commit: 4 } }), /commit index/);
  assert.throws(() => coreOf({}, { id: 0n }), /never zero/);
  assert.throws(() => coreOf({}, { electionTicks: 1 }), /elections wait longer/);
  assert.throws(() => coreOf({}, { readMode: "leaderLease" }), /checkQuorum/);
});
