/**
 * Gathers the generated table texts by group and version.
 * In: the files under `generated/`. Out: one list.
 * Never: parses; `fields.ts` does, when asked.
 */
import { admissionregistration_v1 } from "./generated/admissionregistration_v1.ts";
import { apiextensions_v1 } from "./generated/apiextensions_v1.ts";
import { apiregistration_v1 } from "./generated/apiregistration_v1.ts";
import { apps_v1 } from "./generated/apps_v1.ts";
import { authentication_v1 } from "./generated/authentication_v1.ts";
import { authorization_v1 } from "./generated/authorization_v1.ts";
import { autoscaling_v1 } from "./generated/autoscaling_v1.ts";
import { autoscaling_v2 } from "./generated/autoscaling_v2.ts";
import { batch_v1 } from "./generated/batch_v1.ts";
import { certificates_v1 } from "./generated/certificates_v1.ts";
import { coordination_v1 } from "./generated/coordination_v1.ts";
import { core_v1 } from "./generated/core_v1.ts";
import { discovery_v1 } from "./generated/discovery_v1.ts";
import { events_v1 } from "./generated/events_v1.ts";
import { flowcontrol_v1 } from "./generated/flowcontrol_v1.ts";
import { meta_v1 } from "./generated/meta_v1.ts";
import { metrics_v1beta1 } from "./metrics_v1beta1.ts";
import { networking_v1 } from "./generated/networking_v1.ts";
import { node_v1 } from "./generated/node_v1.ts";
import { policy_v1 } from "./generated/policy_v1.ts";
import { rbac_v1 } from "./generated/rbac_v1.ts";
import { resource_v1 } from "./generated/resource_v1.ts";
import { scheduling_v1 } from "./generated/scheduling_v1.ts";
import { scheduling_v1alpha2 } from "./generated/scheduling_v1alpha2.ts";
import { storage_v1 } from "./generated/storage_v1.ts";

/** Table texts by `group.version`, the group's first word only. */
export const tableTexts: Readonly<Record<string, string>> = {
  "admissionregistration.v1": admissionregistration_v1,
  "apiextensions.v1": apiextensions_v1,
  "apiregistration.v1": apiregistration_v1,
  "apps.v1": apps_v1,
  "authentication.v1": authentication_v1,
  "authorization.v1": authorization_v1,
  "autoscaling.v1": autoscaling_v1,
  "autoscaling.v2": autoscaling_v2,
  "batch.v1": batch_v1,
  "certificates.v1": certificates_v1,
  "coordination.v1": coordination_v1,
  "core.v1": core_v1,
  "discovery.v1": discovery_v1,
  "events.v1": events_v1,
  "flowcontrol.v1": flowcontrol_v1,
  "meta.v1": meta_v1,
  "metrics.v1beta1": metrics_v1beta1,
  "networking.v1": networking_v1,
  "node.v1": node_v1,
  "policy.v1": policy_v1,
  "rbac.v1": rbac_v1,
  "resource.v1": resource_v1,
  "scheduling.v1": scheduling_v1,
  "scheduling.v1alpha2": scheduling_v1alpha2,
  "storage.v1": storage_v1,
};
