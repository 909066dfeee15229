/**
 * Which policies have a say in a request: each with a binding, and once for each parameter.
 * In: bound policies, a request. Out: invocations, and what is configured wrongly.
 * Never: evaluates an expression.
 * Source: apiserver's admission/plugin/policy/generic/policy_dispatcher.go (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import type { Resource } from "../../../api/resource.ts";
import { ApiError } from "../../../api/status.ts";
import type { Core } from "../../verbs/core.ts";
import type { AdmissionRequest } from "../admission.ts";
import { bindingsOf, namespaceValue, NOTHING } from "../expressions/bindings.ts";
import type { Bindings } from "../expressions/expression.ts";
import { matchRequest } from "../matching/match_request.ts";
import { paramsOf } from "./params.ts";
import type { BoundPolicy, PolicyBase, PolicyBinding } from "./policy.ts";

export interface Invocation<P extends PolicyBase> {
  readonly policy: P;
  readonly binding: PolicyBinding;
  /** The resource by which the request matched. */
  readonly shown: Resource;
  readonly param: KubeObject | null;
}

export interface ConfigProblem<P extends PolicyBase> {
  readonly policy: P;
  /** Null where the policy itself is wrong. */
  readonly binding: PolicyBinding | null;
  readonly message: string;
}

export function invocationsFor<P extends PolicyBase>(
  core: Core,
  bound: readonly BoundPolicy<P>[],
  request: AdmissionRequest,
): {
  readonly invocations: readonly Invocation<P>[];
  /** Only of policies that may not fail. */
  readonly problems: readonly ConfigProblem<P>[];
} {
  const invocations: Invocation<P>[] = [];
  const problems: ConfigProblem<P>[] = [];
  const fail = (policy: P, binding: PolicyBinding | null, why: string) => {
    const what = binding === null ? "policy" : "binding";
    const message = `failed to configure ${what}: ${why}`;
    if (!policy.mayFail) problems.push({ policy, binding, message });
  };
  for (const { policy, bindings } of bound) {
    const shown = tryMatch(() => matchRequest(core, policy.matcher, request));
    if (shown instanceof ApiError) fail(policy, null, shown.message);
    if (shown === null || shown instanceof ApiError) continue;
    for (const binding of bindings) {
      const { matcher } = binding;
      const isWanted = matcher === null
        ? shown
        : tryMatch(() => matchRequest(core, matcher, request));
      if (isWanted instanceof ApiError) fail(policy, binding, isWanted.message);
      if (isWanted === null || isWanted instanceof ApiError) continue;
      const found = paramsOf(core, policy, { binding, request });
      if (found.kind === "policyWrong") {
        fail(policy, null, found.message);
        break;
      }
      if (found.kind === "bindingWrong") fail(policy, binding, found.message);
      else for (const param of found.params) invocations.push({ policy, binding, shown, param });
    }
  }
  return { invocations, problems };
}

function tryMatch(match: () => Resource | null): Resource | null | ApiError {
  try {
    return match();
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
}

/** What the expressions of an invocation see; variables come on top. */
export function invocationBindings<P extends PolicyBase>(
  core: Core,
  request: AdmissionRequest,
  { shown, param }: Invocation<P>,
): Bindings {
  return {
    ...bindingsOf(core, request, shown),
    params: param ?? NOTHING,
    namespaceObject: namespaceValue(core, request) ?? NOTHING,
  };
}
