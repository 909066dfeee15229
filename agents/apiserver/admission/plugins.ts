/**
 * The admission plugins in the order they run. In: nothing. Out: the list.
 * Never: a plugin's code; adding one is its file and a row here.
 * Source: pkg/kubeapiserver/options/plugins.go for the order (v1.36).
 */
import type { AdmissionPlugin } from "./admission.ts";
import { defaultTolerationSeconds } from "./default_toleration_seconds.ts";
import { limitRanger } from "./limit_ranger.ts";
import { namespaceLifecycle } from "./namespace_lifecycle.ts";
import { nodeRestriction } from "./node_restriction.ts";
import { podSecurity } from "./pod_security/pod_security.ts";
import { priority } from "./priority.ts";
import { serviceAccount } from "./service_account.ts";

export const ADMISSION_PLUGINS: readonly AdmissionPlugin[] = [
  namespaceLifecycle,
  limitRanger,
  serviceAccount,
  priority,
  defaultTolerationSeconds,
  podSecurity,
  nodeRestriction,
];
