/**
 * What a pod's fate hangs on besides nodes: gates, its group, its claims, who would make room.
 * In: a scheduler that holds the cluster, the pod's row and those of its group that wait. Out: what
 * holds the pod back, how its group stands and would fare now, how its claims stand, whom it would
 * evict.
 * Never: decides for real; what is tried here is tried in a scheduler that nobody else has.
 */
import type { GroupPolicy, PodRow, Scheduler } from "../../../scheduler/mod.ts";
import type { VolumeClaimAccount } from "./pod_volumes.ts";

/** One pod of the group, as it would fare if the group were tried now. */
export interface MemberAccount {
  readonly name: string;
  /** Where it is, or would go; "" = nowhere. */
  readonly nodeName: string;
  readonly isBound: boolean;
  /** Why it would not be bound, "" when it would. */
  readonly message: string;
}

export interface GroupAccount {
  readonly name: string;
  /** Pods that must start together; 0 = each for itself. */
  readonly minCount: number;
  /** Label of nodes of which all its pods get the same value, "" = none. */
  readonly topologyKey: string;
  readonly bound: number;
  readonly waiting: number;
  /** How many more must get a node before any of those that wait may start. */
  readonly missing: number;
  readonly members: readonly MemberAccount[];
}

export interface ClaimAccount {
  readonly name: string;
  /** "request: driver/pool/device" of each device that it holds. */
  readonly devices: readonly string[];
  /** How many pods it is reserved for. */
  readonly consumers: number;
  /** What it asks for, request by request, in words. */
  readonly requests: readonly string[];
}

/** What a pod's status says. */
export interface PodStanding {
  readonly phase: string;
  readonly isTerminating: boolean;
  /** Node that is promised to it, "" = none. */
  readonly nominatedNode: string;
  /** Why it was not scheduled when it was last tried, "" when it was, or was not tried. */
  readonly lastWord: string;
}

export interface EvictionAccount {
  /** Where it would make room, "" = nowhere. */
  readonly nodeName: string;
  /** "namespace/name" of each pod that would go. */
  readonly victims: readonly string[];
}

export interface PodContext {
  /** Why the pod is not tried at all, one line for each gate. */
  readonly heldBy: readonly string[];
  readonly standing: PodStanding;
  readonly group: GroupAccount | null;
  readonly claims: readonly ClaimAccount[];
  readonly volumes: readonly VolumeClaimAccount[];
  /** What evicting others would do; null where that was not tried. */
  readonly eviction: EvictionAccount | null;
}

/** The pod's group as it was read, and the pods of it. */
export interface GroupParts {
  /** What the group asks for; null = there is no such group. */
  readonly policy: GroupPolicy | null;
  readonly bound: readonly { readonly row: PodRow; readonly nodeName: string }[];
  /** The explained pod among them, if it waits. */
  readonly waiting: readonly { readonly row: PodRow; readonly schedulerName: string }[];
}

/** More pods than any group is tried with at once by hand. */
const ALL = 1_000_000;

function claimsOf({ devices }: Scheduler, { template: { spec } }: PodRow): ClaimAccount[] {
  return spec.devices.claims.map((key) => {
    const claim = devices.claim(key);
    return {
      name: key,
      devices: (claim?.allocation?.devices ?? []).map(({ request, driver, pool, device }) =>
        `${request}: ${driver}/${pool}/${device}`
      ),
      consumers: claim?.reservedFor.length ?? 0,
      requests: (claim?.requests ?? []).map(({ alternatives }) =>
        alternatives.map(({ name, className, mode, count }) =>
          `${name}: ${mode === "All" ? "all" : count} of ${className}`
        ).join(", or ")
      ),
    };
  });
}

function gatesOf(scheduler: Scheduler, pod: PodRow, schedulerName: string): string[] {
  const { spec } = pod.template;
  return (scheduler.profiles.get(schedulerName)?.gates ?? []).flatMap((plugin) => {
    const reason = plugin.gate?.(spec) ?? null;
    return reason === null ? [] : [`${plugin.name}: ${reason}`];
  });
}

