/**
 * The plugin that holds requests to ValidatingAdmissionPolicies.
 * In: a request, the policies with bindings. Out: a refusal, warnings, audit annotations.
 * Never: costs a request anything where no policy is bound.
 * Source: apiserver's admission/plugin/policy/validating/dispatcher.go (v1.36).
 */
import {
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from "../../../api/resources.ts";
import { type ApiError, forbidden, type StatusReason } from "../../../api/status.ts";
import { type Core, groupResourceOf } from "../../verbs/core.ts";
import { type AdmissionPlugin, type AdmissionRequest, annotate, warn } from "../admission.ts";
import { isExempt } from "../matching/match_request.ts";
import { type Invocation, invocationBindings, invocationsFor } from "./invocations.ts";
import { compileValidating, type Decision, judge, type ValidatingPolicy } from "./judge.ts";
import { type BoundPolicy, type PolicyBinding, PolicySource } from "./policy.ts";

const FAILURE_KEY = "validation.policy.admission.k8s.io/validation_failure";

const source = new PolicySource(
  { policies: validatingAdmissionPolicies, bindings: validatingAdmissionPolicyBindings },
  compileValidating,
);

export const validatingPolicies: AdmissionPlugin = {
  name: "ValidatingAdmissionPolicy",
  validate(request, core) {
    const bound = source.bound(core);
    if (bound === null || isExempt(request)) return;
    judgeAll(core, bound, request);
  },
};

interface Denial {
  readonly policy: ValidatingPolicy;
  readonly binding: PolicyBinding | null;
  readonly message: string;
  readonly reason: string;
}

/** Errors: throws ApiError: the first denial. */
function judgeAll(
  core: Core,
  bound: readonly BoundPolicy<ValidatingPolicy>[],
  request: AdmissionRequest,
): void {
  const { invocations, problems } = invocationsFor(core, bound, request);
  const denials: Denial[] = problems.map((problem) => ({ ...problem, reason: "Invalid" }));
  const annotations = new Map<string, Set<string>>();
  for (const invocation of invocations) {
    const { policy, binding } = invocation;
    const found = judge(policy, invocationBindings(core, request, invocation));
    for (const decision of found.decisions) {
      act(request, invocation, decision, () => denials.push({ policy, binding, ...decision }));
    }
    for (const message of found.failures) {
      denials.push({ policy, binding, message, reason: "Invalid" });
    }
    for (const { key, value } of found.annotations) {
      const name = `${policy.name}/${key}`;
      annotations.set(name, (annotations.get(name) ?? new Set()).add(value));
    }
  }
  for (const [key, values] of annotations) annotate(request, key, [...values].join(", "));
  if (denials.length > 0) throw refusal(request, denials[0]);
}

/** Does what the binding says of a validation that does not hold. */
function act(
  request: AdmissionRequest,
  { policy, binding }: Invocation<ValidatingPolicy>,
  { index, message }: Decision,
  deny: () => void,
): void {
  const actions: readonly string[] = binding.spec.validationActions ?? [];
  for (const action of actions) {
    if (action === "Deny") deny();
    else if (action === "Warn") {
      const where = `'${policy.name}' with binding '${binding.name}'`;
      warn(request, `Validation failed for ValidatingAdmissionPolicy ${where}: ${message}`);
    } else if (action === "Audit") {
      const told = {
        message,
        policy: policy.name,
        binding: binding.name,
        expressionIndex: index,
        validationActions: actions,
      };
      annotate(request, FAILURE_KEY, JSON.stringify([told]));
    }
  }
}

const CODES: Readonly<Record<string, number>> = {
  Forbidden: 403,
  Unauthorized: 401,
  RequestEntityTooLarge: 413,
  Invalid: 422,
};

function refusal(
  request: AdmissionRequest,
  { policy, binding, message, reason }: Denial,
): ApiError {
  const by = binding === null ? "" : ` with binding '${binding.name}'`;
  const text = `ValidatingAdmissionPolicy '${policy.name}'${by} denied request: ${message}`;
  const error = forbidden(groupResourceOf(request.resource), request.name, text);
  const { status } = error;
  status.reason = reason as StatusReason;
  status.code = CODES[reason] ?? 422;
  const details = (status.details ??= {});
  details.causes = [...details.causes ?? [], { message: text }];
  return error;
}
