/**
 * Reads a request's path: which resource, namespace, name and subresource it speaks of.
 * In: a method and a path. Out: a ResourceRoute, or null for paths outside of the API's resources.
 * Never: decodes bodies or knows users. Source: apiserver's RequestInfoFactory (v1.36).
 */
import type { Resource, Verb } from "../../api/resource.ts";
import { findResource, namespaces } from "../../api/resources.ts";
import { badRequest, unknownPath } from "../../api/status.ts";

export interface ResourceRoute {
  readonly resource: Resource;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** What follows the subresource, as in `…/proxy/a/b`. */
  readonly rest: string;
  /** Asked by the old `/watch/` prefix. */
  readonly isWatchPath: boolean;
}

/**
 * @returns null when the path is not below a group and version
 * Errors: throws ApiError 404 for a group, version or resource that is not served.
 */
export function parseRoute(
  path: string,
  find: typeof findResource = findResource,
): ResourceRoute | null {
  const segments = splitPath(path);
  if (segments === null) return null;
  let at: number;
  let group: string;
  let version: string;
  if (segments[0] === "api") {
    if (segments.length < 3) return null;
    [group, version, at] = ["", segments[1], 2];
  } else if (segments[0] === "apis") {
    if (segments.length < 4) return null;
    [group, version, at] = [segments[1], segments[2], 3];
  } else return null;
  const isWatchPath = segments[at] === "watch";
  if (isWatchPath) at++;
  const isNested = segments[at] === "namespaces" && segments.length > at + 2 &&
    !isNamespacePart(segments, at, group);
  const namespace = isNested ? segments[at + 1] : "";
  if (isNested && namespace === "") throw unknownPath();
  if (isNested) at += 2;
  const resource = find(group, version, segments[at] ?? "");
  if (resource === undefined) throw unknownPath();
  if (isNested !== resource.namespaced && (isNested || segments.length > at + 1)) {
    throw unknownPath();
  }
  const name = segments[at + 1] ?? "";
  refuseSlash("Namespace", namespace);
  refuseSlash("Name", name);
  return {
    resource,
    subresource: segments[at + 2] ?? "",
    namespace,
    name,
    rest: segments.slice(at + 3).join("/"),
    isWatchPath,
  };
}

/** A decoded slash would read as another key of the store. */
function refuseSlash(what: string, value: string): void {
  if (!value.includes("/")) return;
  throw badRequest(`${what} parameter invalid: ${JSON.stringify(value)}: may not contain '/'`);
}

/** Whether `namespaces/x/y` names a part of namespace x and not a resource inside of it. */
function isNamespacePart(segments: readonly string[], at: number, group: string): boolean {
  if (group !== "" || segments.length !== at + 3) return false;
  return namespaces.subresources.some((part) => part.name === segments[at + 2]);
}

function splitPath(path: string): string[] | null {
  if (!path.startsWith("/api")) return null;
  const end = path.endsWith("/") ? path.length - 1 : path.length;
  const segments = path.slice(1, end).split("/");
  if (!path.includes("%")) return segments;
  try {
    return segments.map(decodeURIComponent);
  } catch {
    throw badRequest("the path holds an invalid percent-encoding");
  }
}

/** The API's verb of a request; null where the path serves no such method. */
export function verbOf(
  method: string,
  route: Pick<ResourceRoute, "name" | "namespace" | "resource">,
  isWatch: boolean,
): Verb | null {
  // Across all namespaces there is reading, and nothing else.
  const isReading = method === "GET" || method === "HEAD";
  if (route.resource.namespaced && route.namespace === "" && !isReading) return null;
  switch (method) {
    case "GET":
    case "HEAD":
      if (isWatch) return "watch";
      return route.name === "" ? "list" : "get";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return route.name === "" ? "deletecollection" : "delete";
    default:
      return null;
  }
}
