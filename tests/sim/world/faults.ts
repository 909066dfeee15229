/**
 * What goes wrong in a simulated cluster, and when it is put right again.
 * In: the kinds of fault that are switched on. Out: faults against a world, at random moments.
 * Never: harms more members at once, beyond repair, than the cluster can lose.
 */
import { MAX_DRIFT } from "../checks/check_lease.ts";
import type { Machine } from "./machine.ts";
import type { SimRandom } from "./random.ts";
import type { World } from "./world.ts";

export const FAULTS = [
  "kill",
  "power",
  "boundary",
  "double",
  "partition",
  "oneway",
  "flap",
  "isolate",
  "loss",
  "duplicate",
  "reorder",
  "delay",
  "pause",
  "drift",
  "jump",
  "slowsync",
  "failsync",
  "full",
  "bitflip",
  "misdirect",
  "transfer",
  "membership",
  "quota",
  "auth",
] as const;

export type FaultKind = typeof FAULTS[number];

/** Kinds that leave a disk which can't be trusted, so that its machine has to be replaced. */
const RUINOUS: ReadonlySet<FaultKind> = new Set(["bitflip", "misdirect"]);

export class Faults {
  readonly #world: World;
  readonly #kinds: readonly FaultKind[];
  readonly #random: SimRandom;
  #stopped = false;

  constructor(world: World, kinds: readonly FaultKind[]) {
    this.#world = world;
    this.#kinds = kinds;
    this.#random = world.random("faults");
  }

  start(): void {
    const { machines } = this.#world;
    if (this.#kinds.includes("drift")) { for (const machine of machines) this.#drift(machine); }
    if (this.#kinds.includes("auth") && this.#random.chance(0.4)) {
      this.#world.administrator.changeAuth();
    }
    this.#wait();
  }

  /** Nothing goes wrong any more, and everything is put right. */
  stop(): void {
    this.#stopped = true;
    this.#heal();
    this.#world.administrator.close();
    Object.assign(this.#world.network.faults, {
      loss: 0,
      duplication: 0,
      reordering: 0,
      extraDelayMillis: 0,
    });
    for (const machine of this.#world.inUse) {
      machine.process?.resume();
      Object.assign(machine.disk.faults, {
        capacityBytes: Number.POSITIVE_INFINITY,
        syncDelayMillis: 0,
        failNextSync: false,
        killAfterOperations: -1,
      });
    }
  }

