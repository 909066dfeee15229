/**
 * Describes the paths that a table of resources serves, as OpenAPI path items.
 * In: rows. Out: path items by path. Never: serves them.
 * Source: upstream's published OpenAPI v3 documents (names of operations, actions, parameters).
 */
import type { CustomType, Resource, Subresource, Verb } from "../../resource.ts";
import { typeInfo } from "../fields.ts";
import { type Dialect, listTypeName } from "./schemas.ts";

export type PathItem = Record<string, unknown>;

const META = "io.k8s.apimachinery.pkg.apis.meta.v1";
const PATCH_TYPES = [
  "application/apply-patch+yaml",
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
];
/** A custom resource says nothing of how its lists merge strategically. */
const CUSTOM_PATCH_TYPES = PATCH_TYPES.filter((type) => !type.includes("strategic"));
const MEDIA_TYPES = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

const WRITE_PARAMETERS = ["dryRun", "fieldManager", "fieldValidation"];
const LIST_PARAMETERS = [
  "allowWatchBookmarks",
  "continue",
  "fieldSelector",
  "labelSelector",
  "limit",
  "resourceVersion",
  "resourceVersionMatch",
  "sendInitialEvents",
  "timeoutSeconds",
  "watch",
];
const DELETE_PARAMETERS = [
  "dryRun",
  "gracePeriodSeconds",
  "ignoreStoreReadErrorWithClusterBreakingPotential",
  "orphanDependents",
  "propagationPolicy",
];
const BOOLEANS: ReadonlySet<string> = new Set([
  "allowWatchBookmarks",
  "sendInitialEvents",
  "watch",
  "orphanDependents",
  "ignoreStoreReadErrorWithClusterBreakingPotential",
  "force",
]);
const INTEGERS: ReadonlySet<string> = new Set(["limit", "timeoutSeconds", "gracePeriodSeconds"]);

type Method = "get" | "post" | "put" | "patch" | "delete";

interface OperationParts {
  readonly method: Method;
  readonly action: string;
  readonly prefix: string;
  readonly query: readonly string[];
  readonly body: "" | "object" | "patch" | "options";
  readonly answer: "object" | "list" | "status";
}

const COLLECTION: Partial<Record<Verb, OperationParts>> = {
  list: {
    method: "get",
    action: "list",
    prefix: "list",
    query: LIST_PARAMETERS,
    body: "",
    answer: "list",
  },
  create: {
    method: "post",
    action: "post",
    prefix: "create",
    query: WRITE_PARAMETERS,
    body: "object",
    answer: "object",
  },
  deletecollection: {
    method: "delete",
    action: "deletecollection",
    prefix: "deleteCollection",
    query: [...LIST_PARAMETERS, ...DELETE_PARAMETERS],
    body: "options",
    answer: "status",
  },
};

const ITEM: Partial<Record<Verb, OperationParts>> = {
  get: { method: "get", action: "get", prefix: "read", query: [], body: "", answer: "object" },
  create: COLLECTION.create as OperationParts,
  update: {
    method: "put",
    action: "put",
    prefix: "replace",
    query: WRITE_PARAMETERS,
    body: "object",
    answer: "object",
  },
  patch: {
    method: "patch",
    action: "patch",
    prefix: "patch",
    query: [...WRITE_PARAMETERS, "force"],
    body: "patch",
    answer: "object",
  },
  delete: {
    method: "delete",
    action: "delete",
    prefix: "delete",
    query: DELETE_PARAMETERS,
    body: "options",
    answer: "status",
  },
};

/** `/api/v1` or `/apis/apps/v1`. */
export function versionPath(group: string, version: string): string {
  return group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
}

interface Target {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly typeName: string;
  readonly custom?: CustomType;
}

/** Full names of the types that the path items of a row refer to. */
export function referredTypes(row: Resource): string[] {
  const names = [row.typeName, ...row.subresources.map((part) => part.typeName)];
  const list = row.verbs.includes("list") ? listTypeName(row.typeName) : undefined;
  const header = row.custom === undefined ? [] : [`${META}.ObjectMeta`];
  return [...names, ...(list ? [list] : []), ...header, `${META}.DeleteOptions`, `${META}.Status`]
    .filter((name) => typeInfo(name) !== undefined);
}

