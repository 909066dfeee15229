/**
 * The cluster as columns: one typed array an attribute, one row a node, and the pods on each row.
 * In: node rows, pods with the name of their node. Out: columns that plugins read without asking.
 * Never: decides. Rows of removed nodes are used again; a pod whose node is unknown waits aside and
 * counts as soon as the node appears. Every change moves a generation, so caches can be exact.
 */

import { AttachmentIndex } from "./attachment_index.ts";
import { ABSENT, Interner } from "./intern.ts";
import { HotColumns, isHuge } from "./kernels/place_pod.ts";
import type { NodeRow, Taint } from "./node_row.ts";
import { PodIndex } from "./pod_index.ts";
import { NO_VOLUMES } from "./pod_row.ts";
import type { PodRow, Resources, ScalarAmount } from "./pod_row.ts";
import { ChangeLog, NO_ROW } from "./structures/change_log.ts";
import { countHolder } from "./structures/holders.ts";
import type { Holders } from "./structures/holders.ts";
import { grown } from "./structures/columns.ts";
import { CountedNumbers } from "./structures/counted_numbers.ts";
import { NodeLabels } from "./structures/node_labels.ts";
import type { LabelColumns } from "./selector.ts";

/** One extended resource over all rows. */
export interface ScalarColumn {
  allocatable: Float64Array;
  requested: Float64Array;
  /** Nodes that offer it plus pods that hold it; at 0 the column goes. */
  users: number;
}

interface Placed {
  readonly pod: PodRow;
  readonly nodeName: string;
  /** -1 while the node is unknown. */
  row: number;
}

const FIRST_CAPACITY = 64;

/** Sums this large may have lost small amounts to rounding. */
const INEXACT_SUM = 2 ** 52;

/** The node table. Columns are public for reading; only this class writes them. */
export class NodeTable implements LabelColumns {
  /** One more than the highest row ever used; holes have `alive[row]` 0. */
  rows = 0;
  nodeCount = 0;
  /** Moves when a node comes, goes or changes, or what it offers means something else. */
  structureGeneration = 0;
  /** Moves when a namespace's labels change. */
  namespaceGeneration = 0;

  alive = new Uint8Array(FIRST_CAPACITY);
  unschedulable = new Uint8Array(FIRST_CAPACITY);
  /** Id of the node's taint list, `ABSENT` = no taints. */
  taintList = new Int32Array(FIRST_CAPACITY);
  ephemeralAllocatable = new Float64Array(FIRST_CAPACITY);
  ephemeralRequested = new Float64Array(FIRST_CAPACITY);
  podsAllowed = new Int32Array(FIRST_CAPACITY);
  podCount = new Int32Array(FIRST_CAPACITY);

  /** The columns that a decision passes over first. */
  hot: HotColumns;
  /** How many nodes offer more than the quick pass can count. */
  hugeNodes = 0;
  cordoned = 0;

  readonly scalars = new Map<string, ScalarColumn>();
  readonly taintLists = new Interner<readonly Taint[]>((taints) => JSON.stringify(taints));
  /** Image name -> row -> size in bytes. */
  readonly images = new Map<string, Map<number, number>>();
  /** "protocol/port", held by address. */
  readonly ports: Holders = new Map();
  readonly namespaceLabels = new Map<string, Readonly<Record<string, string>>>();
  readonly nodes: (NodeRow | undefined)[] = [];
  readonly index: PodIndex;
  readonly attachments = new AttachmentIndex(FIRST_CAPACITY);

  readonly #rowByName = new Map<string, number>();
  /** "" = no node; read on every decision, where the node itself would be out of reach. */
  readonly #names: string[] = [];
  /** The row that was named last: mostly the one that a pod is put on next. */
  #lastNamed = 0;
  readonly #freeRows: number[] = [];
  readonly #pods = new Map<string, Placed>();
  readonly #podsAt: PodRow[][] = [];
  readonly #waiting = new Map<string, Set<string>>();
  readonly #labels = new NodeLabels(FIRST_CAPACITY);
  readonly #changes = new ChangeLog();
  /** Placed pods by priority. */
  readonly #priorities = new CountedNumbers();
  #onTrial = false;
  readonly #simd: boolean;

