/**
 * Checks and tidies decoded JSON against the field tables, as Go's typed decoding does.
 * In: a value fresh from JSON.parse, which is changed in place, and its type. Out: the same value
 * without unknown fields, nulls and empty optionals; unknown paths; or upstream's message.
 * Never: applies defaults or rules of kinds. Source: sigs.k8s.io/json; encoding/json's messages.
 */
import { canonicalQuantity, parseQuantity } from "../quantity.ts";
import type { CustomType } from "../resource.ts";
import { formatInstant, parseDuration, parseTime } from "../time.ts";
import { type Field, mustTypeInfo, type TypeInfo } from "./fields.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

export type CheckedDecode =
  | {
    readonly kind: "ok";
    // deno-lint-ignore no-explicit-any
    readonly value: any;
    /** `unknown field "spec.foo"`, in the order of the text. */
    readonly unknown: readonly string[];
  }
  | { readonly kind: "error"; readonly message: string };

/** Deeper nesting than this is refused. */
export const MAX_DEPTH = 1000;
/** No more unknown fields than this are reported. */
const MAX_REPORTED = 100;

class DecodeError extends Error {}

interface Walk {
  readonly unknown: string[];
  depth: number;
  /** JSON names from the root, without indexes: Go's field stack. */
  readonly names: string[];
}

/**
 * Checks an object.
 * @param typeName full name of its type.
 * @param value from JSON.parse; it is tidied in place.
 */
export function checkDecoded(typeName: string, value: Json): CheckedDecode {
  const walk: Walk = { unknown: [], depth: 0, names: [] };
  const type = mustTypeInfo(typeName);
  try {
    if (typeOfJson(value) !== "object") {
      throw new DecodeError(
        `json: cannot unmarshal ${typeOfJson(value)} into Go value of type ${goTypeName(type)}`,
      );
    }
    checkMessage(type, value, "", walk);
  } catch (error) {
    if (error instanceof DecodeError) return { kind: "error", message: error.message };
    throw error;
  }
  return { kind: "ok", value, unknown: walk.unknown };
}

/** Checks an object against its table, or against the schema of its definition. */
export function checkAs(
  type: { readonly typeName: string; readonly custom?: Pick<CustomType, "check"> },
  value: Json,
): CheckedDecode {
  return type.custom?.check(value) ?? checkDecoded(type.typeName, value);
}

/** The message of a refused Strict request. @param problems unknown and duplicate fields. */
export function strictMessage(problems: readonly string[]): string {
  return `strict decoding error: ${problems.join(", ")}`;
}

function typeOfJson(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}

function goTypeName(type: TypeInfo): string {
  const version = /\.(v\w+)\.\w+$/.exec(type.fullName)?.[1] ?? "v1";
  return `${version}.${type.name}`;
}

const GO_TYPES: Readonly<Record<string, string>> = {
  bytes: "[]uint8",
  double: "float64",
  Time: "v1.Time",
};

function goFieldType(field: Field): string {
  const item = field.kind === "message"
    ? goTypeName(mustTypeInfo(field.ref))
    : GO_TYPES[field.kind] ?? field.kind;
  if (field.container === "list") return `[]${item}`;
  return field.container === "map" ? `map[string]${item}` : item;
}

interface Mismatch {
  readonly found: string;
  readonly owner: TypeInfo;
  readonly goType: string;
  readonly walk: Walk;
}

function mismatch({ found, owner, goType, walk }: Mismatch): never {
  throw new DecodeError(
    `json: cannot unmarshal ${found} into Go struct field ` +
      `${owner.name}.${walk.names.join(".")} of type ${goType}`,
  );
}

function checkMessage(type: TypeInfo, draft: Record<string, Json>, path: string, walk: Walk) {
  if (++walk.depth > MAX_DEPTH) throw new DecodeError("exceeded max depth");
  for (const name of Object.keys(draft)) {
    const field = type.byName.get(name);
    const at = path === "" ? name : `${path}.${name}`;
    if (field === undefined) {
      if (walk.unknown.length < MAX_REPORTED) {
        walk.unknown.push(`unknown field ${JSON.stringify(at)}`);
      }
      delete draft[name];
      continue;
    }
    walk.names.push(name);
    const value = checkField(type, field, draft[name], at, walk);
    walk.names.pop();
    if (value === undefined) delete draft[name];
    else if (value !== draft[name]) draft[name] = value;
  }
  walk.depth--;
}

/** @returns undefined where the field is to be left out. */
function checkField(owner: TypeInfo, field: Field, value: Json, path: string, walk: Walk): Json {
  // A caller in this process may name a member and leave it undefined, which JSON would drop.
  if (value === null || value === undefined) return undefined;
  const dropsEmpty = field.omitEmpty && !field.pointer;
  if (field.container === "list") {
    if (!Array.isArray(value)) {
      mismatch({ found: typeOfJson(value), owner, goType: goFieldType(field), walk });
    }
    if (value.length === 0 && dropsEmpty) return undefined;
    for (let index = 0; index < value.length; index++) {
      value[index] = checkItem(owner, field, value[index], `${path}[${index}]`, walk);
    }
    return value;
  }
  if (field.container === "map") {
    if (typeOfJson(value) !== "object") {
      mismatch({ found: typeOfJson(value), owner, goType: goFieldType(field), walk });
    }
    const keys = Object.keys(value);
    if (keys.length === 0 && dropsEmpty) return undefined;
    for (const key of keys) {
      const item = checkItem(owner, field, value[key], `${path}.${key}`, walk);
      if (item !== value[key]) value[key] = item;
    }
    return value;
  }
  const checked = checkValue(owner, field, value, path, walk);
  const empty = checked === "" || checked === 0 || checked === false;
  return empty && dropsEmpty ? undefined : checked;
}