/** Path items of one row: collection, object and subresources. */
export function pathsOf(row: Resource, dialect: Dialect): Record<string, PathItem> {
  const root = versionPath(row.group, row.version);
  const scoped = row.namespaced ? `${root}/namespaces/{namespace}` : root;
  const scope = row.namespaced ? "Namespaced" : "";
  const title = `${pascal(row.group === "" ? "core" : row.group.split(".")[0])}${
    pascal(row.version)
  }`;
  const paths: Record<string, PathItem> = {};
  const place = (path: string, verbs: readonly Verb[], details: PlaceDetails) => {
    const item = pathItem(verbs, details, dialect);
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) =>
      parameter(match[1], dialect, true)
    );
    if (Object.keys(item).length > 0) paths[path] = { ...item, parameters: inPath };
  };
  const id = `${title}${scope}${row.kind}`;
  place(`${scoped}/${row.plural}`, row.verbs, { table: COLLECTION, target: row, id });
  if (row.namespaced && row.verbs.includes("list")) {
    const everywhere = `${title}${row.kind}ForAllNamespaces`;
    place(`${root}/${row.plural}`, ["list"], { table: COLLECTION, target: row, id: everywhere });
  }
  const itemVerbs = row.verbs.filter((verb) => verb !== "create");
  place(`${scoped}/${row.plural}/{name}`, itemVerbs, { table: ITEM, target: row, id });
  for (const part of row.subresources) {
    const path = `${scoped}/${row.plural}/{name}/${part.name}`;
    place(path, part.verbs, { table: ITEM, target: part, id: id + pascal(part.name) });
  }
  return paths;
}

interface PlaceDetails {
  readonly table: Partial<Record<Verb, OperationParts>>;
  readonly target: Target | Subresource;
  readonly id: string;
}

function pascal(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function pathItem(verbs: readonly Verb[], details: PlaceDetails, dialect: Dialect): PathItem {
  const item: PathItem = {};
  for (const verb of verbs) {
    const parts = details.table[verb];
    if (parts !== undefined) item[parts.method] = operation(parts, details, dialect);
  }
  return item;
}

function operation(parts: OperationParts, details: PlaceDetails, dialect: Dialect): PathItem {
  const { target, id } = details;
  const queries = parts.query.map((name) => parameter(name, dialect, false));
  const types = { object: target.typeName, status: `${META}.Status`, list: "" };
  const answerType = parts.answer === "list"
    ? listTypeName(target.typeName) ?? target.typeName
    : types[parts.answer];
  const bodyType = parts.body === "options" ? `${META}.DeleteOptions` : target.typeName;
  const patches = target.custom === undefined ? PATCH_TYPES : CUSTOM_PATCH_TYPES;
  const consumes = parts.body === "patch" ? patches : MEDIA_TYPES;
  const gvk = { group: target.group, kind: target.kind, version: target.version };
  const common = {
    operationId: `${parts.prefix}${id}`,
    "x-kubernetes-action": parts.action,
    "x-kubernetes-group-version-kind": gvk,
  };
  if (dialect.version === 2) {
    const body = parts.body === "" ? [] : [{
      in: "body",
      name: "body",
      required: parts.body !== "options",
      schema: parts.body === "patch" ? { type: "object" } : reference(bodyType, dialect, target),
    }];
    return {
      ...common,
      consumes: parts.body === "" ? ["*/*"] : consumes,
      produces: MEDIA_TYPES,
      parameters: [...body, ...queries],
      responses: { "200": { description: "OK", schema: reference(answerType, dialect, target) } },
    };
  }
  const content = (types: readonly string[], schema: unknown) =>
    Object.fromEntries(types.map((type) => [type, { schema }]));
  const refer = (typeName: string) => reference(typeName, dialect, target);
  const bodySchema = parts.body === "patch" ? { type: "object" } : refer(bodyType);
  return {
    ...common,
    parameters: queries,
    ...(parts.body === "" ? {} : { requestBody: { content: content(consumes, bodySchema) } }),
    responses: {
      "200": {
        description: "OK",
        content: content(MEDIA_TYPES, refer(answerType)),
      },
    },
  };
}

function reference(typeName: string, dialect: Dialect, of: Target | Subresource): PathItem {
  const isCustom = of.custom !== undefined && of.typeName === typeName;
  if (!isCustom && typeInfo(typeName) === undefined) return { type: "object" };
  return { $ref: dialect.refPrefix + typeName };
}

function parameter(name: string, dialect: Dialect, inPath: boolean): PathItem {
  const type = BOOLEANS.has(name) ? "boolean" : INTEGERS.has(name) ? "integer" : "string";
  const place = inPath ? { in: "path", name, required: true } : { in: "query", name };
  if (dialect.version === 2) return { ...place, type, uniqueItems: true };
  return { ...place, schema: { type, uniqueItems: true } };
}
