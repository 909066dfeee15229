/**
 * The operator of a simulated cluster: starts what is down, replaces what is lost, changes the
 * membership while clients work.
 * In: a world. Out: restarts, members added, promoted and removed.
 * Never: removes so many that no majority of sound members is left.
 */
import type { ClusterOutcome, ClusterRequest } from "../../../store/member/cluster.ts";
import type { Machine } from "./machine.ts";
import type { SimRandom } from "./random.ts";
import type { World } from "./world.ts";

const LOOK_MILLIS = 400;

export class Operator {
  readonly #world: World;
  readonly #random: SimRandom;
  readonly #members: number;
  #busy = false;
  /** No member is added or removed for its own sake any more. */
  isClosing = false;

  /** @param members voters that the cluster should have */
  constructor(world: World, members: number) {
    this.#world = world;
    this.#members = members;
    this.#random = world.random("operator");
  }

  start(): void {
    this.#look();
  }

  #look(): void {
    this.#world.queue.after(LOOK_MILLIS, () => {
      this.#restart();
      this.#world.sampleRevision();
      if (!this.#busy) void this.#repair();
      this.#look();
    });
  }

  #restart(): void {
    for (const machine of this.#world.inUse) {
      if (!machine.isDown) continue;
      if (machine.damaged && machine.refusal !== null) continue;
      if (this.isClosing || this.#random.chance(0.3)) machine.start();
    }
  }

  /** Adds, promotes or removes one member, so that clients see it happen. */
  changeSomething(): void {
    if (!this.#busy) void this.#run(() => this.#change());
  }

  /** Replaces a machine that can't start any more, and finishes what was begun. */
  async #repair(): Promise<void> {
    this.#retireRemoved();
    const lost = this.#world.inUse.find((machine) =>
      machine.isDown && machine.damaged && machine.refusal !== null
    );
    if (lost !== undefined) await this.#run(() => this.#remove(lost));
    else if (!this.isClosing || this.#hasLearner()) await this.#run(() => this.#complete());
  }

  async #run(work: () => Promise<void>): Promise<void> {
    this.#busy = true;
    try {
      await work();
    } catch (error) {
      this.#world.fail(error);
    } finally {
      this.#busy = false;
    }
  }

  async #change(): Promise<void> {
    const { running, inUse } = this.#world;
    if (running.length === inUse.length && inUse.length > 2 && this.#random.chance(0.5)) {
      await this.#remove(this.#random.pick(inUse));
    } else await this.#add();
  }

  /** Promotes a learner that caught up, and adds members until there are enough. */
  async #complete(): Promise<void> {
    const asked = this.#world.leader;
    const members = asked?.opened?.member.membership.list() ?? [];
    const learner = members.find(({ isLearner }) => isLearner);
    if (learner !== undefined) {
      await this.#ask(asked!, { ask: "memberPromote", id: learner.id.toString(16) });
    } else if (members.length > 0 && members.length < this.#members) await this.#add();
    this.#startAdded(members);
  }

  #hasLearner(): boolean {
    const members = this.#world.leader?.opened?.member.membership.list() ?? [];
    return members.length < this.#members || members.some(({ isLearner }) => isLearner) ||
      members.some((member) => !this.#world.inUse.some(({ url }) => url === member.peerUrls[0]));
  }

  async #add(): Promise<void> {
    const asked = this.#pickRunning();
    if (!asked?.opened || this.#world.inUse.length > this.#members) return;
    const machine = this.#world.addJoining();
    const isLearner = this.#random.chance(0.7);
    this.#world.trace(`operator adds ${machine.name} learner=${isLearner}`);
    const request = { ask: "memberAdd", peerUrls: [machine.url], isLearner } as const;
    const outcome = await this.#ask(asked, request);
    this.#world.trace(`operator: add ${machine.name} ${outcome.kind}`);
    // Without a word it may have been added all the same; `#startAdded` looks.
    if (outcome.kind === "changed") this.#startAdded([{ peerUrls: [machine.url] }]);
  }

  /** Starts machines that turned out to be members, and removes members without a machine. */
  #startAdded(members: readonly { readonly peerUrls: readonly string[] }[]): void {
    for (const { peerUrls } of members) {
      const machine = this.#world.machines.find(({ url }) => url === peerUrls[0]);
      if (machine?.retired && machine.id === null) {
        machine.retired = false;
        machine.start();
      }
    }
  }

  async #remove(machine: Machine): Promise<void> {
    const asked = this.#pickRunning();
    const members = asked?.opened?.member.membership.list() ?? [];
    const member = members.find(({ peerUrls }) => peerUrls[0] === machine.url);
    if (!asked?.opened || members.length === 0) return;
    if (member !== undefined) {
      this.#world.trace(`operator removes ${machine.name}`);
      const request = { ask: "memberRemove", id: member.id.toString(16) } as const;
      const outcome = await this.#ask(asked, request);
      this.#world.trace(`operator: remove ${machine.name} ${outcome.kind}`);
      const gone = outcome.kind === "changed" ||
        (outcome.kind === "member" && outcome.reason === "memberNotFound");
      if (!gone) return;
    }
    await this.#wait(300);
    machine.retired = true;
    machine.kill();
  }

  /** Asks one member; a member that dies meanwhile never answers. */
  async #ask(machine: Machine, request: ClusterRequest): Promise<ClusterOutcome> {
    const late = this.#wait(8_000).then((): ClusterOutcome => ({ kind: "timeout" }));
    const asked = machine.opened?.cluster.change(request);
    return asked === undefined ? { kind: "stopped" } : await Promise.race([asked, late]);
  }

  /** Machines whose member the cluster has removed, though nobody was told. */
  #retireRemoved(): void {
    const membership = this.#world.leader?.opened?.member.membership;
    for (const machine of this.#world.inUse) {
      if (machine.id === null || membership?.isRemoved(machine.id) !== true) continue;
      this.#world.trace(`operator retires ${machine.name}`);
      machine.retired = true;
      machine.kill();
    }
  }

  #pickRunning(): Machine | null {
    const { running } = this.#world;
    const settled = running.filter(({ core }) => core !== null && core.leader !== 0n);
    return settled.length === 0 ? null : this.#random.pick(settled);
  }

  #wait(millis: number): Promise<void> {
    return new Promise((resolve) => void this.#world.queue.after(millis, resolve));
  }
}
