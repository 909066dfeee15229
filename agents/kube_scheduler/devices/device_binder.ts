/**
 * Writes into claims what the scheduler decided: devices, and for whom they are reserved.
 * In: a placed pod, the bindings of its claims. Out: writes; errors in upstream's words.
 * Never: allocates a claim that someone else allocated meanwhile, or writes one claim twice at a
 * time: pods of a gang may share it.
 * Source: bindClaim, Unreserve and PostFilter of Kubernetes v1.36 scheduler plugin
 * DynamicResources.
 */
import { deviceClasses, pods, resourceClaims } from "../../api/resources.ts";
import type { DeviceClass, ResourceClaim } from "../../api/schema/generated/resource_v1.ts";
import { ApiError } from "../../api/status.ts";
import { formatTime } from "../../api/time.ts";
import type { Client } from "../../client/client.ts";
import type { Clock } from "../../client/clock.ts";
import type { InformerSet } from "../../client/informer_set.ts";
import type { Lister } from "../../client/lister.ts";
import { deviceId } from "../../../scheduler/mod.ts";
import type {
  AllocatedDevice,
  ClaimBinding,
  ExtendedClaim,
  PodRow,
} from "../../../scheduler/mod.ts";
import { BindingFault } from "../binding/cohorts.ts";
import { Counter } from "../metrics/series.ts";
import { encodeClaim, FOR_EXTENDED, formatAllocation, readinessOf } from "./encode_claims.ts";

const FINALIZER = "resource.kubernetes.io/delete-protection";
const STRATEGIC = "application/strategic-merge-patch+json";
const MOST_ATTEMPTS = 5;

export class DeviceBinder {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #claims: Lister<ResourceClaim>;
  readonly #classes: Lister<DeviceClass>;
  /** By claim: the end of the write under way. */
  readonly #writing = new Map<string, Promise<unknown>>();
  /** Tries to make claims for extended resources. */
  readonly claimsMade = new Counter(
    "resourceclaim_creates_total",
    "Claims asked to be made for extended resources, by how that ended.",
  );
  /** Claims that were made for extended resources of pods on their way to be bound. */
  readonly #made = new WeakMap<PodRow, string>();

  constructor(client: Client, clock: Clock, informers: InformerSet) {
    this.#client = client;
    this.#clock = clock;
    this.#claims = informers.of<ResourceClaim>(resourceClaims).lister;
    this.#classes = informers.of<DeviceClass>(deviceClasses).lister;
  }

  /**
   * Allocates a claim, if that was decided, and reserves it for the pod.
   *
   * Errors: rejects with ApiError, or with BindingFault where the claim is not as it was.
   */
  bind(pod: PodRow, binding: ClaimBinding): Promise<void> {
    return this.#afterOthers(binding.key, () => this.#bind(pod, binding));
  }

  /**
   * Makes the claim for a pod's extended resources, allocates it, and tells the pod of it.
   *
   * Errors: as `bind`. @returns the claim as the API knows it
   */
  async bindExtended(
    pod: PodRow,
    { allocation, extended }: ClaimBinding,
  ): Promise<{ readonly key: string; readonly uid: string }> {
    const { namespace } = pod.template.spec;
    const made = await this.#create(claimFor(pod, extended!));
    const { name: resourceClaimName = "", uid = "" } = made.metadata;
    const key = `${namespace}/${resourceClaimName}`;
    this.#made.set(pod, key);
    await this.#afterOthers(key, () => this.#write(made, pod, { key, uid, allocation, extended }));
    const requestMappings = extended!.mappings.map(({ container, resource, request }) => ({
      containerName: container,
      resourceName: resource,
      requestName: request,
    }));
    const body = {
      metadata: { uid: pod.uid },
      status: { extendedResourceClaimStatus: { requestMappings, resourceClaimName } },
    };
    const target = { namespace, name: pod.name, subresource: "status" };
    await this.#client.patch(pods, target, { type: STRATEGIC, body });
    return { key, uid };
  }

