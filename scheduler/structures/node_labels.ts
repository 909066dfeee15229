/**
 * Labels of nodes as columns of numbers: a column for each key that was asked for, an id a value.
 * In: nodes on rows. Out: `Int32Array[rows]` of ids, `ABSENT` where a node lacks the key, and the
 * values behind them.
 * Never: keeps more columns than its limit for longer than until the next `trim`.
 */
import { ABSENT, Interner } from "../intern.ts";
import type { NodeRow } from "../node_row.ts";
import { labelOf } from "../selector.ts";
import { grown } from "./columns.ts";

/** Pods with selectors over ever new keys must not fill the memory. */
const MAX_COLUMNS = 256;

export class NodeLabels {
  readonly #values = new Interner<string>((value) => value);
  readonly #columns = new Map<string, Int32Array>();
  #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get count(): number {
    return this.#columns.size;
  }

  /** Length of an array indexed by id. */
  get span(): number {
    return this.#values.span;
  }

  grow(capacity: number): void {
    this.#capacity = capacity;
    for (const [key, ids] of this.#columns) this.#columns.set(key, grown(ids, capacity));
  }

  /** @param nodes by row, read where the key is asked for the first time */
  ids(key: string, nodes: readonly (NodeRow | undefined)[]): Int32Array {
    const known = this.#columns.get(key);
    if (known !== undefined) return known;
    const ids = new Int32Array(this.#capacity);
    nodes.forEach((node, row) => {
      if (node !== undefined) ids[row] = this.#acquire(node, key);
    });
    this.#columns.set(key, ids);
    return ids;
  }

  set(node: NodeRow, row: number): void {
    for (const [key, ids] of this.#columns) ids[row] = this.#acquire(node, key);
  }

  clear(row: number): void {
    for (const ids of this.#columns.values()) {
      this.#values.release(ids[row]);
      ids[row] = ABSENT;
    }
  }

  /** Drops old columns when there are too many. @returns whether ids read before still hold */
  trim(): boolean {
    if (this.#columns.size <= MAX_COLUMNS) return true;
    for (const [key, ids] of this.#columns) {
      if (this.#columns.size <= MAX_COLUMNS / 2) break;
      for (const id of ids) this.#values.release(id);
      this.#columns.delete(key);
    }
    return false;
  }

  valueOf(id: number): string | undefined {
    return this.#values.item(id);
  }

  /** @returns ABSENT for a value that no node has under a key that was asked for. */
  idOf(value: string): number {
    return this.#values.find(value);
  }

  #acquire(node: NodeRow, key: string): number {
    const value = labelOf(node.labels, key);
    return value === undefined ? ABSENT : this.#values.acquire(value);
  }
}
