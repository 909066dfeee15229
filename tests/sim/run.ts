/**
 * One run: a cluster, its clients and its faults for some simulated minutes, then peace, then every
 * check.
 * In: a seed and what to switch on. Out: what was covered, or the violation and how to replay it.
 * Never: depends on anything but its arguments.
 */
import { checkKv } from "./checks/check_kv.ts";
import { checkKeys } from "./checks/check_linear.ts";
import { Clients } from "./clients.ts";
import type { Coverage } from "./coverage.ts";
import { type FaultKind, FAULTS, Faults } from "./world/faults.ts";
import { Violation } from "./checks/history.ts";
import { Model, show } from "./checks/model.ts";
import { World } from "./world/world.ts";

export interface RunOptions {
  readonly seed: number;
  readonly members: number;
  readonly faults: readonly FaultKind[];
  readonly minutes: number;
  readonly trace?: (line: string) => void;
  /** Called with the world before it starts; seeded bugs get in here. */
  readonly prepare?: (world: World) => void;
}

export type RunOutcome =
  | { readonly kind: "passed"; readonly coverage: Coverage; readonly digest: string }
  | {
    readonly kind: "failed";
    readonly coverage: Coverage;
    readonly problem: string;
    readonly replay: string;
    /** World milliseconds. */
    readonly at: number;
  };

/** @returns the command that repeats a run */
export function replayCommand(options: RunOptions): string {
  const { seed, members, faults, minutes } = options;
  const list = faults.length === FAULTS.length ? "all" : faults.join() || "none";
  return `deno task sim --seed ${seed} --members ${members} --faults ${list} --minutes ${minutes}`;
}

/** Runs one seed to its end. */
export async function runSeed(options: RunOptions): Promise<RunOutcome> {
  const world = new World({
    seed: options.seed,
    members: options.members,
    trace: options.trace ?? null,
  });
  const { coverage } = world;
  const finish = () => {
    coverage.runs = 1;
    coverage.simulatedMillis = world.now;
    coverage.events = world.queue.count;
    coverage.leasesExpired = world.leases.expired;
    const { messages, lost, duplicated, reordered, snapshotsResumed } = world.network.counts;
    coverage.messages = messages;
    coverage.snapshotsResumed = snapshotsResumed;
    coverage.messagesLost = lost;
    coverage.messagesDoubled = duplicated;
    coverage.messagesReordered = reordered;
    coverage.close();
  };
  try {
    options.prepare?.(world);
    await play(world, options);
    await settle(world, options);
    checkAll(world);
    finish();
    return { kind: "passed", coverage, digest: digestOf(world) };
  } catch (error) {
    finish();
    const problem = error instanceof Violation ? error.message : String(
      error instanceof Error ? error.stack ?? error.message : error,
    );
    return { kind: "failed", coverage, problem, replay: replayCommand(options), at: world.now };
  }
}

async function play(world: World, options: RunOptions): Promise<void> {
  for (const machine of world.machines) machine.start();
  world.operator.start();
  world.administrator.start();
  const ready = await world.runUntil(() => world.leader !== null, 20_000);
  if (!ready) throw new Violation("no leader within 20 seconds of peace");
  const clients = new Clients(world);
  const faults = new Faults(world, options.faults);
  clients.start();
  faults.start();
  const end = world.now + options.minutes * 60_000;
  while (world.now < end) {
    await world.run(Math.min(end, world.now + 1_000));
    world.checkRefusals();
  }
  world.operator.isClosing = true;
  faults.stop();
  await world.run(world.now + 500);
  clients.stop();
  await world.runUntil(() => clients.busy === 0, 10_000);
}

/** Peace: everyone comes back, agrees, and leases run out. */
async function settle(world: World, options: RunOptions): Promise<void> {
  if (!await world.runUntil(() => isAgreed(world, options.members), 60_000)) {
    const states = world.inUse.map((machine) => {
      const { core, opened, name, refusal } = machine;
      if (core === null || opened === null) return `${name} down ${refusal ?? ""}`;
      return `${name} ${core.role} term ${core.term} commit ${core.commit} applied ${core.applied}`;
    });
    throw new Violation(`no agreement within a minute of peace: ${states.join("; ")}`);
  }
  // The longest lease, the extension of a new leader, and time to revoke.
  await world.run(world.now + 13_000);
  if (!await world.runUntil(() => isAgreed(world, options.members), 20_000)) {
    throw new Violation("no agreement after the leases ran out");
  }
  world.checkRefusals();
  for (const { log, handle } of world.liveWatches) {
    if (log.progressAskedAt < 0) log.progressAskedAt = world.now;
    handle.requestProgress();
  }
  await world.run(world.now + 500);
}

function isAgreed(world: World, members: number): boolean {
  const { inUse, running, leader } = world;
  if (!leader?.core || leader.opened?.member.isServingLeader !== true) return false;
  const { commit, term, conf } = leader.core;
  if (running.length !== inUse.length || inUse.length < members) return false;
  if (conf.voters.length !== inUse.length || conf.learners.length > 0) return false;
  return running.every(({ core, opened, store }) =>
    core !== null && core.term === term && core.leader === leader.id && core.commit === commit &&
    opened?.member.applied === commit && store?.revision === leader.store?.revision
  );
}

function checkAll(world: World): void {
  const { history, leases, coverage } = world;
  const revision = world.leader?.store?.revision ?? 0;
  if (history.contiguous !== revision) {
    throw new Violation(`observers know ${history.contiguous}, the store is at ${revision}`);
  }
  checkKv(history, leases);
  const model = new Model();
  for (let at = 2; at <= history.last; at++) model.advance(at, history.revision(at)!.changes);
  leases.checkAllEnded(model);
  world.rules.check(history.ops);
  coverage.refusedByRule = world.rules.refused;
  if (world.administrator.alarmStands) throw new Violation("an alarm stands although disarmed");
  for (const watch of world.watches) watch.check();
  for (const watch of world.liveWatches) watch.log.checkCaughtUp(revision);
  checkHashes(world, revision);
  checkConfigurations(world);
  const searched = checkKeys(history.ops);
  coverage.keysSearched = searched.keys;
  coverage.searchesGivenUp = searched.givenUp;
}

/** Every member holds the same data, byte for byte. */
function checkHashes(world: World, revision: number): void {
  const hashes = world.running.map(({ opened, name }) => {
    const reader = opened!.member.machine.openHash(revision);
    if ("kind" in reader) throw new Violation(`${name} can't hash ${revision}: ${reader.kind}`);
    let outcome = reader.step(1e9);
    while (outcome === undefined) outcome = reader.step(1e9);
    reader.close();
    if (outcome.kind !== "hash") throw new Violation(`${name} can't hash: ${outcome.kind}`);
    return `${outcome.hash}/${outcome.compactRevision}`;
  });
  if (new Set(hashes).size !== 1) {
    throw new Violation(`members hold different data at ${revision}: ${hashes.join(", ")}`);
  }
}

/** Every member counts votes in the same way. */
function checkConfigurations(world: World): void {
  const seen = new Set(world.running.map(({ core }) => show(core!.conf)));
  if (seen.size !== 1) throw new Violation(`members disagree who votes: ${[...seen].join(", ")}`);
}

/** A short text that two runs of one seed share, or the simulation is not deterministic. */
function digestOf(world: World): string {
  let hash = 0;
  for (const record of world.history.ops) {
    const text = `${record.invoked}/${record.completed}/${record.outcome.kind}`;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash, 31) + text.charCodeAt(i) | 0;
  }
  return `${world.queue.count}/${world.history.last}/${hash >>> 0}`;
}
