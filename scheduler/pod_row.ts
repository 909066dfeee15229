/**
 * A pod as the scheduler sees it: only what can change a decision, in plain numbers and strings.
 * In: nothing. Out: types, plus the two constants that fill in missing requests.
 * Never: knows of JSON, quantities or API versions; `agents/kube_scheduler/encode.ts` translates.
 * Source: Kubernetes v1.36 core/v1 PodSpec, field by field.
 */

/** Milli-CPU counted, for scoring only, for a container that requests none. */
export const DEFAULT_CPU_MILLI = 100;
/** Bytes counted, for scoring only, for a container that requests no memory. */
export const DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024;

export type Labels = Readonly<Record<string, string>>;

/** One extended resource, huge page size or attachable volume count. */
export interface ScalarAmount {
  readonly name: string;
  readonly amount: number;
}

/** Amounts that a pod asks for or a node offers. */
export interface Resources {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly ephemeralBytes: number;
  readonly scalars: readonly ScalarAmount[];
}

export type SelectorOperator = "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt";

export interface Requirement {
  readonly key: string;
  readonly operator: SelectorOperator;
  readonly values: readonly string[];
}

/** All expressions and all fields must hold; a term with neither matches nothing. */
export interface NodeTerm {
  readonly expressions: readonly Requirement[];
  readonly fields: readonly Requirement[];
}

export interface WeightedNodeTerm {
  readonly weight: number;
  readonly term: NodeTerm;
}

export interface Toleration {
  readonly key: string;
  readonly operator: string;
  readonly value: string;
  readonly effect: string;
}