/** A null among items stands for the type's empty value, as Go decodes it. */
function checkItem(owner: TypeInfo, field: Field, value: Json, path: string, walk: Walk): Json {
  if (value !== null) return checkValue(owner, field, value, path, walk);
  switch (field.kind) {
    case "message":
      return mustTypeInfo(field.ref).wrapped ? null : {};
    case "Quantity":
      return "0";
    case "string":
    case "bytes":
      return "";
    case "int32":
    case "int64":
    case "double":
    case "IntOrString":
      return 0;
    case "bool":
      return false;
    default:
      return null;
  }
}

const INT_LIMITS = { int32: 2 ** 31, int64: 2 ** 63 } as const;

function checkValue(owner: TypeInfo, field: Field, value: Json, path: string, walk: Walk): Json {
  const found = typeOfJson(value);
  const goType = () => goFieldType({ ...field, container: "one" });
  switch (field.kind) {
    case "string":
      if (found !== "string") mismatch({ found, owner, goType: goType(), walk });
      return value;
    case "bool":
      if (found !== "bool") mismatch({ found, owner, goType: goType(), walk });
      return value;
    case "int32":
    case "int64": {
      if (found !== "number") mismatch({ found, owner, goType: goType(), walk });
      const limit = INT_LIMITS[field.kind];
      if (!Number.isInteger(value) || value < -limit || value >= limit) {
        mismatch({ found: `number ${value}`, owner, goType: goType(), walk });
      }
      return value;
    }
    case "double":
      if (found !== "number") mismatch({ found, owner, goType: goType(), walk });
      return value;
    case "message": {
      const type = mustTypeInfo(field.ref);
      if (type.wrapped) return checkWrapped(type, value, walk);
      if (found !== "object") mismatch({ found, owner, goType: goType(), walk });
      checkMessage(type, value, path, walk);
      return value;
    }
    default:
      return checkSpecial(
        field,
        value,
        found,
        () => mismatch({ found, owner, goType: goType(), walk }),
      );
  }
}

function checkWrapped(type: TypeInfo, value: Json, walk: Walk): Json {
  const isList = Array.isArray(value) && value.every((item) => typeof item === "string");
  if (!isList) {
    mismatch({ found: typeOfJson(value), owner: type, goType: goTypeName(type), walk });
  }
  return value;
}

function checkSpecial(field: Field, value: Json, found: string, refuse: () => never): Json {
  switch (field.kind) {
    case "Quantity": {
      if (found !== "string" && found !== "number") refuse();
      const canonical = canonicalQuantity(value);
      if (canonical !== null) return canonical;
      const parsed = parseQuantity(value);
      throw new DecodeError(parsed.kind === "error" ? parsed.message : "bad quantity");
    }
    case "IntOrString":
      if (found === "string") return value;
      if (found !== "number") refuse();
      if (!Number.isInteger(value) || value < -INT_LIMITS.int32 || value >= INT_LIMITS.int32) {
        throw new DecodeError(`json: cannot unmarshal number ${value} into Go value of type int32`);
      }
      return value;
    case "bytes":
      if (found !== "string") refuse();
      return checkBase64(value);
    case "Time":
    case "MicroTime":
      if (found !== "string") refuse();
      return checkTime(field, value);
    case "Duration":
      if (found !== "string") refuse();
      if (parseDuration(value) === null) {
        throw new DecodeError(`time: invalid duration ${JSON.stringify(value)}`);
      }
      return value;
    default:
      if (field.kind === "FieldsV1" && found !== "object") refuse();
      return value;
  }
}

/** Times met lately, as they are kept: an object's conditions share few, and objects share them. */
const knownTimes = new Map<string, string>();
const KNOWN_TIMES = 1024;
const LONGEST_KNOWN_TIME = 40;

function checkTime(field: Field, value: string): string {
  const isTime = field.kind === "Time";
  const known = isTime ? knownTimes.get(value) : undefined;
  if (known !== undefined) return known;
  const instant = parseTime(value);
  if (instant === null) {
    const quoted = JSON.stringify(value);
    const layout = isTime ? "2006-01-02T15:04:05Z07:00" : "2006-01-02T15:04:05.000000Z07:00";
    throw new DecodeError(
      `parsing time ${quoted} as "${layout}": cannot parse ${quoted} as "2006"`,
    );
  }
  const kept = formatInstant(instant, isTime ? 0 : 6);
  if (!isTime || value.length > LONGEST_KNOWN_TIME) return kept;
  if (knownTimes.size >= KNOWN_TIMES) knownTimes.clear();
  knownTimes.set(value, kept);
  return kept;
}

function checkBase64(value: string): string {
  const compact = value.replace(/[\r\n]/g, "");
  const wrong = /[^A-Za-z0-9+/=]|=(?=[^=])/.exec(compact);
  const padded = compact.length % 4 === 0 && !/={3,}$/.test(compact);
  if (wrong === null && padded) return compact;
  const at = wrong?.index ?? compact.length - compact.length % 4;
  throw new DecodeError(`illegal base64 data at input byte ${at}`);
}
