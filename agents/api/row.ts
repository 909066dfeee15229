/**
 * Builds rows of the table of resources from the little that differs between them.
 * In: names, scope, rules. Out: a Resource. Never: knows a kind; of parts, how a Scale prints.
 * Source: the naming conventions of upstream's discovery documents.
 */
import { scaleColumns } from "./kinds/autoscaling/scale.ts";
import { fullTypeName } from "./schema/fields.ts";
import type { Resource, Rules, Subresource, Verb } from "./resource.ts";

/** All that a stored collection can do. */
export const ALL_VERBS: readonly Verb[] = [
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "update",
  "watch",
];

/** Verbs of status and the other partial views of an object. */
export const PART_VERBS: readonly Verb[] = ["get", "patch", "update"];

export interface RowParts {
  readonly group?: string;
  readonly version?: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly scope?: "Namespaced" | "Cluster";
  readonly verbs?: readonly Verb[];
  readonly subresources?: (parent: ParentType) => readonly Subresource[];
  readonly rules?: Rules;
  readonly storedAs?: Resource["storedAs"];
  readonly deprecation?: string;
}

interface ParentType {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly typeName: string;
}

/**
 * The name of a type in the field tables and in OpenAPI documents.
 * @param group "" for core; of dotted groups only the first part counts.
 */
export function typeNameOf(group: string, version: string, kind: string): string {
  const folder = group === "" ? "core" : group.split(".")[0];
  return fullTypeName(`${folder}.${version}`, kind);
}

/** One row; a namespaced core/v1 collection with all verbs unless the parts say otherwise. */
export function defineResource(parts: RowParts): Resource {
  const { group = "", version = "v1", kind } = parts;
  const typeName = typeNameOf(group, version, kind);
  return {
    group,
    version,
    kind,
    plural: parts.plural,
    singular: kind.toLowerCase(),
    shortNames: parts.shortNames ?? [],
    categories: parts.categories ?? [],
    namespaced: parts.scope !== "Cluster",
    typeName,
    verbs: parts.verbs ?? ALL_VERBS,
    subresources: parts.subresources?.({ group, version, kind, typeName }) ?? [],
    rules: parts.rules ?? {},
    ...(parts.deprecation === undefined ? {} : { deprecation: parts.deprecation }),
    ...(parts.storedAs === undefined ? {} : { storedAs: parts.storedAs }),
  };
}

/** What a client needs to speak of a custom resource. @param version any that is served. */
export function standInOf(
  parts: Required<Pick<RowParts, "group" | "version" | "kind" | "plural" | "scope">>,
): Resource {
  return { ...defineResource(parts), isStandIn: true };
}

/** A view on the parent's own type: status, ephemeralcontainers, resize, finalize. */
export function partOf(
  parent: ParentType,
  name: string,
  verbs: readonly Verb[] = PART_VERBS,
): Subresource {
  return { ...parent, name, verbs };
}

/** The replica count as autoscaling/v1 Scale. */
export function scaleOf(): Subresource {
  return { ...subresource("scale", "autoscaling/v1/Scale", PART_VERBS), columns: scaleColumns };
}

/** A subresource of a type of its own. @param type `group/version/Kind`, group empty for core. */
export function subresource(name: string, type: string, verbs: readonly Verb[]): Subresource {
  const [group, version, kind] = type.split("/");
  return { name, group, version, kind, typeName: typeNameOf(group, version, kind), verbs };
}
