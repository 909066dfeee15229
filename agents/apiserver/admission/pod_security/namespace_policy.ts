/**
 * What a namespace asks of its pods, by its labels.
 * In: labels, defaults. Out: a standard to enforce, one to warn of, one to audit, and what is wrong
 * with the labels. Never: looks at a pod.
 * Source: pod-security-admission/api/helpers.go (v1.36).
 */
import type { FieldError } from "../../../api/resource.ts";
import type { Level, Standard } from "./checks.ts";

export interface SecurityPolicy {
  readonly enforce: Standard;
  readonly audit: Standard;
  readonly warn: Standard;
}

/** What the server is told beside the namespaces' labels. */
export interface PodSecurityConfig {
  readonly defaults: SecurityPolicy;
  readonly exempt: {
    readonly usernames: readonly string[];
    readonly runtimeClasses: readonly string[];
    readonly namespaces: readonly string[];
  };
}

const LAX: Standard = { level: "privileged", minor: Infinity };

export const DEFAULT_POD_SECURITY: PodSecurityConfig = {
  defaults: { enforce: LAX, audit: LAX, warn: LAX },
  exempt: { usernames: [], runtimeClasses: [], namespaces: [] },
};

export const LABEL_PREFIX = "pod-security.kubernetes.io/";
const LEVELS: readonly string[] = ["privileged", "baseline", "restricted"];
const MODES = ["enforce", "audit", "warn"] as const;

export function strictness({ level }: Standard): number {
  return LEVELS.indexOf(level);
}

/** `baseline:v1.25` */
export function formatStandard({ level, minor }: Standard): string {
  return `${level}:${minor === Infinity ? "latest" : `v1.${minor}`}`;
}

export function isPrivileged({ level }: Standard): boolean {
  return level === "privileged";
}

/** @returns null for what is no version */
export function parseMinor(text: string): number | null {
  if (text === "latest") return Infinity;
  const match = /^v1\.(0|[1-9]\d*)$/.exec(text);
  return match === null ? null : Number(match[1]);
}

/** A level that is none enforces the strictest, and warns and audits nothing. */
export function policyOf(
  labels: Readonly<Record<string, string>> | undefined,
  defaults: SecurityPolicy,
): { readonly policy: SecurityPolicy; readonly errors: readonly FieldError[] } {
  if (!asksAny(labels)) return { policy: defaults, errors: [] };
  const errors: FieldError[] = [];
  const invalid = (label: string, detail: string) =>
    errors.push({
      type: "invalid",
      path: `metadata.labels[${label}]`,
      value: labels[label],
      detail,
    });
  const policy: Record<(typeof MODES)[number], Standard> = { ...defaults };
  for (const mode of MODES) {
    const label = LABEL_PREFIX + mode;
    const versionLabel = `${label}-version`;
    const [level, version] = [labels[label], labels[versionLabel]];
    if (level !== undefined) {
      const isKnown = LEVELS.includes(level);
      if (!isKnown) invalid(label, `must be one of ${LEVELS.join(", ")}`);
      const fallback = mode === "enforce" ? "restricted" : "privileged";
      policy[mode] = { ...policy[mode], level: isKnown ? level as Level : fallback };
    }
    if (version !== undefined) {
      const minor = parseMinor(version);
      if (minor === null) invalid(versionLabel, 'must be "latest" or "v1.x"');
      policy[mode] = { ...policy[mode], minor: minor ?? Infinity };
    }
  }
  return { policy: { ...policy, warn: warnOf(labels, policy) }, errors };
}

/** Most namespaces ask nothing; every pod's namespace is looked at. */
function asksAny(
  labels: Readonly<Record<string, string>> | undefined,
): labels is Readonly<Record<string, string>> {
  for (const name in labels) if (name.startsWith(LABEL_PREFIX)) return true;
  return false;
}

/** What is enforced is warned of where nothing else is said. */
function warnOf(
  labels: Readonly<Record<string, string>>,
  { enforce, warn }: SecurityPolicy,
): Standard {
  const enforced = labels[`${LABEL_PREFIX}enforce`];
  const isSaid = labels[`${LABEL_PREFIX}warn`] !== undefined;
  if (isSaid || enforced === undefined || !LEVELS.includes(enforced)) return warn;
  if (strictness(enforce) <= strictness(warn)) return warn;
  const hasVersion = labels[`${LABEL_PREFIX}warn-version`] !== undefined;
  return { level: enforce.level, minor: hasVersion ? warn.minor : enforce.minor };
}
