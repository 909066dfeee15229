/**
 * What a client accepts and in which shape it wants objects.
 * In: an Accept header. Out: JSON or YAML, as itself, as a Table, or as metadata only.
 * Never: protobuf answers; a client that lists JSON beside it gets JSON.
 * Source: apiserver's endpoints/handlers/negotiation (v1.36).
 */
import { notAcceptable } from "../../api/status.ts";

export type Shape = "object" | "table" | "partial" | "partialList";

export interface Representation {
  readonly format: "json" | "yaml";
  readonly shape: Shape;
}

const PLAIN: Representation = { format: "json", shape: "object" };
const SERVED = ["application/json", "application/yaml"] as const;

/** Headers repeat from request to request: what they mean is read once. */
const known = new Map<string, Representation>();
const KNOWN_LIMIT = 256;

/** Errors: throws ApiError 406 when nothing that is accepted is served. */
export function negotiate(accept: string | undefined): Representation {
  if (accept === undefined || accept === "" || accept === "application/json") return PLAIN;
  const before = known.get(accept);
  if (before !== undefined) return before;
  const chosen = choose(accept);
  if (chosen === null) throw notAcceptable(SERVED);
  if (known.size < KNOWN_LIMIT) known.set(accept, chosen);
  return chosen;
}

function choose(accept: string): Representation | null {
  for (const clause of byQuality(accept)) {
    const [type, ...parameters] = clause.split(";").map((part) => part.trim());
    const values = new Map(parameters.map((parameter) => {
      const [name, value = ""] = parameter.split("=");
      return [name, value] as const;
    }));
    const format = formatOf(type);
    if (format === null) continue;
    const as = values.get("as");
    if (as === undefined) return { format, shape: "object" };
    if (values.get("g") !== "meta.k8s.io" || values.get("v") !== "v1") continue;
    if (as === "Table") return { format, shape: "table" };
    if (as === "PartialObjectMetadata") return { format, shape: "partial" };
    if (as === "PartialObjectMetadataList") return { format, shape: "partialList" };
  }
  return null;
}

function byQuality(accept: string): string[] {
  const clauses = accept.split(",").map((clause) => clause.trim()).filter((text) => text !== "");
  if (!accept.includes("q=")) return clauses;
  const quality = (clause: string) => Number(/;\s*q=([\d.]+)/.exec(clause)?.[1] ?? 1);
  return clauses.sort((a, b) => quality(b) - quality(a));
}

function formatOf(type: string): "json" | "yaml" | null {
  switch (type) {
    case "application/json":
    case "application/*":
    case "*/*":
      return "json";
    case "application/yaml":
      return "yaml";
    default:
      return null;
  }
}
