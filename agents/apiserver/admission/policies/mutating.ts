/**
 * The plugin that lets MutatingAdmissionPolicies change drafts, one after the other.
 * In: a request, the policies with bindings. Out: the changed draft, or a refusal.
 * Never: costs a request anything where no policy is bound; patches where there is no object.
 * Source: apiserver's admission/plugin/policy/mutating/dispatcher.go (v1.36).
 */
import { equalJson } from "../../../api/patch/json_patch.ts";
import {
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
} from "../../../api/resources.ts";
import { type ApiError, forbidden } from "../../../api/status.ts";
import { copyJson } from "../../registry.ts";
import { type Core, groupResourceOf } from "../../verbs/core.ts";
import { type AdmissionPlugin, type AdmissionRequest, askAgain, roundOf } from "../admission.ts";
import { meetsAll } from "../expressions/conditions.ts";
import { lazyVariables, newBudget, OutOfBudget } from "../expressions/expression.ts";
import { isExempt } from "../matching/match_request.ts";
import { asShownBy, hasOwnKind } from "../matching/request_place.ts";
import { takeDraft } from "../matching/take_draft.ts";
import { type Invocation, invocationBindings, invocationsFor } from "./invocations.ts";
import { compileMutating, mutate, type MutatingPolicy, type Mutation } from "./mutate.ts";
import { type BoundPolicy, type PolicyBinding, PolicySource } from "./policy.ts";

const NAME = "MutatingAdmissionPolicy";

const source = new PolicySource(
  { policies: mutatingAdmissionPolicies, bindings: mutatingAdmissionPolicyBindings },
  compileMutating,
);

export const mutatingPolicies: AdmissionPlugin = {
  name: NAME,
  admit(request, core) {
    const bound = source.bound(core);
    if (bound === null || request.object === null || isExempt(request)) return;
    mutateAll(core, bound, request);
  },
};

interface Problem {
  readonly policy: MutatingPolicy;
  readonly binding: PolicyBinding | null;
  readonly message: string;
}

/** Errors: throws ApiError: the first problem of a policy that may not fail. */
function mutateAll(
  core: Core,
  bound: readonly BoundPolicy<MutatingPolicy>[],
  request: AdmissionRequest,
): void {
  const round = roundOf(request);
  const before = round.outcomes.get(NAME);
  if (round.isSecond && before !== undefined && before !== JSON.stringify(request.object)) {
    askAgain(round);
  }
  const { invocations, problems: wrong } = invocationsFor(core, bound, request);
  const problems: Problem[] = [...wrong];
  for (const invocation of invocations) {
    const { policy, binding } = invocation;
    const met = meetsAll(
      policy.conditions,
      invocationBindings(core, request, invocation),
      policy.mayFail,
    );
    if (met.kind === "failed") problems.push({ policy, binding, message: met.message });
    if (met.kind !== "met") continue;
    const id = `${NAME} ${policy.name}/${binding.name}/${idOf(invocation)}`;
    if (round.isSecond && !round.due.has(id)) continue;
    const isChanged = invoke(core, request, {
      invocation,
      fail: (message) => problems.push({ policy, binding, message }),
    });
    if (isChanged) askAgain(round);
    if (policy.spec.reinvocationPolicy === "IfNeeded") round.reinvocable.add(id);
  }
  if (!round.isSecond) round.outcomes.set(NAME, JSON.stringify(request.object));
  const [first] = problems.filter(({ policy }) => !policy.mayFail);
  if (first !== undefined) throw refusal(request, first);
}

function idOf({ param }: Invocation<MutatingPolicy>): string {
  return param === null ? "" : `${param.metadata.namespace ?? ""}/${param.metadata.name}`;
}

/** @returns whether the draft is another one */
function invoke(
  core: Core,
  request: AdmissionRequest,
  parts: {
    readonly invocation: Invocation<MutatingPolicy>;
    readonly fail: (message: string) => void;
  },
): boolean {
  const { invocation, fail } = parts;
  const before = copyJson(request.object!);
  for (const mutation of invocation.policy.mutations) {
    const message = apply(core, request, { invocation, mutation });
    if (message !== null) fail(message);
  }
  return !equalJson(before, request.object!);
}

/** @returns why nothing came of it, or null */
function apply(
  core: Core,
  request: AdmissionRequest,
  { invocation, mutation }: {
    readonly invocation: Invocation<MutatingPolicy>;
    readonly mutation: Mutation;
  },
): string | null {
  const { policy, shown } = invocation;
  const { resource, subresource } = request;
  const isOwn = hasOwnKind(request);
  const part = resource.subresources.find((row) => row.name === subresource);
  const seen = invocationBindings(core, request, invocation);
  const budget = newBudget();
  const bindings = { ...seen, variables: lazyVariables(policy.variables, seen, budget) };
  const object = isOwn ? request.object! : asShownBy(resource, shown, request.object!);
  try {
    const type = isOwn ? part! : shown;
    const outcome = mutate(mutation, { object, type, bindings, budget });
    if (outcome.kind === "error") return outcome.message;
    const next = outcome.object;
    takeDraft(request, isOwn ? next : asShownBy(shown, resource, next));
    return null;
  } catch (error) {
    if (error instanceof OutOfBudget) return error.message;
    throw error;
  }
}

function refusal(request: AdmissionRequest, { policy, binding, message }: Problem): ApiError {
  const by = binding === null
    ? JSON.stringify(policy.name)
    : `'${policy.name}' with binding '${binding.name}'`;
  const text = `policy ${by} denied request: ${message}`;
  const error = forbidden(groupResourceOf(request.resource), request.name, text);
  const { status } = error;
  status.message = text;
  status.reason = "Invalid";
  status.details = { ...status.details, causes: [{ message: text }] };
  return error;
}
