/**
 * A validated header block: pseudo-header fields apart, the rest looked up by name.
 * In: decoded fields. Out: an immutable `HeaderBlock`, shared between equal requests, or null.
 * Never: keeps a malformed block; upper-case names, misplaced pseudo-headers, connection-specific
 * fields and bad characters are refused as RFC 9113 section 8 asks.
 * Source: RFC 9113 sections 8.1 to 8.3.
 */

import type { DecodedFields } from "./hpack.ts";

/** Which message a block opens. */
export type BlockRole = "request" | "response" | "trailers";

export interface HeaderBlock {
  /** Flat `[name, value, …]` without pseudo-header fields, in the order they came. */
  readonly fields: readonly string[];
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  /** Responses only; 0 otherwise. */
  readonly status: number;
  /** Declared `content-length`, -1 when absent. */
  readonly contentLength: number;
  /** The block that this one equals save for VARYING_FIELD; itself when it was the first. */
  readonly model: HeaderBlock;
  /** @returns the first value of a lower-case name; several cookies are joined. */
  get(name: string): string | undefined;
}

/** Kinds of requests that one client is expected to mix. */
const MODELS = 8;

/** The one field in which a client's otherwise equal requests differ. */
export const VARYING_FIELD = "grpc-timeout";

class ParsedBlock implements HeaderBlock {
  readonly fields: readonly string[];
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  readonly status: number;
  readonly contentLength: number;
  readonly model: HeaderBlock = this;

  constructor(fields: readonly string[], pseudo: ReadonlyMap<string, string>, length: number) {
    this.fields = fields;
    this.method = pseudo.get(":method") ?? "";
    this.scheme = pseudo.get(":scheme") ?? "";
    this.path = pseudo.get(":path") ?? "";
    this.authority = pseudo.get(":authority") ?? this.get("host") ?? "";
    this.status = Number(pseudo.get(":status") ?? 0);
    this.contentLength = length;
  }

  get(name: string): string | undefined {
    let joined: string | undefined;
    for (let i = 0; i < this.fields.length; i += 2) {
      if (this.fields[i] !== name) continue;
      if (name !== "cookie") return this.fields[i + 1];
      joined = joined === undefined ? this.fields[i + 1] : `${joined}; ${this.fields[i + 1]}`;
    }
    return joined;
  }
}

/** A block that was checked as its model was. */
class VariedBlock implements HeaderBlock {
  readonly model: HeaderBlock;
  readonly #value: string;

  constructor(model: HeaderBlock, value: string) {
    this.model = model;
    this.#value = value;
  }

  get fields(): readonly string[] {
    const { fields } = this.model;
    return fields.map((field, i) =>
      i % 2 === 1 && fields[i - 1] === VARYING_FIELD ? this.#value : field
    );
  }

  get method(): string {
    return this.model.method;
  }

  get scheme(): string {
    return this.model.scheme;
  }

  get authority(): string {
    return this.model.authority;
  }

  get path(): string {
    return this.model.path;
  }

  get status(): number {
    return this.model.status;
  }

  get contentLength(): number {
    return this.model.contentLength;
  }

  get(name: string): string | undefined {
    return name === VARYING_FIELD ? this.#value : this.model.get(name);
  }
}

const PSEUDO: Record<BlockRole, ReadonlySet<string>> = {
  request: new Set([":method", ":scheme", ":authority", ":path"]),
  response: new Set([":status"]),
  trailers: new Set(),
};

const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
// deno-lint-ignore no-control-regex
const REFUSED_IN_VALUE = /[\x00\r\n]|^[ \t]|[ \t]$/;

/**
 * Checks a decoded block.
 *
 * @param fields flat `[name, value, …]` as decoded
 * @returns the block, or `null` when the message is malformed
 */
