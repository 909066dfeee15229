/**
 * Who may do what, by roles and bindings.
 * In: roles and bindings as the caches hold them, a user, what it asks. Out: a decision with its
 * reason, a user's rules, whether a user may grant what it is about to grant.
 * Never: denies what another authorizer allows: rights add up.
 * Source: plugin/pkg/auth/authorizer/rbac, pkg/registry/rbac/validation (v1.36).
 */
import type { KubeObject, UserInfo } from "../../../api/meta.ts";
import type {
  ClusterRole,
  PolicyRule,
  RoleBinding,
  RoleRef,
  Subject,
} from "../../../api/schema/generated/rbac_v1.ts";
import type { AccessAttributes, Decision } from "../authorize.ts";
import { compactRules, formatRule, missingRights, ruleAllows } from "./rules.ts";

/** Objects by name, fresh enough to decide on. */
export interface RoleSource {
  clusterRole(name: string): KubeObject | undefined;
  role(namespace: string, name: string): KubeObject | undefined;
  /** Those with a subject that the user is, or belongs to; others do no harm. */
  clusterRoleBindings(user: UserInfo): Iterable<KubeObject>;
  roleBindings(namespace: string): Iterable<KubeObject>;
}

const NO_OPINION: Decision = { allowed: false };
const ACCOUNT_PREFIX = "system:serviceaccount:";

/** A binding that reaches a user, and its role's rules. */
interface Grant {
  readonly binding: RoleBinding;
  readonly subject: Subject;
  readonly rules: readonly PolicyRule[];
}

export class RoleAuthorizer {
  readonly #source: RoleSource;

  constructor(source: RoleSource) {
    this.#source = source;
  }

  authorize(asked: AccessAttributes): Decision {
    const namespace = asked.path === undefined ? asked.namespace : "";
    for (const grant of this.#grants(asked.user, namespace)) {
      if (!grant.rules.some((rule) => ruleAllows(rule, asked))) continue;
      return { allowed: true, reason: describeGrant(grant) };
    }
    return NO_OPINION;
  }

  /** All rules that reach a user in a namespace; "" = those of the whole cluster. */
  rulesOf(user: UserInfo, namespace: string): PolicyRule[] {
    const rules: PolicyRule[] = [];
    for (const grant of this.#grants(user, namespace)) rules.push(...grant.rules);
    return rules;
  }

  /** The rules behind a reference; null when the role is missing. */
  referencedRules(ref: RoleRef, namespace: string): readonly PolicyRule[] | null {
    const role = ref.kind === "ClusterRole"
      ? this.#source.clusterRole(ref.name)
      : this.#source.role(namespace, ref.name);
    return role === undefined ? null : (role as ClusterRole).rules ?? [];
  }

  /**
   * Why a user may not hand out these rules.
   * @returns null when it holds all of them
   */
  escalation(
    user: UserInfo,
    namespace: string,
    rules: readonly PolicyRule[],
  ): string | null {
    const missing = missingRights(this.rulesOf(user, namespace), rules);
    if (missing.length === 0) return null;
    const shown = [...new Set(compactRules(missing).map(formatRule))].sort();
    const groups = user.groups.map((group) => JSON.stringify(group)).join(" ");
    return `user ${JSON.stringify(user.name)} (groups=[${groups}]) is attempting to grant ` +
      `RBAC permissions not currently held:\n${shown.join("\n")}`;
  }

  *#grants(user: UserInfo, namespace: string): Generator<Grant> {
    const { clusterRoleBindings, roleBindings } = this.#source;
    yield* this.#reaching(user, clusterRoleBindings.call(this.#source, user), "");
    if (namespace === "") return;
    yield* this.#reaching(user, roleBindings.call(this.#source, namespace), namespace);
  }

  *#reaching(
    user: UserInfo,
    bindings: Iterable<KubeObject>,
    namespace: string,
  ): Generator<Grant> {
    for (const object of bindings) {
      const binding = object as RoleBinding;
      const subject = binding.subjects?.find((one) => isSubject(one, user, namespace));
      if (subject === undefined) continue;
      const rules = this.referencedRules(binding.roleRef, namespace);
      if (rules !== null) yield { binding, subject, rules };
    }
  }
}

/** @param namespace of the binding, for accounts that name none */
function isSubject(subject: Subject, user: UserInfo, namespace: string): boolean {
  switch (subject.kind) {
    case "User":
      return user.name === subject.name;
    case "Group":
      return user.groups.includes(subject.name);
    case "ServiceAccount": {
      const home = subject.namespace || namespace;
      return home !== "" && user.name === `${ACCOUNT_PREFIX}${home}:${subject.name}`;
    }
    default:
      return false;
  }
}

/** `RBAC: allowed by RoleBinding "b/ns" of Role "r" to User "u"` */
function describeGrant({ binding, subject }: Grant): string {
  const { name, namespace } = binding.metadata;
  const kind = namespace === undefined ? "ClusterRoleBinding" : "RoleBinding";
  const which = JSON.stringify(namespace === undefined ? name : `${name}/${namespace}`);
  const { roleRef } = binding;
  const who = subject.kind === "ServiceAccount"
    ? `${subject.name}/${subject.namespace || namespace}`
    : subject.name;
  return `RBAC: allowed by ${kind} ${which} of ${roleRef.kind} ${JSON.stringify(roleRef.name)} ` +
    `to ${subject.kind} ${JSON.stringify(who)}`;
}
