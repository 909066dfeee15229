/**
 * The flow schemas and priority levels that every cluster has, and their making.
 * In: a Core whose caches are loaded. Out: the objects, created, or brought up to date.
 * Never: touches an object whose `apf.kubernetes.io/autoupdate-spec` annotation is "false".
 * Source: apiserver's apis/flowcontrol/bootstrap/default.go (v1.36).
 */
import { equalJson } from "../../api/patch/json_patch.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import { flowSchemas, priorityLevelConfigurations } from "../../api/resources.ts";
import type { FlowSchemaSpec, Subject } from "../../api/schema/generated/flowcontrol_v1.ts";
import { ApiError } from "../../api/status.ts";
import { APISERVER, AUTHENTICATED_GROUP, UNAUTHENTICATED_GROUP } from "../auth/authorize.ts";
import { copyJson } from "../registry.ts";
import { apiVersionOf, cacheOf, type Core, keyOf } from "../verbs/core.ts";
import { createObject } from "../verbs/create.ts";
import { updateObject } from "../verbs/update.ts";

const AUTO_UPDATE = "apf.kubernetes.io/autoupdate-spec";
/** Objects without which requests would have no place; kept whatever their annotation says. */
const MANDATORY: ReadonlySet<string> = new Set(["exempt", "catch-all"]);

const queuing = (queues: number, handSize: number) => ({
  type: "Queue",
  queuing: { queues, handSize, queueLengthLimit: 50 },
});

/** Shares, percent lendable, how one waits. */
const LIMITED_LEVELS: readonly (readonly [string, number, number, Record<string, unknown>])[] = [
  ["catch-all", 5, 0, { type: "Reject" }],
  ["system", 30, 33, queuing(64, 6)],
  ["node-high", 40, 25, queuing(64, 6)],
  ["leader-election", 10, 0, queuing(16, 4)],
  ["workload-high", 40, 50, queuing(128, 6)],
  ["workload-low", 100, 90, queuing(128, 6)],
  ["global-default", 20, 50, queuing(128, 6)],
];

/** The default priority levels. */
export function defaultLevels(): KubeObject[] {
  const exempt = { nominalConcurrencyShares: 0, lendablePercent: 0 };
  const limited = LIMITED_LEVELS.map(([name, shares, lendablePercent, limitResponse]) => {
    const spec = { nominalConcurrencyShares: shares, lendablePercent, limitResponse };
    return object(priorityLevelConfigurations, name, { type: "Limited", limited: spec });
  });
  return [object(priorityLevelConfigurations, "exempt", { type: "Exempt", exempt }), ...limited];
}

const group = (name: string): Subject => ({ kind: "Group", group: { name } });
const user = (name: string): Subject => ({ kind: "User", user: { name } });
const SYSTEM_ACCOUNTS: Subject = {
  kind: "ServiceAccount",
  serviceAccount: { namespace: "kube-system", name: "*" },
};
const EVERYBODY = [group(UNAUTHENTICATED_GROUP), group(AUTHENTICATED_GROUP)];
const MANAGER = user("system:kube-controller-manager");
const SCHEDULER = user("system:kube-scheduler");
const NODES = [group("system:nodes")];

const EVERYTHING = {
  resourceRules: [{
    verbs: ["*"],
    apiGroups: ["*"],
    resources: ["*"],
    clusterScope: true,
    namespaces: ["*"],
  }],
  nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
};
const leases = (verbs: string[]) => ({
  verbs,
  apiGroups: ["coordination.k8s.io"],
  resources: ["leases"],
  namespaces: ["*"],
});
const PROBES = { verbs: ["get"], nonResourceURLs: ["/healthz", "/readyz", "/livez"] };
const NODE_STATUS = {
  verbs: ["*"],
  apiGroups: [""],
  resources: ["nodes", "nodes/status"],
  clusterScope: true,
  namespaces: ["*"],
};

type Rules = Omit<NonNullable<FlowSchemaSpec["rules"]>[number], "subjects">;
type Row = readonly [
  name: string,
  level: string,
  precedence: number,
  distinguisher: "" | "ByUser" | "ByNamespace",
  subjects: Subject[],
  rules: Rules,
];

const SCHEMAS: readonly Row[] = [
  ["exempt", "exempt", 1, "", [group("system:masters")], EVERYTHING],
  ["probes", "exempt", 2, "", EVERYBODY, { nonResourceRules: [PROBES] }],
  [
    "system-leader-election",
    "leader-election",
    100,
    "ByUser",
    [MANAGER, SCHEDULER, SYSTEM_ACCOUNTS],
    { resourceRules: [leases(["get", "create", "update"])] },
  ],
  ["system-node-high", "node-high", 400, "ByUser", NODES, {
    resourceRules: [NODE_STATUS, leases(["*"])],
  }],
  ["system-nodes", "system", 500, "ByUser", NODES, EVERYTHING],
  ["kube-controller-manager", "workload-high", 800, "ByNamespace", [MANAGER], EVERYTHING],
  ["kube-scheduler", "workload-high", 800, "ByNamespace", [SCHEDULER], EVERYTHING],
  [
    "kube-system-service-accounts",
    "workload-high",
    900,
    "ByNamespace",
    [SYSTEM_ACCOUNTS],
    EVERYTHING,
  ],
  [
    "service-accounts",
    "workload-low",
    9000,
    "ByUser",
    [group("system:serviceaccounts")],
    EVERYTHING,
  ],
  ["global-default", "global-default", 9900, "ByUser", EVERYBODY, EVERYTHING],
  ["catch-all", "catch-all", 10_000, "ByUser", EVERYBODY, EVERYTHING],
];

/** The default flow schemas. */
export function defaultSchemas(): KubeObject[] {
  return SCHEMAS.map(([name, level, matchingPrecedence, distinguisher, subjects, rules]) =>
    object(flowSchemas, name, {
      priorityLevelConfiguration: { name: level },
      matchingPrecedence,
      ...(distinguisher === "" ? {} : { distinguisherMethod: { type: distinguisher } }),
      rules: [{ subjects, ...rules }],
    })
  );
}

function object(resource: Resource, name: string, spec: Record<string, unknown>): KubeObject {
  const metadata = { name, annotations: { [AUTO_UPDATE]: "true" } };
  return { kind: resource.kind, apiVersion: apiVersionOf(resource), metadata, spec };
}

/** Errors: rejects with ApiError when the store can't write. */
export async function bootstrapFlow(core: Core): Promise<void> {
  await Promise.all([
    ...defaultLevels().map((level) => ensure(core, priorityLevelConfigurations, level)),
    ...defaultSchemas().map((schema) => ensure(core, flowSchemas, schema)),
  ]);
}

async function ensure(core: Core, resource: Resource, wanted: KubeObject): Promise<void> {
  const name = wanted.metadata.name!;
  const target = { resource, subresource: "", namespace: "", user: APISERVER };
  const found = cacheOf(core, resource).get(keyOf({ resource, namespace: "", name }))?.object;
  try {
    if (found === undefined) {
      await createObject(core, { ...target, name: "" }, copyJson(wanted), {});
      return;
    }
    const isKept = found.metadata.annotations?.[AUTO_UPDATE] === "true" || MANDATORY.has(name);
    if (!isKept || equalJson(found.spec, wanted.spec)) return;
    const draft = { ...copyJson(found), spec: copyJson(wanted.spec) };
    await updateObject(core, { ...target, name }, draft, {});
  } catch (error) {
    // Another server of the same store was faster.
    const isRace = error instanceof ApiError &&
      (error.reason === "AlreadyExists" || error.reason === "Conflict");
    if (!isRace) throw error;
  }
}
