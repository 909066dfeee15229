/**
 * The token with which a list goes on: the revision of its first page and where the next begins.
 * In: a revision and a key. Out: opaque text, and back.
 * Never: a secret; a client that forges one reads nothing that it may not list.
 * Source: apiserver's storage/continue.go.
 */
export interface ContinuePoint {
  /** Revision of the snapshot; -1 = whatever is current (an inconsistent continuation). */
  readonly revision: number;
  /** Key, relative to the resource's prefix, of the first object of the page. */
  readonly start: string;
}

const VERSION = "meta.k8s.io/v1";

export function encodeContinue(point: ContinuePoint): string {
  const json = JSON.stringify({ v: VERSION, rv: point.revision, start: point.start });
  const bytes = new TextEncoder().encode(json);
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** @returns the point, or what is wrong with the token */
export function decodeContinue(token: string): ContinuePoint | string {
  let parsed: { v?: unknown; rv?: unknown; start?: unknown };
  try {
    const binary = atob(token.replaceAll("-", "+").replaceAll("_", "/"));
    parsed = JSON.parse(
      new TextDecoder().decode(Uint8Array.from(binary, (c) => c.charCodeAt(0))),
    );
  } catch {
    return "continue key is not valid: illegal base64 data or JSON";
  }
  const { v, rv, start } = parsed ?? {};
  if (v !== VERSION) return `continue key is not valid: server does not recognize this version`;
  if (typeof rv !== "number" || !Number.isSafeInteger(rv) || rv === 0) {
    return "continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)";
  }
  if (typeof start !== "string" || start === "") {
    return "continue key is not valid: encoded start key empty (version meta.k8s.io/v1)";
  }
  if (start.split("/").includes("..")) return `continue key is not valid: ${start}`;
  return { revision: rv, start };
}
