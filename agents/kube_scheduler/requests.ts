/**
 * What a pod asks of its node: containers together, init containers one by one, sidecars beside
 * both, overhead on top; while a resize is under way, the most of what was asked, given and used.
 * In: a pod. Out: plain numbers.
 * Never: throws on a quantity that does not parse; validation keeps those out.
 * Source: Kubernetes v1.36 component-helpers resource.PodRequests.
 */
import { milliOf, unitsOf } from "../api/quantity.ts";
import { DEFAULT_CPU_MILLI, DEFAULT_MEMORY_BYTES } from "../../scheduler/mod.ts";
import type { Resources, ScalarAmount } from "../../scheduler/mod.ts";
import type { Container, ContainerStatus, Pod, Quantities } from "./kinds.ts";

/** Resource name -> millicores for cpu, whole units for the rest. */
type Amounts = Map<string, number>;

/** No node offers this much of anything: 4 PiB, or as many cores. */
const MOST_AMOUNT = 2 ** 52;
const MEMO_LIMIT = 4096;
const memo = new Map<string, number>();

/** Few distinct quantities occur in a cluster, and parsing one takes a microsecond. */
function amountOf(name: string, quantity: string | number): number {
  const key = name === "cpu" ? `c${quantity}` : `${quantity}`;
  let amount = memo.get(key);
  if (amount === undefined) {
    amount = bounded(name === "cpu" ? milliOf(quantity) : unitsOf(quantity));
    if (memo.size >= MEMO_LIMIT) memo.clear();
    memo.set(key, amount);
  }
  return amount;
}

/** Sums of what validation lets through must stay whole numbers that doubles can hold. */
function bounded(amount: number): number {
  return Number.isNaN(amount) ? 0 : Math.min(Math.max(Math.ceil(amount), 0), MOST_AMOUNT);
}

function toAmounts(quantities: Quantities | undefined): Amounts {
  const amounts: Amounts = new Map();
  for (const [name, quantity] of Object.entries(quantities ?? {})) {
    amounts.set(name, amountOf(name, quantity));
  }
  return amounts;
}

function add(to: Amounts, from: Amounts): void {
  for (const [name, amount] of from) to.set(name, (to.get(name) ?? 0) + amount);
}

function raise(to: Amounts, from: Amounts): void {
  for (const [name, amount] of from) {
    const have = to.get(name);
    if (have === undefined || amount > have) to.set(name, amount);
  }
}

function isResizeInfeasible(pod: Pod): boolean {
  const pending = pod.status?.conditions?.find(({ type }) => type === "PodResizePending");
  return pending?.reason === "Infeasible";
}

/** The most of what is asked for, in use and set aside; what can't be granted isn't counted. */
function effective(
  pod: Pod,
  asked: Quantities | undefined,
  used: Quantities | undefined,
  allocated: Quantities | undefined,
): Amounts {
  const amounts = isResizeInfeasible(pod) ? new Map<string, number>() : toAmounts(asked);
  raise(amounts, toAmounts(used));
  raise(amounts, toAmounts(allocated));
  return amounts;
}

function isSidecar(container: Container): boolean {
  return container.restartPolicy === "Always";
}

/** Amounts that count for a container that names none. */
type Defaults = ReadonlyMap<string, number>;
const NONE: Defaults = new Map();
const NONZERO: Defaults = new Map([["cpu", DEFAULT_CPU_MILLI], ["memory", DEFAULT_MEMORY_BYTES]]);

function sumContainers(pod: Pod, defaults: Defaults): Amounts {
  const { containers, initContainers = [] } = pod.spec;
  const statuses = new Map<string, ContainerStatus>();
  for (const status of pod.status?.containerStatuses ?? []) statuses.set(status.name, status);
  for (const status of pod.status?.initContainerStatuses ?? []) statuses.set(status.name, status);

  const amountsOf = (container: Container, resizable: boolean): Amounts => {
    const status = resizable ? statuses.get(container.name) : undefined;
    const asked = container.resources?.requests;
    const amounts = status?.resources === undefined
      ? toAmounts(asked)
      : effective(pod, asked, status.resources.requests, status.allocatedResources);
    for (const [name, amount] of defaults) if (!amounts.has(name)) amounts.set(name, amount);
    return amounts;
  };

  const total: Amounts = new Map();
  for (const container of containers) add(total, amountsOf(container, true));
  const sidecars: Amounts = new Map();
  const starting: Amounts = new Map();
  for (const container of initContainers) {
    const sidecar = isSidecar(container);
    const amounts = amountsOf(container, sidecar);
    if (sidecar) {
      add(total, amounts);
      add(sidecars, amounts);
      raise(starting, sidecars);
    } else {
      add(amounts, sidecars);
      raise(starting, amounts);
    }
  }
  raise(total, starting);
  return total;
}

function isPodLevel(name: string): boolean {
  return name === "cpu" || name === "memory" || name.startsWith("hugepages-");
}

function applyPodLevel(pod: Pod, total: Amounts): void {
  const asked = pod.spec.resources?.requests;
  if (asked === undefined) return;
  const used = pod.status?.resources;
  const amounts = used === undefined
    ? toAmounts(asked)
    : effective(pod, asked, used.requests, pod.status?.allocatedResources);
  for (const name of Object.keys(asked)) {
    if (isPodLevel(name)) total.set(name, amounts.get(name) ?? 0);
  }
}

function amountsOfPod(pod: Pod, defaults: Defaults): Amounts {
  const total = sumContainers(pod, defaults);
  applyPodLevel(pod, total);
  add(total, toAmounts(pod.spec.overhead));
  return total;
}

const NATIVE = new Set(["cpu", "memory", "ephemeral-storage", "pods", "storage"]);

function isScalar(name: string): boolean {
  return !NATIVE.has(name) &&
    (name.includes("/") || name.startsWith("hugepages-") || name.startsWith("attachable-volumes-"));
}

function toResources(amounts: Amounts): Resources {
  const scalars: ScalarAmount[] = [];
  for (const [name, amount] of amounts) if (isScalar(name)) scalars.push({ name, amount });
  scalars.sort((a, b) => a.name < b.name ? -1 : 1);
  return {
    cpuMilli: amounts.get("cpu") ?? 0,
    memoryBytes: amounts.get("memory") ?? 0,
    ephemeralBytes: amounts.get("ephemeral-storage") ?? 0,
    scalars,
  };
}

/** @returns what the pod asks for. */
export function podRequests(pod: Pod): Resources {
  return toResources(amountsOfPod(pod, NONE));
}

/** @returns cpu and memory with defaults for containers that ask for none; scores count these. */
export function nonzeroRequests(
  pod: Pod,
): { readonly cpuMilli: number; readonly memoryBytes: number } {
  const amounts = amountsOfPod(pod, NONZERO);
  return { cpuMilli: amounts.get("cpu") ?? 0, memoryBytes: amounts.get("memory") ?? 0 };
}

/** @returns what a node offers, and how many pods. */
export function nodeAllocatable(
  quantities: Quantities | undefined,
): { readonly allocatable: Resources; readonly allowedPods: number } {
  const amounts = toAmounts(quantities);
  return { allocatable: toResources(amounts), allowedPods: amounts.get("pods") ?? 0 };
}
