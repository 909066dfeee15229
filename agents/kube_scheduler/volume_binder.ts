/**
 * Gives the claims of a placed pod their volumes before the pod is bound.
 * In: a placed pod, its node. Out: volumes reserved, provisioners told of the node; whether every
 * claim is bound by now.
 * Never: completes a binding; the volume controller and the provisioner do.
 * Source: the PreBind step of the Kubernetes v1.36 scheduler plugin VolumeBinding.
 */
import type { KubeObject } from "../api/meta.ts";
import { compareQuantities } from "../api/quantity.ts";
import type { Resource } from "../api/resource.ts";
import { findResource } from "../api/resources.ts";
import type { Client } from "../client/client.ts";
import type { InformerSet } from "../client/informer_set.ts";
import { matchesNodeTerm } from "../../scheduler/mod.ts";
import type { NodeRow } from "../../scheduler/mod.ts";
import { couldServe, isBound, resolveVolumes, termsOf } from "./encode_volumes.ts";
import type {
  Claim,
  CsiDriver,
  PersistentVolume,
  ResolvedVolumes,
  StorageCapacity,
  StorageClass,
  VolumeLookup,
} from "./encode_volumes.ts";
import type { Pod } from "./kinds.ts";

export const SELECTED_NODE = "volume.kubernetes.io/selected-node";
const BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller";
const MERGE = "application/merge-patch+json";

/** The collections that claims are resolved from, as far as the API serves them. */
export const VOLUME_RESOURCES = {
  claims: findResource("", "v1", "persistentvolumeclaims"),
  volumes: findResource("", "v1", "persistentvolumes"),
  classes: findResource("storage.k8s.io", "v1", "storageclasses"),
  drivers: findResource("storage.k8s.io", "v1", "csidrivers"),
  capacities: findResource("storage.k8s.io", "v1", "csistoragecapacities"),
} as const;

export class VolumeBinder {
  readonly #client: Client;
  readonly #lookup: VolumeLookup;

  constructor(client: Client, informers: InformerSet) {
    const listerOf = <T extends KubeObject>(resource: Resource | undefined) =>
      resource && informers.of<T>(resource).lister;
    const claims = listerOf<Claim>(VOLUME_RESOURCES.claims);
    const volumes = listerOf<PersistentVolume>(VOLUME_RESOURCES.volumes);
    const classes = listerOf<StorageClass>(VOLUME_RESOURCES.classes);
    const drivers = listerOf<CsiDriver>(VOLUME_RESOURCES.drivers);
    const capacities = listerOf<StorageCapacity>(VOLUME_RESOURCES.capacities);
    this.#client = client;
    this.#lookup = {
      claim: (namespace, name) => claims?.get({ namespace, name }),
      volume: (name) => volumes?.get({ name }),
      volumes: () => volumes?.list() ?? [],
      storageClass: (name) => classes?.get({ name }),
      driver: (name) => drivers?.get({ name }),
      capacities: () => capacities?.list() ?? [],
    };
  }

  resolve(pod: Pod): ResolvedVolumes {
    return resolveVolumes(pod, this.#lookup);
  }

  /**
   * Starts the binding of every claim that waits.
   *
   * Errors: rejects with ApiError when a reservation is refused.
   */
  async reserve(pod: Pod, node: NodeRow): Promise<void> {
    const taken = new Set<string>();
    for (const claim of this.resolve(pod).waiting) {
      const volume = this.#choose(claim, node, taken);
      if (volume === undefined) await this.#selectNode(claim, node.name);
      else {
        taken.add(volume.metadata.name!);
        await this.#reserveVolume(volume, claim);
      }
    }
  }

  /** @returns whether no claim of the pod waits any more. */
  isComplete(pod: Pod): boolean {
    const { needs, waiting } = this.resolve(pod);
    return needs.rejection === "" && waiting.every(isBound);
  }

  /** @returns the smallest volume that serves the claim on the node. */
  #choose(claim: Claim, node: NodeRow, taken: ReadonlySet<string>): PersistentVolume | undefined {
    const fitting = this.#lookup.volumes().filter((volume) => {
      const terms = termsOf(volume);
      const reachable = terms.length === 0 || terms.some((term) => matchesNodeTerm(term, node));
      return reachable && !taken.has(volume.metadata.name!) && couldServe(volume, claim);
    });
    const size = (volume: PersistentVolume) => volume.spec?.capacity?.storage ?? "0";
    return fitting.sort((a, b) => compareQuantities(size(a), size(b)))[0];
  }

  async #selectNode(claim: Claim, nodeName: string): Promise<void> {
    const { namespace, name } = claim.metadata;
    const body = { metadata: { annotations: { [SELECTED_NODE]: nodeName } } };
    const target = { namespace, name: name! };
    await this.#client.patch(VOLUME_RESOURCES.claims!, target, { type: MERGE, body });
  }

  async #reserveVolume(volume: PersistentVolume, claim: Claim): Promise<void> {
    const { namespace, name, uid } = claim.metadata;
    const claimRef = { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid };
    const { resourceVersion } = volume.metadata;
    const metadata = { resourceVersion, annotations: { [BOUND_BY_CONTROLLER]: "yes" } };
    const body = { metadata, spec: { claimRef } };
    const target = { name: volume.metadata.name! };
    await this.#client.patch(VOLUME_RESOURCES.volumes!, target, { type: MERGE, body });
  }
}
