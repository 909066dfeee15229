/**
 * Reads the encryption file: apiserver.config.k8s.io/v1 EncryptionConfiguration.
 * In: the file's text. Out: which resources are sealed with which keys, or every problem.
 * Never: repeats a key in a problem; takes a provider that this server has not.
 * Source: apiserver's apis/apiserver/v1 and validation_encryption.go (v1.36).
 */
import { z } from "zod";
import { readConfigDocument } from "../config_document.ts";

export interface SealingKey {
  readonly name: string;
  readonly secret: Uint8Array;
}

export type Provider =
  | { readonly kind: "identity" }
  | { readonly kind: "aesgcm" | "aescbc"; readonly keys: readonly SealingKey[] };

export interface EncryptionRule {
  /** `secrets`, `deployments.apps`, `*.apps`, `*.` for the core group, `*.*` for all. */
  readonly resources: readonly string[];
  /** The first one writes; all read. */
  readonly providers: readonly Provider[];
}

export type ReadEncryption =
  | { readonly kind: "encryption"; readonly rules: readonly EncryptionRule[] }
  | { readonly kind: "malformed"; readonly problems: readonly string[] };

const secret = z.string().transform((text, context): Uint8Array => {
  const refuse = (message: string) => {
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  };
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) {
    return refuse("secrets must be base64 encoded");
  }
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  if (bytes.length === 16 || bytes.length === 32) return bytes;
  if (bytes.length === 24) return refuse("AES-192 is not offered; use a key of 16 or 32 bytes");
  return refuse(`secret is not of the expected length, got ${bytes.length}, expected 16 or 32`);
});

const keys = z.strictObject({
  keys: z.array(z.strictObject({
    name: z.string().min(1, "name is a mandatory field for a key")
      .refine((name) => !name.includes(":"), "must not contain ':'"),
    secret,
  })).min(1, "at least one keys is required"),
});

/** A provider that upstream has, and this server has not. */
const absent = (why: string) =>
  z.unknown().optional().refine((value) => value === undefined, { message: why });

const provider = z.strictObject({
  aesgcm: keys.optional(),
  aescbc: keys.optional(),
  identity: z.strictObject({}).nullable().optional(),
  secretbox: absent("secretbox (XSalsa20-Poly1305) is not offered; use aesgcm"),
  kms: absent("kms is not offered; use aesgcm"),
}).transform((one, context): Provider => {
  const named = Object.entries(one).filter(([, value]) => value !== undefined);
  if (named.length !== 1) {
    const message = named.length === 0
      ? "provider does not contain any of the expected providers: aesgcm, aescbc, identity"
      : "more than one provider specified in a single element, should split into different list " +
        "elements";
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  }
  if (one.aesgcm !== undefined) return { kind: "aesgcm", keys: one.aesgcm.keys };
  if (one.aescbc !== undefined) return { kind: "aescbc", keys: one.aescbc.keys };
  return { kind: "identity" };
});

const resource = z.string().superRefine((name, context) => {
  const refuse = (message: string) => context.addIssue({ code: "custom", message });
  if (name === "*") {
    refuse("use '*.' to encrypt all the resources from core API group or *.* to encrypt all");
  }
  if (/[A-Z]/.test(name)) refuse("resource name should not contain capital letters");
  if (name.endsWith(".events.k8s.io")) refuse("use 'events' instead in the config file");
  if (/^\*\.?$|^\*\.\*$/.test(name)) return;
  if (name.startsWith("*.") ? name.includes("*", 1) : name.includes("*")) {
    refuse("a star stands for all resources of a group: *.GROUP");
  }
});

const resources = z.array(resource).min(1, "at least one resources is required")
  .superRefine((names, context) => {
    const refuse = (message: string) => context.addIssue({ code: "custom", message });
    if (new Set(names).size < names.length) {
      refuse("the same resource cannot be specified multiple times");
    }
    const isMasked = names.length > 1 && (names.includes("*.*") ||
      names.some((name) => !name.startsWith("*.") && names.includes(starOf(name))));
    if (isMasked) refuse("using overlapping resources in the same resource list is not allowed");
  });

/** `deployments.apps` -> `*.apps`, `secrets` -> `*.` */
function starOf(name: string): string {
  const dot = name.indexOf(".");
  return dot < 0 ? "*." : `*${name.slice(dot)}`;
}

const CONFIGURATION = z.strictObject({
  apiVersion: z.literal("apiserver.config.k8s.io/v1"),
  kind: z.literal("EncryptionConfiguration"),
  resources: z.array(z.strictObject({
    resources,
    providers: z.array(provider).min(1, "at least one providers is required"),
  })).min(1, "at least one resources is required"),
});

/** @param text contents of the file */
export function parseEncryption(text: string): ReadEncryption {
  const read = readConfigDocument(text, CONFIGURATION);
  return read.kind === "malformed" ? read : { kind: "encryption", rules: read.value.resources };
}