  #wait(): void {
    this.#world.queue.after(this.#random.exponential(2_500), () => {
      if (this.#stopped || this.#kinds.length === 0) return;
      this.#strike(this.#random.pick(this.#kinds));
      this.#wait();
    });
  }

  /** Undoes something after a while, unless everything was put right before. */
  #later(meanMillis: number, undo: () => void): void {
    this.#world.queue.after(this.#random.exponential(meanMillis), () => {
      if (!this.#stopped) undo();
    });
  }

  #victim(): Machine | null {
    const { running, leader } = this.#world;
    if (leader !== null && this.#random.chance(0.4)) return leader;
    return running.length === 0 ? null : this.#random.pick(running);
  }

  #strike(kind: FaultKind): void {
    const machine = this.#victim();
    if (machine === null) return;
    if (RUINOUS.has(kind) && !this.#canLose(machine)) return;
    this.#world.trace(`fault ${kind} ${machine.name}`);
    this.#world.coverage.fault(kind);
    this.#perform(kind, machine);
  }

  #perform(kind: FaultKind, machine: Machine): void {
    const random = this.#random;
    const { faults: network } = this.#world.network;
    const { faults: disk } = machine.disk;
    switch (kind) {
      case "kill":
        return machine.kill();
      case "power":
        if (random.chance(0.15)) { for (const one of this.#world.inUse) one.losePower(); }
        else machine.losePower();
        return;
      case "boundary": {
        disk.killAfterOperations = random.nextInt(40);
        return this.#losesPowerToo(machine);
      }
      case "double":
        return this.#killThenLosePower(machine);
      case "partition":
        return this.#partition();
      case "oneway":
        return this.#oneWay(machine);
      case "flap":
        return this.#flap(6 + random.nextInt(12));
      case "isolate":
        return this.#isolate(machine);
      case "loss":
        network.loss = random.between(0.01, 0.2);
        return this.#later(4_000, () => network.loss = 0);
      case "duplicate":
        network.duplication = random.between(0.05, 0.4);
        return this.#later(5_000, () => network.duplication = 0);
      case "reorder":
        network.reordering = random.between(0.05, 0.4);
        return this.#later(4_000, () => network.reordering = 0);
      case "delay":
        network.extraDelayMillis = random.between(1, 120);
        return this.#later(3_000, () => network.extraDelayMillis = 0);
      case "pause": {
        const { process } = machine;
        process?.pause();
        return this.#later(2_500, () => process?.resume());
      }
      case "drift":
        return this.#drift(machine);
      case "jump":
        machine.clock.wallOffset += random.between(-3_600_000, 3_600_000);
        return;
      case "slowsync":
        disk.syncDelayMillis = random.between(5, 400);
        return this.#later(3_000, () => disk.syncDelayMillis = 0);
      case "failsync":
        disk.failNextSync = true;
        return;
      case "full":
        disk.capacityBytes = machine.disk.usedBytes + random.nextInt(20_000);
        return this.#later(3_000, () => disk.capacityBytes = Number.POSITIVE_INFINITY);
      case "bitflip":
        return this.#ruin(machine, (bytes) => {
          bytes[random.nextInt(bytes.length)] ^= 1 << random.nextInt(8);
        });
      case "misdirect":
        return this.#ruin(machine, (bytes) => {
          const from = random.nextInt(bytes.length);
          const length = Math.min(bytes.length - from, 8 * (1 + random.nextInt(64)));
          const moved = bytes.slice(from, from + length);
          bytes.fill(0, from, from + length);
          bytes.set(moved, random.nextInt(bytes.length - length + 1));
        });
      case "transfer":
        return this.#transfer();
      case "membership":
        return this.#world.operator.changeSomething();
      case "quota":
        return this.#world.administrator.shrinkQuota(machine);
      case "auth":
        this.#world.administrator.changeAuth();
    }
  }

  // ---- machines ---------------------------------------------------------------------------------

  /** What a restart found in the machine's memory was never on its disk, and then power fails. */
  #killThenLosePower(machine: Machine): void {
    machine.disk.faults.killAfterOperations = this.#random.nextInt(6);
    machine.onDeath.add(() => {
      this.#world.queue.after(this.#random.between(1, 30), () => machine.start());
      this.#world.queue.after(this.#random.between(2, 300), () => machine.losePower());
    });
  }

  /** Some of the machines killed at a disk operation also lose what was not synced. */
  #losesPowerToo(machine: Machine): void {
    if (!this.#random.chance(0.6)) return;
    const { process } = machine;
    if (process === null) return;
    machine.onDeath.add(() => this.#world.queue.after(0, () => machine.losePower()));
  }

  /** Whether a majority of the voters is left, with disks to trust, without this machine. */
  #canLose(machine: Machine): boolean {
    const { inUse, leader } = this.#world;
    const voters = leader?.core?.conf.voters.length ?? 0;
    const sound = inUse.filter((one) => !one.damaged && one.refusal === null && one !== machine);
    return voters >= 3 && sound.length >= Math.floor(voters / 2) + 1 &&
      inUse.every((one) => !one.damaged) && inUse.length === voters;
  }

  /**
   * Damages a stopped machine's log up to the head of its last write, or a snapshot. A last write
   * without one of its sectors looks like one that was never finished: no log can tell them apart.
   */
  #ruin(machine: Machine, change: (bytes: Uint8Array) => void): void {
    machine.kill();
    machine.damaged = true;
    const paths = machine.disk.paths().filter((path) => /\.(wal|snap)$/.test(path));
    if (paths.length === 0) return;
    const path = this.#random.pick(paths);
    machine.disk.damage(path, (bytes) => {
      const end = path.endsWith(".snap") ? bytes.length : endOfLastHead(bytes);
      if (end > 0) change(bytes.subarray(0, end));
    });
  }

  #drift(machine: Machine): void {
    machine.clock.setRate(1 + this.#random.between(-MAX_DRIFT, MAX_DRIFT) / 2);
  }

  #transfer(): void {
    const { leader } = this.#world;
    const voters = leader?.core?.conf.voters ?? [];
    if (!leader?.opened || voters.length < 2) return;
    this.#world.coverage.leaderTransfers++;
    void leader.opened.cluster.moveLeader(this.#random.pick(voters));
  }

  // ---- network ----------------------------------------------------------------------------------

  #ids(): bigint[] {
    return this.#world.inUse.map(({ id }) => id).filter((id) => id !== null);
  }

  #heal(): void {
    this.#world.network.heal();
  }

  #cut(aside: (id: bigint) => boolean, bothWays: boolean): void {
    const { network } = this.#world;
    for (const from of this.#ids()) {
      for (const to of this.#ids()) {
        if (aside(from) === aside(to)) continue;
        if (bothWays || aside(from)) network.cut(from, to);
      }
    }
  }

  #partition(): void {
    const side = new Set(this.#ids().filter(() => this.#random.chance(0.5)));
    this.#cut((id) => side.has(id), true);
    this.#later(4_000, () => this.#heal());
  }

  #isolate(machine: Machine): void {
    const { id } = machine;
    this.#cut((one) => one === id, true);
    this.#later(4_000, () => this.#heal());
  }

  #oneWay(machine: Machine): void {
    const { id } = machine;
    const deaf = this.#random.chance(0.5);
    this.#cut((one) => (one === id) !== deaf, false);
    this.#later(4_000, () => this.#heal());
  }

  /** Cuts and heals one member's links many times. */
  #flap(times: number): void {
    const machine = this.#victim();
    if (times === 0 || machine === null || this.#stopped) return;
    const id = machine.id;
    this.#cut((one) => one === id, true);
    this.#later(250, () => {
      this.#heal();
      this.#later(250, () => this.#flap(times - 1));
    });
  }
}

/** Frames begin with a checksum and their length; the next follows at the next multiple of 8. */
function endOfLastHead(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = 0;
  for (let at = 0; at + 24 <= bytes.length;) {
    const length = view.getUint32(at + 4, true);
    if (length === 0) break;
    end = at + 20;
    at = (at + 24 + length + 7) & ~7;
  }
  return end;
}