  /** @param simd false keeps the pass over all nodes to its scalar twin. */
  constructor(simd = true) {
    this.#simd = simd;
    this.hot = new HotColumns(FIRST_CAPACITY, simd);
    this.index = new PodIndex(this);
  }

  /** Moves with every change of any kind. */
  get generation(): number {
    return this.#changes.generation;
  }

  get capacity(): number {
    return this.alive.length;
  }

  get cpuAllocatable(): Float64Array {
    return this.hot.cpuAllocatable;
  }

  get cpuRequested(): Float64Array {
    return this.hot.cpuRequested;
  }

  get cpuNonzero(): Float64Array {
    return this.hot.cpuNonzero;
  }

  get memoryAllocatable(): Float64Array {
    return this.hot.memoryAllocatable;
  }

  get memoryRequested(): Float64Array {
    return this.hot.memoryRequested;
  }

  get memoryNonzero(): Float64Array {
    return this.hot.memoryNonzero;
  }

  // ---- nodes

  /** Adds a node or replaces what is known of it. @returns its row. */
  setNode(node: NodeRow): number {
    const known = this.#rowByName.get(node.name);
    const row = known ?? this.#takeRow(node.name);
    const before = this.nodes[row];
    if (before !== undefined) this.#clearNode(before, row);
    this.nodes[row] = node;
    this.unschedulable[row] = node.unschedulable ? 1 : 0;
    if (node.unschedulable) this.cordoned++;
    this.taintList[row] = node.taints.length === 0 ? ABSENT : this.taintLists.acquire(node.taints);
    this.#setAllocatable(row, node.allocatable);
    this.podsAllowed[row] = node.allowedPods;
    this.hot.podsFree[row] = node.allowedPods - this.podCount[row];
    this.hot.weigh(row);
    this.#labels.set(node, row);
    for (const image of node.images) {
      for (const name of image.names) this.#imageRows(name).set(row, image.sizeBytes);
    }
    this.attachments.node(row, node, 1);
    this.structureGeneration++;
    this.#changed(row);
    if (known === undefined) this.#adoptWaiting(node.name, row);
    return row;
  }

