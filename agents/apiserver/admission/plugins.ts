/**
 * The admission plugins in the order they run, and which of them run unasked.
 * In: names to switch on and off. Out: the chain of a server.
 * Never: a plugin's code; adding one is its file and a row here.
 * Source: pkg/kubeapiserver/options/plugins.go for order and defaults (v1.36).
 */
import { type AdmissionChain, type AdmissionPlugin, chainOf } from "./admission.ts";
import { certificateApproval } from "./certificates/approval.ts";
import { certificateSigning } from "./certificates/signing.ts";
import { certificateSubjectRestriction } from "./certificates/subject_restriction.ts";
import { defaultIngressClass } from "./default_ingress_class.ts";
import { defaultTolerationSeconds } from "./default_toleration_seconds.ts";
import { limitRanger } from "./limit_ranger.ts";
import { namespaceLifecycle } from "./namespace_lifecycle.ts";
import { nodeRestriction } from "./node_restriction.ts";
import { podResizeValidator } from "./nodes/pod_resize.ts";
import { runtimeClass } from "./nodes/runtime_class.ts";
import { taintNodesByCondition } from "./nodes/taint_nodes.ts";
import { podTopologyLabels } from "./nodes/topology_labels.ts";
import { podGroupWorkloadExists } from "./nodes/pod_group_workload.ts";
import { DEFAULT_POD_SECURITY, type PodSecurityConfig } from "./pod_security/namespace_policy.ts";
import { podSecurity } from "./pod_security/pod_security.ts";
import { alwaysAdmit, alwaysDeny } from "./optional/always.ts";
import { alwaysPullImages } from "./optional/always_pull_images.ts";
import { denyServiceExternalIps } from "./optional/deny_external_ips.ts";
import { eventRateLimit } from "./optional/event_rate_limit.ts";
import { extendedResourceToleration } from "./optional/extended_resource_toleration.ts";
import { hostnameAntiAffinity } from "./optional/hostname_anti_affinity.ts";
import { imagePolicyWebhook } from "./optional/image_policy.ts";
import { namespaceAutoProvision, namespaceExists } from "./optional/namespace_existence.ts";
import { ownerReferences } from "./optional/owner_references.ts";
import { podNodeSelector } from "./optional/pod_node_selector.ts";
import { podTolerationRestriction } from "./optional/pod_toleration_restriction.ts";
import { mutatingPolicies } from "./policies/mutating.ts";
import { validatingPolicies } from "./policies/validating.ts";
import { priority } from "./priority.ts";
import { resourceQuota } from "./quota/resource_quota.ts";
import { serviceAccount } from "./service_account.ts";
import { type AdmissionSettings, DEFAULT_ADMISSION } from "./settings.ts";
import { persistentVolumeClaimResize } from "./storage/claim_resize.ts";
import { defaultStorageClass } from "./storage/default_storage_class.ts";
import { storageObjectInUseProtection } from "./storage/storage_in_use.ts";
import { mutatingWebhooks } from "./webhooks/mutating.ts";
import { validatingWebhooks } from "./webhooks/validating.ts";

interface Row {
  readonly plugin: AdmissionPlugin;
  /** Whether it has to be asked for. */
  readonly isOff?: boolean;
}

export interface AdmissionSwitches {
  /** As --enable-admission-plugins: beside those that run unasked. */
  readonly enabled: readonly string[];
  /** As --disable-admission-plugins. */
  readonly disabled: readonly string[];
  readonly podSecurity: PodSecurityConfig;
  readonly settings: AdmissionSettings;
}

const rowsOf = ({ podSecurity: security, settings }: AdmissionSwitches): readonly Row[] => [
  { plugin: alwaysAdmit, isOff: true },
  { plugin: namespaceAutoProvision, isOff: true },
  { plugin: namespaceLifecycle },
  { plugin: namespaceExists, isOff: true },
  { plugin: hostnameAntiAffinity, isOff: true },
  { plugin: limitRanger },
  { plugin: serviceAccount },
  // Upstream leaves it to be switched on; a cluster of kubelets is not safe without.
  { plugin: nodeRestriction },
  { plugin: taintNodesByCondition },
  { plugin: alwaysPullImages, isOff: true },
  { plugin: imagePolicyWebhook(settings.imagePolicy), isOff: true },
  { plugin: podSecurity(security) },
  { plugin: podNodeSelector(settings.nodeSelectors), isOff: true },
  { plugin: priority },
  { plugin: defaultTolerationSeconds },
  { plugin: podTolerationRestriction(settings.podTolerations), isOff: true },
  { plugin: eventRateLimit(settings.eventLimits), isOff: true },
  { plugin: extendedResourceToleration, isOff: true },
  { plugin: defaultStorageClass },
  { plugin: storageObjectInUseProtection },
  { plugin: ownerReferences, isOff: true },
  { plugin: persistentVolumeClaimResize },
  { plugin: runtimeClass },
  { plugin: certificateApproval },
  { plugin: certificateSigning },
  { plugin: certificateSubjectRestriction },
  { plugin: defaultIngressClass },
  { plugin: denyServiceExternalIps, isOff: true },
  { plugin: podTopologyLabels },
  { plugin: podResizeValidator },
  { plugin: podGroupWorkloadExists },
  { plugin: mutatingPolicies },
  { plugin: mutatingWebhooks },
  { plugin: validatingPolicies },
  { plugin: validatingWebhooks },
  { plugin: resourceQuota(settings.limitedResources) },
  { plugin: alwaysDeny, isOff: true },
];

const DEFAULT_SWITCHES: AdmissionSwitches = {
  enabled: [],
  disabled: [],
  podSecurity: DEFAULT_POD_SECURITY,
  settings: DEFAULT_ADMISSION,
};

/** Names that the switches know. */
export const ADMISSION_NAMES: readonly string[] = rowsOf(DEFAULT_SWITCHES)
  .map(({ plugin }) => plugin.name);

/** @param last what the server itself adds at the end, whatever the switches say */
export function admissionChain(
  switches: AdmissionSwitches,
  last: readonly AdmissionPlugin[],
): AdmissionChain {
  const { enabled, disabled } = switches;
  const chosen = rowsOf(switches).filter(({ plugin: { name }, isOff }) =>
    !disabled.includes(name) && (isOff !== true || enabled.includes(name))
  );
  return chainOf([...chosen.map(({ plugin }) => plugin), ...last]);
}
