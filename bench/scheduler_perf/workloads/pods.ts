/**
 * Pods, volumes, namespaces and services that the workloads are made of.
 * In: nothing. Out: templates, as data. Never: anything that differs from pod to pod.
 * Source: the templates of kube-scheduler's scheduler_perf (v1.36).
 */
import type { Template } from "../workload.ts";

const IMAGE = "registry.k8s.io/pause:3.10.2";
const SMALL = { cpu: "100m", memory: "500Mi" } as const;
const HOSTNAME = "kubernetes.io/hostname";
const ZONE = "topology.kubernetes.io/zone";

/** A container that asks for what it may use at most. */
function container(amounts: Readonly<Record<string, string>>) {
  return {
    name: "pause",
    image: IMAGE,
    ports: [{ containerPort: 80 }],
    resources: { limits: amounts, requests: amounts },
  };
}

const bare = { name: "pause", image: IMAGE } as const;

function pod(
  generateName: string,
  spec: Record<string, unknown>,
  labels?: Readonly<Record<string, string>>,
): Template {
  const metadata = labels === undefined ? { generateName } : { generateName, labels };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata,
    spec: { containers: [container(SMALL)], ...spec },
  };
}

const color = (value: string) => ({ color: value });
const selects = (value: string) => ({ matchLabels: color(value) });
const IN_BOTH = { namespaces: ["sched-1", "sched-0"] } as const;
const IN_TEAM = { namespaceSelector: { matchLabels: { team: "devops" } } } as const;

interface Term {
  readonly color: string;
  readonly topologyKey: string;
  readonly where: object;
}

function term({ color, topologyKey, where }: Term) {
  return { labelSelector: selects(color), topologyKey, ...where };
}

function required(kind: "podAffinity" | "podAntiAffinity", of: Term) {
  return { affinity: { [kind]: { requiredDuringSchedulingIgnoredDuringExecution: [term(of)] } } };
}

function preferred(kind: "podAffinity" | "podAntiAffinity", of: Term) {
  const terms = [{ weight: 1, podAffinityTerm: term(of) }];
  return { affinity: { [kind]: { preferredDuringSchedulingIgnoredDuringExecution: terms } } };
}

function spread(whenUnsatisfiable: "DoNotSchedule" | "ScheduleAnyway") {
  const labelSelector = selects("blue");
  const constraint = { maxSkew: 5, topologyKey: ZONE, whenUnsatisfiable, labelSelector };
  return { topologySpreadConstraints: [constraint] };
}

function onNodes(term: object) {
  const nodeSelectorTerms = [term];
  return {
    affinity: {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
    },
  };
}

const zones = { key: ZONE, operator: "In", values: ["zone1", "zone2"] };
const oneNode = { key: "metadata.name", operator: "In", values: ["scheduler-perf-node"] };
const blueZone: Term = { color: "blue", topologyKey: ZONE, where: IN_BOTH };
const greenHost: Term = { color: "green", topologyKey: HOSTNAME, where: IN_BOTH };
const redHost: Term = { color: "red", topologyKey: HOSTNAME, where: IN_BOTH };
const yellowHost: Term = { color: "yellow", topologyKey: HOSTNAME, where: IN_BOTH };