  /** Forgets a node; its pods wait aside until they go or the node returns. */
  removeNode(name: string): boolean {
    const row = this.#rowByName.get(name);
    if (row === undefined) return false;
    for (const pod of [...this.#podsAt[row]]) {
      this.#detach(pod, row);
      this.#pods.get(pod.uid)!.row = -1;
      this.#wait(pod.uid, name);
    }
    this.#clearNode(this.nodes[row]!, row);
    this.nodes[row] = undefined;
    this.alive[row] = 0;
    this.#rowByName.delete(name);
    this.#names[row] = "";
    this.#freeRows.push(row);
    this.nodeCount--;
    this.structureGeneration++;
    this.#changed(row);
    return true;
  }

  rowOf(name: string): number {
    if (name !== "" && this.#names[this.#lastNamed] === name) return this.#lastNamed;
    return this.#rowByName.get(name) ?? -1;
  }

  nodeName(row: number): string {
    this.#lastNamed = row;
    return this.#names[row] ?? "";
  }

  setNamespace(name: string, labels: Readonly<Record<string, string>> | null): void {
    if (labels === null) this.namespaceLabels.delete(name);
    else this.namespaceLabels.set(name, labels);
    this.namespaceGeneration++;
    this.#changed(NO_ROW);
  }

  /** Told when a resource of the nodes stands for something else. */
  reconsider(): void {
    this.structureGeneration++;
  }

  // ---- pods

  /** Puts a pod on a node: an assumption of ours or a fact from the API. Replaces its older row. */
  addPod(pod: PodRow, nodeName: string): void {
    this.removePod(pod.uid);
    const row = this.rowOf(nodeName);
    this.#pods.set(pod.uid, { pod, nodeName, row });
    if (row < 0) this.#wait(pod.uid, nodeName);
    else this.#attach(pod, row);
  }

  /** Forgets a pod. @returns whether it was known. */
  removePod(uid: string): boolean {
    const placed = this.#pods.get(uid);
    if (placed === undefined) return false;
    this.#pods.delete(uid);
    if (placed.row >= 0) {
      this.#detach(placed.pod, placed.row);
      return true;
    }
    const waiting = this.#waiting.get(placed.nodeName);
    waiting?.delete(uid);
    if (waiting?.size === 0) this.#waiting.delete(placed.nodeName);
    return true;
  }

  /** @returns the pod and its node's name, undefined when the table holds no such pod. */
  pod(uid: string): { readonly pod: PodRow; readonly nodeName: string } | undefined {
    return this.#pods.get(uid);
  }

  /** The lowest priority of any pod on a row, Infinity when there is no pod. */
  get lowestPriority(): number {
    return this.#priorities.lowest;
  }

  /** The pods on a row, in no particular order. */
  podsAt(row: number): readonly PodRow[] {
    return this.#podsAt[row];
  }

  // ---- labels

  labelIds(key: string): Int32Array {
    return this.#labels.ids(key, this.nodes);
  }

  get labelColumnCount(): number {
    return this.#labels.count;
  }

  /** Drops old label columns when there are too many. Ids read before don't hold any more. */
  trimLabels(): void {
    if (this.#labels.trim()) return;
    this.structureGeneration++;
    this.#changed(NO_ROW);
  }

  labelValue(id: number): string | undefined {
    return this.#labels.valueOf(id);
  }

  labelId(value: string): number {
    return this.#labels.idOf(value);
  }

  /** Length of an array indexed by label value id. */
  get labelSpan(): number {
    return this.#labels.span;
  }

  // ---- changes

  /** As `ChangeLog.each`: visits the rows changed since a generation. */
  eachChange(since: number, visit: (row: number) => void): boolean {
    return this.#changes.each(since, visit);
  }

  /**
   * Runs a trial that puts back whatever it takes off or adds. No change is recorded: the rows are
   * as they were, so what was derived from them still holds.
   */
  trial<T>(run: () => T): T {
    const outer = this.#onTrial;
    this.#onTrial = true;
    try {
      return run();
    } finally {
      this.#onTrial = outer;
    }
  }

  /** Takes a pod off its row for the length of a trial: it is still known by its uid. */
  lift(pod: PodRow, row: number): void {
    this.#detach(pod, row);
  }

  /** Puts back a pod that was lifted, or puts one there that is only thought of. */
  putBack(pod: PodRow, row: number): void {
    this.#attach(pod, row);
  }

  /** Notes that something about a node changed that no column holds. */
  touch(name: string): void {
    const row = this.rowOf(name);
    if (row >= 0) this.#changed(row);
  }

  #changed(row: number): void {
    if (!this.#onTrial) this.#changes.note(row);
  }

  // ---- inside

  #takeRow(name: string): number {
    const row = this.#freeRows.pop() ?? this.rows++;
    if (row >= this.capacity) this.#grow(this.capacity * 2);
    this.alive[row] = 1;
    this.#podsAt[row] ??= [];
    this.#rowByName.set(name, row);
    this.#names[row] = name;
    this.nodeCount++;
    return row;
  }

  #grow(capacity: number): void {
    const hot = new HotColumns(capacity, this.#simd);
    hot.copy(this.hot);
    this.hot = hot;
    this.alive = grown(this.alive, capacity);
    this.unschedulable = grown(this.unschedulable, capacity);
    this.taintList = grown(this.taintList, capacity);
    this.ephemeralAllocatable = grown(this.ephemeralAllocatable, capacity);
    this.ephemeralRequested = grown(this.ephemeralRequested, capacity);
    this.podsAllowed = grown(this.podsAllowed, capacity);
    this.podCount = grown(this.podCount, capacity);
    for (const column of this.scalars.values()) {
      column.allocatable = grown(column.allocatable, capacity);
      column.requested = grown(column.requested, capacity);
    }
    this.#labels.grow(capacity);
    this.index.grow(capacity);
    this.attachments.grow(capacity);
  }

  #setAllocatable(row: number, allocatable: Resources): void {
    this.hot.offer(row, allocatable.cpuMilli, allocatable.memoryBytes);
    if (isHuge(allocatable)) this.hugeNodes++;
    this.ephemeralAllocatable[row] = allocatable.ephemeralBytes;
    for (const { name, amount } of allocatable.scalars) {
      const column = this.#scalarColumn(name);
      column.allocatable[row] = amount;
      column.users++;
    }
  }

  #clearNode(node: NodeRow, row: number): void {
    if (isHuge(node.allocatable)) this.hugeNodes--;
    if (node.unschedulable) this.cordoned--;
    this.hot.podsFree[row] = 0;
    this.hot.weigh(row);
    this.attachments.node(row, node, -1);
    this.taintLists.release(this.taintList[row]);
    this.taintList[row] = ABSENT;
    for (const { name } of node.allocatable.scalars) {
      this.scalars.get(name)!.allocatable[row] = 0;
      this.#leaveScalar(name);
    }
    this.#labels.clear(row);
    for (const image of node.images) {
      for (const name of image.names) {
        const rows = this.images.get(name);
        rows?.delete(row);
        if (rows?.size === 0) this.images.delete(name);
      }
    }
  }

