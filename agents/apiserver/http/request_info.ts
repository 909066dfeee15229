/**
 * What a request's line alone says: verb, group, resource, name, whether or not it is served.
 * In: method, path, query. Out: a RequestInfo for whoever judges before the route is known.
 * Never: looks a resource up, or throws. Source: apiserver's RequestInfoFactory (v1.36).
 */
import { isTrue, parseQuery } from "./query.ts";

export interface RequestInfo {
  /** False for `/healthz`, `/version`, discovery and the like. */
  readonly isResource: boolean;
  /** `get`, `list`, `watch`, …; the method in small letters where no resource is meant. */
  readonly verb: string;
  /** Decoded, without the query. */
  readonly path: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

const VERBS: Readonly<Record<string, string>> = {
  POST: "create",
  GET: "get",
  HEAD: "get",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};
const NAMESPACE_PARTS: ReadonlySet<string> = new Set(["status", "finalize"]);

/** @param line a request's method, path and query as they came */
export function requestInfoOf(
  line: { readonly method: string; readonly path: string; readonly query: string },
): RequestInfo {
  const path = decodePath(line.path);
  const parts = path.split("/").filter((part) => part !== "");
  const plain: RequestInfo = {
    isResource: false,
    verb: line.method.toLowerCase(),
    path,
    group: "",
    version: "",
    resource: "",
    subresource: "",
    namespace: "",
    name: "",
  };
  const head = parts[0] === "api" ? 2 : parts[0] === "apis" ? 3 : Infinity;
  if (parts.length <= head) return plain;
  const [group, version] = head === 2 ? ["", parts[1]] : [parts[1], parts[2]];
  const rest = parts.slice(head);
  const isWatchPath = rest[0] === "watch" && rest.length > 1;
  if (isWatchPath) rest.shift();
  return { ...plain, isResource: true, group, version, ...placeOf(rest, line, isWatchPath) };
}

function placeOf(
  rest: string[],
  line: { readonly method: string; readonly query: string },
  isWatchPath: boolean,
): Pick<RequestInfo, "verb" | "namespace" | "resource" | "name" | "subresource"> {
  let namespace = "";
  if (rest[0] === "namespaces" && rest.length > 1) {
    namespace = rest[1];
    if (rest.length > 2 && !NAMESPACE_PARTS.has(rest[2])) rest = rest.slice(2);
  }
  const [resource = "", asked = "", subresource = ""] = rest;
  const query = parseQuery(line.query);
  let verb = VERBS[line.method] ?? "";
  if (isWatchPath || (verb === "get" && isTrue(query, "watch"))) verb = "watch";
  if (asked !== "") return { verb, namespace, resource, name: asked, subresource };
  if (verb === "get") verb = "list";
  if (verb === "delete") verb = "deletecollection";
  const selector = verb === "list" || verb === "watch" ? query.get("fieldSelector") ?? "" : "";
  const name = /^metadata\.name==?([^,]+)$/.exec(selector)?.[1] ?? "";
  return { verb, namespace, resource, name, subresource };
}

function decodePath(path: string): string {
  if (!path.includes("%")) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
