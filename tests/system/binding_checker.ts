/**
 * Replays every binding that a store ever held and finds what must never happen.
 * In: a store whose history is whole. Out: what was replayed; problems as text.
 * Never: trusts the scheduler's own books; it reads nodes and pods as they were committed, adds
 * up requests itself, and looks after every single revision.
 */
import type { KubeObject } from "../../agents/api/meta.ts";
import { milliOf, unitsOf } from "../../agents/api/quantity.ts";
import type { Store, StoreEvent } from "../../store/mod.ts";

const PODS = "/registry/pods/";
const NODES = "/registry/minions/";

/** Millicores, bytes and pods. */
interface Amounts {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly pods: number;
}

interface Placed {
  readonly uid: string;
  readonly nodeName: string;
  readonly amounts: Amounts;
}

export interface Replay {
  /** Pods that were bound, each counted once. */
  readonly bound: number;
  /** Bindings that were committed; more than `bound` if any pod was bound twice. */
  readonly bindings: number;
  readonly problems: readonly string[];
}

const NOTHING: Amounts = { cpuMilli: 0, memoryBytes: 0, pods: 0 };

class Books {
  readonly problems: string[] = [];
  readonly boundUids = new Set<string>();
  bindings = 0;
  readonly #allocatable = new Map<string, Amounts>();
  readonly #used = new Map<string, Amounts>();
  /** Pods with a node, by key. */
  readonly #placed = new Map<string, Placed>();

  take({ type, kv }: StoreEvent): void {
    const key = decoder.decode(kv.key);
    const object = type === "put" ? JSON.parse(decoder.decode(kv.value)) as KubeObject : null;
    if (key.startsWith(NODES)) this.#takeNode(key.slice(NODES.length), object);
    else if (key.startsWith(PODS)) this.#takePod(key.slice(PODS.length), object, kv.modRevision);
  }

  #takeNode(name: string, node: KubeObject | null): void {
    const { cpu, memory, pods } = node?.status?.allocatable ?? {};
    const amounts = { cpuMilli: milliOf(cpu), memoryBytes: unitsOf(memory), pods: unitsOf(pods) };
    this.#allocatable.set(name, amounts);
  }

  #takePod(key: string, pod: KubeObject | null, revision: number): void {
    const before = this.#placed.get(key);
    const uid = pod?.metadata.uid ?? "";
    const nodeName: string = pod?.spec?.nodeName ?? "";
    const isSame = before?.uid === uid;
    if (isSame && before?.nodeName === nodeName) return;
    if (before !== undefined) {
      if (isSame) {
        const went = `from ${before.nodeName} to ${JSON.stringify(nodeName)}`;
        this.problems.push(`revision ${revision}: pod ${key} went ${went}`);
      }
      this.#placed.delete(key);
      this.#add(before.nodeName, before.amounts, -1);
    }
    if (nodeName === "") return;
    this.bindings++;
    this.boundUids.add(uid);
    const placed = { uid, nodeName, amounts: requestsOf(pod!) };
    this.#placed.set(key, placed);
    this.#add(nodeName, placed.amounts, 1);
    this.#check(nodeName, revision);
  }

  #add(nodeName: string, amounts: Amounts, sign: 1 | -1): void {
    const used = this.#used.get(nodeName) ?? NOTHING;
    this.#used.set(nodeName, {
      cpuMilli: used.cpuMilli + sign * amounts.cpuMilli,
      memoryBytes: used.memoryBytes + sign * amounts.memoryBytes,
      pods: used.pods + sign,
    });
  }

  #check(nodeName: string, revision: number): void {
    const allocatable = this.#allocatable.get(nodeName);
    if (allocatable === undefined) {
      this.problems.push(`revision ${revision}: there is no node ${nodeName}`);
      return;
    }
    const used = this.#used.get(nodeName)!;
    for (const amount of ["cpuMilli", "memoryBytes", "pods"] as const) {
      if (used[amount] <= allocatable[amount]) continue;
      const measure = `${amount} ${used[amount]} of ${allocatable[amount]}`;
      this.problems.push(`revision ${revision}: node ${nodeName} holds ${measure}`);
    }
  }
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

function requestsOf(pod: KubeObject): Amounts {
  let cpuMilli = 0;
  let memoryBytes = 0;
  for (const { resources } of pod.spec.containers) {
    cpuMilli += milliOf(resources?.requests?.cpu);
    memoryBytes += unitsOf(resources?.requests?.memory);
  }
  return { cpuMilli, memoryBytes, pods: 1 };
}

/**
 * Replays the history of a store.
 * Errors: rejects when the store does not have its history from the first revision on.
 */
export async function replayBindings(store: Store): Promise<Replay> {
  const books = new Books();
  const last = store.revision;
  await new Promise<void>((resolve, reject) => {
    const watch = store.watch({
      key: encoder.encode("/registry/"),
      rangeEnd: encoder.encode("/registry0"),
      startRevision: 1,
    }, (notice) => {
      if (notice.kind === "events") { for (const event of notice.events) books.take(event); }
      else if (notice.kind !== "progress") reject(new Error(`no whole history: ${notice.kind}`));
      if ("revision" in notice && notice.revision >= last) {
        watch.cancel();
        resolve();
      } else watch.requestProgress();
    });
    watch.requestProgress();
  });
  const { bindings, problems } = books;
  return { bound: books.boundUids.size, bindings, problems };
}
