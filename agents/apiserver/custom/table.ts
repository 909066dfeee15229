/**
 * The resources that definitions add, as they are at this moment.
 * In: the cache of definitions. Out: rows by path, and a number that changes when they do.
 * Never: waits; rows are made again only of definitions that changed.
 */
import type { CustomResourceDefinition } from "../../api/kinds/extensions/custom_resource_definition.ts";
import type { Resource } from "../../api/resource.ts";
import { findResource } from "../../api/resources.ts";
import type { ResourceCache } from "../cache/resource_cache.ts";
import type { Conversion } from "./convert.ts";
import { rowsOf } from "./rows.ts";

interface Known {
  readonly definition: CustomResourceDefinition;
  readonly rows: readonly Resource[];
}

export class CustomTable {
  #seen = -1;
  #known = new Map<string, Known>();
  #byPath = new Map<string, Resource>();
  #rows: readonly Resource[] = [];

  constructor(readonly cache: ResourceCache, readonly conversion: Conversion) {}

  /** The row behind a path, of the table or of a definition. */
  readonly find = (group: string, version: string, plural: string): Resource | undefined => {
    const known = findResource(group, version, plural);
    if (known !== undefined) return known;
    this.#refresh();
    return this.#byPath.get(`${group}/${version}/${plural}`);
  };

  /** All rows, sorted by group, and versions by age of their names. */
  get rows(): readonly Resource[] {
    this.#refresh();
    return this.#rows;
  }

  /** Changes when the rows may have changed. */
  get generation(): number {
    return this.cache.lastChangeRevision;
  }

  #refresh(): void {
    if (this.#seen === this.generation) return;
    this.#seen = this.generation;
    const known = new Map<string, Known>();
    for (const object of this.cache.readable({ keyPrefix: this.cache.prefix })) {
      const definition = object as CustomResourceDefinition;
      const name = definition.metadata.name!;
      const before = this.#known.get(name);
      const rows = before?.definition === definition
        ? before.rows
        : rowsOf(definition, this.conversion);
      known.set(name, { definition, rows });
    }
    this.#known = known;
    this.#rows = [...known.values()].flatMap(({ rows }) => rows).sort(compareRows);
    this.#byPath = new Map(
      this.#rows.map((row) => [`${row.group}/${row.version}/${row.plural}`, row]),
    );
  }
}

function compareRows(a: Resource, b: Resource): number {
  if (a.group !== b.group) return a.group < b.group ? -1 : 1;
  const order = compareVersions(a.version, b.version);
  return order !== 0 ? order : a.plural < b.plural ? -1 : 1;
}

const VERSION = /^v(\d+)(?:(alpha|beta)(\d+))?$/;
const LEVELS = ["alpha", "beta", undefined];

/** Stable versions first, the newest of them foremost; other names last, by alphabet. */
export function compareVersions(a: string, b: string): number {
  const left = VERSION.exec(a);
  const right = VERSION.exec(b);
  if (left === null || right === null) {
    if (left !== null || right !== null) return left === null ? 1 : -1;
    return a < b ? -1 : a > b ? 1 : 0;
  }
  return LEVELS.indexOf(right[2]) - LEVELS.indexOf(left[2]) ||
    Number(right[1]) - Number(left[1]) || Number(right[3] ?? 0) - Number(left[3] ?? 0);
}
