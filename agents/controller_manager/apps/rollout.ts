/**
 * PURE. One plan in the making: ReplicaSets as they will be, and the writes that lead there.
 * In: edits to ReplicaSets. Out: at most one update for each, with the events that go with it.
 * Never: decides what to scale. Source: pkg/controller/deployment scaleReplicaSet (v1.36).
 */
import { replicaSets } from "../../api/resources.ts";
import type { Announcement, Write } from "../controller.ts";
import type { Deployment, ReplicaSet } from "../kinds.ts";
import { replicasOf } from "./deployment_math.ts";
import { newestAnnotations, nextRevision, sizeAnnotations } from "./deployment_revision.ts";

export class Rollout {
  readonly deployment: Deployment;
  /** The ReplicaSet of the current template, as it will be; undefined until there is one. */
  newSet: ReplicaSet | undefined;
  /** All others, oldest first, as they will be. */
  oldSets: readonly ReplicaSet[];
  readonly #announcements = new Map<string, Announcement>();
  readonly #changed = new Set<string>();
  readonly #deleted: ReplicaSet[] = [];

  constructor(options: {
    readonly deployment: Deployment;
    readonly newSet: ReplicaSet | undefined;
    readonly oldSets: readonly ReplicaSet[];
  }) {
    this.deployment = options.deployment;
    this.newSet = options.newSet;
    this.oldSets = options.oldSets;
  }

  get all(): readonly ReplicaSet[] {
    return this.newSet === undefined ? this.oldSets : [...this.oldSets, this.newSet];
  }

  /** Brings the new ReplicaSet's annotations and minReadySeconds in line with the Deployment. */
  syncNewSet(): void {
    const set = this.newSet;
    if (set === undefined) return;
    const current = set.metadata.annotations ?? {};
    const annotations = newestAnnotations(this.deployment, current, nextRevision(this.oldSets));
    const minReadySeconds = this.deployment.spec.minReadySeconds ?? 0;
    if (annotations === current && (set.spec.minReadySeconds ?? 0) === minReadySeconds) return;
    this.#replace({
      ...set,
      metadata: { ...set.metadata, annotations: { ...annotations } },
      spec: { ...set.spec, minReadySeconds },
    });
  }

  /**
   * Gives a ReplicaSet a new size.
   * @param force also renews the size annotations where the size stays.
   * @returns whether the size changes.
   */
  scale(set: ReplicaSet, replicas: number, force = false): boolean {
    const before = replicasOf(set);
    if (before === replicas && !force) return false;
    const sizes = sizeAnnotations(this.deployment);
    const current = set.metadata.annotations ?? {};
    const stale = Object.entries(sizes).some(([name, value]) => current[name] !== value);
    if (before === replicas && !stale) return false;
    this.#replace({
      ...set,
      metadata: { ...set.metadata, annotations: { ...current, ...sizes } },
      spec: { ...set.spec, replicas },
    });
    if (before === replicas) return false;
    const direction = before < replicas ? "up" : "down";
    const name = set.metadata.name!;
    // Two steps on one ReplicaSet are told as one.
    const first = this.#announcements.get(name)?.success?.message.match(/from (\d+) to/)?.[1];
    const from = first ?? String(before);
    this.#announcements.set(name, {
      about: this.deployment,
      success: {
        reason: "ScalingReplicaSet",
        message: `Scaled ${direction} replica set ${name} from ${from} to ${replicas}`,
      },
    });
    return true;
  }

  delete(set: ReplicaSet): void {
    this.#deleted.push(set);
  }

  /** The writes so far. */
  writes(): Write[] {
    const updates = this.all
      .filter((set) => this.#changed.has(set.metadata.name!))
      .map((object): Write => {
        const announce = this.#announcements.get(object.metadata.name!);
        return {
          kind: "update",
          resource: replicaSets,
          object,
          ...(announce === undefined ? {} : { announce }),
        };
      });
    const deletes = this.#deleted.map((object): Write => ({
      kind: "delete",
      resource: replicaSets,
      object,
    }));
    return [...updates, ...deletes];
  }

  #replace(next: ReplicaSet): void {
    const name = next.metadata.name!;
    this.#changed.add(name);
    if (this.newSet?.metadata.name === name) this.newSet = next;
    else {
      this.oldSets = this.oldSets.map((set) => set.metadata.name === name ? next : set);
    }
  }
}
