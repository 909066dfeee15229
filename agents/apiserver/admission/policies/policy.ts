/**
 * Policies as they stand, compiled, with the bindings that put them to work.
 * In: the cached policies and bindings. Out: what to evaluate, in order of the policies' names.
 * Never: compiles a policy twice, or one that nobody has bound.
 * Source: apiserver's admission/plugin/policy (generic, validating, mutating), v1.36.
 */
import type { KubeObject } from "../../../api/meta.ts";
import type { Resource } from "../../../api/resource.ts";
import type {
  MatchResources,
  ParamRef,
} from "../../../api/schema/generated/admissionregistration_v1.ts";
import { type CelType, DYN } from "../../../cel/mod.ts";
import type { ResourceCache } from "../../cache/resource_cache.ts";
import { cacheOf, type Core, prefixOf } from "../../verbs/core.ts";
import { compileConditions } from "../expressions/conditions.ts";
import { compileExpression, type NamedExpression } from "../expressions/expression.ts";
import { namesFor } from "../expressions/names.ts";
import { compileMatcher, type Matcher } from "../matching/match_request.ts";

type Spec = KubeObject["spec"];

/** What both kinds of policies share. */
export interface PolicyBase {
  readonly name: string;
  readonly spec: Spec;
  readonly matcher: Matcher;
  readonly conditions: readonly NamedExpression[];
  readonly variables: readonly NamedExpression[];
  /** By name; what a policy's other expressions are compiled with. */
  readonly variableTypes: Readonly<Record<string, CelType>>;
  readonly hasParams: boolean;
  readonly mayFail: boolean;
}

export interface PolicyBinding {
  readonly name: string;
  readonly spec: Spec;
  readonly paramRef: ParamRef | undefined;
  /** Null where the binding leaves the choice to the policy. */
  readonly matcher: Matcher | null;
}

export interface BoundPolicy<P extends PolicyBase> {
  readonly policy: P;
  readonly bindings: readonly PolicyBinding[];
}

/** Compiles what every policy has. */
export function compileBase({ metadata, spec = {} }: KubeObject): PolicyBase {
  const hasParams = spec.paramKind !== undefined;
  const variableTypes: Record<string, CelType> = {};
  const variables: NamedExpression[] = [];
  for (const { name, expression } of spec.variables ?? []) {
    // A variable knows those before it.
    const names = namesFor({
      params: hasParams,
      authorizer: true,
      variables: { ...variableTypes },
    });
    const compiled = compileExpression(expression, names, []);
    variables.push({ name, ...compiled });
    variableTypes[name] = compiled.compiled.kind === "compiled"
      ? compiled.compiled.program.type
      : DYN;
  }
  const conditionNames = namesFor({ params: hasParams, authorizer: true });
  return {
    name: metadata.name!,
    spec,
    matcher: matcherOf(spec.matchConstraints ?? {}),
    conditions: compileConditions(spec.matchConditions ?? [], conditionNames),
    variables,
    variableTypes,
    hasParams,
    mayFail: spec.failurePolicy === "Ignore",
  };
}

function matcherOf(match: MatchResources, isOpen = false): Matcher {
  const { resourceRules, excludeResourceRules, matchPolicy, namespaceSelector, objectSelector } =
    match;
  return compileMatcher({
    rules: resourceRules ?? [],
    ...(excludeResourceRules === undefined ? {} : { exclude: excludeResourceRules }),
    isOpen,
    matchPolicy,
    namespaceSelector,
    objectSelector,
  });
}

/** One kind of policy with its kind of binding. */
export class PolicySource<P extends PolicyBase> {
  readonly #rows: { readonly policies: Resource; readonly bindings: Resource };
  readonly #compile: (object: KubeObject) => P;
  readonly #compiled = new WeakMap<KubeObject, P>();
  readonly #known = new WeakMap<
    ResourceCache,
    { readonly at: string; readonly bound: readonly BoundPolicy<P>[] }
  >();

  constructor(
    rows: { readonly policies: Resource; readonly bindings: Resource },
    compile: (object: KubeObject) => P,
  ) {
    this.#rows = rows;
    this.#compile = compile;
  }

  /** @returns null where there is no policy with a binding */
  bound(core: Core): readonly BoundPolicy<P>[] | null {
    const bindings = cacheOf(core, this.#rows.bindings);
    if (bindings.size === 0) return null;
    const policies = cacheOf(core, this.#rows.policies);
    if (policies.size === 0) return null;
    const at = `${policies.lastChangeRevision} ${bindings.lastChangeRevision}`;
    let known = this.#known.get(policies);
    if (known?.at !== at) {
      this.#known.set(policies, known = { at, bound: this.#bind(policies, bindings) });
    }
    return known.bound.length === 0 ? null : known.bound;
  }

  #bind(policies: ResourceCache, bindings: ResourceCache): readonly BoundPolicy<P>[] {
    const byPolicy = new Map<string, PolicyBinding[]>();
    for (const { object } of bindings.select({ keyPrefix: prefixOf(this.#rows.bindings) })) {
      const { policyName, paramRef, matchResources } = object.spec;
      const binding: PolicyBinding = {
        name: object.metadata.name!,
        spec: object.spec,
        paramRef,
        matcher: matchResources === undefined ? null : matcherOf(matchResources, true),
      };
      byPolicy.set(policyName, [...byPolicy.get(policyName) ?? [], binding]);
    }
    return policies.select({ keyPrefix: prefixOf(this.#rows.policies) }).flatMap(({ object }) => {
      const of = byPolicy.get(object.metadata.name!);
      return of === undefined ? [] : [{ policy: this.#policyOf(object), bindings: of }];
    });
  }

  #policyOf(object: KubeObject): P {
    let policy = this.#compiled.get(object);
    if (policy === undefined) this.#compiled.set(object, policy = this.#compile(object));
    return policy;
  }
}