  async #create(claim: ResourceClaim): Promise<ResourceClaim> {
    let status = "failure";
    try {
      const made = await this.#client.create(resourceClaims, claim);
      status = "success";
      return made;
    } finally {
      this.claimsMade.add(`status="${status}"`);
    }
  }

  /** Deletes the claim that was made for a pod which will not be bound. */
  async discard(pod: PodRow): Promise<void> {
    const key = this.#made.get(pod);
    if (key !== undefined) await this.#afterOthers(key, () => this.#remove(key));
  }

  async #remove(key: string): Promise<void> {
    const [namespace, name] = key.split("/");
    const target = { namespace, name };
    for (let attempt = 1;; attempt++) {
      try {
        const claim = await this.#client.get<ResourceClaim>(resourceClaims, target);
        const finalizers = claim.metadata.finalizers?.filter((it) => it !== FINALIZER);
        const metadata = { ...claim.metadata, finalizers };
        await this.#client.update(resourceClaims, { ...claim, metadata });
        await this.#client.delete(resourceClaims, target);
        return;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.reason === "NotFound") return;
        if (error.reason !== "Conflict" || attempt === MOST_ATTEMPTS) throw error;
      }
    }
  }

  async #bind(pod: PodRow, binding: ClaimBinding): Promise<void> {
    const [namespace, name] = binding.key.split("/");
    for (let attempt = 1;; attempt++) {
      const claim = attempt === 1
        ? this.#claims.get({ namespace, name })
        : await this.#client.get<ResourceClaim>(resourceClaims, { namespace, name });
      if (claim === undefined) throw new BindingFault(`claim ${binding.key} is gone`);
      try {
        return await this.#write(claim, pod, binding);
      } catch (error) {
        const isStale = error instanceof ApiError && error.reason === "Conflict";
        if (!isStale || attempt === MOST_ATTEMPTS) throw error;
      }
    }
  }

  async #write(claim: ResourceClaim, pod: PodRow, binding: ClaimBinding): Promise<void> {
    const { key, uid } = binding;
    if (claim.metadata.uid !== uid || claim.metadata.deletionTimestamp !== undefined) {
      throw new BindingFault(`claim ${key} got deleted in the meantime`);
    }
    let current = claim;
    let allocation = claim.status?.allocation;
    if (allocation !== undefined && binding.allocation !== null && !isSame(claim, binding)) {
      throw new BindingFault(`claim ${key} got allocated elsewhere in the meantime`);
    }
    if (allocation === undefined) {
      if (binding.allocation === null) {
        throw new BindingFault(`claim ${key} got deallocated elsewhere in the meantime`);
      }
      current = await this.#protect(claim);
      const parts = {
        classOf: (name: string) => this.#classes.get({ name }),
        newShareId: () => crypto.randomUUID(),
      };
      const allocationTimestamp = formatTime(this.#clock.nowMillis());
      allocation = {
        ...formatAllocation(claim, binding.allocation, parts),
        allocationTimestamp,
      };
    }
    const reservedFor = current.status?.reservedFor ?? [];
    if (reservedFor.some((consumer) => consumer.uid === pod.uid)) return;
    const consumer = { resource: "pods", name: pod.name, uid: pod.uid };
    const status = { ...current.status, allocation, reservedFor: [...reservedFor, consumer] };
    await this.#client.update(resourceClaims, { ...current, status }, { subresource: "status" });
  }

  /** Keeps the claim from vanishing while it holds devices. */
  #protect(claim: ResourceClaim): Promise<ResourceClaim> {
    const { finalizers = [] } = claim.metadata;
    if (finalizers.includes(FINALIZER)) return Promise.resolve(claim);
    const metadata = { ...claim.metadata, finalizers: [...finalizers, FINALIZER] };
    return this.#client.update(resourceClaims, { ...claim, metadata });
  }

  /**
   * @param timeoutMs how long a claim may wait for its conditions
   * @returns what is awaited of the pod's claims
   *
   * Errors: throws BindingFault where it failed, or took too long.
   */
  readinessOf(pod: PodRow, timeoutMs: number): "ready" | "waiting" {
    const made = this.#made.get(pod);
    for (const key of [...pod.template.spec.devices.claims, ...made === undefined ? [] : [made]]) {
      const [namespace, name] = key.split("/");
      const claim = this.#claims.get({ namespace, name });
      if (claim?.status?.allocation === undefined) continue;
      const { isReady, failure, allocatedMs } = readinessOf(claim);
      if (failure !== "") throw new BindingFault(failure);
      if (isReady) continue;
      if (allocatedMs !== null && allocatedMs + timeoutMs < this.#clock.nowMillis()) {
        throw new BindingFault(`device binding timeout: claim=${name}`);
      }
      return "waiting";
    }
    return "ready";
  }

  /** Takes a pod out of those that a claim is reserved for. Errors: rejects with ApiError. */
  unreserve(pod: PodRow, key: string): Promise<void> {
    return this.#afterOthers(key, async () => {
      const [namespace, name] = key.split("/");
      const claim = this.#claims.get({ namespace, name });
      if (claim === undefined) return;
      const body = {
        metadata: { uid: claim.metadata.uid },
        status: { reservedFor: [{ $patch: "delete", uid: pod.uid }] },
      };
      const target = { namespace, name, subresource: "status" };
      await this.#client.patch(resourceClaims, target, { type: STRATEGIC, body })
        .catch(ignoreStale);
    });
  }

  /**
   * Frees the devices of a claim that nobody uses; one that was made for extended resources goes.
   *
   * Errors: rejects with ApiError.
   */
  deallocate(key: string): Promise<void> {
    return this.#afterOthers(key, async () => {
      const [namespace, name] = key.split("/");
      const claim = this.#claims.get({ namespace, name });
      if (claim?.metadata.annotations?.[FOR_EXTENDED] === "true") return this.#remove(key);
      if (claim?.status?.allocation === undefined) return;
      const { allocation: _, reservedFor: __, devices: ___, ...status } = claim.status;
      await this.#client.update(resourceClaims, { ...claim, status }, { subresource: "status" })
        .catch(ignoreStale);
    });
  }

  #afterOthers<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#writing.get(key) ?? Promise.resolve();
    const own = before.then(work, work);
    const settled = own.then(() => {}, () => {}).then(() => {
      if (this.#writing.get(key) === settled) this.#writing.delete(key);
    });
    this.#writing.set(key, settled);
    return own;
  }
}