/** Tries the group for real, in a scheduler that is thrown away afterwards. */
function tryGroup(scheduler: Scheduler, name: string, parts: GroupParts): GroupAccount {
  const { bound, waiting } = parts;
  const { minCount, topologyKey = "" } = parts.policy ?? { minCount: 0 };
  if (parts.policy !== null) scheduler.setGroup(name, parts.policy, 0);
  for (const { row, schedulerName } of waiting) scheduler.setPending(row, schedulerName, 0);
  const outcomes = new Map<string, { readonly nodeName: string; readonly message: string }>();
  for (const action of scheduler.plan(0, ALL)) {
    const { uid } = action.entry.pod;
    if (action.kind === "bind") outcomes.set(uid, { nodeName: action.nodeName, message: "" });
    else outcomes.set(uid, { nodeName: "", message: action.message });
  }
  const members = [
    ...bound.map(({ row, nodeName }) => ({ name: row.name, nodeName, isBound: true, message: "" })),
    ...waiting.map(({ row }): MemberAccount => {
      const gate = scheduler.queue.find(row.uid)?.entry.gate ?? "";
      const { nodeName, message } = outcomes.get(row.uid) ?? { nodeName: "", message: gate };
      return { name: row.name, nodeName, isBound: false, message };
    }),
  ];
  const missing = Math.max(0, minCount - bound.length);
  const counts = { bound: bound.length, waiting: waiting.length, missing };
  return { name, minCount, topologyKey, ...counts, members };
}

/** Tries the pod by itself as it stands. */
function tryEviction(scheduler: Scheduler, pod: PodRow, schedulerName: string): EvictionAccount {
  scheduler.setPending(pod, schedulerName, 0);
  const [action] = scheduler.plan(0, 1);
  if (action?.kind !== "reject") return { nodeName: "", victims: [] };
  const victims = action.victims.map(({ name, template }) => `${template.spec.namespace}/${name}`);
  return { nodeName: action.nominatedNode ?? "", victims };
}

/** What is known of the explained pod. */
export interface ContextParts {
  readonly scheduler: Scheduler;
  readonly pod: PodRow;
  readonly schedulerName: string;
  /** Node the pod is on, "" when it has none. */
  readonly nodeName: string;
  readonly standing: PodStanding;
  readonly volumes: readonly VolumeClaimAccount[];
  /** The pods of its group; null when it is in none. */
  readonly group: GroupParts | null;
}

/** @returns what besides nodes decides about the pod; the scheduler is used up by it. */
export function podContext(parts: ContextParts): PodContext {
  const { scheduler, pod, schedulerName, standing, volumes } = parts;
  const heldBy = gatesOf(scheduler, pod, schedulerName);
  const claims = claimsOf(scheduler, pod);
  const context = { heldBy, standing, claims, volumes };
  if (parts.group === null) {
    const isTried = heldBy.length === 0 && parts.nodeName === "" && !standing.isTerminating;
    const eviction = isTried ? tryEviction(scheduler, pod, schedulerName) : null;
    return { ...context, group: null, eviction };
  }
  const group = tryGroup(scheduler, pod.group, parts.group);
  const own = scheduler.queue.find(pod.uid)?.entry.gate ?? "";
  const isNew = own !== "" && !heldBy.some((line) => line.endsWith(own));
  const all = isNew ? [...heldBy, `GangScheduling: ${own}`] : heldBy;
  return { ...context, heldBy: all, group, eviction: null };
}

/** @returns lines for people; none where there is nothing to say. */
export function contextLines(
  { claims, volumes, standing }: PodContext,
  isPlaced: boolean,
): string[] {
  const lines = volumes.map(({ name, state }) => `Volume claim ${name} ${state}.`);
  for (const { name, devices, consumers, requests } of claims) {
    const state = devices.length === 0
      ? `has no devices yet; asks for ${requests.join("; ")}`
      : `holds ${devices.join(", ")}; reserved for ${consumers}`;
    lines.push(`Claim ${name} ${state}.`);
  }
  if (standing.isTerminating) lines.push("It is being deleted.");
  if (standing.phase === "Succeeded" || standing.phase === "Failed") {
    lines.push(`It has ended: ${standing.phase}.`);
  }
  if (isPlaced) return lines;
  if (standing.nominatedNode !== "") lines.push(`${standing.nominatedNode} is promised to it.`);
  if (standing.lastWord !== "") lines.push(`Last said of it: ${standing.lastWord}`);
  return lines;
}

/** @returns lines for people on a group. */
export function groupLines(account: GroupAccount): string[] {
  const { name, minCount, topologyKey, bound, waiting, missing, members } = account;
  const kind = minCount === 0 ? "pods start one by one" : `${minCount} must start together`;
  const place = topologyKey === "" ? "" : ` in one ${topologyKey}`;
  const lines = [`Group ${name}: ${kind}${place}; ${bound} bound, ${waiting} waiting.`];
  if (waiting === 0) return lines;
  const fitting = members.filter(({ isBound, nodeName }) => !isBound && nodeName !== "").length;
  const verdict = missing === 0
    ? `${fitting} of those that wait would be bound.`
    : fitting >= missing
    ? `It lacks ${missing} and would start, with ${fitting}.`
    : `It lacks ${missing} and would not start.`;
  return [...lines, `Tried now: ${verdict}`];
}
