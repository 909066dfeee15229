/**
 * Reads the configuration file of admission: apiserver.config.k8s.io/v1 AdmissionConfiguration with
 * a PodSecurityConfiguration in it.
 * In: the file's text. Out: what pod security is told, or every problem with its place in the file.
 * Never: opens a file; lets an unknown field pass, or a plugin that takes no configuration here.
 * Source: apiserver's apis/apiserver/v1, pod-security-admission/admission/api (v1.36).
 */
import { z } from "zod";
import { checkDns1123Label, checkDns1123Subdomain, type NameCheck } from "../../api/names.ts";
import { readConfigDocument } from "../config_document.ts";
import type { Level } from "./pod_security/checks.ts";
import { parseMinor, type PodSecurityConfig } from "./pod_security/namespace_policy.ts";

const level = z.enum(["privileged", "baseline", "restricted"]).default("privileged");
const version = z.string().refine(
  (text) => parseMinor(text) !== null,
  'must be "latest" or "v1.x"',
).default("latest");

/** Names, each once. */
const names = (check: NameCheck) =>
  z.array(
    z.string().superRefine((name, context) => {
      for (const message of check(name)) context.addIssue({ code: "custom", message });
    }),
  ).refine((list) => new Set(list).size === list.length, "names something twice").default([]);

const POD_SECURITY = z.strictObject({
  apiVersion: z.literal("pod-security.admission.config.k8s.io/v1"),
  kind: z.literal("PodSecurityConfiguration"),
  defaults: z.strictObject({
    enforce: level,
    "enforce-version": version,
    audit: level,
    "audit-version": version,
    warn: level,
    "warn-version": version,
  }).prefault({}),
  exemptions: z.strictObject({
    usernames: names((name) => name === "" ? ["must not be empty"] : []),
    namespaces: names(checkDns1123Label),
    runtimeClasses: names(checkDns1123Subdomain),
  }).prefault({}),
});

const CONFIGURATION = z.strictObject({
  apiVersion: z.literal("apiserver.config.k8s.io/v1"),
  kind: z.literal("AdmissionConfiguration"),
  plugins: z.array(z.strictObject({
    name: z.literal("PodSecurity", { error: "takes no configuration; only PodSecurity does" }),
    configuration: POD_SECURITY,
  })).max(1, "configures a plugin twice").default([]),
});

export type ReadAdmission =
  /** Null where the file configures nothing. */
  | { readonly kind: "config"; readonly podSecurity: PodSecurityConfig | null }
  | { readonly kind: "malformed"; readonly problems: readonly string[] };

/** @param text contents of the file */
export function parseAdmissionConfig(text: string): ReadAdmission {
  const read = readConfigDocument(text, CONFIGURATION);
  if (read.kind === "malformed") return read;
  const [plugin] = read.value.plugins;
  if (plugin === undefined) return { kind: "config", podSecurity: null };
  const { defaults, exemptions } = plugin.configuration;
  const standard = (mode: "enforce" | "audit" | "warn") => ({
    level: defaults[mode] as Level,
    minor: parseMinor(defaults[`${mode}-version`])!,
  });
  return {
    kind: "config",
    podSecurity: {
      defaults: {
        enforce: standard("enforce"),
        audit: standard("audit"),
        warn: standard("warn"),
      },
      exempt: exemptions,
    },
  };
}
