/**
 * Reads the configuration file of admission: apiserver.config.k8s.io/v1 AdmissionConfiguration with
 * what each plugin is told.
 * In: the file's text. Out: what plugins are told, or every problem with its place in the file.
 * Never: opens a file; lets an unknown field pass, or a plugin that takes no configuration here.
 * Source: apiserver's apis/apiserver/v1, pod-security-admission/admission/api (v1.36).
 */
import { z } from "zod";
import { checkDns1123Label, checkDns1123Subdomain, type NameCheck } from "../../api/names.ts";
import { readConfigDocument } from "../config_document.ts";
import type { Level } from "./pod_security/checks.ts";
import {
  EVENT_RATE_LIMIT,
  IMAGE_POLICY,
  POD_NODE_SELECTOR,
  POD_TOLERATIONS,
  RESOURCE_QUOTA,
  WEBHOOK_ADMISSION,
} from "./config_shapes.ts";
import { parseMinor, type PodSecurityConfig } from "./pod_security/namespace_policy.ts";
import { type AdmissionSettings, DEFAULT_ADMISSION, type ImagePolicyConfig } from "./settings.ts";
import type { WebhookPlugin } from "./webhooks/caller.ts";

const WEBHOOK_PLUGINS = ["MutatingAdmissionWebhook", "ValidatingAdmissionWebhook"] as const;

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

const PLUGIN = z.discriminatedUnion("name", [
  z.strictObject({ name: z.literal("PodSecurity"), configuration: POD_SECURITY }),
  z.strictObject({
    name: z.enum(WEBHOOK_PLUGINS),
    configuration: WEBHOOK_ADMISSION,
  }),
  z.strictObject({ name: z.literal("EventRateLimit"), configuration: EVENT_RATE_LIMIT }),
  z.strictObject({ name: z.literal("ImagePolicyWebhook"), configuration: IMAGE_POLICY }),
  z.strictObject({ name: z.literal("PodTolerationRestriction"), configuration: POD_TOLERATIONS }),
  z.strictObject({ name: z.literal("PodNodeSelector"), configuration: POD_NODE_SELECTOR }),
  z.strictObject({ name: z.literal("ResourceQuota"), configuration: RESOURCE_QUOTA }),
], { error: "takes no configuration" });

const CONFIGURATION = z.strictObject({
  apiVersion: z.literal("apiserver.config.k8s.io/v1"),
  kind: z.literal("AdmissionConfiguration"),
  plugins: z.array(PLUGIN).refine(
    (plugins) => new Set(plugins.map(({ name }) => name)).size === plugins.length,
    "configures a plugin twice",
  ).default([]),
});

type Plugin = z.output<typeof PLUGIN>;

/** Settings whose kubeconfig is yet to be read. */
export type AdmissionFileSettings = Omit<AdmissionSettings, "imagePolicy"> & {
  readonly imagePolicy:
    | Omit<ImagePolicyConfig, "endpoint"> & { readonly kubeconfigFile: string }
    | null;
};

export type ReadAdmission =
  | {
    readonly kind: "config";
    /** Null where the file says nothing of it. */
    readonly podSecurity: PodSecurityConfig | null;
    readonly settings: AdmissionFileSettings;
    /** Kubeconfigs of what to show webhooks. */
    readonly webhookFiles: Partial<Readonly<Record<WebhookPlugin, string>>>;
  }
  | { readonly kind: "malformed"; readonly problems: readonly string[] };

/** @param text contents of the file */
export function parseAdmissionConfig(text: string): ReadAdmission {
  const read = readConfigDocument(text, CONFIGURATION);
  if (read.kind === "malformed") return read;
  let podSecurity: PodSecurityConfig | null = null;
  let settings: AdmissionFileSettings = { ...DEFAULT_ADMISSION, imagePolicy: null };
  const webhookFiles: Partial<Record<WebhookPlugin, string>> = {};
  for (const plugin of read.value.plugins) {
    switch (plugin.name) {
      case "PodSecurity":
        podSecurity = podSecurityOf(plugin.configuration);
        break;
      case "MutatingAdmissionWebhook":
      case "ValidatingAdmissionWebhook":
        webhookFiles[plugin.name] = plugin.configuration.kubeConfigFile;
        break;
      default:
        settings = { ...settings, ...settingOf(plugin) };
    }
  }
  return { kind: "config", podSecurity, settings, webhookFiles };
}

type Setting = Exclude<Plugin, { name: WebhookPlugin | "PodSecurity" }>;

function settingOf({ name, configuration }: Setting): Partial<AdmissionFileSettings> {
  switch (name) {
    case "EventRateLimit":
      return { eventLimits: configuration.limits };
    case "ImagePolicyWebhook":
      return { imagePolicy: configuration.imagePolicy };
    case "PodTolerationRestriction": {
      const { default: given, whitelist } = configuration;
      return { podTolerations: { default: given, whitelist } };
    }
    case "PodNodeSelector":
      return { nodeSelectors: configuration.podNodeSelectorPluginConfig };
    case "ResourceQuota":
      return { limitedResources: configuration.limitedResources };
  }
}

function podSecurityOf(
  { defaults, exemptions }: z.output<typeof POD_SECURITY>,
): PodSecurityConfig {
  const standard = (mode: "enforce" | "audit" | "warn") => ({
    level: defaults[mode] as Level,
    minor: parseMinor(defaults[`${mode}-version`])!,
  });
  const [enforce, audit, warn] = [standard("enforce"), standard("audit"), standard("warn")];
  return { defaults: { enforce, audit, warn }, exempt: exemptions };
}
