/**
 * Typed look-up over the generated field tables.
 * In: a type's full name, `io.k8s.api.core.v1.Pod`. Out: its fields by JSON name and by number.
 * Never: checks values. A table has one line a type and one indented line a field:
 *
 *     Type [kind] [atomic] [wrapped]
 *      name number [][]|{}type [inline] [!] [*] [?] [patch=…] [merge=…] [list=…] [keys=…] [enum=…]
 *
 * where `!` is required, `*` a pointer in Go and `?` left out of JSON when empty.
 */
import { tableTexts } from "./tables.ts";

export type FieldKind =
  | "string"
  | "bool"
  | "int32"
  | "int64"
  | "double"
  | "bytes"
  | "Quantity"
  | "IntOrString"
  | "Time"
  | "MicroTime"
  | "Duration"
  | "Raw"
  | "FieldsV1"
  | "message";

export interface Field {
  readonly name: string;
  /** Protobuf number; 0 for apiVersion and kind, which travel in the envelope. */
  readonly number: number;
  readonly kind: FieldKind;
  readonly container: "one" | "list" | "map";
  /** Full name of the message's type; "" for scalars. */
  readonly ref: string;
  /** In JSON the message's fields stand beside this type's own. */
  readonly inline: boolean;
  readonly required: boolean;
  readonly pointer: boolean;
  readonly omitEmpty: boolean;
  readonly patchStrategies: readonly string[];
  readonly mergeKey: string;
  readonly listType: "" | "atomic" | "set" | "map";
  readonly listKeys: readonly string[];
  readonly atomic: boolean;
  readonly enumValues: readonly string[];
  readonly defaultValue: unknown;
}

export interface TypeInfo {
  readonly fullName: string;
  /** `Pod` */
  readonly name: string;
  /** Carries apiVersion and kind. */
  readonly isKind: boolean;
  readonly atomic: boolean;
  /** In JSON a bare list of strings; in protobuf a message around it. */
  readonly wrapped: boolean;
  /** As declared: inline fields not opened. */
  readonly fields: readonly Field[];
  /** As JSON has them: inline fields opened, apiVersion and kind included. */
  readonly byName: ReadonlyMap<string, Field>;
  readonly byNumber: ReadonlyMap<number, Field>;
}

const SCALAR_KINDS: ReadonlySet<string> = new Set<FieldKind>([
  "string",
  "bool",
  "int32",
  "int64",
  "double",
  "bytes",
  "Quantity",
  "IntOrString",
  "Time",
  "MicroTime",
  "Duration",
  "Raw",
  "FieldsV1",
]);

/** Where the types of a group stand in OpenAPI documents, if not among the others. */
const PREFIXES: Readonly<Record<string, string>> = {
  meta: "io.k8s.apimachinery.pkg.apis.",
  apiextensions: "io.k8s.apiextensions-apiserver.pkg.apis.",
  apiregistration: "io.k8s.kube-aggregator.pkg.apis.",
};
const API_PREFIX = "io.k8s.api.";
const FULL_NAME = new RegExp(
  `^(?:${[API_PREFIX, ...Object.values(PREFIXES)].join("|").replaceAll(".", "\\.")})` +
    "(\\w+\\.\\w+)\\.(\\w+)$",
);
const parsedGroups = new Map<string, Map<string, TypeInfo>>();
const byFullName = new Map<string, TypeInfo>();

/** @param key `core.v1`. @param name `Pod`. @returns the OpenAPI name of the type. */
export function fullTypeName(key: string, name: string): string {
  return `${PREFIXES[key.slice(0, key.indexOf("."))] ?? API_PREFIX}${key}.${name}`;
}

/** @returns undefined for a type that no table has. */
export function typeInfo(fullName: string): TypeInfo | undefined {
  const known = byFullName.get(fullName);
  if (known !== undefined) return known;
  const match = FULL_NAME.exec(fullName);
  return match === null ? undefined : groupTypes(match[1])?.get(match[2]);
}

/** A type that must exist, because a row or another table names it. */
export function mustTypeInfo(fullName: string): TypeInfo {
  const info = typeInfo(fullName);
  if (info === undefined) throw new Error(`assertion: no field table has ${fullName}`);
  return info;
}

/** All types of one group and version, by short name. @param key `core.v1`. */
export function groupTypes(key: string): ReadonlyMap<string, TypeInfo> | undefined {
  const known = parsedGroups.get(key);
  if (known !== undefined) return known;
  if (!Object.hasOwn(tableTexts, key)) return undefined;
  const types = parseTable(key, tableTexts[key]);
  parsedGroups.set(key, types);
  for (const type of types.values()) byFullName.set(type.fullName, type);
  return types;
}

