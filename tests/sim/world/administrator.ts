/**
 * Whoever looks after quota and users in a simulated cluster.
 * In: the moments at which a quota shrinks or a rule of auth changes. Out: commands through the
 * log, alarms disarmed, and what held when, for the checker.
 * Never: claims to know a state that a command without an answer may still change.
 */
import {
  encodeAlarm,
  encodeName,
  encodeRoleGrant,
  encodeRoleRevoke,
  encodeUserAdd,
  encodeUserPassword,
  encodeUserRole,
} from "../../../store/mvcc/admin_codec.ts";
import { COMMAND, type CommandKind } from "../../../store/mvcc/command.ts";
import { type ApplyOutcome, isFailure } from "../../../store/mvcc/outcome.ts";
import { keyBytes } from "../checks/model.ts";
import type { Machine } from "./machine.ts";
import type { SimRandom } from "./random.ts";
import type { World } from "./world.ts";

const LOOK_MILLIS = 250;
const ANSWER_MILLIS = 6_000;
const TRIES = 12;
const GUEST_KEYS = ["k00", "k08"] as const;
const NOBODY = new Uint8Array(0);

/** A change of auth, and what it leaves behind. */
interface AuthChange {
  readonly commands: readonly (readonly [CommandKind, Uint8Array])[];
  readonly enabled: boolean;
  readonly guests: boolean;
}

const GUEST_RANGE = { key: keyBytes(GUEST_KEYS[0]), rangeEnd: keyBytes(GUEST_KEYS[1]) };
const PERMISSION = { type: "readWrite", ...GUEST_RANGE } as const;

const SET_UP: AuthChange["commands"] = [
  [COMMAND.userAdd, encodeUserAdd({ name: "root", hashedPassword: "1", noPassword: false })],
  [COMMAND.userGrantRole, encodeUserRole({ user: "root", role: "root" })],
  [COMMAND.roleAdd, encodeName("guest")],
  [COMMAND.userAdd, encodeUserAdd({ name: "guest", hashedPassword: "", noPassword: true })],
  [COMMAND.userGrantRole, encodeUserRole({ user: "guest", role: "guest" })],
  [COMMAND.roleGrantPermission, encodeRoleGrant({ role: "guest", permission: PERMISSION })],
  [COMMAND.authEnable, NOBODY],
];

