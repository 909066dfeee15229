/**
 * The rules of validating and mutating webhook configurations.
 * In: drafts. Out: defaults, checks, columns. Never: calls a webhook.
 * Source: pkg/apis/admissionregistration (defaults and validation), apiserver's util/webhook
 * (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkDns1035Label, checkDns1123Subdomain, checkPortNumber } from "../../names.ts";
import { validateLabelSelector } from "../../object_meta.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type {
  MutatingWebhook,
  ValidatingWebhook,
  WebhookClientConfig,
} from "../../schema/generated/admissionregistration_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { Problems } from "../problems.ts";
import {
  FAILURE_POLICIES,
  MATCH_POLICIES,
  validateMatchConditions,
  validateRule,
} from "./match_rules.ts";

export type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from "../../schema/generated/admissionregistration_v1.ts";

type Webhook = ValidatingWebhook & Pick<MutatingWebhook, "reinvocationPolicy">;

const SIDE_EFFECTS = ["None", "NoneOnDryRun"];
const REINVOCATIONS = ["IfNeeded", "Never"];
const REVIEW_VERSIONS = ["v1", "v1beta1"];
const MAX_TIMEOUT_SECONDS = 30;
const FORM = "; desired format: https://host[/path]";

function setWebhookDefaults(webhook: Webhook, isMutating: boolean): void {
  webhook.failurePolicy ??= "Fail";
  webhook.matchPolicy ??= "Equivalent";
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= 10;
  if (isMutating) webhook.reinvocationPolicy ??= "Never";
  for (const rule of webhook.rules ?? []) rule.scope ??= "*";
  if (webhook.clientConfig?.service !== undefined) webhook.clientConfig.service.port ??= 443;
}

/** A domain of three parts or more. */
function validateFullName(problems: Problems, path: string, name: string | undefined): void {
  if (!name) return problems.required(path);
  const faults = checkDns1123Subdomain(name);
  if (faults.length > 0) problems.invalid(path, name, faults.join(","));
  else if (name.split(".").length < 3) {
    const detail = "should be a domain with at least three segments separated by dots";
    problems.invalid(path, name, detail);
  }
}

function validateUrl(problems: Problems, path: string, text: string): void {
  if (!URL.canParse(text)) {
    return problems.required(path, `url must be a valid URL: parse ${JSON.stringify(text)}${FORM}`);
  }
  const url = new URL(text);
  if (url.protocol !== "https:") {
    const detail = `'https' is the only allowed URL scheme${FORM}`;
    problems.invalid(path, url.protocol.slice(0, -1), detail);
  }
  if (url.host === "") problems.invalid(path, "", `host must be specified${FORM}`);
  if (url.username !== "" || url.password !== "") {
    problems.invalid(path, url.username, "user information is not permitted in the URL");
  }
  if (url.hash !== "") {
    problems.invalid(path, url.hash.slice(1), "fragments are not permitted in the URL");
  }
  if (url.search !== "") {
    problems.invalid(path, url.search.slice(1), "query parameters are not permitted in the URL");
  }
}

/** A service and a path on it, as webhooks and conversion name them. */
export function validateServiceReference(
  problems: Problems,
  at: string,
  service: NonNullable<WebhookClientConfig["service"]>,
): void {
  const { name, namespace, path, port = 0 } = service;
  if (!name) problems.required(`${at}.name`);
  if (!namespace) problems.required(`${at}.namespace`);
  const faults = checkPortNumber(port);
  if (faults.length > 0) {
    problems.invalid(`${at}.port`, port, `port is not valid: ${faults.join(", ")}`);
  }
  if (path === undefined || path === "" || path === "/") return;
  const pathAt = `${at}.path`;
  if (path === "//") return problems.invalid(pathAt, path, "segment[0] may not be empty");
  if (!path.startsWith("/")) problems.invalid(pathAt, path, "must start with a '/'");
  path.replace(/^\//, "").replace(/\/$/, "").split("/").forEach((step, index) => {
    if (step === "") return problems.invalid(pathAt, path, `segment[${index}] may not be empty`);
    for (const fault of checkDns1123Subdomain(step)) {
      problems.invalid(pathAt, path, `segment[${index}]: ${fault}`);
    }
  });
}