  #imageRows(name: string): Map<number, number> {
    let rows = this.images.get(name);
    if (rows === undefined) this.images.set(name, rows = new Map());
    return rows;
  }

  #scalarColumn(name: string): ScalarColumn {
    let column = this.scalars.get(name);
    if (column === undefined) {
      column = {
        allocatable: new Float64Array(this.capacity),
        requested: new Float64Array(this.capacity),
        users: 0,
      };
      this.scalars.set(name, column);
    }
    return column;
  }

  #wait(uid: string, nodeName: string): void {
    let waiting = this.#waiting.get(nodeName);
    if (waiting === undefined) this.#waiting.set(nodeName, waiting = new Set());
    waiting.add(uid);
  }

  #adoptWaiting(nodeName: string, row: number): void {
    const waiting = this.#waiting.get(nodeName);
    if (waiting === undefined) return;
    this.#waiting.delete(nodeName);
    for (const uid of waiting) {
      const placed = this.#pods.get(uid)!;
      placed.row = row;
      this.#attach(placed.pod, row);
    }
  }

  #attach(pod: PodRow, row: number): void {
    this.#podsAt[row].push(pod);
    this.#count(pod, row, 1);
  }

  #detach(pod: PodRow, row: number): void {
    const pods = this.#podsAt[row];
    const at = pods.indexOf(pod);
    if (at < 0) throw new Error(`node table: pod ${pod.uid} is not on row ${row}`);
    pods[at] = pods[pods.length - 1];
    pods.pop();
    this.#count(pod, row, -1);
  }

  #count(pod: PodRow, row: number, sign: 1 | -1): void {
    const spec = pod.template.spec;
    this.podCount[row] += sign;
    const { requests, nonzeroCpuMilli, nonzeroMemoryBytes } = spec;
    const { cpuMilli, memoryBytes } = requests;
    const { hot } = this;
    hot.podsFree[row] -= sign;
    hot.cpuRequested[row] += sign * cpuMilli;
    hot.cpuNonzero[row] += sign * nonzeroCpuMilli;
    hot.memoryRequested[row] += sign * memoryBytes;
    hot.memoryNonzero[row] += sign * nonzeroMemoryBytes;
    // A sum that was too large to be exact is made anew from what is left.
    const rounded = hot.memoryNonzero[row] + memoryBytes > INEXACT_SUM ||
      hot.cpuNonzero[row] + cpuMilli > INEXACT_SUM;
    if (sign < 0 && rounded) hot.recount(row, this.#podsAt[row].map((it) => it.template.spec));
    // A trial asks filters alone, and all is as it was when it ends.
    if (!this.#onTrial) {
      hot.weigh(row);
      if (sign > 0) this.#priorities.add(spec.priority);
      else this.#priorities.remove(spec.priority);
    }
    this.ephemeralRequested[row] += sign * requests.ephemeralBytes;
    this.#countScalars(spec.requests.scalars, row, sign);
    for (const { ip, protocol, port } of spec.hostPorts) {
      countHolder(this.ports, { thing: `${protocol}/${port}`, row, way: ip }, sign);
    }
    this.index.change(pod, row, sign);
    if (spec.volumes !== NO_VOLUMES) this.attachments.change(spec.volumes, row, sign);
    this.#changed(row);
  }

  #countScalars(scalars: readonly ScalarAmount[], row: number, sign: 1 | -1): void {
    for (const { name, amount } of scalars) {
      const column = this.#scalarColumn(name);
      column.requested[row] += sign * amount;
      if (sign > 0) column.users++;
      else this.#leaveScalar(name);
    }
  }

  #leaveScalar(name: string): void {
    if (--this.scalars.get(name)!.users === 0) this.scalars.delete(name);
  }
}
