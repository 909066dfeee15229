/**
 * The rules of resource slices: the devices of a pool, as its driver publishes them.
 * In: drafts. Out: checks, columns, fields. Never: chooses a device.
 * Source: validateResourceSliceSpec of pkg/apis/resource/validation (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkDns1123Label, checkDns1123Subdomain } from "../../names.ts";
import type { FieldError, Rules } from "../../resource.ts";
import { formatTime } from "../../time.ts";
import type {
  CounterSet,
  Device,
  ResourceSlice,
  ResourceSliceSpec,
} from "../../schema/generated/resource_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { validateNodeSelector } from "../pod/validate_placement.ts";
import { Problems } from "../problems.ts";
import { validateDriverName } from "../storage/volume_sources.ts";
import { tooMany } from "./requests.ts";
import { validateCounters, validateDevice } from "./device.ts";

export type { Device, ResourceSlice } from "../../schema/generated/resource_v1.ts";

const MAX_DEVICES = 128;
/** Devices with taints, counters or lists of values are fewer. */
const MAX_RICH_DEVICES = 64;
const MAX_COUNTER_SETS = 8;
const POOL_NAME_LIMIT = 253;

function validatePool(problems: Problems, spec: ResourceSliceSpec): void {
  const { name = "", resourceSliceCount = 0, generation = 0 } = spec.pool ?? {};
  const at = "spec.pool";
  if (name === "") problems.required(`${at}.name`);
  else if (name.length > POOL_NAME_LIMIT) problems.tooLong(`${at}.name`, POOL_NAME_LIMIT);
  else {
    for (const part of name.split("/")) {
      for (const fault of checkDns1123Subdomain(part)) {
        problems.invalid(`${at}.name`, part, fault);
      }
    }
  }
  if (resourceSliceCount <= 0) {
    const detail = "must be greater than zero";
    problems.invalid(`${at}.resourceSliceCount`, resourceSliceCount, detail);
  }
  if (generation < 0) {
    const detail = "must be greater than or equal to zero";
    problems.invalid(`${at}.generation`, generation, detail);
  }
}

/** Which nodes reach the devices: said once, in one of four ways. */
function validateNodes(problems: Problems, spec: ResourceSliceSpec): void {
  const { nodeName, nodeSelector, allNodes, perDeviceNodeSelection } = spec;
  const given: string[] = [];
  if (nodeName === "") {
    const detail = "must be either unset or set to a non-empty string";
    problems.invalid("spec.nodeName", nodeName, detail);
  } else if (nodeName !== undefined) {
    given.push("`nodeName`");
    problems.checkName("spec.nodeName", nodeName, checkDns1123Subdomain);
  }
  if (nodeSelector !== undefined) {
    given.push("`nodeSelector`");
    validateNodeSelector(problems, "spec.nodeSelector", nodeSelector);
    const terms = nodeSelector.nodeSelectorTerms ?? [];
    if (terms.length !== 1) {
      const detail = "must have exactly one node selector term";
      problems.invalid("spec.nodeSelector.nodeSelectorTerms", terms, detail);
    }
  }
  for (const [field, value] of Object.entries({ allNodes, perDeviceNodeSelection })) {
    if (value === true) given.push(`\`${field}\``);
    else if (value === false) {
      problems.invalid(`spec.${field}`, value, "must be either unset or set to true");
    }
  }
  const detail = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, " +
    "`perDeviceNodeSelection` is required";
  if (given.length === 0) problems.required("spec", detail);
  else if (given.length > 1) {
    const shown = `{${given.join(", ")}}`;
    problems.invalid("spec", shown, `${detail}, but multiple fields are set`);
  }
}

function validateCounterSet(problems: Problems, at: string, set: CounterSet): void {
  if (!set.name) problems.required(`${at}.name`);
  else problems.checkName(`${at}.name`, set.name, checkDns1123Label);
  validateCounters(problems, `${at}.counters`, Object.keys(set.counters ?? {}));
}

function isRich(device: Device): boolean {
  const hasLists = Object.values(device.attributes ?? {}).some((attribute) =>
    ["bools", "ints", "strings", "versions"].some((field) => field in attribute)
  );
  return hasLists || (device.taints ?? []).length > 0 ||
    (device.consumesCounters ?? []).length > 0;
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec } = draft as ResourceSlice;
  if (spec === undefined) {
    problems.required("spec");
    return problems.errors;
  }
  validateDriverName(problems, "spec.driver", spec.driver);
  validatePool(problems, spec);
  validateNodes(problems, spec);
  if (spec.sharedCounters !== undefined && spec.devices !== undefined) {
    problems.invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed");
  }
  const choosesNodes = spec.perDeviceNodeSelection === true;
  const devices = spec.devices ?? [];
  const limit = devices.some(isRich) ? MAX_RICH_DEVICES : MAX_DEVICES;
  if (!tooMany(problems, "spec.devices", devices.length, limit)) {
    const names = new Set<string>();
    devices.forEach((device, index) => {
      const at = `spec.devices[${index}]`;
      validateDevice(problems, at, device, choosesNodes);
      if (names.has(device.name)) problems.duplicate(at, device.name);
      names.add(device.name);
    });
  }
  const sets = spec.sharedCounters ?? [];
  if (tooMany(problems, "spec.sharedCounters", sets.length, MAX_COUNTER_SETS)) {
    return problems.errors;
  }
  sets.forEach((set, index) => {
    const at = `spec.sharedCounters[${index}]`;
    validateCounterSet(problems, at, set);
    if (sets.slice(0, index).some((other) => other.name === set.name)) {
      problems.duplicate(at, set.name);
    }
  });
  return problems.errors;
}

/** Tolerations count from when a taint came. */
function stampTaints(draft: KubeObject, nowMillis: number): void {
  for (const { taints = [] } of (draft as ResourceSlice).spec?.devices ?? []) {
    for (const taint of taints) taint.timeAdded ??= formatTime(nowMillis);
  }
}

export const resourceSliceRules: Rules = {
  prepareForCreate: (draft, { nowMillis }) => stampTaints(draft, nowMillis),
  prepareForUpdate: (draft, _old, { nowMillis }) => stampTaints(draft, nowMillis),
  validate,
  validateUpdate: (draft, old) => {
    const problems = new Problems();
    const now = (draft as ResourceSlice).spec;
    const before = (old as ResourceSlice).spec;
    problems.immutable("spec.pool.name", now?.pool?.name, before?.pool?.name);
    problems.immutable("spec.driver", now?.driver, before?.driver);
    problems.immutable("spec.nodeName", now?.nodeName, before?.nodeName);
    return problems.errors;
  },
  selectableFields: {
    "spec.nodeName": (slice) => slice.spec?.nodeName ?? "",
    "spec.driver": (slice) => slice.spec?.driver ?? "",
  },
  columns: [
    nameColumn,
    column("Node", "Node that reaches the devices.", ({ spec }) => spec?.nodeName ?? ""),
    column("Driver", "Driver that runs them.", ({ spec }) => spec?.driver ?? ""),
    column("Pool", "Pool that they belong to.", ({ spec }) => spec?.pool?.name ?? ""),
    ageColumn,
  ],
};