/**
 * The type behind an object's apiVersion and kind.
 * @param apiVersion `apps/v1`, or `v1` for core.
 * @returns undefined for kinds without a table. Options and Status are found under any group.
 */
export function typeOfKind(apiVersion: string, kind: string): TypeInfo | undefined {
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "core" : apiVersion.slice(0, slash);
  // Somebody's `apps.example.com` is not `apps`.
  const isBuiltIn = !group.includes(".") || group.endsWith(".k8s.io");
  const key = `${group.split(".")[0]}.${apiVersion.slice(slash + 1)}`;
  const own = isBuiltIn ? groupTypes(key)?.get(kind) : undefined;
  return own ?? groupTypes("meta.v1")?.get(kind);
}

function parseTable(key: string, text: string): Map<string, TypeInfo> {
  const types = new Map<string, TypeInfo>();
  let head: string[] = [];
  let fields: Field[] = [];
  const close = () => {
    if (head.length > 0) types.set(head[0], new LazyType(key, head, fields));
  };
  for (const line of text.split("\n")) {
    if (line === "") continue;
    if (line.startsWith(" ")) {
      fields.push(parseField(key, line.slice(1)));
    } else {
      close();
      head = line.split(" ");
      fields = [];
    }
  }
  close();
  return types;
}

const HEADER_FIELDS: readonly Field[] = ["apiVersion", "kind"].map((name) =>
  parseField("meta.v1", `${name} 0 string ?`)
);

/** Opens inline fields at first use, since they may stand in a group that is not parsed yet. */
class LazyType implements TypeInfo {
  readonly fullName: string;
  readonly name: string;
  readonly isKind: boolean;
  readonly atomic: boolean;
  readonly wrapped: boolean;
  #byName: Map<string, Field> | undefined;
  #byNumber: Map<number, Field> | undefined;

  constructor(key: string, head: readonly string[], readonly fields: readonly Field[]) {
    this.name = head[0];
    this.fullName = fullTypeName(key, head[0]);
    this.isKind = head.includes("kind");
    this.atomic = head.includes("atomic");
    this.wrapped = head.includes("wrapped");
  }

  get byName(): ReadonlyMap<string, Field> {
    if (this.#byName === undefined) {
      this.#byName = new Map();
      if (this.isKind) { for (const field of HEADER_FIELDS) this.#byName.set(field.name, field); }
      for (const field of this.fields) {
        if (field.inline) {
          for (const [name, inner] of mustTypeInfo(field.ref).byName) this.#byName.set(name, inner);
        } else {
          this.#byName.set(field.name, field);
        }
      }
    }
    return this.#byName;
  }

  get byNumber(): ReadonlyMap<number, Field> {
    this.#byNumber ??= new Map(this.fields.map((field) => [field.number, field]));
    return this.#byNumber;
  }
}

function parseField(key: string, line: string): Field {
  const [name, number, typeText, ...flags] = line.split(" ");
  const container = typeText.startsWith("[]") ? "list" : typeText.startsWith("{}") ? "map" : "one";
  const item = container === "one" ? typeText : typeText.slice(2);
  const isScalar = SCALAR_KINDS.has(item);
  const refName = item.includes(".")
    ? fullTypeName(item.slice(0, item.lastIndexOf(".")), item.slice(item.lastIndexOf(".") + 1))
    : fullTypeName(key, item);
  const option = (label: string) =>
    flags.find((flag) => flag.startsWith(`${label}=`))?.slice(label.length + 1) ?? "";
  const list = (label: string, separator: string) => option(label).split(separator).filter(Boolean);
  const fallback = option("default");
  return {
    name,
    number: Number(number),
    kind: isScalar ? item as FieldKind : "message",
    container,
    ref: isScalar ? "" : refName,
    inline: flags.includes("inline"),
    required: flags.includes("!"),
    pointer: flags.includes("*"),
    omitEmpty: flags.includes("?"),
    patchStrategies: list("patch", ","),
    mergeKey: option("merge"),
    listType: option("list") as Field["listType"],
    listKeys: list("keys", ","),
    atomic: flags.includes("atomic"),
    enumValues: list("enum", "|"),
    defaultValue: fallback === "" ? undefined : JSON.parse(fallback),
  };
}
