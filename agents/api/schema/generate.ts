/**
 * Writes the field tables under `generated/` from the Go API types of Kubernetes.
 * In: the folder that holds `api` and `apimachinery` (Debian: golang-k8s-api-dev). Out: one file a
 * group and version with names, numbers, types and merge keys, and TypeScript interfaces.
 * Never: copies a sentence; comments are read for their markers only. A script, not pure:
 * `deno run -A agents/api/schema/generate.ts --src DIR [--staging DIR]`; the second folder holds
 * `apiextensions-apiserver` and `kube-aggregator`, whose tables stay as they are without it.
 */
import { formatGroup } from "./generate_format.ts";

/** One field of a Go struct, as the tables need it. */
export interface GoField {
  readonly name: string;
  readonly number: number;
  /** Go type without pointers, packages resolved: `[]core.v1.Container`. */
  readonly type: string;
  readonly pointer: boolean;
  readonly inline: boolean;
  readonly omitEmpty: boolean;
  readonly markers: ReadonlyMap<string, readonly string[]>;
}

export interface GoType {
  readonly name: string;
  readonly fields: GoField[];
  /** Set for named strings, slices and maps. */
  readonly underlying?: string;
  /** Values of a named string that is marked as an enumeration. */
  readonly enumValues: string[];
  readonly isEnum: boolean;
  isKind: boolean;
  readonly atomicStruct: boolean;
}

export interface GoGroup {
  /** `core.v1` */
  readonly key: string;
  readonly types: Map<string, GoType>;
  /** Messages of generated.proto: field numbers by JSON name, to check against. */
  readonly messages: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

const GROUPS = [
  "core/v1",
  "apps/v1",
  "batch/v1",
  "autoscaling/v1",
  "autoscaling/v2",
  "policy/v1",
  "networking/v1",
  "discovery/v1",
  "events/v1",
  "coordination/v1",
  "rbac/v1",
  "storage/v1",
  "scheduling/v1",
  "scheduling/v1alpha2",
  "node/v1",
  "certificates/v1",
  "authentication/v1",
  "authorization/v1",
  "admissionregistration/v1",
  "resource/v1",
  "flowcontrol/v1",
];

/** Types outside the `api` folder, by the folder that holds them under `--staging`. */
const STAGED: Readonly<Record<string, { readonly folder: string; readonly files: string[] }>> = {
  "apiextensions.v1": {
    folder: "apiextensions-apiserver/pkg/apis/apiextensions/v1",
    files: ["types.go", "types_jsonschema.go"],
  },
  "apiregistration.v1": {
    folder: "kube-aggregator/pkg/apis/apiregistration/v1",
    files: ["types.go"],
  },
};

const FIELD = /^\t(?:(\w+)\s+)?([\w.*[\]]+)\s+`([^`]*)`/;
const IMPORT =
  /^(?:import)?\s+(\w+ )?"k8s\.io\/(?:api|apimachinery\/pkg\/apis)\/([a-z]+)\/(v\d\w*)"/;

/** @param source Go text. @param key of the group, `core.v1`. */
export function parseGoTypes(source: string, key: string): Map<string, GoType> {
  const types = new Map<string, GoType>();
  const packages = new Map<string, string>();
  let markers = new Map<string, string[]>();
  let open: GoType | null = null;
  for (const line of source.split("\n")) {
    const imported = IMPORT.exec(line);
    if (imported) packages.set(imported[1]?.trim() ?? imported[3], `${imported[2]}.${imported[3]}`);
    const marker = /^\s*\/\/\s*\+([\w:.]+)(?:=(.*?))?\s*$/.exec(line);
    if (marker) {
      const values = markers.get(marker[1]) ?? [];
      markers.set(marker[1], [...values, marker[2] ?? ""]);
      continue;
    }
    if (/^\s*\/\//.test(line)) continue;
    if (open !== null) {
      if (line === "}") open = null;
      else readField({ line, into: open, markers, packages });
    } else {
      open = readDeclaration({ line, types, markers, packages, key });
    }
    if (line.trim() !== "" || open !== null) markers = new Map();
  }
  return types;
}

interface DeclarationLine {
  readonly line: string;
  readonly types: Map<string, GoType>;
  readonly markers: Map<string, string[]>;
  readonly packages: ReadonlyMap<string, string>;
  readonly key: string;
}

function readDeclaration({ line, types, markers, packages }: DeclarationLine): GoType | null {
  const value = /^(?:const)?\s*\w+\s+(\w+)\s+= "([^"]*)"/.exec(line);
  if (value) {
    types.get(value[1])?.enumValues.push(value[2]);
    return null;
  }
  const declared = /^type (\w+) (?:= )?(.+?)\s*(\/\/.*)?$/.exec(line);
  if (!declared || /^(interface|func)/.test(declared[2])) return null;
  const isStruct = declared[2].startsWith("struct");
  const type: GoType = {
    name: declared[1],
    fields: [],
    ...(isStruct ? {} : { underlying: resolve(declared[2], packages) }),
    enumValues: [],
    isEnum: markers.has("enum"),
    isKind: false,
    atomicStruct: markers.get("structType")?.[0] === "atomic",
  };
  types.set(type.name, type);
  return isStruct && !declared[2].endsWith("}") ? type : null;
}

interface FieldLine {
  readonly line: string;
  readonly into: GoType;
  readonly markers: Map<string, string[]>;
  readonly packages: ReadonlyMap<string, string>;
}

function readField({ line, into, markers, packages }: FieldLine): void {
  const match = FIELD.exec(line);
  if (!match) return;
  const [, , goType, tags] = match;
  if (/TypeMeta$/.test(goType)) {
    into.isKind = true;
    return;
  }
  const json = /json:"([^"]*)"/.exec(tags)?.[1] ?? "";
  const [name, ...options] = json.split(",");
  if (name === "-") return;
  const protobuf = /protobuf:"([^"]*)"/.exec(tags)?.[1] ?? "";
  const inline = options.includes("inline");
  into.fields.push({
    name: inline ? goType.replace(/^.*\./, "") : name,
    number: Number(protobuf.split(",")[1] ?? 0),
    type: resolve(goType.replaceAll("*", ""), packages),
    pointer: goType.startsWith("*"),
    inline,
    omitEmpty: options.includes("omitempty") || options.includes("omitzero"),
    markers: new Map([...markers, ...tagMarkers(tags)]),
  });
}

/** Merge keys stand in struct tags as well as in comments; the tags are what upstream uses. */
function tagMarkers(tags: string): [string, string[]][] {
  const found: [string, string[]][] = [];
  for (const tag of ["patchStrategy", "patchMergeKey"]) {
    const value = new RegExp(`${tag}:"([^"]*)"`).exec(tags)?.[1];
    if (value !== undefined) found.push([tag, [value]]);
  }
  return found;
}

