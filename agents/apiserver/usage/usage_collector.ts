/**
 * What nodes and pods use, as rates between two looks at their kubelets.
 * In: the kubelets' `/metrics/resource`, a clock. Out: usage by node and by pod.
 * Never: asks a kubelet that nobody asks about: there is no poll. Who asks first waits a second for
 * a second look; for a minute after that the looks before serve as the first one, and what is
 * younger than 15 s serves as it is. So an idle cluster pays nothing, and an autoscaler that asks
 * every 15 s gets windows of 15 s, which is metrics-server's own resolution.
 */
import type { Clock } from "../ports.ts";
import { TimeSlice } from "../time_slice.ts";
import { type NodeReadings, parseReadings, type Reading } from "./parse_readings.ts";

/** What something uses, over a window that ends at a moment. */
export interface Usage {
  readonly atMillis: number;
  readonly windowMillis: number;
  readonly cpuCores: number;
  readonly memoryBytes: number;
}

export interface NodeUsage {
  /** Undefined where the kubelet does not tell. */
  readonly node: Usage | undefined;
  /** Containers by name, by `namespace/pod`; only those with figures. */
  readonly pods: ReadonlyMap<string, ReadonlyMap<string, Usage>>;
}

interface Looks {
  /** Undefined = there is no look that the latest could be compared with. */
  readonly before: NodeReadings | undefined;
  readonly latest: NodeReadings;
  readonly takenMillis: number;
}

const FRESH_MILLIS = 15_000;
/** A look that is older says nothing of now. */
const OLDEST_MILLIS = 60_000;
const FIRST_WINDOW_MILLIS = 1_000;
const TIMEOUT_MILLIS = 10_000;
const ASKED_AT_ONCE = 32;

export interface UsageCollectorParts {
  /** Asks a node's kubelet for its `/metrics/resource`; null = there is none to ask. */
  readonly measure: (nodeName: string) => Promise<string | null>;
  readonly clock: Clock;
}

export class UsageCollector {
  readonly #parts: UsageCollectorParts;
  readonly #looks = new Map<string, Looks>();
  /** Looks under way, by node; who asks meanwhile shares them. */
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(parts: UsageCollectorParts) {
    this.#parts = parts;
  }

  /** Nodes whose kubelet does not answer are absent. */
  async usageOf(nodeNames: readonly string[]): Promise<ReadonlyMap<string, NodeUsage>> {
    const { clock } = this.#parts;
    const nowMillis = clock.nowMillis();
    for (const [name, { takenMillis }] of this.#looks) {
      if (nowMillis - takenMillis > OLDEST_MILLIS) this.#looks.delete(name);
    }
    const isOld = (name: string) =>
      nowMillis - (this.#looks.get(name)?.takenMillis ?? -Infinity) >= FRESH_MILLIS;
    await this.#lookAll(nodeNames.filter(isOld));
    const isSingle = (name: string) => {
      const looks = this.#looks.get(name);
      return looks !== undefined && looks.before === undefined;
    };
    if (nodeNames.some(isSingle)) {
      await new Promise<void>((resolve) => void clock.after(FIRST_WINDOW_MILLIS, resolve));
      await this.#lookAll(nodeNames.filter(isSingle));
    }
    const found = new Map<string, NodeUsage>();
    for (const name of nodeNames) {
      const looks = this.#looks.get(name);
      if (looks?.before !== undefined) found.set(name, usageBetween(looks.before, looks.latest));
    }
    return found;
  }

  async #lookAll(names: readonly string[]): Promise<void> {
    let next = 0;
    const slice = new TimeSlice();
    const work = async () => {
      while (next < names.length) {
        const name = names[next++];
        let look = this.#underWay.get(name);
        if (look === undefined) {
          look = this.#look(name).finally(() => this.#underWay.delete(name));
          this.#underWay.set(name, look);
        }
        await look;
        if (slice.isOver) await slice.next();
      }
    };
    await Promise.all(Array.from({ length: Math.min(ASKED_AT_ONCE, names.length) }, work));
  }

  /** A kubelet that is silent is no failure: its node has no figures. */
  async #look(name: string): Promise<void> {
    const { clock, measure } = this.#parts;
    const { promise: tooLate, resolve } = Promise.withResolvers<null>();
    const stop = clock.after(TIMEOUT_MILLIS, () => resolve(null));
    const asked = measure(name).catch(() => null);
    const text = await Promise.race([asked, tooLate]);
    stop();
    if (text === null) return;
    const nowMillis = clock.nowMillis();
    this.#looks.set(name, {
      before: this.#looks.get(name)?.latest,
      latest: parseReadings(text, nowMillis),
      takenMillis: nowMillis,
    });
  }
}

/** Rates between two looks at one node. */
export function usageBetween(before: NodeReadings, latest: NodeReadings): NodeUsage {
  const pods = new Map<string, Map<string, Usage>>();
  for (const [key, containers] of latest.pods) {
    const used = new Map<string, Usage>();
    for (const [name, reading] of containers) {
      const usage = rateOf(before.pods.get(key)?.get(name), reading);
      if (usage !== undefined) used.set(name, usage);
    }
    if (used.size > 0) pods.set(key, used);
  }
  return { node: rateOf(before.node, latest.node), pods };
}

/** @returns undefined for what is new, started anew, or was not measured again. */
function rateOf(before: Reading | undefined, latest: Reading): Usage | undefined {
  if (before === undefined || before.startSeconds !== latest.startSeconds) return undefined;
  const windowMillis = latest.atMillis - before.atMillis;
  const grown = latest.cpuSeconds - before.cpuSeconds;
  if (!(windowMillis > 0) || !(grown >= 0) || Number.isNaN(latest.memoryBytes)) return undefined;
  return {
    atMillis: latest.atMillis,
    windowMillis,
    cpuCores: grown / windowMillis * 1000,
    memoryBytes: latest.memoryBytes,
  };
}
