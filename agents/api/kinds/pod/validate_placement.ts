/**
 * Checks what a pod asks of the scheduler: selectors, affinity, tolerations, spreading.
 * In: a spec. Out: field errors. Never: matches anything.
 * Source: validateAffinity, ValidateTolerations, validateTopologySpreadConstraints (v1.36).
 */
import { checkDns1123Label, checkLabelValue, checkQualifiedName } from "../../names.ts";
import { validateLabels, validateLabelSelector } from "../../object_meta.ts";
import type {
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
  PodSpec,
  Toleration,
  TopologySpreadConstraint,
} from "../../schema/generated/core_v1.ts";
import type { Problems } from "../problems.ts";

const EFFECTS = ["NoExecute", "NoSchedule", "PreferNoSchedule"];
const MAX_WEIGHT = 100;

export function validatePlacement(problems: Problems, path: string, spec: PodSpec): void {
  validateLabels(problems, `${path}.nodeSelector`, spec.nodeSelector);
  const { nodeAffinity, podAffinity, podAntiAffinity } = spec.affinity ?? {};
  const at = `${path}.affinity`;
  const required = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required !== undefined) {
    const place = `${at}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution`;
    validateNodeSelector(problems, place, required);
  }
  (nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).forEach((item, index) => {
    const place = `${at}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[${index}]`;
    validateWeight(problems, `${place}.weight`, item.weight);
    validateNodeTerm(problems, `${place}.preference`, item.preference);
  });
  if (podAffinity !== undefined) validatePodAffinity(problems, `${at}.podAffinity`, podAffinity);
  if (podAntiAffinity !== undefined) {
    validatePodAffinity(problems, `${at}.podAntiAffinity`, podAntiAffinity);
  }
  validateTolerations(problems, `${path}.tolerations`, spec.tolerations ?? []);
  validateSpreading(
    problems,
    `${path}.topologySpreadConstraints`,
    spec.topologySpreadConstraints ?? [],
  );
}

/** Alternatives of which a node must meet one. */
export function validateNodeSelector(
  problems: Problems,
  path: string,
  selector: NodeSelector,
): void {
  const terms = selector.nodeSelectorTerms ?? [];
  const at = `${path}.nodeSelectorTerms`;
  if (terms.length === 0) problems.required(at, "must have at least one node selector term");
  terms.forEach((term, index) => validateNodeTerm(problems, `${at}[${index}]`, term));
}

function validateWeight(problems: Problems, path: string, weight: number): void {
  if (weight >= 1 && weight <= MAX_WEIGHT) return;
  problems.invalid(path, weight, "must be in the range 1-100");
}

function validateNodeTerm(problems: Problems, path: string, term: NodeSelectorTerm): void {
  (term.matchExpressions ?? []).forEach((requirement, index) => {
    validateNodeRequirement(problems, `${path}.matchExpressions[${index}]`, requirement);
  });
  (term.matchFields ?? []).forEach((requirement, index) => {
    const at = `${path}.matchFields[${index}]`;
    if (requirement.operator !== "In" && requirement.operator !== "NotIn") {
      problems.invalid(`${at}.operator`, requirement.operator, "not a valid selector operator");
    } else if ((requirement.values ?? []).length !== 1) {
      problems.required(
        `${at}.values`,
        "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
      );
    }
    if (requirement.key !== "metadata.name") {
      problems.invalid(`${at}.key`, requirement.key, "not a valid field selector key");
    }
  });
}