/** A claim for the extended resources of a pod, which goes with the pod. */
function claimFor({ name, uid, template }: PodRow, { row }: ExtendedClaim): ResourceClaim {
  const owner = { apiVersion: "v1", kind: "Pod", name, uid, controller: true };
  const requests = row.requests.map(({ name: request, alternatives: [{ className, count }] }) => ({
    name: request,
    exactly: { deviceClassName: className, allocationMode: "ExactCount", count },
  }));
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: {
      namespace: template.spec.namespace,
      generateName: `${name}-extended-resources-`,
      annotations: { [FOR_EXTENDED]: "true" },
      ownerReferences: [owner],
    },
    spec: { devices: { requests } },
  };
}

/** Whether a claim holds just the devices that were decided; another pod of the gang wrote them. */
function isSame(claim: ResourceClaim, { allocation }: ClaimBinding): boolean {
  const told = (devices: readonly AllocatedDevice[] = []) =>
    devices.map(({ request, ...device }) => `${request} ${deviceId(device)}`).join();
  return told(encodeClaim(claim).allocation?.devices) === told(allocation?.devices);
}

function ignoreStale(error: unknown): void {
  if (error instanceof ApiError && (error.reason === "NotFound" || error.reason === "Conflict")) {
    return;
  }
  throw error;
}
