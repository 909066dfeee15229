/**
 * The documents of /openapi/v3: an index with hashes, and one document a group and version.
 * In: rows of resources. Out: plain objects to be sent as JSON. Never: HTTP or caching.
 * Source: kube-openapi handler3; upstream's published documents.
 */
import type { Resource } from "../resource.ts";
import { customSchemas } from "./openapi/custom.ts";
import { pathsOf, referredTypes, versionPath } from "./openapi/paths.ts";
import { collectSchemas, V3 } from "./openapi/schemas.ts";

export interface VersionDocument {
  /** `api/v1` or `apis/apps/v1`: the key in the index and the path below /openapi/v3/. */
  readonly path: string;
  readonly group: string;
  readonly version: string;
}

/** The groups and versions that have a document, in order of the rows. */
export function openApiV3Versions(rows: readonly Resource[]): VersionDocument[] {
  const found = new Map<string, VersionDocument>();
  for (const { group, version } of rows) {
    const path = versionPath(group, version).slice(1);
    if (!found.has(path)) found.set(path, { path, group, version });
  }
  return [...found.values()];
}

/** The document of one group and version; without paths when no row belongs to it. */
export function buildOpenApiV3(
  rows: readonly Resource[],
  of: { readonly group: string; readonly version: string },
): Record<string, unknown> {
  const own = rows.filter((row) => row.group === of.group && row.version === of.version);
  const paths: Record<string, unknown> = {};
  for (const row of own) Object.assign(paths, pathsOf(row, V3));
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version: "v1.36.0" },
    paths: Object.fromEntries(Object.entries(paths).sort(([a], [b]) => a < b ? -1 : 1)),
    components: {
      schemas: {
        ...collectSchemas(own.flatMap(referredTypes), V3),
        ...customSchemas(own, V3),
      },
      securitySchemes: {
        BearerToken: { type: "apiKey", in: "header", name: "authorization" },
      },
    },
  };
}

/** Where a document is served: a URL whose hash changes when the text does. */
export function openApiV3Url(path: string, text: string): string {
  return `/openapi/v3/${path}?hash=${hashText(text)}`;
}

/** 53 bits of FNV-like mixing: names a version of a text, protects nothing. */
export function hashText(text: string): string {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  const digits = (value: number) => (value >>> 0).toString(16).toUpperCase().padStart(8, "0");
  return digits(high) + digits(low);
}
