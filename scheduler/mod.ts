/**
 * The only door into the scheduler: rows in, actions out, nothing of Kubernetes' wire forms.
 * In: `NodeRow`, `PodRow`, events, the time. Out: `Action`s.
 * Never: I/O, clocks, randomness of its own.
 */

export { account } from "./explaining/account.ts";
export type { Account, FilterAccount, NodeAccount, ScoreAccount } from "./explaining/account.ts";
export type { Relaxation } from "./explaining/relax.ts";
export { deviceId, NO_CONDITIONS, READY } from "./devices/device_row.ts";
export type {
  AllocatedDevice,
  Allocation,
  Alternative,
  BindingConditions,
  CapacityRow,
  ClaimReadiness,
  ClaimRow,
  ClassRow,
  Consumption,
  CounterAmount,
  DeviceMatcher,
  DeviceRow,
  NodeReach,
  RequestRow,
  SliceRow,
} from "./devices/device_row.ts";
export { DeviceLedger } from "./devices/ledger.ts";
export type { ExtendedClaim, RequestMapping } from "./devices/extended_resources.ts";
export type { ClaimBinding } from "./devices/ledger.ts";
export type { Action, GroupVerdict } from "./action.ts";
export { eventLabel, nodeEvents, podEvents } from "./cluster_event.ts";
export type { ClusterEvent, StorageEvent } from "./cluster_event.ts";
export type { Diagnosis } from "./decide.ts";
export { explain, NO_NODES_MESSAGE, truncateNote } from "./explain.ts";
export type { GroupPolicy } from "./gangs/gangs.ts";
export { TemplateTable } from "./intern.ts";
export { measureNext } from "./measuring/measure.ts";
export type { MeasuredPoint, MeasuredStatus, Stopwatch } from "./measuring/measure.ts";
export { EMPTY_NODE } from "./node_row.ts";
export type { NodeImage, NodeRow, Taint } from "./node_row.ts";
export {
  DEFAULT_CPU_MILLI,
  DEFAULT_MEMORY_BYTES,
  EMPTY_POD,
  EMPTY_SPEC,
  NO_DEVICES,
  NO_SURROUNDINGS,
  NO_VOLUMES,
} from "./pod_row.ts";
export type {
  ContainerDemand,
  DeviceNeeds,
  DriverVolume,
  HostPort,
  InclusionPolicy,
  Labels,
  NamedDisk,
  NodeTerm,
  PodRow,
  PodSpecRow,
  PodTemplate,
  PodTerm,
  Requirement,
  Resources,
  ScalarAmount,
  SelectorOperator,
  SpreadConstraint,
  Surroundings,
  Toleration,
  VolumeNeeds,
  WeightedNodeTerm,
  WeightedPodTerm,
} from "./pod_row.ts";
export type { ResourceWeight, ShapePoint } from "./plugins/allocation.ts";
export type { ScoringStrategy } from "./plugins/node_resources_fit.ts";
export type { DisruptionBudget } from "./preemption/trial.ts";
export { buildProfile, PLUGINS } from "./profile.ts";
export type { PluginArgs, ProfileConfig } from "./profile.ts";
export type { QueueConfig, QueuedPod, QueueSizes } from "./queue.ts";
export { Scheduler } from "./scheduler.ts";
export type { SchedulerConfig, SchedulerWatch } from "./scheduler_config.ts";
export { matchesLabels, matchesNodeTerm } from "./selector.ts";
