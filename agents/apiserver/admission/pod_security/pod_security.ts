/**
 * Holds pods to the Pod Security Standards that their namespace asks for by its labels.
 * In: a pod, an object with a pod template, or a namespace about to be written. Out: a refusal,
 * warnings, audit annotations. Never: refuses a template, or checks what an update leaves as it is.
 * Source: pod-security-admission (v1.36).
 */
import type { KubeObject, ObjectMeta } from "../../../api/meta.ts";
import {
  cronJobs,
  daemonSets,
  deployments,
  jobs,
  namespaces,
  pods,
  podTemplates,
  replicaSets,
  replicationControllers,
  statefulSets,
} from "../../../api/resources.ts";
import type { Resource } from "../../../api/resource.ts";
import { forbidden, invalid } from "../../../api/status.ts";
import { cacheOf, type Core, keyOf } from "../../verbs/core.ts";
import { type AdmissionPlugin, type AdmissionRequest, annotate, warn } from "../admission.ts";
import { describeViolations, type Standard, type Violation, violations } from "./checks.ts";
import { warnOfPods } from "./existing_pods.ts";
import {
  formatStandard,
  isPrivileged,
  LABEL_PREFIX,
  type PodSecurityConfig,
  policyOf,
  type SecurityPolicy,
  strictness,
} from "./namespace_policy.ts";

type Spec = KubeObject["spec"];
type Template = { readonly metadata?: ObjectMeta; readonly spec?: Spec };

/** Parts of a pod that hold no containers. */
const OTHER_PARTS: ReadonlySet<string> = new Set(
  "exec attach binding eviction log portforward proxy status".split(" "),
);

/** Where kinds keep the template of their pods. */
const TEMPLATES: ReadonlyMap<Resource, (object: KubeObject) => Template | undefined> = new Map([
  [podTemplates, (object) => object.template],
  [cronJobs, (object) => object.spec?.jobTemplate?.spec?.template],
  ...[replicationControllers, replicaSets, deployments, statefulSets, daemonSets, jobs].map((
    resource,
  ) => [resource, (object: KubeObject) => object.spec?.template] as const),
]);

export function podSecurity(config: PodSecurityConfig): AdmissionPlugin {
  return {
    name: "PodSecurity",
    validate(request, core) {
      const { object, operation, resource, subresource } = request;
      if (object === null || (operation !== "CREATE" && operation !== "UPDATE")) return;
      if (resource === pods) {
        if (!OTHER_PARTS.has(subresource)) judgePod(core, config, request);
      } else if (resource === namespaces) {
        if (subresource === "") judgeNamespace(core, config, request);
      } else if (subresource === "") {
        const template = TEMPLATES.get(resource)?.(object);
        if (template !== undefined) judge(core, config, { request, template, isPod: false });
      }
    },
  };
}

function judgePod(core: Core, config: PodSecurityConfig, request: AdmissionRequest): void {
  const { object, old, operation } = request;
  if (operation === "UPDATE" && !changesImages(object!.spec ?? {}, old!.spec ?? {})) return;
  judge(core, config, { request, template: object!, isPod: true });
}

/** Images, and new containers, are all that an update can make less safe. */
function changesImages(spec: Spec, before: Spec): boolean {
  const isSame = (field: string) => {
    const [now, then]: Spec[][] = [spec[field] ?? [], before[field] ?? []];
    return now.length === then.length && now.every((one, at) => one.image === then[at].image);
  };
  if (!isSame("containers") || !isSame("initContainers")) return true;
  return (spec.ephemeralContainers ?? []).some((one: Spec) =>
    !(before.ephemeralContainers ?? []).some((other: Spec) =>
      other.name === one.name && other.image === one.image
    )
  );
}

