/**
 * The authorizer of a cluster: masters, then nodes, then roles.
 * In: the caches. Out: an Authorizer that also knows who may grant what.
 * Never: waits; a decision is made on the caches as they are.
 * Source: the order of `--authorization-mode=Node,RBAC` (v1.36).
 */
import type { KubeObject, UserInfo } from "../../../api/meta.ts";
import {
  clusterRoleBindings,
  clusterRoles,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  resourceSlices,
  roleBindings,
  roles,
  volumeAttachments,
} from "../../../api/resources.ts";
import type { Resource } from "../../../api/resource.ts";
import type { PolicyRule } from "../../../api/schema/generated/rbac_v1.ts";
import type { Feed } from "../../cache/feed.ts";
import { cachedObject, prefixOf } from "../../verbs/core.ts";
import {
  type AccessAttributes,
  type Authorizer,
  type Decision,
  MASTERS_GROUP,
} from "../authorize.ts";
import { authorizeNode, nodeOf } from "../node_authorizer.ts";
import type { NodeSource, RelatedKind } from "../node_relations.ts";
import { BindingIndex } from "./binding_index.ts";
import { parseRoles } from "./parse_policy.ts";
import { CLUSTER_ROLES } from "./policy/cluster_roles.ts";
import { RoleAuthorizer } from "./role_authorizer.ts";

/** An Authorizer that can say why somebody may not hand out rights. */
export interface PolicyAuthorizer extends Authorizer {
  readonly roles: RoleAuthorizer;
  /** The rights of nodes alone. */
  readonly nodes: (asked: AccessAttributes) => Decision;
}

const EVERYTHING: PolicyRule = { verbs: ["*"], apiGroups: ["*"], resources: ["*"] };
const EVERY_PATH: PolicyRule = { verbs: ["*"], nonResourceURLs: ["*"] };
const ALLOWED: Decision = { allowed: true };
const NO_OPINION: Decision = { allowed: false };

const RELATED: Readonly<Record<RelatedKind, Resource>> = {
  PersistentVolume: persistentVolumes,
  PersistentVolumeClaim: persistentVolumeClaims,
  ResourceSlice: resourceSlices,
  VolumeAttachment: volumeAttachments,
};

export function createPolicyAuthorizer(feed: Feed): PolicyAuthorizer {
  const bindings = new BindingIndex(feed.cache(prefixOf(clusterRoleBindings)));
  const roleAuthorizer = new RoleAuthorizer({
    clusterRole: (name) => cachedObject(feed, clusterRoles, { namespace: "", name }),
    role: (namespace, name) => cachedObject(feed, roles, { namespace, name }),
    clusterRoleBindings: (user) => bindings.reaching(user),
    roleBindings: (namespace) => all(feed, roleBindings, namespace),
  });
  const nodeRules = parseRoles(CLUSTER_ROLES)
    .find((role) => role.metadata.name === "system:node")!.rules!;
  const source: NodeSource = {
    podsOf(nodeName) {
      const selection = { keyPrefix: prefixOf(pods), indexValue: nodeName };
      return feed.cache(prefixOf(pods)).select(selection).map((stored) => stored.object);
    },
    find: (kind, namespace, name) => cachedObject(feed, RELATED[kind], { namespace, name }),
  };
  const nodes = (asked: AccessAttributes): Decision =>
    nodeOf(asked.user) === null ? NO_OPINION : authorizeNode(asked, { source, nodeRules });
  const authorize = (asked: AccessAttributes): Decision => {
    if (isMaster(asked.user)) return ALLOWED;
    const byRole = roleAuthorizer.authorize(asked);
    return byRole.allowed || nodeOf(asked.user) === null ? byRole : nodes(asked);
  };
  return {
    roles: roleAuthorizer,
    nodes,
    authorize,
    decide: authorize,
    rulesFor(user: UserInfo, namespace: string) {
      const rules = isMaster(user)
        ? [EVERYTHING, EVERY_PATH]
        : roleAuthorizer.rulesOf(user, namespace);
      return {
        resourceRules: rules.filter((rule) => rule.resources !== undefined),
        nonResourceRules: rules.filter((rule) => rule.nonResourceURLs !== undefined),
        // What the node authorizer would allow can't be listed.
        incomplete: nodeOf(user) !== null,
      };
    },
  };
}

export function isMaster(user: UserInfo): boolean {
  return user.groups.includes(MASTERS_GROUP);
}

function* all(feed: Feed, resource: Resource, namespace: string): Generator<KubeObject> {
  const prefix = prefixOf(resource);
  const keyPrefix = namespace === "" ? prefix : `${prefix}${namespace}/`;
  yield* feed.cache(prefix).readable({ keyPrefix });
}