export interface HostPort {
  /** "0.0.0.0" when the pod names none. */
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

/** A (anti-)affinity term: which pods, counted over which topology. `selector` null = no pod. */
export interface PodTerm {
  readonly topologyKey: string;
  readonly namespaces: readonly string[];
  /** null = none; empty = every namespace. */
  readonly namespaceSelector: readonly Requirement[] | null;
  readonly selector: readonly Requirement[] | null;
}

export interface WeightedPodTerm {
  readonly weight: number;
  readonly term: PodTerm;
}

export type InclusionPolicy = "Honor" | "Ignore";

export interface SpreadConstraint {
  readonly maxSkew: number;
  readonly topologyKey: string;
  readonly whenUnsatisfiable: "DoNotSchedule" | "ScheduleAnyway";
  /** null = no pod. Requirements of matchLabelKeys are already merged in. */
  readonly selector: readonly Requirement[] | null;
  readonly minDomains: number;
  readonly nodeAffinityPolicy: InclusionPolicy;
  readonly nodeTaintsPolicy: InclusionPolicy;
}

/** A disk that a pod names itself: pods on one node share a name only if all just read it. */
export interface NamedDisk {
  readonly name: string;
  readonly isReadOnly: boolean;
}

/** A volume of a CSI driver, by the name that the driver has for it. */
export interface DriverVolume {
  readonly driver: string;
  readonly handle: string;
}

/** What the volumes of a pod demand of its node, resolved by the encoder against PVs and PVCs. */
export interface VolumeNeeds {
  /** Claims with ReadWriteOncePod, "namespace/name". */
  readonly exclusiveClaims: readonly string[];
  /** Disks named without a claim; one that goes by several names is there under each. */
  readonly disks: readonly NamedDisk[];
  /** Required node terms of each bound volume; a node must match every one. */
  readonly boundTerms: readonly (readonly NodeTerm[])[];
  /** For each claim that waits for a first consumer: terms of each volume it could take. */
  readonly waitingTerms: readonly (readonly (readonly NodeTerm[])[])[];
  /** For each of them: where a volume could be made, were there room; null = room is no matter. */
  readonly roomTerms: readonly (readonly NodeTerm[] | null)[];
  /** Zone and region labels of bound volumes: key -> allowed values. */
  readonly zones: readonly { readonly key: string; readonly values: readonly string[] }[];
  /** Volumes attached through a CSI driver, for the driver's per-node limit. */
  readonly attachments: readonly DriverVolume[];
  /** A reason that holds on every node (claim missing, unbound immediate claim), "" when none. */
  readonly rejection: string;
}

export const NO_VOLUMES: VolumeNeeds = {
  exclusiveClaims: [],
  disks: [],
  boundTerms: [],
  waitingTerms: [],
  roomTerms: [],
  zones: [],
  attachments: [],
  rejection: "",
};

/** The claims to devices that a pod names, resolved by the encoder. */
export interface DeviceNeeds {
  /** "namespace/name" of each claim, in the pod's order. */
  readonly claims: readonly string[];
  /** Why the pod has to wait for its claims, "" when it does not. */
  readonly rejection: string;
  /** Init containers, then containers; empty when none asks for an extended resource. */
  readonly containers: readonly ContainerDemand[];
}

/** What a container asks for of extended resources, which devices may stand for. */
export interface ContainerDemand {
  readonly name: string;
  /** Its place among init containers and containers. */
  readonly index: number;
  /** Whether it ends before others start. */
  readonly isShortLived: boolean;
  readonly extended: readonly ExtendedDemand[];
}

export interface ExtendedDemand {
  readonly resource: string;
  readonly count: number;
  /** Place of the resource among all that the container requests, by name. */
  readonly index: number;
}

export const NO_DEVICES: DeviceNeeds = { claims: [], rejection: "", containers: [] };

/** Everything that pods of one template share; interned, so equal specs are one object. */
export interface PodSpecRow {
  readonly namespace: string;
  readonly labels: Labels;
  readonly priority: number;
  readonly mayPreempt: boolean;
  readonly requests: Resources;
  /** Requests with the two defaults above filled in container by container. */
  readonly nonzeroCpuMilli: number;
  readonly nonzeroMemoryBytes: number;
  /** Node demanded by name, "" when free. */
  readonly requiredNode: string;
  readonly nodeSelector: Labels | null;
  readonly requiredNodeTerms: readonly NodeTerm[] | null;
  readonly preferredNodeTerms: readonly WeightedNodeTerm[];
  readonly tolerations: readonly Toleration[];
  readonly hostPorts: readonly HostPort[];
  /** Normalised image of each init container and container, then of each image volume. */
  readonly images: readonly string[];
  /** Init containers plus containers. */
  readonly containerCount: number;
  readonly spread: readonly SpreadConstraint[];
  /** Selector of the services and controllers of the pod; empty = the pod has none. */
  readonly defaultSpreadSelector: readonly Requirement[];
  readonly requiredAffinity: readonly PodTerm[];
  readonly requiredAntiAffinity: readonly PodTerm[];
  readonly preferredAffinity: readonly WeightedPodTerm[];
  readonly preferredAntiAffinity: readonly WeightedPodTerm[];
  readonly schedulingGates: readonly string[];
  readonly volumes: VolumeNeeds;
  readonly devices: DeviceNeeds;
  /** What the kubelet must be able to do beyond what all can. */
  readonly requiredFeatures: readonly string[];
}

/** What of a pod's spec comes from other objects: services, controllers, volumes, claims. */
export type Surroundings = Pick<PodSpecRow, "defaultSpreadSelector" | "volumes" | "devices">;

export const NO_SURROUNDINGS: Surroundings = {
  defaultSpreadSelector: [],
  volumes: NO_VOLUMES,
  devices: NO_DEVICES,
};

/** One interned spec. Its identity may be used as a key; equal specs usually share one. */
export interface PodTemplate {
  readonly id: number;
  readonly spec: PodSpecRow;
  /** The same spec without surroundings; null where it has none. */
  readonly plain: PodTemplate | null;
}

/** One pod. */
export interface PodRow {
  readonly uid: string;
  readonly name: string;
  readonly template: PodTemplate;
  /** True once its deletion is requested. */
  readonly terminating: boolean;
  /** True while it is being deleted to make room for a more important pod. Absent = false. */
  readonly evicted?: boolean;
  /** Node that a preemption cleared for it, "" when none. */
  readonly nominatedNode: string;
  /** When it started to run, milliseconds; 0 = unknown. */
  readonly startMs: number;
  /** "namespace/name" of its pod group, "" when it has none. */
  readonly group: string;
}

/** A pod that waits for nothing in particular, to be spread into others. */
export const EMPTY_POD: Omit<PodRow, "uid" | "name" | "template"> = {
  terminating: false,
  nominatedNode: "",
  startMs: 0,
  group: "",
};

/** A spec that asks for nothing, to be spread into others. */
export const EMPTY_SPEC: PodSpecRow = {
  namespace: "default",
  labels: {},
  priority: 0,
  mayPreempt: true,
  requests: { cpuMilli: 0, memoryBytes: 0, ephemeralBytes: 0, scalars: [] },
  nonzeroCpuMilli: DEFAULT_CPU_MILLI,
  nonzeroMemoryBytes: DEFAULT_MEMORY_BYTES,
  requiredNode: "",
  nodeSelector: null,
  requiredNodeTerms: null,
  preferredNodeTerms: [],
  tolerations: [],
  hostPorts: [],
  images: [],
  containerCount: 1,
  spread: [],
  requiredAffinity: [],
  requiredAntiAffinity: [],
  preferredAffinity: [],
  preferredAntiAffinity: [],
  schedulingGates: [],
  requiredFeatures: [],
  ...NO_SURROUNDINGS,
};
