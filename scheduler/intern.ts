/**
 * Strings and small structures become small integers, so that hot loops compare numbers.
 * In: label values, taint lists, pod specs. Out: ids that index plain arrays.
 * Never: grows without bound. Values and lists are counted and their ids are used again once
 * nothing refers to them; the template table forgets what it knew when it is full, which costs
 * sharing only.
 */

import type { PodSpecRow, PodTemplate } from "./pod_row.ts";

/** The id that stands for "no value" in every column of ids. */
export const ABSENT = 0;

/**
 * A counted set of keys with dense ids from 1 up; 0 is never given out.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const zones = new Interner<string>((zone) => zone);
 * const id = zones.acquire("eu-1");
 * assert.equal(zones.find("eu-1"), id);
 * zones.release(id);
 * assert.equal(zones.find("eu-1"), ABSENT);
 * ```
 */
export class Interner<T> {
  readonly #keyOf: (item: T) => string;
  readonly #ids = new Map<string, number>();
  readonly #items: (T | undefined)[] = [undefined];
  readonly #references: number[] = [0];
  readonly #free: number[] = [];

  constructor(keyOf: (item: T) => string) {
    this.#keyOf = keyOf;
  }

  /** One more than the highest id in use: the length of an array indexed by id. */
  get span(): number {
    return this.#items.length;
  }

  /** How many items are referred to. */
  get size(): number {
    return this.#ids.size;
  }

  /** Adds a reference and returns the id. */
  acquire(item: T): number {
    const key = this.#keyOf(item);
    const known = this.#ids.get(key);
    if (known !== undefined) {
      this.#references[known]++;
      return known;
    }
    const id = this.#free.pop() ?? this.#items.length;
    this.#items[id] = item;
    this.#references[id] = 1;
    this.#ids.set(key, id);
    return id;
  }

  /** Drops a reference; at zero the id becomes free for another item. */
  release(id: number): void {
    if (id === ABSENT) return;
    const item = this.#items[id];
    if (item === undefined) throw new Error(`interner: id ${id} released too often`);
    if (--this.#references[id] > 0) return;
    this.#ids.delete(this.#keyOf(item));
    this.#items[id] = undefined;
    this.#free.push(id);
  }

  /** @returns the id, or `ABSENT` when nothing refers to the item. */
  find(item: T): number {
    return this.#ids.get(this.#keyOf(item)) ?? ABSENT;
  }

  /** @returns the item of a live id. */
  item(id: number): T | undefined {
    return this.#items[id];
  }
}

const MAX_TEMPLATES = 16_384;

/** Equal pod specs become one frozen template. */
export class TemplateTable {
  #templates = new Map<string, PodTemplate>();
  #nextId: number;

  /** @param firstId a whole number; ids count up from it */
  constructor(firstId = 1) {
    this.#nextId = firstId;
  }

  /** @returns the template of the spec; equal specs share one unless the table filled up. */
  intern(spec: PodSpecRow): PodTemplate {
    const key = JSON.stringify(spec);
    const known = this.#templates.get(key);
    if (known !== undefined) return known;
    if (this.#templates.size >= MAX_TEMPLATES) this.#templates = new Map();
    const template = Object.freeze({ id: this.#nextId++, spec });
    this.#templates.set(key, template);
    return template;
  }
}