export const podDefault = pod("pod-", {});
export const podNodeAffinity = pod("node-affinity-", onNodes({ matchExpressions: [zones] }));
export const podDaemonSet = pod("daemonset-", {
  ...onNodes({ matchFields: [oneNode] }),
  containers: [bare],
});
export const podAffinity = pod(
  "affinity-pod-",
  required("podAffinity", blueZone),
  color("blue"),
);
export const podAntiAffinity = pod(
  "anti-affinity-pod-",
  required("podAntiAffinity", greenHost),
  color("green"),
);
export const podMatchingAntiAffinity = pod("anti-affinity-matching-pod-", {}, color("green"));
export const podPreferredAffinity = pod(
  "preferred-affinity-pod-",
  preferred("podAffinity", redHost),
  color("red"),
);
export const podPreferredAntiAffinity = pod(
  "preferred-anti-affinity-pod-",
  preferred("podAntiAffinity", yellowHost),
  color("yellow"),
);
export const podAffinityByNamespace = pod(
  "affinity-pod-",
  required("podAffinity", { ...blueZone, where: IN_TEAM }),
  color("blue"),
);
export const podAntiAffinityByNamespace = pod(
  "anti-affinity-pod-",
  required("podAntiAffinity", { ...greenHost, where: IN_TEAM }),
  color("green"),
);
export const podPreferredAffinityByNamespace = pod(
  "preferred-affinity-pod-",
  preferred("podAffinity", { ...redHost, where: IN_TEAM }),
  color("red"),
);
export const podPreferredAntiAffinityByNamespace = pod(
  "anti-affinity-pod-",
  preferred("podAntiAffinity", { ...greenHost, where: IN_TEAM }),
  color("green"),
);
export const podSpread = pod("spreading-pod-", spread("DoNotSchedule"), color("blue"));
export const podPreferredSpread = pod("spreading-pod-", spread("ScheduleAnyway"), color("blue"));
export const podNodeInclusion = pod("spreading-pod-with-node-inclusion-policy-", {
  topologySpreadConstraints: [{
    maxSkew: 1,
    topologyKey: HOSTNAME,
    whenUnsatisfiable: "DoNotSchedule",
    nodeAffinityPolicy: "Honor",
    nodeTaintsPolicy: "Honor",
    labelSelector: { matchLabels: { foo: "bar" } },
  }],
}, { foo: "bar" });
export const podSecretVolume = pod("secret-volume-", {
  volumes: [{ name: "secret", secret: { secretName: "secret" } }],
});
export const podLowPriority = pod("pod-", {
  terminationGracePeriodSeconds: 0,
  containers: [container({ cpu: "900m", memory: "500Mi" })],
});
export const podHighPriority = pod("pod-high-priority-", {
  priority: 10,
  containers: [container({ cpu: "3000m", memory: "500Mi" })],
});
export const podHighPriorityLarge = pod("pod-h-", {
  priority: 10,
  containers: [{
    ...bare,
    ports: [{ containerPort: 80 }],
    resources: { requests: { cpu: "9", memory: "500Mi" } },
  }],
});
export const podLabelled = pod("pod-", { containers: [bare] }, { app: "scheduler-perf" });
export const podLight = pod("light-pod-", {
  containers: [bare],
  terminationGracePeriodSeconds: 0,
});
export const podGated = pod("gated-pod-", {
  schedulingGates: [{ name: "test.k8s.io/hold" }],
  containers: [bare],
});
export const podGatedAffinity = pod("pod-", {
  affinity: {
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [{
        labelSelector: { matchLabels: { app: "scheduler-perf" } },
        topologyKey: HOSTNAME,
      }],
    },
  },
  schedulingGates: [{ name: "scheduling-gate-1" }],
  containers: [bare],
}, { app: "scheduler-perf" });
const finalized = pod("pod-", { containers: [bare] });
export const podFinalizer: Template = {
  ...finalized,
  metadata: { ...finalized.metadata, finalizers: ["test.k8s.io/finalizer"] },
};
const BOUND = { annotations: { "pv.kubernetes.io/bind-completed": "true" } } as const;

export const claim: Template = {
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: BOUND,
  spec: { accessModes: ["ReadOnlyMany"], resources: { requests: { storage: "1Gi" } } },
};

function volume(source: object): Template {
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: {},
    spec: {
      accessModes: ["ReadOnlyMany"],
      capacity: { storage: "1Gi" },
      persistentVolumeReclaimPolicy: "Retain",
      ...source,
    },
  };
}

export const volumeInTree = volume({ awsElasticBlockStore: { volumeID: "vol-1" } });
export const volumeCsi = volume({ csi: { driver: "ebs.csi.aws.com" } });

export const namespaceOfTeam: Template = {
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { labels: { team: "devops" } },
};

export const serviceDefault: Template = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { generateName: "service-" },
  spec: {
    selector: { app: "scheduler-perf" },
    ports: [{ protocol: "TCP", port: 80, targetPort: 8000 }],
  },
};
export const serviceChurn: Template = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { generateName: "service-churn-" },
  spec: { selector: { app: "foo" }, ports: [{ protocol: "TCP", port: 8080, targetPort: 8080 }] },
};