/** Where a webhook is reached: a URL or a service, one of the two. */
export function validateClientConfig(
  problems: Problems,
  at: string,
  config: Partial<WebhookClientConfig>,
): void {
  const { url, service } = config;
  if ((url === undefined) === (service === undefined)) {
    return problems.required(at, "exactly one of url or service is required");
  }
  if (url !== undefined) validateUrl(problems, `${at}.url`, url);
  if (service !== undefined) validateServiceReference(problems, `${at}.service`, service);
}

/** Versions of the review that a webhook understands. */
export function validateReviewVersions(
  problems: Problems,
  path: string,
  versions: readonly string[],
): void {
  if (versions.length === 0) {
    return problems.required(path, `must specify one of ${REVIEW_VERSIONS.join(", ")}`);
  }
  versions.forEach((version, index) => {
    const at = `${path}[${index}]`;
    if (versions.indexOf(version) < index) {
      return problems.invalid(at, version, "duplicate version");
    }
    problems.checkName(at, version, checkDns1035Label);
  });
  if (!versions.some((version) => REVIEW_VERSIONS.includes(version))) {
    const detail = `must include at least one of ${REVIEW_VERSIONS.join(", ")}`;
    problems.invalid(path, versions, detail);
  }
}

function validateChoice(
  problems: Problems,
  path: string,
  value: string | undefined,
  supported: readonly string[],
): void {
  if (value !== undefined && !supported.includes(value)) {
    problems.notSupported(path, value, supported);
  }
}

function validateWebhook(problems: Problems, at: string, webhook: Webhook): void {
  validateFullName(problems, `${at}.name`, webhook.name);
  (webhook.rules ?? []).forEach((rule, index) =>
    validateRule(problems, `${at}.rules[${index}]`, rule)
  );
  validateChoice(problems, `${at}.failurePolicy`, webhook.failurePolicy, FAILURE_POLICIES);
  validateChoice(problems, `${at}.matchPolicy`, webhook.matchPolicy, MATCH_POLICIES);
  if (webhook.sideEffects === undefined) {
    problems.required(`${at}.sideEffects`, `must specify one of ${SIDE_EFFECTS.join(", ")}`);
  } else validateChoice(problems, `${at}.sideEffects`, webhook.sideEffects, SIDE_EFFECTS);
  const seconds = webhook.timeoutSeconds;
  if (seconds !== undefined && (seconds < 1 || seconds > MAX_TIMEOUT_SECONDS)) {
    const detail = "the timeout value must be between 1 and 30 seconds";
    problems.invalid(`${at}.timeoutSeconds`, seconds, detail);
  }
  validateLabelSelector(problems, `${at}.namespaceSelector`, webhook.namespaceSelector);
  validateLabelSelector(problems, `${at}.objectSelector`, webhook.objectSelector);
  validateChoice(problems, `${at}.reinvocationPolicy`, webhook.reinvocationPolicy, REINVOCATIONS);
  validateClientConfig(problems, `${at}.clientConfig`, webhook.clientConfig ?? {});
  validateMatchConditions(problems, `${at}.matchConditions`, webhook.matchConditions ?? []);
  validateReviewVersions(
    problems,
    `${at}.admissionReviewVersions`,
    webhook.admissionReviewVersions ?? [],
  );
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const names = new Set<string>();
  const webhooks: readonly Webhook[] = draft.webhooks ?? [];
  webhooks.forEach((webhook, index) => {
    const at = `webhooks[${index}]`;
    validateWebhook(problems, at, webhook);
    if (!webhook.name) return;
    if (names.has(webhook.name)) problems.duplicate(`${at}.name`, webhook.name);
    names.add(webhook.name);
  });
  return problems.errors;
}

function webhookRules(isMutating: boolean): Rules {
  return {
    setDefaults: (draft) => {
      for (const webhook of draft.webhooks ?? []) setWebhookDefaults(webhook, isMutating);
    },
    validate,
    generationFields: ["webhooks"],
    columns: [
      nameColumn,
      column("Webhooks", "How many webhooks it names.", (item) => (item.webhooks ?? []).length, {
        type: "integer",
      }),
      ageColumn,
    ],
  };
}

export const validatingWebhookRules: Rules = webhookRules(false);
export const mutatingWebhookRules: Rules = webhookRules(true);
