/**
 * Reads stored bytes as an object of the kind that their key stands for.
 * In: a key, the bytes under it. Out: a frozen object whose fields have the types of its kind, or
 * null.
 * Never: trusts the bytes: whoever reaches the store may have written anything, and what runs in
 * this process reads objects as their types say. Source: upstream decodes into Go's structs.
 */
import type { KubeObject } from "../../api/meta.ts";
import { type Field, mustTypeInfo } from "../../api/schema/fields.ts";
import { checkAs, checkDecoded } from "../../api/schema/strict.ts";
import { prefixOfKey, rowOfPrefix, sealStored } from "../registry.ts";

const OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

const decoder = new TextDecoder();

/** @returns null for bytes that are not the JSON of an object of this kind */
export function readStored(key: string, value: Uint8Array, revision: number): KubeObject | null {
  try {
    const read = JSON.parse(decoder.decode(value));
    return isOfItsKind(key, read) ? sealStored(read, revision) : null;
  } catch (error) {
    // A RangeError comes of nesting that is deeper than the stack.
    if (error instanceof SyntaxError || error instanceof RangeError) return null;
    throw error;
  }
}

/** Fills what its spec lacks, which the zero values of Go's structs do upstream. */
function isOfItsKind(key: string, object: KubeObject): boolean {
  if (typeof object?.metadata !== "object" || object.metadata === null) return false;
  const row = rowOfPrefix(prefixOfKey(key) ?? "");
  // Custom objects follow schemas that are objects themselves, and nothing here reads them.
  if (row === undefined) return checkDecoded(OBJECT_META, object.metadata).kind === "ok";
  if (checkAs(row, object).kind === "error") return false;
  const spec = mustTypeInfo(row.typeName).byName.get("spec");
  if (spec !== undefined && !spec.pointer) fill(spec, object.spec ??= {});
  return true;
}

/** Empty lists and maps for the required ones that are missing, and empty structs. */
function fill({ ref }: Field, value: Record<string, unknown>): void {
  for (const { name, required, container, kind, pointer } of mustTypeInfo(ref).fields) {
    if (value[name] !== undefined) continue;
    if (container === "one") {
      if (kind === "message" && !pointer) value[name] = {};
    } else if (required) value[name] = container === "list" ? [] : {};
  }
}
