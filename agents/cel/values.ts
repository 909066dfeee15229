/**
 * What expressions compute with. An int is a bigint, a double a number, text a string; lists and
 * maps are views, so that a JSON document is read where it is looked at and never copied.
 * In: JSON and the type it has. Out: values, and JSON again.
 * Never: changes what it views. Source: the CEL language definition; upstream's pkg/cel/common.
 */
import {
  formatSeconds,
  formatTimestamp,
  parseGoDuration,
  parseTimestamp,
} from "./library/clock_text.ts";
import { type CelType, DYN, formatType, type ObjectType, STRING } from "./types.ts";

/** An expression's own failure; `&&`, `||` and their kin may absorb it. */
export class CelError extends Error {}

export class Uint {
  constructor(readonly amount: bigint) {}
}

/** A point in time, to the nanosecond. */
export class Timestamp {
  constructor(/** since 1970 */ readonly nanos: bigint) {}
}

export class Duration {
  constructor(readonly nanos: bigint) {}
}

export class Optional {
  constructor(readonly value: Value | undefined) {}
}

export class TypeValue {
  constructor(readonly name: string) {}
}

/** A value that only functions look into. */
export abstract class Opaque {
  abstract readonly typeName: string;
  abstract equals(other: Opaque): boolean;
  /** How it prints where it is made a string or JSON; undefined where it can't be. */
  text(): string | undefined {
    return undefined;
  }
}

export abstract class ListValue {
  abstract readonly size: number;
  abstract at(index: number): Value;
  /** How `==` and `+` treat it; undefined for a plain sequence. */
  get listKind(): "set" | "map" | undefined {
    return undefined;
  }
  get mapKeys(): readonly string[] {
    return [];
  }

  *[Symbol.iterator](): IterableIterator<Value> {
    for (let index = 0; index < this.size; index++) yield this.at(index);
  }
}

export abstract class MapValue {
  abstract readonly size: number;
  abstract get(key: Value): Value | undefined;
  abstract keys(): Iterable<Value>;
  /** The name of a structure's type; undefined for a plain map. */
  get typeName(): string | undefined {
    return undefined;
  }
}

export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint
  | Uint8Array
  | Timestamp
  | Duration
  | Optional
  | TypeValue
  | Opaque
  | ListValue
  | MapValue;

export const NONE = new Optional(undefined);

export class ArrayList extends ListValue {
  constructor(readonly items: readonly Value[]) {
    super();
  }
  get size(): number {
    return this.items.length;
  }
  at(index: number): Value {
    return this.items[index];
  }
}

/** A JSON array seen through the type of its elements. */
class JsonList extends ListValue {
  constructor(readonly raw: readonly unknown[], readonly type: CelType) {
    super();
  }
  get size(): number {
    return this.raw.length;
  }
  at(index: number): Value {
    return fromJson(this.raw[index], this.type.kind === "list" ? this.type.element : DYN);
  }
  override get listKind(): "set" | "map" | undefined {
    const kind = this.type.kind === "list" ? this.type.listKind : undefined;
    return kind === "atomic" ? undefined : kind;
  }
  override get mapKeys(): readonly string[] {
    return this.type.kind === "list" ? this.type.mapKeys ?? [] : [];
  }
}

/** One text for each key, so that 1, 1u and 1.0 are the same one. @returns null for no key. */
export function keyText(key: Value): string | null {
  switch (typeof key) {
    case "string":
      return `s${key}`;
    case "bigint":
      return `n${key}`;
    case "boolean":
      return `b${key}`;
    case "number":
      return Number.isInteger(key) ? `n${BigInt(key)}` : null;
    default:
      return key instanceof Uint ? `n${key.amount}` : null;
  }
}

/** A map that an expression made. */
export class LiteralMap extends MapValue {
  readonly #entries = new Map<string, readonly [Value, Value]>();

  get size(): number {
    return this.#entries.size;
  }
  get(key: Value): Value | undefined {
    const text = keyText(key);
    return text === null ? undefined : this.#entries.get(text)?.[1];
  }
  *keys(): Iterable<Value> {
    for (const [key] of this.#entries.values()) yield key;
  }
  /** Errors: a CelError for a key that is there already, or that can be none. */
  add(key: Value, value: Value): void {
    const text = keyText(key);
    if (text === null || typeof key === "number") throw new CelError("unsupported key type");
    if (this.#entries.has(text)) {
      throw new CelError(`insert failed: key ${plainText(key)} already exists`);
    }
    this.#entries.set(text, [key, value]);
  }
}

function plainText(key: Value): string {
  return key instanceof Uint ? String(key.amount) : String(key);
}

/** A JSON object seen as a map, or as a structure with named fields. */
export class JsonMap extends MapValue {
  constructor(readonly raw: Readonly<Record<string, unknown>>, readonly type: CelType) {
    super();
  }
  get size(): number {
    return Object.keys(this.raw).length;
  }
  override get typeName(): string | undefined {
    return this.type.kind === "object" ? this.type.name : undefined;
  }
  get(key: Value): Value | undefined {
    if (typeof key !== "string") return undefined;
    const { type } = this;
    const name = type.kind === "object" ? type.jsonName?.(key) ?? key : key;
    if (!Object.hasOwn(this.raw, name)) return undefined;
    const raw = this.raw[name];
    switch (type.kind) {
      case "object": {
        const field = type.field(key);
        return field === undefined || raw === undefined ? undefined : fromJson(raw, field);
      }
      case "map":
        return fromJson(raw, type.value);
      default:
        return raw === undefined ? undefined : fromJson(raw, DYN);
    }
  }
  keys(): Iterable<Value> {
    const names = Object.keys(this.raw);
    if (this.type.kind !== "object" || this.type.celName === undefined) return names;
    const type: ObjectType = this.type;
    return names.flatMap((name) => type.celName!(name) ?? []);
  }
}

/** Fields that are computed when they are first asked for, such as a policy's variables. */
export class LazyMap extends MapValue {
  readonly #values = new Map<string, Value | CelError>();

