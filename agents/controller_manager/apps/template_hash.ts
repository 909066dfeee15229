/**
 * PURE. Compares pod templates and names them by a short hash.
 * In: pod templates. Out: equality, a hash for the label pod-template-hash.
 * Never: depends on the order of keys. Source: pkg/controller ComputeHash (32-bit FNV-1a, encoded
 * in letters that spell no words); the text that is hashed is Balsa's own.
 */
import type { PodTemplate } from "../kinds.ts";

export const TEMPLATE_HASH_LABEL = "pod-template-hash";

const SAFE_LETTERS = "bcdfghjklmnpqrstvwxz2456789";
/** Parts that mean the same whether absent or empty. */
const PLAIN_MAPS = new Set([
  "labels",
  "annotations",
  "nodeSelector",
  "resources",
  "limits",
  "requests",
]);

/** Objects of the API are frozen, so a text once made stays true. */
const texts = new WeakMap<PodTemplate, string>();

/** Whether two templates make equal pods; the hash label does not count. */
export function equalTemplates(left: PodTemplate, right: PodTemplate): boolean {
  return textOf(left) === textOf(right);
}

/**
 * The hash of a template.
 * @param collisionCount how often an earlier hash was taken by another template.
 */
export function templateHash(template: PodTemplate, collisionCount: number | undefined): string {
  const salt = collisionCount === undefined ? "" : `\n${collisionCount}`;
  return safeEncode(String(fnv1a(textOf(template) + salt)));
}

function textOf(template: PodTemplate): string {
  let text = texts.get(template);
  if (text === undefined) {
    const { [TEMPLATE_HASH_LABEL]: _hash, ...labels } = template.metadata?.labels ?? {};
    text = JSON.stringify(canonical({ ...template, metadata: { ...template.metadata, labels } }));
    texts.set(template, text);
  }
  return text;
}

/** Sorts keys and leaves out what is empty, so that equal templates have equal texts. */
function canonical(value: unknown): unknown {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(canonical);
  const sorted: Record<string, unknown> = {};
  const fields = value as Record<string, unknown>;
  for (const key of Object.keys(fields).sort()) {
    const field = fields[key];
    if (field === null || field === undefined) continue;
    if (Array.isArray(field) && field.length === 0) continue;
    if (PLAIN_MAPS.has(key) && Object.keys(field).length === 0) continue;
    // No divisor, as an older server left it.
    if (key === "divisor" && field === "0") continue;
    sorted[key] = canonical(field);
  }
  return sorted;
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    if (unit > 0xff) hash = Math.imul(hash ^ (unit >> 8), 0x01000193);
  }
  return hash >>> 0;
}

function safeEncode(digits: string): string {
  let encoded = "";
  for (let index = 0; index < digits.length; index++) {
    encoded += SAFE_LETTERS[digits.charCodeAt(index) % SAFE_LETTERS.length];
  }
  return encoded;
}
