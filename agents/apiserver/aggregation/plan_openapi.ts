/**
 * PURE. OpenAPI documents of several servers as one.
 * In: documents of version 2. Out: the part that some paths need, documents merged, version 3 of
 * a version 2. Never: changes a document it was given.
 * Source: kube-openapi's aggregator and openapiconv packages; OpenAPI 2.0 and 3.0.
 */
import { equalJson } from "../../api/patch/json_patch.ts";

// deno-lint-ignore no-explicit-any
type Json = any;
type Table = Readonly<Record<string, Json>>;

export interface OpenApiV2 {
  readonly swagger?: string;
  readonly info?: Json;
  readonly paths?: Table;
  readonly definitions?: Table;
  readonly parameters?: Table;
  readonly responses?: Table;
}

const DEFINITIONS = "#/definitions/";
const SCHEMAS = "#/components/schemas/";
const KINDS = "x-kubernetes-group-version-kind";

/** Every value of a document with its references changed. */
function mapRefs(value: Json, change: (ref: string) => Json): Json {
  if (Array.isArray(value)) return value.map((one) => mapRefs(one, change));
  if (typeof value !== "object" || value === null) return value;
  if (typeof value.$ref === "string") {
    const changed = change(value.$ref);
    return typeof changed === "string" ? { ...value, $ref: changed } : changed;
  }
  const made: Record<string, Json> = {};
  for (const [key, one] of Object.entries(value)) made[key] = mapRefs(one, change);
  return made;
}

/** Parameters and responses that stand beside the paths, put where they are referred to. */
export function inlineShared(document: OpenApiV2): OpenApiV2 {
  const { parameters = {}, responses = {}, ...rest } = document;
  if (Object.keys(parameters).length + Object.keys(responses).length === 0) return document;
  const shared: Record<string, Table> = { parameters, responses };
  const paths = mapRefs(rest.paths ?? {}, (ref) => {
    const [, table = "", name = ""] = /^#\/(\w+)\/(.*)$/.exec(ref) ?? [];
    return shared[table]?.[name] ?? ref;
  });
  return { ...rest, paths };
}

/** The document of some of its paths, with the definitions that they need. */
export function filterByPaths(
  document: OpenApiV2,
  isWanted: (path: string) => boolean,
): OpenApiV2 {
  const { paths: all = {}, definitions: known = {} } = document;
  const paths = Object.fromEntries(Object.entries(all).filter(([path]) => isWanted(path)));
  const needed = new Set<string>();
  const visit = (value: Json): void => {
    mapRefs(value, (ref) => {
      const name = ref.startsWith(DEFINITIONS) ? ref.slice(DEFINITIONS.length) : "";
      if (Object.hasOwn(known, name) && !needed.has(name)) {
        needed.add(name);
        visit(known[name]);
      }
      return ref;
    });
  };
  visit(paths);
  const definitions = Object.fromEntries(
    Object.entries(known).filter(([name]) => needed.has(name)),
  );
  return { ...document, paths, definitions };
}

/**
 * One document more merged into others: paths that are there already stay, definitions of one
 * name that differ get names of their own.
 */
export function mergeOpenApiV2(into: OpenApiV2, from: OpenApiV2): OpenApiV2 {
  const { paths = {}, definitions = {} } = into;
  const added = filterByPaths(from, (path) => !Object.hasOwn(paths, path));
  if (Object.keys(added.paths ?? {}).length === 0) return into;
  const renames = renamesOf(definitions, added.definitions ?? {});
  const renamed = mapRefs({ paths: added.paths, definitions: added.definitions }, (ref) => {
    const name = ref.startsWith(DEFINITIONS) ? ref.slice(DEFINITIONS.length) : "";
    return renames.has(name) ? DEFINITIONS + renames.get(name) : ref;
  });
  const merged: Record<string, Json> = { ...definitions };
  for (const [name, definition] of Object.entries<Json>(renamed.definitions)) {
    const known = renames.get(name) ?? name;
    merged[known] = Object.hasOwn(merged, known)
      ? withKindsOf(merged[known], definition)
      : definition;
  }
  return { ...into, paths: { ...paths, ...renamed.paths }, definitions: merged };
}

/** New names for definitions that mean something else here. */
function renamesOf(known: Table, added: Table): Map<string, string> {
  const renames = new Map<string, string>();
  const taken = new Set([...Object.keys(known), ...Object.keys(added)]);
  for (const [name, definition] of Object.entries(added)) {
    if (!Object.hasOwn(known, name) || isSame(known[name], definition)) continue;
    for (let number = 2;; number++) {
      const other = `${name}_v${number}`;
      const isShared = Object.hasOwn(known, other) && isSame(known[other], definition);
      if (taken.has(other) && !isShared) continue;
      taken.add(other);
      renames.set(name, other);
      break;
    }
  }
  return renames;
}

/** Equal but for the kinds that they stand for. */
function isSame(a: Json, b: Json): boolean {
  return equalJson({ ...a, [KINDS]: null }, { ...b, [KINDS]: null });
}

function withKindsOf(known: Json, added: Json): Json {
  const kinds: Json[] = [...(known[KINDS] ?? [])];
  for (const kind of added[KINDS] ?? []) {
    if (!kinds.some((one) => equalJson(one, kind))) kinds.push(kind);
  }
  return kinds.length === 0 ? known : { ...known, [KINDS]: kinds };
}

/** A document of version 2 in terms of version 3; what only the former can say is lost. */
export function convertToV3(document: OpenApiV2): Record<string, Json> {
  const inlined = inlineShared(document);
  const paths: Record<string, Json> = {};
  for (const [path, item] of Object.entries(inlined.paths ?? {})) {
    const made: Record<string, Json> = {};
    for (const [field, value] of Object.entries<Json>(item)) {
      if (field === "parameters") made.parameters = value.map(parameterOf);
      else if (field.startsWith("x-")) made[field] = value;
      else made[field] = operationOf(value);
    }
    paths[path] = made;
  }
  const info = inlined.info ?? { title: "", version: "" };
  const schemas = inlined.definitions ?? {};
  return mapRefs(
    { openapi: "3.0.0", info, paths, components: { schemas } },
    (ref) => ref.startsWith(DEFINITIONS) ? SCHEMAS + ref.slice(DEFINITIONS.length) : ref,
  );
}

function operationOf(source: Json): Json {
  const { consumes = [], produces = [], parameters = [], responses = {}, schemes: _, ...rest } =
    source;
  const body = parameters.find((one: Json) => one.in === "body");
  const others = parameters.filter((one: Json) => one.in !== "body").map(parameterOf);
  return {
    ...rest,
    ...(others.length > 0 ? { parameters: others } : {}),
    ...(body === undefined ? {} : {
      requestBody: {
        content: contentOf(consumes, body.schema),
        ...(body.required ? { required: true } : {}),
      },
    }),
    responses: Object.fromEntries(
      Object.entries<Json>(responses).map(([code, { schema, ...response }]) => [
        code,
        schema === undefined ? response : { ...response, content: contentOf(produces, schema) },
      ]),
    ),
  };
}

function contentOf(types: readonly string[], schema: Json): Json {
  const named = types.length > 0 ? types : ["*/*"];
  return Object.fromEntries(named.map((type) => [type, { schema }]));
}

/** Where a parameter's type stood, a schema stands now. */
function parameterOf(source: Json): Json {
  const { name, in: place, description, required, ...schema } = source;
  return {
    name,
    in: place,
    ...(description === undefined ? {} : { description }),
    ...(required ? { required } : {}),
    schema,
  };
}
