/**
 * Strings and small structures become small integers, so that hot loops compare numbers.
 * In: label values, taint lists, pod specs. Out: ids that index plain arrays.
 * Never: grows without bound. Values and lists are counted and their ids are used again once
 * nothing refers to them; the template table forgets what it knew when it is full, which costs
 * sharing only.
 */

import { NO_DEVICES, NO_SURROUNDINGS, NO_VOLUMES } from "./pod_row.ts";
import type { PodSpecRow, PodTemplate, Surroundings, VolumeNeeds } from "./pod_row.ts";

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
const DEVICES_OF_NONE = JSON.stringify(NO_DEVICES);

/** Equal pod specs become one frozen template. */
export class TemplateTable {
  #plain = new Map<string, PodTemplate>();
  #varied = new Map<string, PodTemplate>();
  #nextId: number;

  /** @param firstId a whole number; ids count up from it */
  constructor(firstId = 1) {
    this.#nextId = firstId;
  }

  /** @returns the template of the spec; equal specs share one unless the table filled up. */
  intern(spec: PodSpecRow): PodTemplate {
    const bare = isPlain(spec) ? spec : { ...spec, ...NO_SURROUNDINGS };
    const key = JSON.stringify(bare);
    let plain = this.#plain.get(key);
    if (plain === undefined) {
      if (this.#plain.size >= MAX_TEMPLATES) this.#plain = new Map();
      plain = Object.freeze({ id: this.#nextId++, spec: bare, plain: null });
      this.#plain.set(key, plain);
    }
    return bare === spec ? plain : this.vary(plain, spec);
  }

  /**
   * Looks at nothing else of the spec, so pods that differ in their surroundings alone are cheap.
   *
   * @returns the template of the same spec in these surroundings, as `intern` would give it
   */
  vary(template: PodTemplate, surroundings: Surroundings): PodTemplate {
    const plain = template.plain ?? template;
    const parts = keyOf(surroundings);
    if (parts === "") return plain;
    const key = `${plain.id}${parts}`;
    const known = this.#varied.get(key);
    if (known !== undefined) return known;
    if (this.#varied.size >= MAX_TEMPLATES) this.#varied = new Map();
    const { defaultSpreadSelector, volumes, devices } = surroundings;
    const spec = { ...plain.spec, defaultSpreadSelector, volumes, devices };
    const varied = Object.freeze({ id: this.#nextId++, spec, plain });
    this.#varied.set(key, varied);
    return varied;
  }
}

function isPlain({ defaultSpreadSelector, volumes, devices }: Surroundings): boolean {
  return volumes === NO_VOLUMES && devices === NO_DEVICES && defaultSpreadSelector.length === 0;
}

/** @returns text that tells surroundings apart, "" = there are none. */
function keyOf({ defaultSpreadSelector, volumes, devices }: Surroundings): string {
  let key = volumes === NO_VOLUMES ? "" : keyOfVolumes(volumes);
  if (devices !== NO_DEVICES) {
    const text = JSON.stringify(devices);
    if (text !== DEVICES_OF_NONE) key += text;
  }
  return defaultSpreadSelector.length === 0 ? key : key + JSON.stringify(defaultSpreadSelector);
}

/** Names come with their lengths, so that no two lists read alike. */
function keyOfVolumes(volumes: VolumeNeeds): string {
  const { attachments, exclusiveClaims, disks } = volumes;
  const { boundTerms, waitingTerms, roomTerms, zones, rejection } = volumes;
  let key = "";
  for (const { driver, handle } of attachments) {
    key += `@${driver.length},${handle.length} ${driver}${handle}`;
  }
  for (const claim of exclusiveClaims) key += `!${claim.length} ${claim}`;
  for (const disk of disks) key += `#${disk.isReadOnly ? 0 : 1}${disk.name.length} ${disk.name}`;
  if (isAnywhere(volumes)) return key;
  return key + JSON.stringify([boundTerms, waitingTerms, roomTerms, zones, rejection]);
}

function isAnywhere(
  { boundTerms, waitingTerms, roomTerms, zones, rejection }: VolumeNeeds,
): boolean {
  return boundTerms.length + waitingTerms.length + roomTerms.length + zones.length === 0 &&
    rejection === "";
}
