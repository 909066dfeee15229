/**
 * What a selector of devices means: an expression over one device.
 * In: devices as published, selectors as text. Out: whether one matches, or why it can't be told.
 * Never: compiles an expression twice, or runs it beyond its budget.
 * Source: dynamic-resource-allocation/cel of Kubernetes v1.36.
 */
import type { Device } from "../../api/schema/generated/resource_v1.ts";
import { compileDeviceSelector } from "../../cel/device.ts";
import {
  evaluate,
  LazyMap,
  MapValue,
  type Program,
  quantityOf,
  semverOf,
  type Value,
} from "../../cel/mod.ts";
import type { DeviceMatcher, DeviceRow } from "../../../scheduler/mod.ts";

/** Steps that one look at one device may take. */
const COST_LIMIT = 1_000_000;
/** Programs kept; classes and templates share few expressions. */
const MOST_PROGRAMS = 1024;

const NOTHING = new LazyMap([], () => null);

/** Maps by domain; a domain that a device says nothing of is an empty map, not a fault. */
class ByDomain extends MapValue {
  readonly #domains: ReadonlyMap<string, LazyMap>;

  constructor(domains: ReadonlyMap<string, LazyMap>) {
    super();
    this.#domains = domains;
  }
  get size(): number {
    return this.#domains.size;
  }
  keys(): Iterable<Value> {
    return this.#domains.keys();
  }
  get(key: Value): Value | undefined {
    return typeof key === "string" ? this.#domains.get(key) ?? NOTHING : undefined;
  }
}

/** @returns domain and name of an attribute or capacity. */
export function splitName(name: string, driver: string): readonly [string, string] {
  const slash = name.indexOf("/");
  return slash < 0 ? [driver, name] : [name.slice(0, slash), name.slice(slash + 1)];
}

function byDomain<T>(
  driver: string,
  entries: Readonly<Record<string, T>>,
  valueOf: (entry: T) => Value,
): ByDomain {
  const domains = new Map<string, Map<string, T>>();
  for (const [name, entry] of Object.entries(entries)) {
    const [domain, own] = splitName(name, driver);
    const known = domains.get(domain);
    if (known === undefined) domains.set(domain, new Map([[own, entry]]));
    else known.set(own, entry);
  }
  return new ByDomain(
    new Map([...domains].map(([domain, own]) =>
      [
        domain,
        new LazyMap([...own.keys()], (name) => valueOf(own.get(name)!)),
      ] as const
    )),
  );
}

/** The variable `device`. */
export function deviceValue(driver: string, device: Device): Record<string, unknown> {
  const { attributes = {}, capacity = {}, allowMultipleAllocations = false } = device;
  return {
    driver,
    allowMultipleAllocations,
    attributes: byDomain(driver, attributes, (attribute): Value => {
      if (attribute.int !== undefined) return BigInt(attribute.int);
      if (attribute.version !== undefined) return semverOf(attribute.version);
      return attribute.bool ?? attribute.string ?? null;
    }),
    capacity: byDomain(driver, capacity, ({ value }) => quantityOf(`${value}`)),
  };
}

type Compiled = Program | string;

/** A matcher that remembers programs and what they said of each device. */
export class DeviceSelector {
  readonly #programs = new Map<string, Compiled>();
  readonly #values = new WeakMap<DeviceRow, Record<string, unknown>>();
  readonly #answers = new WeakMap<DeviceRow, Map<string, boolean | string>>();

  /** Tells what a row stands for. */
  know(row: DeviceRow, device: Device): void {
    this.#values.set(row, deviceValue(row.driver, device));
  }

  readonly matches: DeviceMatcher = (row, selector) => {
    let answers = this.#answers.get(row);
    if (answers === undefined) this.#answers.set(row, answers = new Map());
    let answer = answers.get(selector);
    if (answer === undefined) answers.set(selector, answer = this.#ask(row, selector));
    return answer;
  };

  #ask(row: DeviceRow, selector: string): boolean | string {
    const program = this.#program(selector);
    if (typeof program === "string") return `CEL compile error: ${program}`;
    const device = this.#values.get(row);
    if (device === undefined) return false;
    const result = evaluate(program, { device }, { costLimit: COST_LIMIT });
    if (result.kind !== "value") return `CEL runtime error: ${result.message}`;
    return typeof result.value === "boolean"
      ? result.value
      : "CEL runtime error: CEL result could not be converted to bool";
  }

  #program(selector: string): Compiled {
    let compiled = this.#programs.get(selector);
    if (compiled === undefined) {
      compiled = compileDeviceSelector(selector);
      if (this.#programs.size >= MOST_PROGRAMS) this.#programs.clear();
      this.#programs.set(selector, compiled);
    }
    return compiled;
  }
}
