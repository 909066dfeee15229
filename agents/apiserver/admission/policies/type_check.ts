/**
 * Tells the authors of validating policies where their expressions do not fit what they match.
 * In: policies as they change. Out: warnings in their status.
 * Never: changes what a policy does: at work its expressions take objects as they come.
 * Source: apiserver's policy/validating/typechecking.go, the controller
 * validatingadmissionpolicystatus (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import type { Resource } from "../../../api/resource.ts";
import { findResource, validatingAdmissionPolicies } from "../../../api/resources.ts";
import type { RuleWithOperations } from "../../../api/schema/generated/admissionregistration_v1.ts";
import { ApiError } from "../../../api/status.ts";
import { type CelType, DYN } from "../../../cel/mod.ts";
import type { StoredObject } from "../../cache/stored_object.ts";
import { follow } from "../../follow.ts";
import { commitPut } from "../../verbs/commit.ts";
import { cacheOf, type Core, prefixOf } from "../../verbs/core.ts";
import { compileExpression, compileProblem } from "../expressions/expression.ts";
import { namesFor, type Purpose } from "../expressions/names.ts";
import { typeOfResource } from "../expressions/resource_types.ts";
import { paramResource } from "./params.ts";

interface Warning {
  readonly fieldRef: string;
  readonly warning: string;
}

/** Types that one policy is checked against. */
const MAX_TYPES = 10;

/** Looks at every policy that is new or changed, from now on; ends when the caches close. */
export function followPolicies(core: Core): void {
  const cache = cacheOf(core, validatingAdmissionPolicies);
  const selection = { keyPrefix: prefixOf(validatingAdmissionPolicies) };
  follow(core, { resource: validatingAdmissionPolicies }, async () => {
    for (const stored of cache.select(selection)) await settle(core, stored);
  });
}

async function settle(core: Core, stored: StoredObject): Promise<void> {
  const { object, key, revision } = stored;
  const { generation = 1 } = object.metadata;
  if (object.status?.observedGeneration === generation) return;
  const warnings = typeWarnings(core, object);
  const draft: KubeObject = {
    ...object,
    metadata: { ...object.metadata },
    status: {
      ...object.status,
      observedGeneration: generation,
      typeChecking: warnings.length === 0 ? {} : { expressionWarnings: warnings },
    },
  };
  const resource = validatingAdmissionPolicies;
  try {
    await commitPut(core, { resource, key, draft, expectedRevision: revision });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    core.log("debug", "a policy's status was not written", { error: error.message });
  }
}

/** @returns one warning for each expression that does not fit a matched type */
export function typeWarnings(core: Core, { spec = {} }: KubeObject): readonly Warning[] {
  const matched = matchedTypes(core, spec.matchConstraints?.resourceRules ?? []);
  const paramRow = spec.paramKind === undefined ? undefined : paramResource(core, spec.paramKind);
  const paramType = paramRow === undefined ? null : typeOfResource(paramRow);
  const purposes = matched.map(({ resource, type }) => ({
    resource,
    purpose: withVariables(spec, {
      authorizer: true,
      params: spec.paramKind !== undefined,
      types: { object: type, ...(paramType === null ? {} : { params: paramType }) },
    }),
  }));
  const check = (fieldRef: string, source: string | undefined): readonly Warning[] => {
    if (!source) return [];
    const lines = purposes.flatMap(({ resource, purpose }) => {
      const problem = compileProblem(compileExpression(source, namesFor(purpose), []));
      if (problem === null) return [];
      const { group, version, kind } = resource;
      return [`${group}/${version}, Kind=${kind}: ${problem}\n`];
    });
    return lines.length === 0 ? [] : [{ fieldRef, warning: lines.join("\n") }];
  };
  return (spec.validations ?? []).flatMap((item: KubeObject, at: number) => [
    ...check(`spec.validations[${at}].expression`, item.expression),
    ...check(`spec.validations[${at}].messageExpression`, item.messageExpression),
  ]);
}

function withVariables(spec: KubeObject["spec"], purpose: Purpose): Purpose {
  const variables: Record<string, CelType> = {};
  for (const { name, expression } of spec.variables ?? []) {
    const names = namesFor({ ...purpose, variables: { ...variables } });
    const { compiled } = compileExpression(expression, names, []);
    variables[name] = compiled.kind === "compiled" ? compiled.program.type : DYN;
  }
  return { ...purpose, variables };
}

/** What rules without stars name, in order of group, version and kind. */
function matchedTypes(
  core: Core,
  rules: readonly RuleWithOperations[],
): readonly { readonly resource: Resource; readonly type: CelType }[] {
  const found = new Set<Resource>();
  for (const { apiGroups = [], apiVersions = [], resources = [] } of rules) {
    const isOpen = [apiGroups, apiVersions, resources].some((list) => list.includes("*"));
    if (isOpen) continue;
    for (const group of apiGroups) {
      for (const version of apiVersions) {
        for (const plural of resources) {
          const resource = findResource(group, version, plural) ??
            core.custom.find(group, version, plural);
          if (resource !== undefined) found.add(resource);
        }
      }
    }
  }
  const order = ({ group, version, kind }: Resource) => `${group}/${version}/${kind}`;
  return [...found].sort((a, b) => order(a) < order(b) ? -1 : 1).slice(0, MAX_TYPES)
    .flatMap((resource) => {
      const type = typeOfResource(resource);
      return type === null ? [] : [{ resource, type }];
    });
}
