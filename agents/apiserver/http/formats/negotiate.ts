/**
 * What a client accepts and in which shape it wants objects.
 * In: an Accept header, what can be served. Out: a format, and whether as the object itself, as a
 * Table, or as metadata only.
 * Never: a Table in protobuf, which has no message for it; the next clause is taken then.
 * Source: apiserver's endpoints/handlers/negotiation (v1.36).
 */
import { notAcceptable } from "../../../api/status.ts";

export type Format = "json" | "yaml" | "protobuf" | "cbor";
export type Shape = "object" | "table" | "partial" | "partialList";

export interface Representation {
  readonly format: Format;
  readonly shape: Shape;
}

export const MEDIA_TYPES: Readonly<Record<Format, string>> = {
  json: "application/json",
  yaml: "application/yaml",
  protobuf: "application/vnd.kubernetes.protobuf",
  cbor: "application/cbor",
};

/** What a watch calls its stream of items. */
export const STREAM_TYPES: Readonly<Record<Format, string>> = {
  json: "application/json",
  yaml: "",
  protobuf: "application/vnd.kubernetes.protobuf;stream=watch",
  cbor: "application/cbor-seq",
};

const PLAIN: Representation = { format: "json", shape: "object" };
const KNOWN_LIMIT = 256;

/** The formats that one kind of answer has; headers repeat, so what they mean is read once. */
class Offer {
  readonly #known = new Map<string, Representation>();

  constructor(readonly formats: readonly Format[]) {}

  /** Errors: throws ApiError 406 when nothing that is accepted is served. */
  choose(accept: string): Representation {
    const before = this.#known.get(accept);
    if (before !== undefined) return before;
    const chosen = choose(accept, this.formats);
    if (chosen === null) throw notAcceptable(this.formats.map((format) => MEDIA_TYPES[format]));
    if (this.#known.size < KNOWN_LIMIT) this.#known.set(accept, chosen);
    return chosen;
  }
}

/** Custom resources have no protobuf messages; YAML has no stream of items. */
export const OFFERS = {
  typed: new Offer(["json", "yaml", "protobuf", "cbor"]),
  untyped: new Offer(["json", "yaml", "cbor"]),
  typedStream: new Offer(["json", "protobuf", "cbor"]),
  untypedStream: new Offer(["json", "cbor"]),
} as const;

/** Errors: throws ApiError 406 when nothing that is accepted is served. */
export function negotiate(accept: string | undefined, offer: Offer = OFFERS.typed): Representation {
  if (accept === undefined || accept === "" || accept === "application/json") return PLAIN;
  return offer.choose(accept);
}

/** The format of a failure's Status: what the client reads best, and JSON before no answer. */
export function negotiateStatus(accept: string | undefined): Format {
  if (accept === undefined || accept === "application/json") return "json";
  return choose(accept, OFFERS.typed.formats)?.format ?? "json";
}

function choose(accept: string, formats: readonly Format[]): Representation | null {
  for (const clause of byQuality(accept)) {
    const [type, ...parameters] = clause.split(";").map((part) => part.trim());
    const values = new Map(parameters.map((parameter) => {
      const [name, value = ""] = parameter.split("=");
      return [name, value] as const;
    }));
    const format = formatOf(type);
    if (format === null || !formats.includes(format)) continue;
    const as = values.get("as");
    if (as === undefined) return { format, shape: "object" };
    if (values.get("g") !== "meta.k8s.io" || values.get("v") !== "v1") continue;
    if (as === "Table" && format !== "protobuf") return { format, shape: "table" };
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

function formatOf(type: string): Format | null {
  switch (type) {
    case "application/json":
    case "application/*":
    case "*/*":
      return "json";
    case "application/yaml":
      return "yaml";
    case "application/vnd.kubernetes.protobuf":
      return "protobuf";
    case "application/cbor":
    case "application/cbor-seq":
      return "cbor";
    default:
      return null;
  }
}