  /** @param compute may throw a CelError, which every later reading throws again. */
  constructor(readonly names: readonly string[], readonly compute: (name: string) => Value) {
    super();
  }
  get size(): number {
    return this.names.length;
  }
  keys(): Iterable<Value> {
    return this.names;
  }
  get(key: Value): Value | undefined {
    if (typeof key !== "string" || !this.names.includes(key)) return undefined;
    let value = this.#values.get(key);
    if (value === undefined) {
      try {
        value = this.compute(key);
      } catch (error) {
        if (!(error instanceof CelError)) throw error;
        value = error;
      }
      this.#values.set(key, value);
    }
    if (value instanceof CelError) throw value;
    return value;
  }
}

const MAX_INT = 2 ** 63;

/**
 * A JSON value as an expression sees it.
 * @param type what its schema says; DYN reads numbers without a fraction as ints.
 */
export function fromJson(raw: unknown, type: CelType): Value {
  switch (typeof raw) {
    case "string":
      return fromText(raw, type);
    case "boolean":
      return raw;
    case "number":
      if (type.kind === "double") return raw;
      return Number.isInteger(raw) && Math.abs(raw) < MAX_INT ? BigInt(raw) : raw;
    case "bigint":
      return raw;
    case "undefined":
      return null;
    case "object":
      if (raw === null) return null;
      if (Array.isArray(raw)) return new JsonList(raw, type);
      return isValue(raw) ? raw : new JsonMap(raw as Record<string, unknown>, type);
    default:
      throw new CelError(`unsupported value of type ${typeof raw}`);
  }
}

function fromText(raw: string, type: CelType): Value {
  switch (type.kind) {
    case "timestamp":
      return new Timestamp(
        parseTimestamp(raw) ?? parseTimestamp(`${raw}T00:00:00Z`) ??
          fail(`Invalid date-time format ${raw}`),
      );
    case "duration":
      return new Duration(parseGoDuration(raw) ?? fail(`Invalid duration format ${raw}`));
    case "bytes":
      return decodeBase64(raw) ?? fail(`Invalid byte format ${raw}`);
    default:
      return raw;
  }
}

function fail(message: string): never {
  throw new CelError(message);
}

/** @returns the bytes, or undefined for text that is no base64. */
export function decodeBase64(text: string): Uint8Array | undefined {
  try {
    const binary = atob(text);
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function encodeBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Whether it is a value of expressions already, and no JSON. */
function isValue(raw: object): raw is Exclude<Value, null | string | number | bigint | boolean> {
  return raw instanceof MapValue || raw instanceof ListValue || raw instanceof Opaque ||
    raw instanceof Uint8Array || raw instanceof Timestamp || raw instanceof Duration ||
    raw instanceof Optional || raw instanceof Uint || raw instanceof TypeValue;
}

/**
 * A value as JSON.
 * Errors: a CelError for what JSON can't say.
 */
export function toJson(value: Value): unknown {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Uint) return Number(value.amount);
  if (value instanceof ListValue) return Array.from(value, toJson);
  if (value instanceof JsonMap) return value.raw;
  if (value instanceof MapValue) {
    const entries = Array.from(value.keys(), (key) => [plainText(key), toJson(value.get(key)!)]);
    return Object.fromEntries(entries);
  }
  if (value instanceof Uint8Array) return encodeBase64(value);
  if (value instanceof Timestamp) return formatTimestamp(value.nanos);
  if (value instanceof Duration) return formatSeconds(value.nanos);
  if (value instanceof Optional && value.value !== undefined) return toJson(value.value);
  if (value instanceof Opaque && value.text() !== undefined) return value.text();
  throw new CelError(`unsupported conversion of ${typeNameOf(value)} to JSON`);
}

/** @returns the name of a value's own type, as `type(x)` gives it. */
export function typeNameOf(value: Value): string {
  switch (typeof value) {
    case "string":
      return "string";
    case "bigint":
      return "int";
    case "number":
      return "double";
    case "boolean":
      return "bool";
  }
  if (value === null) return "null_type";
  if (value instanceof ListValue) return "list";
  if (value instanceof MapValue) return value.typeName ?? "map";
  if (value instanceof Uint) return "uint";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof Timestamp) return "google.protobuf.Timestamp";
  if (value instanceof Duration) return "google.protobuf.Duration";
  if (value instanceof Optional) return "optional_type";
  return value instanceof TypeValue ? "type" : value.typeName;
}

/** Whether a value may stand for a declared type; looks no deeper than its own kind. */
export function isOfType(value: Value, type: CelType): boolean {
  switch (type.kind) {
    case "dyn":
    case "param":
      return true;
    case "list":
      return value instanceof ListValue;
    case "map":
      return value instanceof MapValue;
    case "object":
      return value instanceof MapValue;
    case "optional":
      return value instanceof Optional;
    case "opaque":
      return value instanceof Opaque && value.typeName === type.name;
    case "timestamp":
    case "duration":
      return typeNameOf(value) === formatType(type);
    default:
      return typeNameOf(value) === type.kind;
  }
}

/** A plain list of strings. */
export function textList(items: readonly string[]): ListValue {
  return new ArrayList(items);
}

export const STRING_LIST: CelType = { kind: "list", element: STRING };
