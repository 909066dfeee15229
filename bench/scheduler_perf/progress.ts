/**
 * Where the pods of each namespace stand, as the scheduler's own informer sees them.
 * In: changes of pods. Out: counts, promises that a count is reached, news of bindings.
 * Never: asks the API server.
 */
import type { KubeObject } from "../../agents/api/meta.ts";
import type { Change, Informer } from "../../agents/client/informer.ts";

type Stage = "waiting" | "attempted" | "scheduled";

interface Wish {
  readonly isMet: () => boolean;
  readonly resolve: () => void;
}

const PATIENCE_MILLIS = 300_000;

export class Progress {
  readonly #scheduled = new Map<string, number>();
  readonly #attempted = new Map<string, number>();
  readonly #stop: () => void;
  #wishes: Wish[] = [];
  #present = new Map<string, number>();

  /** Told how many pods of a namespace were seen bound at once. */
  onBound: (namespace: string, count: number) => void = () => {};

  constructor(informer: Informer) {
    this.#stop = informer.addHandler((changes) => this.#observe(changes));
  }

  close(): void {
    this.#stop();
  }

  /** Pods that exist now, by namespace. */
  get present(): ReadonlyMap<string, number> {
    return this.#present;
  }

  /** Resolves once that many pods have a node. Errors: rejects after five minutes. */
  whenScheduled(namespace: string, count: number): Promise<void> {
    const reached = () => this.#scheduled.get(namespace) ?? 0;
    return this.#when(
      () => reached() >= count,
      () => `${reached()} of ${count} pods of ${namespace} are scheduled`,
    );
  }

  /** As `whenScheduled`, for pods that were tried at least. */
  whenAttempted(namespace: string, count: number): Promise<void> {
    const reached = () =>
      (this.#scheduled.get(namespace) ?? 0) + (this.#attempted.get(namespace) ?? 0);
    return this.#when(
      () => reached() >= count,
      () => `${reached()} of ${count} pods of ${namespace} were attempted`,
    );
  }

  #when(isMet: () => boolean, describe: () => string): Promise<void> {
    if (isMet()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(describe())), PATIENCE_MILLIS);
      this.#wishes.push({
        isMet,
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
      });
    });
  }

  #observe(changes: readonly Change[]): void {
    const bound = new Map<string, number>();
    for (const { type, object, old } of changes) {
      const { namespace = "" } = object.metadata;
      // A pod that goes was last seen as it is told of.
      const before = type === "add" ? undefined : stageOf(old ?? object);
      const stage = type === "delete" ? undefined : stageOf(object);
      if (before === stage) continue;
      if (before === undefined) add(this.#present, namespace, 1);
      if (stage === undefined) add(this.#present, namespace, -1);
      this.#tally(before, namespace, -1);
      this.#tally(stage, namespace, 1);
      if (stage === "scheduled") add(bound, namespace, 1);
    }
    for (const [namespace, count] of bound) this.onBound(namespace, count);
    if (this.#wishes.length === 0) return;
    const met = this.#wishes.filter((wish) => wish.isMet());
    if (met.length === 0) return;
    this.#wishes = this.#wishes.filter((wish) => !met.includes(wish));
    for (const wish of met) wish.resolve();
  }

  #tally(stage: Stage | undefined, namespace: string, by: number): void {
    if (stage === "scheduled") add(this.#scheduled, namespace, by);
    else if (stage === "attempted") add(this.#attempted, namespace, by);
  }
}

function stageOf(pod: KubeObject): Stage {
  if (pod.spec?.nodeName) return "scheduled";
  const conditions: readonly { readonly type: string }[] = pod.status?.conditions ?? [];
  return conditions.some(({ type }) => type === "PodScheduled") ? "attempted" : "waiting";
}

function add(counts: Map<string, number>, key: string, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}
