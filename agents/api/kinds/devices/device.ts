/**
 * The rules of one device in a slice: what it is, what of it may be taken, whence it is reached,
 * what keeps pods off it.
 * In: a device. Out: what is wrong with it, field by field.
 * Never: compares it with other devices; the slice does.
 * Source: validateDevice of pkg/apis/resource/validation (v1.36).
 */
import { checkDns1123Label, checkDns1123Subdomain, checkLabelValue } from "../../names.ts";
import { checkQualifiedName } from "../../names.ts";
import { compareQuantities, nanosOf, unitsOf } from "../../quantity.ts";
import type {
  CapacityRequestPolicy,
  CapacityRequestPolicyRange,
  Device,
  DeviceAttribute,
  DeviceCapacity,
  DeviceCounterConsumption,
  DeviceTaint,
} from "../../schema/generated/resource_v1.ts";
import { validateNodeSelector } from "../pod/validate_placement.ts";
import type { Problems } from "../problems.ts";
import { validateDriverName } from "../storage/volume_sources.ts";
import { tooMany } from "./requests.ts";

const MAX_PROPERTIES = 32;
const MAX_VALUES = 48;
const MAX_TAINTS = 16;
const MAX_CONDITIONS = 4;
const MAX_CONSUMPTIONS = 2;
const MAX_COUNTERS = 32;
const MAX_OPTIONS = 10;
const VALUE_LIMIT = 64;
const ID_LIMIT = 32;
const TAINT_EFFECTS = ["NoExecute", "NoSchedule", "None"];
const LISTS = ["bools", "ints", "strings", "versions"] as const;
const VALUE_FIELDS = ["bool", "int", "string", "version", ...LISTS] as const;
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
const NUMBER = "(0|[1-9]\\d*)";
const PRERELEASE = "(0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)";
const BUILD = "[0-9a-zA-Z-]+";
const SEMVER = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(-${PRERELEASE}(\\.${PRERELEASE})*)?` +
    `(\\+${BUILD}(\\.${BUILD})*)?$`,
);

type Amount = string | number;

function validateIdentifier(problems: Problems, at: string, id: string): void {
  if (id.length > ID_LIMIT) problems.tooLong(at, ID_LIMIT);
  if (IDENTIFIER.test(id)) return;
  problems.invalid(
    at,
    id,
    "a valid C identifier must start with alphabetic character or '_', followed by a string of " +
      "alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used " +
      "for validation is '[A-Za-z_][A-Za-z0-9_]*')",
  );
}

/** A name of an attribute or capacity, with its domain or without. */
function validateProperty(problems: Problems, at: string, name: string): void {
  const parts = name.split("/");
  if (parts.length === 1) return validateIdentifier(problems, at, name);
  if (parts.length > 2) return;
  const [domain, id] = parts;
  if (domain === "") problems.invalid(at, "", "the domain must not be empty");
  else validateDriverName(problems, at, domain);
  if (id === "") problems.invalid(at, "", "the name must not be empty");
  else validateIdentifier(problems, at, id);
}

function validateAttribute(problems: Problems, at: string, attribute: DeviceAttribute): void {
  const given = VALUE_FIELDS.filter((field) => attribute[field] !== undefined);
  for (const field of given) {
    const value = attribute[field];
    if (!Array.isArray(value)) {
      validateText(problems, `${at}.${field}`, { field, value });
      continue;
    }
    if (value.length === 0) {
      problems.invalid(`${at}.${field}`, value, "must not be empty if specified");
    }
    value.forEach((item, i) =>
      validateText(problems, `${at}.${field}[${i}]`, { field, value: item })
    );
  }
  if (given.length === 1) return;
  problems.invalid(at, given.length === 0 ? "" : attribute, "exactly one value must be specified");
}

function validateText(
  problems: Problems,
  at: string,
  { field, value }: { readonly field: string; readonly value: unknown },
): void {
  if (typeof value !== "string") return;
  if (field.startsWith("version") && !SEMVER.test(value)) {
    problems.invalid(at, value, "must be a string compatible with semver.org spec 2.0.0");
  }
  if (value.length > VALUE_LIMIT) problems.tooLong(at, VALUE_LIMIT);
}

function validateProperties(problems: Problems, at: string, device: Device): void {
  const { attributes = {}, capacity = {} } = device;
  const count = Object.keys(attributes).length + Object.keys(capacity).length;
  if (count > MAX_PROPERTIES) {
    const detail =
      `the total number of attributes and capacities must not exceed ${MAX_PROPERTIES}`;
    problems.invalid(at, count, detail);
  }
  const values = Object.values(attributes).reduce((sum, attribute) => {
    const items = LISTS.reduce((all, field) => all + (attribute[field]?.length ?? 0), 0);
    return sum + (items || 1);
  }, 0);
  if (values > MAX_VALUES) {
    const detail = `the total number of attribute values must not exceed ${MAX_VALUES}`;
    problems.invalid(at, values, detail);
  }
  for (const [key, attribute] of Object.entries(attributes)) {
    validateProperty(problems, `${at}.attributes`, key);
    validateAttribute(problems, `${at}.attributes[${key}]`, attribute);
  }
  for (const [key, one] of Object.entries(capacity)) {
    validateProperty(problems, `${at}.capacity`, key);
    const path = `${at}.capacity[${key}].requestPolicy`;
    if (one.requestPolicy === undefined) continue;
    if (device.allowMultipleAllocations) validatePolicy(problems, path, one);
    else problems.forbidden(path, "allowMultipleAllocations must be true");
  }
}

function validatePolicy(problems: Problems, at: string, { value, requestPolicy }: DeviceCapacity) {
  const { validValues = [], validRange, default: usual }: CapacityRequestPolicy = requestPolicy!;
  if (validValues.length > 0 && validRange !== undefined) {
    problems.forbidden(
      at,
      'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the ' +
        "same time",
    );
  } else if (validValues.length > 0) {
    if (usual === undefined) {
      problems.required(`${at}.default`, "required when validValues is defined");
    } else validateOptions(problems, `${at}.validValues`, { most: value, usual, validValues });
  } else if (validRange !== undefined) {
    if (usual === undefined) {
      problems.required(`${at}.default`, "required when validRange is defined");
    } else validateRange(problems, `${at}.validRange`, { most: value, usual, validRange });
  }
}

function validateOptions(
  problems: Problems,
  at: string,
  { most, usual, validValues }: {
    readonly most: Amount;
    readonly usual: Amount;
    readonly validValues: readonly Amount[];
  },
): void {
  validValues.forEach((value, index) => {
    if (index === 0 || compareQuantities(validValues[index - 1], value) <= 0) return;
    problems.invalid(`${at}[${index}]`, value, "values must be sorted in ascending order");
  });
  if (!tooMany(problems, at, validValues.length, MAX_OPTIONS)) {
    validValues.forEach((value, index) => {
      if (compareQuantities(value, most) > 0) {
        const detail = `option is larger than capacity value: ${most}`;
        problems.invalid(`${at}[${index}]`, value, detail);
      }
      const isTaken = validValues.slice(0, index).some((it) => compareQuantities(it, value) === 0);
      if (isTaken) problems.duplicate(`${at}[${index}]`, value);
    });
  }
  if (validValues.some((value) => compareQuantities(value, usual) === 0)) return;
  problems.invalid(at, usual, "default value is not valid according to the requestPolicy");
}

interface RangeCase {
  readonly most: Amount;
  readonly usual: Amount;
  readonly validRange: CapacityRequestPolicyRange;
}

function validateRange(problems: Problems, at: string, { most, usual, validRange }: RangeCase) {
  const { min, max, step } = validRange;
  if (min === undefined) {
    return problems.required(`${at}.min`, "required when validRange is defined");
  }
  const refuse = (isWrong: boolean, field: string, value: Amount, detail: string) => {
    if (isWrong) problems.invalid(`${at}.${field}`, value, detail);
  };
  const isMore = (a: Amount, b: Amount) => compareQuantities(a, b) > 0;
  refuse(isMore(min, most), "min", min, `min is larger than capacity value: ${most}`);
  refuse(isMore(min, usual), "min", usual, `default is less than min: ${min}`);
  if (max !== undefined) {
    refuse(isMore(min, max), "max", min, `min is larger than max: ${max}`);
    refuse(isMore(max, most), "max", max, `max is larger than capacity value: ${most}`);
    refuse(isMore(usual, max), "max", usual, `default is more than max: ${max}`);
  }
  if (step === undefined) return;
  // What can't be counted in steps must not divide anything.
  if (unitsOf(step) <= 0) return problems.invalid(`${at}.step`, step, "must be greater than zero");
  const isWide = nanosOf(min) + nanosOf(step) > nanosOf(most);
  refuse(isWide, "step", step, `one step ${step} is larger than capacity value: ${most}`);
  for (const value of max === undefined ? [usual] : [usual, max]) {
    const isOff = (unitsOf(value) - unitsOf(min)) % unitsOf(step) !== 0;
    const detail = `value is not a multiple of a given step (${step}) from (${min})`;
    refuse(isOff, "step", value, detail);
  }
}

function validateConsumption(
  problems: Problems,
  at: string,
  { counterSet, counters = {} }: DeviceCounterConsumption,
): void {
  if (!counterSet) problems.required(`${at}.counterSet`);
  else problems.checkName(`${at}.counterSet`, counterSet, checkDns1123Label);
  validateCounters(problems, `${at}.counters`, Object.keys(counters));
}

/** @param names of the counters of a set, or of those that a device takes of it */
export function validateCounters(problems: Problems, at: string, names: readonly string[]): void {
  if (names.length === 0) return problems.required(at);
  if (tooMany(problems, at, names.length, MAX_COUNTERS)) return;
  for (const name of names) problems.checkName(at, name, checkDns1123Label);
}

/** Devices of a slice that leaves it to them say from where they are reached; others may not. */
function validateReach(problems: Problems, at: string, device: Device, isAsked: boolean): void {
  const { nodeName, nodeSelector, allNodes } = device;
  if (!isAsked) {
    if (nodeName === undefined && nodeSelector === undefined && allNodes === undefined) return;
    const detail = "`nodeName`, `nodeSelector` and `allNodes` can only be set if " +
      "`perDeviceNodeSelection` is set to true in the ResourceSlice spec";
    return problems.invalid(at, null, detail);
  }
  const given: string[] = [];
  if (nodeName === "") problems.invalid(`${at}.nodeName`, nodeName, "must not be empty");
  else if (nodeName !== undefined) {
    given.push("`nodeName`");
    problems.checkName(`${at}.nodeName`, nodeName, checkDns1123Subdomain);
  }
  if (nodeSelector !== undefined) {
    given.push("`nodeSelector`");
    validateNodeSelector(problems, `${at}.nodeSelector`, nodeSelector);
  }
  if (allNodes === true) given.push("`allNodes`");
  else if (allNodes === false) {
    problems.invalid(`${at}.allNodes`, allNodes, "must be either unset or set to true");
  }
  const detail = "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when " +
    "`perDeviceNodeSelection` is set to true in the ResourceSlice spec";
  if (given.length === 0) problems.required(at, detail);
  else if (given.length > 1) problems.invalid(at, `{${given.join(", ")}}`, detail);
}

function validateTaint(problems: Problems, at: string, { key, value, effect }: DeviceTaint): void {
  problems.checkName(`${at}.key`, key ?? "", checkQualifiedName);
  if (value) problems.checkName(`${at}.value`, value, checkLabelValue);
  problems.oneOf(`${at}.effect`, effect, TAINT_EFFECTS);
}

/** What is waited for, and what gives it up, of a device or of an allocation. */
export function validateConditions(
  problems: Problems,
  at: string,
  { bindingConditions: awaited = [], bindingFailureConditions: failing = [] }: {
    readonly bindingConditions?: readonly string[];
    readonly bindingFailureConditions?: readonly string[];
  },
): void {
  const lists = [["bindingConditions", awaited], ["bindingFailureConditions", failing]] as const;
  for (const [field, names] of lists) {
    const path = `${at}.${field}`;
    if (tooMany(problems, path, names.length, MAX_CONDITIONS)) continue;
    names.forEach((name, index) => {
      problems.checkName(`${path}[${index}]`, name, checkQualifiedName);
      if (names.indexOf(name) < index) problems.duplicate(`${path}[${index}]`, name);
      if (names === failing && awaited.includes(name)) {
        const detail = "bindingFailureConditions must not overlap with bindingConditions";
        problems.invalid(`${path}[${index}]`, name, detail);
      }
    });
  }
  if (awaited.length === 0 && failing.length > 0) {
    const detail = "bindingConditions are required to use bindingFailureConditions";
    problems.invalid(`${at}.bindingConditions`, awaited, detail);
  }
  if (failing.length === 0 && awaited.length > 0) {
    const detail = "bindingFailureConditions are required to use bindingConditions";
    problems.invalid(`${at}.bindingFailureConditions`, failing, detail);
  }
}

/** @param choosesNodes whether the slice leaves it to its devices from where they are reached */
export function validateDevice(
  problems: Problems,
  at: string,
  device: Device,
  choosesNodes: boolean,
): void {
  const { name, taints = [], consumesCounters = [] } = device;
  if (!name) problems.required(`${at}.name`);
  else problems.checkName(`${at}.name`, name, checkDns1123Label);
  validateProperties(problems, at, device);
  if (!tooMany(problems, `${at}.taints`, taints.length, MAX_TAINTS)) {
    taints.forEach((taint, index) => validateTaint(problems, `${at}.taints[${index}]`, taint));
  }
  const path = `${at}.consumesCounters`;
  if (!tooMany(problems, path, consumesCounters.length, MAX_CONSUMPTIONS)) {
    consumesCounters.forEach((one, index) => {
      validateConsumption(problems, `${path}[${index}]`, one);
      const isTaken = consumesCounters.slice(0, index)
        .some(({ counterSet }) => counterSet === one.counterSet);
      if (isTaken) problems.duplicate(`${path}[${index}]`, one.counterSet);
    });
  }
  validateReach(problems, at, device, choosesNodes);
  validateConditions(problems, at, device);
}