export class Administrator {
  readonly #world: World;
  readonly #random: SimRandom;
  #alarm: "none" | "raised" | "disarming" = "none";
  #disarmAt = 0;
  /** A command may still take effect unseen, so nothing is known for certain any more. */
  #alarmUncertain = false;
  /** Disarming commands that nobody has answered yet. */
  #disarming = 0;
  #authUncertain = false;
  #auth: "absent" | "enabled" | "disabled" = "absent";
  #guests = true;
  #busy = false;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random("administrator");
  }

  start(): void {
    this.#look();
  }

  /** From now on a machine's data are too much for it. */
  shrinkQuota(machine: Machine): void {
    if (this.#alarm === "none") machine.setQuota(1);
  }

  /** Everything that was raised is disarmed soon. */
  close(): void {
    this.#disarmAt = 0;
    this.#restoreQuotas();
  }

  get alarmStands(): boolean {
    return this.#world.running.some((machine) => alarmsOf(machine).length > 0);
  }

  #look(): void {
    this.#world.queue.after(LOOK_MILLIS, () => {
      this.#watchAlarms();
      this.#look();
    });
  }

  #watchAlarms(): void {
    const { now, rules, coverage } = this.#world;
    const stands = this.alarmStands;
    if (!stands) {
      if (this.#alarm === "disarming") this.#alarm = "none";
      return;
    }
    if (this.#alarm === "none") {
      this.#alarm = "raised";
      this.#disarmAt = now + this.#random.between(500, 3_000);
      coverage.alarmsRaised++;
      if (!this.#alarmUncertain && this.#disarming === 0) rules.alarmRaised(now);
    }
    if (this.#alarm === "raised" && now >= this.#disarmAt) {
      this.#alarm = "disarming";
      rules.alarmMayEnd(now);
      this.#restoreQuotas();
    }
    if (this.#alarm === "disarming") void this.#disarm();
  }

  #restoreQuotas(): void {
    for (const machine of this.#world.machines) machine.setQuota(null);
  }

  async #disarm(): Promise<void> {
    const seen = this.#world.running.filter((machine) => alarmsOf(machine).length > 0);
    const machine = this.#random.pick(seen);
    for (const { memberId, alarm } of alarmsOf(machine)) {
      const body = encodeAlarm({ action: "deactivate", memberId, alarm });
      this.#disarming++;
      if (await this.#ask(machine, COMMAND.alarm, body) === null) this.#alarmUncertain = true;
      this.#disarming--;
    }
  }

  // ---- auth -------------------------------------------------------------------------------------

  /** Sets auth up, or changes who may do what. */
  changeAuth(): void {
    if (this.#busy) return;
    this.#busy = true;
    this.#change(this.#nextChange()).catch((error) => this.#world.fail(error)).finally(() => {
      this.#busy = false;
    });
  }

  #nextChange(): AuthChange {
    const guests = this.#guests;
    if (this.#auth === "absent") return { commands: SET_UP, enabled: true, guests };
    if (this.#auth === "disabled") {
      return { commands: [[COMMAND.authEnable, NOBODY]], enabled: true, guests };
    }
    const dice = this.#random.nextInt(10);
    if (dice < 2) return { commands: [[COMMAND.authDisable, NOBODY]], enabled: false, guests };
    if (dice < 4) {
      const body = encodeUserPassword({ name: "root", hashedPassword: `${dice}` });
      return { commands: [[COMMAND.userChangePassword, body]], enabled: true, guests };
    }
    const command = guests
      ? [COMMAND.roleRevokePermission, encodeRoleRevoke({ role: "guest", ...GUEST_RANGE })] as const
      : SET_UP[5];
    return { commands: [command], enabled: true, guests: !guests };
  }

  async #change({ commands, enabled, guests }: AuthChange): Promise<void> {
    const { rules, coverage } = this.#world;
    rules.authMayChange(this.#world.now);
    let revision = 0;
    for (const [kind, body] of commands) {
      const known = await this.#insist(kind, body);
      // What did not happen is tried again with the next change.
      if (known === null) return;
      revision = known;
    }
    this.#auth = enabled ? "enabled" : "disabled";
    this.#guests = guests;
    coverage.authChanges++;
    if (this.#authUncertain) return;
    rules.authHolds(this.#world.now, {
      enabled,
      guestKeys: guests ? GUEST_KEYS : null,
      revision,
    });
  }

  /** Asks until something is answered. @returns the auth revision then, or null */
  async #insist(kind: CommandKind, body: Uint8Array): Promise<number | null> {
    for (let i = 0; i < TRIES && !this.#world.operator.isClosing; i++) {
      const { running } = this.#world;
      if (running.length > 0) {
        const machine = this.#random.pick(running);
        const outcome = await this.#ask(machine, kind, body);
        // A refusal says that an earlier try was heard.
        const isHeard = outcome?.kind === "authChanged" || outcome?.kind === "auth";
        if (isHeard && machine.opened !== null) return machine.opened.member.machine.auth.revision;
        if (outcome === null) this.#authUncertain = true;
      }
      await new Promise<void>((resolve) => void this.#world.queue.after(300, resolve));
    }
    return null;
  }

  /** @returns what a command came to, or null when nobody knows */
  #ask(machine: Machine, kind: CommandKind, body: Uint8Array): Promise<ApplyOutcome | null> {
    const member = machine.opened?.member;
    const { process } = machine;
    if (member === undefined || process === null || process.paused) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#world.queue.after(ANSWER_MILLIS, () => resolve(null));
      const identity = { user: "root", authRevision: member.machine.auth.revision };
      member.submit(kind, body, identity, (outcome) => {
        if (!process.alive) return;
        // A failure of the way there says nothing about the command.
        const isKnown = !isFailure(outcome) || outcome.kind === "auth";
        resolve(isKnown ? outcome : null);
      });
    });
  }
}

function alarmsOf(machine: Machine) {
  return machine.opened?.member.machine.alarms("noSpace") ?? [];
}