const SPECIAL: Readonly<Record<string, string>> = {
  "resource.Quantity": "Quantity",
  "intstr.IntOrString": "IntOrString",
  "runtime.RawExtension": "Raw",
  "types.UID": "string",
  "types.NodeName": "string",
  "types.NamespacedName": "string",
};

function resolve(goType: string, packages: ReadonlyMap<string, string>): string {
  return goType.trim().replace(/\b(\w+)\.(\w+)/g, (whole, alias, name) => {
    if (SPECIAL[whole]) return SPECIAL[whole];
    const target = packages.get(alias);
    return target === undefined ? whole : `${target}.${name}`;
  });
}

/** @returns for each message its fields' numbers. */
export function parseProto(source: string): Map<string, Map<string, number>> {
  const messages = new Map<string, Map<string, number>>();
  let open: Map<string, number> | null = null;
  for (const line of source.split("\n")) {
    const message = /^message (\w+) \{/.exec(line);
    if (message) messages.set(message[1], open = new Map());
    const field = /^\s+(?:optional|repeated|map<[^>]*>|required)?.*?(\w+) = (\d+);/.exec(line);
    if (field && open !== null) open.set(field[1], Number(field[2]));
    if (line === "}") open = null;
  }
  return messages;
}

/** Go types and .proto files describe one wire; a difference is a fault of this script. */
function checkAgainstProto(group: GoGroup): void {
  for (const [name, fields] of group.messages) {
    const type = group.types.get(name);
    if (type === undefined || type.underlying !== undefined || type.fields.length === 0) continue;
    const mine = type.fields.filter((field) => field.number > 0).map((field) => field.number)
      .sort();
    const theirs = [...fields.values()].sort();
    if (mine.join() !== theirs.join()) {
      throw new Error(`${group.key}.${name}: numbers ${mine} in Go, ${theirs} in protobuf`);
    }
  }
}

function readGroup(folder: string, key: string, files: readonly string[]): GoGroup {
  const source = files.map((file) => Deno.readTextFileSync(`${folder}/${file}`)).join("\n");
  const group: GoGroup = {
    key,
    types: parseGoTypes(source, key),
    messages: parseProto(Deno.readTextFileSync(`${folder}/generated.proto`)),
  };
  checkAgainstProto(group);
  return group;
}

function main(args: readonly string[]): void {
  const folderAfter = (flag: string) =>
    args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined;
  const src = folderAfter("--src");
  const staging = folderAfter("--staging");
  if (src === undefined) throw new Error("usage: generate.ts --src DIR [--staging DIR]");
  const out = new URL("./generated/", import.meta.url);
  Deno.mkdirSync(out, { recursive: true });
  const meta = readGroup(`${src}/apimachinery/pkg/apis/meta/v1`, "meta.v1", [
    "types.go",
    "watch.go",
  ]);
  const groups = [meta];
  for (const path of GROUPS) {
    groups.push(readGroup(`${src}/api/${path}`, path.replace("/", "."), ["types.go"]));
  }
  for (const [key, { folder, files }] of Object.entries(staging === undefined ? {} : STAGED)) {
    groups.push(readGroup(`${staging}/${folder}`, key, files));
  }
  const all = new Map(groups.map((group) => [group.key, group]));
  for (const group of groups) {
    const file = new URL(`${group.key.replace(".", "_")}.ts`, out);
    Deno.writeTextFileSync(file, formatGroup(group, all));
  }
}

if (import.meta.main) main(Deno.args);