function validateNodeRequirement(
  problems: Problems,
  path: string,
  requirement: NodeSelectorRequirement,
): void {
  const { key, operator, values = [] } = requirement;
  switch (operator) {
    case "In":
    case "NotIn":
      if (values.length === 0) {
        problems.required(
          `${path}.values`,
          "must be specified when `operator` is 'In' or 'NotIn'",
        );
      }
      break;
    case "Exists":
    case "DoesNotExist":
      if (values.length > 0) {
        problems.forbidden(
          `${path}.values`,
          "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        );
      }
      break;
    case "Gt":
    case "Lt":
      if (values.length !== 1) {
        problems.required(
          `${path}.values`,
          "must be specified single value when `operator` is 'Lt' or 'Gt'",
        );
      }
      break;
    default:
      problems.invalid(`${path}.operator`, operator, "not a valid selector operator");
  }
  problems.checkName(`${path}.key`, key, checkQualifiedName);
  values.forEach((value, index) => {
    problems.checkName(`${path}.values[${index}]`, value, checkLabelValue);
  });
}

function validatePodAffinity(problems: Problems, path: string, affinity: PodAffinity): void {
  const required = affinity.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  required.forEach((term, index) => {
    const at = `${path}.requiredDuringSchedulingIgnoredDuringExecution[${index}]`;
    validatePodTerm(problems, at, term);
  });
  const preferred = affinity.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  preferred.forEach(({ weight, podAffinityTerm }, index) => {
    const at = `${path}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`;
    validateWeight(problems, `${at}.weight`, weight);
    validatePodTerm(problems, `${at}.podAffinityTerm`, podAffinityTerm);
  });
}

function validatePodTerm(problems: Problems, path: string, term: PodAffinityTerm): void {
  validateLabelSelector(problems, `${path}.labelSelector`, term.labelSelector);
  validateLabelSelector(problems, `${path}.namespaceSelector`, term.namespaceSelector);
  for (const name of term.namespaces ?? []) {
    problems.checkName(`${path}.namespace`, name, checkDns1123Label);
  }
  if (!term.topologyKey) problems.required(`${path}.topologyKey`, "can not be empty");
  else problems.checkName(`${path}.topologyKey`, term.topologyKey, checkQualifiedName);
}

/** Also run on its own when an update adds tolerations. */
export function validateTolerations(
  problems: Problems,
  path: string,
  tolerations: readonly Toleration[],
): void {
  tolerations.forEach((toleration, index) => {
    const at = `${path}[${index}]`;
    const { key = "", operator = "", value = "", effect = "" } = toleration;
    if (key !== "") problems.checkName(`${at}.key`, key, checkQualifiedName);
    if (key === "" && operator !== "Exists") {
      problems.invalid(
        `${at}.operator`,
        operator,
        "operator must be Exists when `key` is empty, which means " +
          '"match all values and all keys"',
      );
    }
    if (toleration.tolerationSeconds !== undefined && effect !== "NoExecute") {
      const detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
      problems.invalid(`${at}.effect`, effect, detail);
    }
    if (operator === "" || operator === "Equal") {
      const details = checkLabelValue(value);
      if (details.length > 0) problems.invalid(`${at}.operator`, value, details.join(";"));
    } else if (operator === "Exists") {
      if (value !== "") {
        const detail = "value must be empty when `operator` is 'Exists'";
        problems.invalid(`${at}.operator`, value, detail);
      }
    } else problems.notSupported(`${at}.operator`, operator, ["Equal", "Exists"]);
    if (effect !== "" && !EFFECTS.includes(effect)) {
      problems.notSupported(`${at}.effect`, effect, EFFECTS);
    }
  });
}

function validateSpreading(
  problems: Problems,
  path: string,
  constraints: readonly TopologySpreadConstraint[],
): void {
  const seen = new Set<string>();
  constraints.forEach((constraint, index) => {
    const at = `${path}[${index}]`;
    const { maxSkew, topologyKey, whenUnsatisfiable, minDomains } = constraint;
    if (!(maxSkew > 0)) problems.invalid(`${at}.maxSkew`, maxSkew, "must be greater than zero");
    if (!topologyKey) problems.required(`${at}.topologyKey`, "can not be empty");
    else problems.checkName(`${at}.topologyKey`, topologyKey, checkQualifiedName);
    if (whenUnsatisfiable !== "DoNotSchedule" && whenUnsatisfiable !== "ScheduleAnyway") {
      const supported = ["DoNotSchedule", "ScheduleAnyway"];
      problems.notSupported(`${at}.whenUnsatisfiable`, whenUnsatisfiable, supported);
    }
    const identity = `{${topologyKey}, ${whenUnsatisfiable}}`;
    if (seen.has(identity)) problems.duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, identity);
    seen.add(identity);
    if (minDomains !== undefined) {
      if (minDomains <= 0) {
        problems.invalid(`${at}.minDomains`, minDomains, "must be greater than zero");
      }
      if (whenUnsatisfiable !== "DoNotSchedule") {
        problems.invalid(
          `${at}.minDomains`,
          minDomains,
          "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
        );
      }
    }
    validateLabelSelector(problems, `${at}.labelSelector`, constraint.labelSelector);
  });
}