export function parseHeaderBlock(fields: readonly string[], role: BlockRole): HeaderBlock | null {
  const pseudo = new Map<string, string>();
  const rest: string[] = [];
  let contentLength = -1;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i];
    const value = fields[i + 1];
    if (REFUSED_IN_VALUE.test(value)) return null;
    if (name.startsWith(":")) {
      if (rest.length > 0 || !PSEUDO[role].has(name) || pseudo.has(name)) return null;
      pseudo.set(name, value);
      continue;
    }
    if (!NAME.test(name) || CONNECTION_SPECIFIC.has(name)) return null;
    if (name === "te" && value !== "trailers") return null;
    if (name === "content-length") {
      if (!/^\d{1,15}$/.test(value)) return null;
      if (contentLength >= 0 && contentLength !== Number(value)) return null;
      contentLength = Number(value);
    }
    rest.push(name, value);
  }
  if (!pseudoComplete(pseudo, role)) return null;
  return new ParsedBlock(rest, pseudo, contentLength);
}

/** Stands for a head that nobody will look at. */
export const BLANK_BLOCK: HeaderBlock = new ParsedBlock([], new Map(), -1);

/** @returns the value of VARYING_FIELD when nothing else differs and it needs no look, or null */
function variedValue(fields: readonly string[], known: readonly string[]): string | null {
  if (fields.length !== known.length) return null;
  let varied: string | null = null;
  for (let i = 0; i < fields.length; i++) {
    if (fields[i] === known[i]) continue;
    if (i % 2 === 0 || fields[i - 1] !== VARYING_FIELD || varied !== null) return null;
    varied = fields[i];
  }
  return varied !== null && /^[0-9A-Za-z]+$/.test(varied) ? varied : null;
}

/**
 * Equal blocks are decoded to one object, so each of those is checked once; one that varies from a
 * checked one in nothing that needs a look is not checked at all.
 */
export class BlockCache {
  readonly #parsed: Record<BlockRole, WeakMap<DecodedFields, HeaderBlock>> = {
    request: new WeakMap(),
    response: new WeakMap(),
    trailers: new WeakMap(),
  };

  /** Requests lately seen, as decoded and as checked, which later ones may vary from. */
  readonly #models: { readonly fields: readonly string[]; readonly block: HeaderBlock }[] = [];
  #nextModel = 0;
  #lastDecoded: DecodedFields | null = null;
  #lastRole: BlockRole = "trailers";
  #lastBlock: HeaderBlock | null = null;

  /** @returns the checked block, or `null` when the message is malformed */
  parse(decoded: DecodedFields, role: BlockRole): HeaderBlock | null {
    if (decoded === this.#lastDecoded && role === this.#lastRole) return this.#lastBlock;
    let block = this.#parsed[role].get(decoded) ?? null;
    if (block === null) {
      const varied = this.#varied(decoded, role);
      if (varied !== null) return varied;
      block = parseHeaderBlock(decoded.fields, role);
      if (block !== null) {
        this.#parsed[role].set(decoded, block);
        if (role === "request") this.#addModel(decoded.fields, block);
      }
    }
    this.#lastDecoded = decoded;
    this.#lastRole = role;
    this.#lastBlock = block;
    return block;
  }

  /** A block that stays with its request; its model goes on being one. */
  #varied(decoded: DecodedFields, role: BlockRole): HeaderBlock | null {
    if (role !== "request") return null;
    for (const { fields, block } of this.#models) {
      const value = variedValue(decoded.fields, fields);
      if (value !== null) return new VariedBlock(block, value);
    }
    return null;
  }

  #addModel(fields: readonly string[], block: HeaderBlock): void {
    if (block.get(VARYING_FIELD) === undefined) return;
    this.#models[this.#nextModel] = { fields, block };
    this.#nextModel = (this.#nextModel + 1) % MODELS;
  }
}

function pseudoComplete(pseudo: ReadonlyMap<string, string>, role: BlockRole): boolean {
  if (role === "trailers") return true;
  if (role === "response") return /^[1-5]\d\d$/.test(pseudo.get(":status") ?? "");
  const method = pseudo.get(":method") ?? "";
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method)) return false;
  if (method === "CONNECT") {
    return pseudo.has(":authority") && !pseudo.has(":path") && !pseudo.has(":scheme");
  }
  const path = pseudo.get(":path") ?? "";
  return pseudo.has(":scheme") && (path.startsWith("/") || (path === "*" && method === "OPTIONS"));
}