/** Errors: throws ApiError 403 for a pod. */
function judge(
  core: Core,
  config: PodSecurityConfig,
  parts: {
    readonly request: AdmissionRequest;
    readonly template: Template;
    readonly isPod: boolean;
  },
): void {
  const { request, template, isPod } = parts;
  const { namespace, user, resource } = request;
  const { exempt } = config;
  const note = (key: string, value: string) => annotate(request, LABEL_PREFIX + key, value);
  if (exempt.namespaces.includes(namespace)) return note("exempt", "namespace");
  if (exempt.usernames.includes(user.name)) return note("exempt", "user");
  const key = keyOf({ resource: namespaces, namespace: "", name: namespace });
  const labels = cacheOf(core, namespaces).get(key)?.object.metadata.labels;
  const { policy, errors } = policyOf(labels, config.defaults);
  const isLax = isPrivileged(policy.audit) && isPrivileged(policy.warn) &&
    (!isPod || isPrivileged(policy.enforce));
  if (isLax && errors.length === 0) {
    return isPod ? note("enforce-policy", "privileged:latest") : undefined;
  }
  const { metadata = {}, spec = {} } = template;
  if (exempt.runtimeClasses.includes(spec.runtimeClassName)) return note("exempt", "runtimeClass");
  if (errors.length > 0) {
    note(
      "error",
      `Failed to parse policy: ${errors.map(({ path, detail }) => `${path}: ${detail}`)}`,
    );
  }
  const known = new Map<string, readonly Violation[]>();
  const found = (standard: Standard) => {
    const name = formatStandard(standard);
    const ready = known.get(name) ?? violations(standard, metadata, spec);
    known.set(name, ready);
    return ready;
  };
  const words = (verb: string, standard: Standard) =>
    `${verb} PodSecurity ${JSON.stringify(formatStandard(standard))}: ` +
    describeViolations(found(standard));
  if (isPod) note("enforce-policy", formatStandard(policy.enforce));
  if (found(policy.audit).length > 0) {
    note("audit-violations", words("would violate", policy.audit));
  }
  if (isPod && found(policy.enforce).length > 0) {
    const of = { group: resource.group, resource: resource.plural };
    throw forbidden(of, request.name, words("violates", policy.enforce));
  }
  if (found(policy.warn).length > 0) warn(request, words("would violate", policy.warn));
}

/** Labels must be right where they change; pods that a new level would refuse are warned of. */
function judgeNamespace(core: Core, config: PodSecurityConfig, request: AdmissionRequest): void {
  const { object, old, name } = request;
  const now = policyOf(object!.metadata.labels, config.defaults);
  const before = old === null ? null : policyOf(old.metadata.labels, config.defaults);
  const isNews = before === null || JSON.stringify(before.errors) !== JSON.stringify(now.errors);
  if (now.errors.length > 0 && isNews) throw invalid(namespaces, name, now.errors);
  const isExempt = config.exempt.namespaces.includes(name);
  if (before !== null && !isStricter(now.policy, before.policy)) return;
  if (isExempt) warnOfExemption(request, now.policy);
  else if (before !== null) warnOfPods(core, config, { request, standard: now.policy.enforce });
}

function isStricter({ enforce }: SecurityPolicy, before: SecurityPolicy): boolean {
  if (isPrivileged(enforce)) return false;
  const isSameVersion = enforce.minor === before.enforce.minor;
  return !isSameVersion || strictness(enforce) > strictness(before.enforce);
}

function warnOfExemption(request: AdmissionRequest, policy: SecurityPolicy): void {
  const labels = request.object!.metadata.labels ?? {};
  const modes = (["enforce", "audit", "warn"] as const).filter((mode) =>
    !isPrivileged(policy[mode]) &&
    Object.keys(labels).some((key) =>
      key === LABEL_PREFIX + mode || key === `${LABEL_PREFIX}${mode}-version`
    )
  );
  if (modes.length === 0) return;
  const told = modes.map((mode) => `${mode}=${formatStandard(policy[mode])}`).join(", ");
  warn(
    request,
    `namespace ${JSON.stringify(request.name)} is exempt from Pod Security, ` +
      `and the policy (${told}) will be ignored`,
  );
}
