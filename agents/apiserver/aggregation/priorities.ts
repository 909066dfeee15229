/**
 * Which groups and versions come first: what clients take when a name stands in several groups.
 * In: a group and a version. Out: their priorities, an order.
 * Never: looks at an API service. Source: kube-apiserver's app/aggregator.go and
 * controlplane/apiserver/aggregator.go, apiextensions' defaults for custom resources (v1.36).
 */
import { compareVersions } from "../custom/table.ts";

export interface Priority {
  readonly group: number;
  readonly version: number;
}

export interface Prioritized {
  readonly group: string;
  readonly version: string;
  readonly priority: Priority;
}

interface GroupRow {
  readonly group: number;
  readonly versions: Readonly<Record<string, number>>;
}

/** The group of API services itself, which none of them names. */
export const REGISTRATION_GROUP = "apiregistration.k8s.io";

const CUSTOM: Priority = { group: 1000, version: 100 };

const BUILT_IN: Readonly<Record<string, GroupRow>> = {
  [REGISTRATION_GROUP]: { group: 20_001, versions: { v1: 0 } },
  "": { group: 18_000, versions: { v1: 1 } },
  apps: { group: 17_800, versions: { v1: 15 } },
  "events.k8s.io": { group: 17_750, versions: { v1: 15 } },
  "authentication.k8s.io": { group: 17_700, versions: { v1: 15 } },
  "authorization.k8s.io": { group: 17_600, versions: { v1: 15 } },
  autoscaling: { group: 17_500, versions: { v2: 30, v1: 15 } },
  batch: { group: 17_400, versions: { v1: 15 } },
  "certificates.k8s.io": { group: 17_300, versions: { v1: 15, v1beta1: 9, v1alpha1: 1 } },
  "networking.k8s.io": { group: 17_200, versions: { v1: 15, v1beta1: 9 } },
  policy: { group: 17_100, versions: { v1: 15 } },
  "rbac.authorization.k8s.io": { group: 17_000, versions: { v1: 15 } },
  "storage.k8s.io": { group: 16_800, versions: { v1: 15, v1beta1: 9, v1alpha1: 1 } },
  "apiextensions.k8s.io": { group: 16_700, versions: { v1: 15 } },
  "admissionregistration.k8s.io": {
    group: 16_700,
    versions: { v1: 15, v1beta1: 12, v1alpha1: 9 },
  },
  "scheduling.k8s.io": { group: 16_600, versions: { v1: 15, v1alpha2: 2 } },
  "coordination.k8s.io": { group: 16_500, versions: { v1: 15, v1beta1: 13, v1alpha2: 12 } },
  "node.k8s.io": { group: 16_300, versions: { v1: 15 } },
  "discovery.k8s.io": { group: 16_200, versions: { v1: 15 } },
  "resource.k8s.io": { group: 16_200, versions: { v1: 21, v1beta2: 15, v1beta1: 9, v1alpha3: 1 } },
  "flowcontrol.apiserver.k8s.io": { group: 16_100, versions: { v1: 21 } },
  "internal.apiserver.k8s.io": { group: 16_000, versions: { v1alpha1: 9 } },
  "storagemigration.k8s.io": { group: 15_800, versions: { v1beta1: 9 } },
  // As metrics-server registers it.
  "metrics.k8s.io": { group: 100, versions: { v1beta1: 100 } },
};

/** Priorities of what this server serves itself; a definition's are those of any other. */
export function priorityOf(group: string, version: string): Priority {
  const row = BUILT_IN[group];
  if (row === undefined) return CUSTOM;
  return { group: row.group, version: row.versions[version] ?? CUSTOM.version };
}

/**
 * Groups by the highest priority that any of their versions has, then by name; within a group
 * versions by priority, then the newest stable one first.
 * @returns the versions of each group, groups in order
 */
export function sortGroups<T extends Prioritized>(rows: readonly T[]): T[][] {
  const byGroup = Map.groupBy(rows, ({ group }) => group);
  const priorityOfGroup = (versions: readonly T[]) =>
    Math.max(...versions.map(({ priority }) => priority.group));
  const groups = [...byGroup.values()].sort((a, b) =>
    priorityOfGroup(b) - priorityOfGroup(a) || (a[0].group < b[0].group ? -1 : 1)
  );
  for (const versions of groups) {
    versions.sort((a, b) =>
      b.priority.version - a.priority.version || compareVersions(a.version, b.version)
    );
  }
  return groups;
}
