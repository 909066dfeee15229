/**
 * The names that expressions of admission may use.
 * In: what an expression is for. Out: the environment that it is compiled in.
 * Never: a value. Source: apiserver's admission/plugin/cel/compile.go, cel/mutation (v1.36).
 */
import {
  AUTHORIZER,
  BOOL,
  type CelType,
  type Declaration,
  DYN,
  type Environment,
  environment,
  global,
  INT,
  listOf,
  mapOf,
  objectOf,
  RESOURCE_CHECK,
  STRING,
  TIMESTAMP,
} from "../../../cel/mod.ts";

const TEXT_MAP = mapOf(STRING, STRING);
const KIND = objectOf("kubernetes.GroupVersionKind", {
  group: STRING,
  version: STRING,
  kind: STRING,
});
const RESOURCE = objectOf("kubernetes.GroupVersionResource", {
  group: STRING,
  version: STRING,
  resource: STRING,
});

const REQUEST = objectOf("kubernetes.AdmissionRequest", {
  kind: KIND,
  resource: RESOURCE,
  subResource: STRING,
  requestKind: KIND,
  requestResource: RESOURCE,
  requestSubResource: STRING,
  name: STRING,
  namespace: STRING,
  operation: STRING,
  userInfo: objectOf("kubernetes.UserInfo", {
    username: STRING,
    uid: STRING,
    groups: listOf(STRING),
    extra: mapOf(STRING, listOf(STRING)),
  }),
  dryRun: BOOL,
  options: DYN,
});

const NAMESPACE = objectOf("kubernetes.Namespace", {
  metadata: objectOf("kubernetes.NamespaceMetadata", {
    name: STRING,
    generateName: STRING,
    namespace: STRING,
    labels: TEXT_MAP,
    annotations: TEXT_MAP,
    UID: STRING,
    creationTimestamp: TIMESTAMP,
    deletionGracePeriodSeconds: INT,
    deletionTimestamp: TIMESTAMP,
    generation: INT,
    resourceVersion: STRING,
    finalizers: listOf(STRING),
  }),
  spec: objectOf("kubernetes.NamespaceSpec", { finalizers: listOf(STRING) }),
  status: objectOf("kubernetes.NamespaceStatus", {
    conditions: listOf(objectOf("kubernetes.NamespaceCondition", {
      status: STRING,
      type: STRING,
      lastTransitionTime: TIMESTAMP,
      message: STRING,
      reason: STRING,
    })),
    phase: STRING,
  }),
});

/** What an expression is for, and by that what it may see. */
export interface Purpose {
  readonly params?: boolean;
  /** Where the types are known: of the object, and of the parameters. */
  readonly types?: { readonly object: CelType; readonly params?: CelType };
  readonly authorizer?: boolean;
  /** Absent for conditions, which come before variables and namespaces. */
  readonly variables?: Readonly<Record<string, CelType>>;
  readonly mutates?: boolean;
}

/** Types that mutations make: `JSONPatch{…}`, `Object{spec: Object.spec{…}}`. */
function madeType(name: string): CelType | undefined {
  if (name === "JSONPatch") {
    return objectOf(name, { op: STRING, path: STRING, from: STRING, value: DYN });
  }
  // What an object may hold is seen when it is applied.
  return /^Object(\.\w+)*$/.test(name) ? { kind: "object", name, field: () => DYN } : undefined;
}

const PATCH_FUNCTIONS: readonly Declaration[] = [
  global(
    "jsonpatch.escapeKey",
    [STRING],
    STRING,
    (key: string) => key.replaceAll("~", "~0").replaceAll("/", "~1"),
  ),
];

export function namesFor(purpose: Purpose): Environment {
  const { params, authorizer, variables, mutates, types } = purpose;
  const object = types?.object ?? DYN;
  const names: Record<string, CelType> = { object, oldObject: object, request: REQUEST };
  if (params) names.params = types?.params ?? DYN;
  if (authorizer) {
    names.authorizer = AUTHORIZER;
    names["authorizer.requestResource"] = RESOURCE_CHECK;
  }
  if (variables !== undefined) {
    names.namespaceObject = NAMESPACE;
    names.variables = objectOf("kubernetes.variables", variables);
  }
  return environment(names, mutates ? { functions: PATCH_FUNCTIONS, structs: madeType } : {});
}
