/**
 * The types of the expression language: what a variable, a field or a function's argument may be.
 * In: declarations. Out: types, their names as messages print them, and whether one fits another.
 * Never: values. Source: the CEL language definition; upstream's pkg/cel/types.go (v1.36).
 */

export type ScalarKind =
  | "int"
  | "uint"
  | "double"
  | "bool"
  | "string"
  | "bytes"
  | "null_type"
  | "timestamp"
  | "duration"
  | "dyn"
  | "type";

export interface ScalarType {
  readonly kind: ScalarKind;
  /** Most characters or bytes that a value may have, where a schema says so. */
  readonly maxSize?: number;
}

export interface ListType {
  readonly kind: "list";
  readonly element: CelType;
  readonly maxSize?: number;
  /** How two lists compare: as sequences, as sets, or as maps by these keys of their elements. */
  readonly listKind?: "atomic" | "set" | "map";
  readonly mapKeys?: readonly string[];
}

export interface MapType {
  readonly kind: "map";
  readonly key: CelType;
  readonly value: CelType;
  readonly maxSize?: number;
}

/** A structure whose fields are known by name; `field` may build its answer when it is asked. */
export interface ObjectType {
  readonly kind: "object";
  readonly name: string;
  field(name: string): CelType | undefined;
  /** The name of a field in JSON, where it differs from the one in expressions. */
  jsonName?(name: string): string;
  /** The name of a field in expressions; undefined where it can't be said. */
  celName?(json: string): string | undefined;
}

export interface OptionalType {
  readonly kind: "optional";
  readonly of: CelType;
}

/** A type that only its own functions look into, such as an address or an amount. */
export interface OpaqueType {
  readonly kind: "opaque";
  readonly name: string;
}

/** A type parameter of a function: `A` in `list(A).indexOf(A) -> int`. */
export interface ParamType {
  readonly kind: "param";
  readonly name: string;
}

export type CelType =
  | ScalarType
  | ListType
  | MapType
  | ObjectType
  | OptionalType
  | OpaqueType
  | ParamType;

export const INT: CelType = { kind: "int" };
export const UINT: CelType = { kind: "uint" };
export const DOUBLE: CelType = { kind: "double" };
export const BOOL: CelType = { kind: "bool" };
export const STRING: CelType = { kind: "string" };
export const BYTES: CelType = { kind: "bytes" };
export const NULL: CelType = { kind: "null_type" };
export const TIMESTAMP: CelType = { kind: "timestamp" };
export const DURATION: CelType = { kind: "duration" };
export const DYN: CelType = { kind: "dyn" };
export const TYPE: CelType = { kind: "type" };

export function listOf(element: CelType): ListType {
  return { kind: "list", element };
}

export function mapOf(key: CelType, value: CelType): MapType {
  return { kind: "map", key, value };
}

export function optionalOf(of: CelType): OptionalType {
  return { kind: "optional", of };
}

export function opaque(name: string): OpaqueType {
  return { kind: "opaque", name };
}

export function param(name: string): ParamType {
  return { kind: "param", name };
}

/** @returns a structure with these fields and no others. */
export function objectOf(name: string, fields: Readonly<Record<string, CelType>>): ObjectType {
  const byName = new Map(Object.entries(fields));
  return { kind: "object", name, field: (field) => byName.get(field) };
}

/** @returns the name of a type as messages print it. */
export function formatType(type: CelType): string {
  switch (type.kind) {
    case "list":
      return `list(${formatType(type.element)})`;
    case "map":
      return `map(${formatType(type.key)}, ${formatType(type.value)})`;
    case "object":
    case "opaque":
    case "param":
      return type.name;
    case "optional":
      return `optional_type(${formatType(type.of)})`;
    case "null_type":
      return "null";
    case "timestamp":
      return "google.protobuf.Timestamp";
    case "duration":
      return "google.protobuf.Duration";
    default:
      return type.kind;
  }
}

/** What is known of the type parameters while one expression is checked. */
export type Bindings = Map<string, CelType>;

/** @returns the type with every known parameter put in; unknown ones become `unknown`. */
export function substitute(type: CelType, bindings: Bindings, unknown?: CelType): CelType {
  switch (type.kind) {
    case "param": {
      const bound = bindings.get(type.name);
      return bound === undefined ? unknown ?? type : substitute(bound, bindings, unknown);
    }
    case "list":
      return { ...type, element: substitute(type.element, bindings, unknown) };
    case "map":
      return {
        ...type,
        key: substitute(type.key, bindings, unknown),
        value: substitute(type.value, bindings, unknown),
      };
    case "optional":
      return optionalOf(substitute(type.of, bindings, unknown));
    default:
      return type;
  }
}

function shallow(type: CelType, bindings: Bindings): CelType {
  let current = type;
  while (current.kind === "param") {
    const bound = bindings.get(current.name);
    if (bound === undefined) return current;
    current = bound;
  }
  return current;
}

function occurs(name: string, inside: CelType, bindings: Bindings): boolean {
  const type = shallow(inside, bindings);
  switch (type.kind) {
    case "param":
      return type.name === name;
    case "list":
      return occurs(name, type.element, bindings);
    case "map":
      return occurs(name, type.key, bindings) || occurs(name, type.value, bindings);
    case "optional":
      return occurs(name, type.of, bindings);
    default:
      return false;
  }
}

/**
 * Whether a value of type `from` may stand where `to` is wanted; parameters are bound on the way.
 * @param bindings grows as parameters become known; undefined contents after a refusal.
 */
export function isAssignable(to: CelType, from: CelType, bindings: Bindings): boolean {
  const wanted = shallow(to, bindings);
  const given = shallow(from, bindings);
  if (wanted === given) return true;
  if (wanted.kind === "param") return bind(wanted.name, given, bindings);
  if (given.kind === "param") return bind(given.name, wanted, bindings);
  if (wanted.kind === "dyn" || given.kind === "dyn") return true;
  if (given.kind === "null_type" || wanted.kind === "null_type") {
    const other = given.kind === "null_type" ? wanted.kind : given.kind;
    return other === "null_type" || other === "object" || other === "opaque" ||
      other === "optional" || other === "timestamp" || other === "duration";
  }
  switch (wanted.kind) {
    case "list":
      return given.kind === "list" && isAssignable(wanted.element, given.element, bindings);
    case "map":
      return given.kind === "map" && isAssignable(wanted.key, given.key, bindings) &&
        isAssignable(wanted.value, given.value, bindings);
    case "optional":
      return given.kind === "optional" && isAssignable(wanted.of, given.of, bindings);
    case "object":
    case "opaque":
      return given.kind === wanted.kind && given.name === wanted.name;
    default:
      return given.kind === wanted.kind;
  }
}

function bind(name: string, type: CelType, bindings: Bindings): boolean {
  if (type.kind === "param" && type.name === name) return true;
  if (occurs(name, type, bindings)) return false;
  bindings.set(name, type);
  return true;
}

/** @returns whether the two name the same type, sizes aside. */
export function sameType(a: CelType, b: CelType): boolean {
  if (a === b) return true;
  if (a.kind !== b.kind) return false;
  switch (a.kind) {
    case "list":
      return sameType(a.element, (b as ListType).element);
    case "map":
      return sameType(a.key, (b as MapType).key) && sameType(a.value, (b as MapType).value);
    case "optional":
      return sameType(a.of, (b as OptionalType).of);
    case "object":
    case "opaque":
    case "param":
      return a.name === (b as OpaqueType).name;
    default:
      return true;
  }
}
