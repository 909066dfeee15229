/**
 * Label and node selectors, matched against one label set (pods) or whole columns (nodes).
 * In: requirements. Out: booleans, or a `Uint8Array[rows]` of 0 and 1.
 * Never: throws on a selector that does not parse; such a term matches nothing, as in Kubernetes.
 * Source: Kubernetes v1.36 labels.Requirement and component-helpers nodeaffinity.
 */

import type { Labels, NodeTerm, Requirement } from "./pod_row.ts";

const INTEGER = /^[+-]?\d+$/;

/** @returns the number that Gt and Lt compare, or null where the text is no 64-bit integer. */
function parseInteger(text: string | undefined): bigint | null {
  if (text === undefined || !INTEGER.test(text)) return null;
  const value = BigInt(text.startsWith("+") ? text.slice(1) : text);
  return BigInt.asIntN(64, value) === value ? value : null;
}

/** @returns whether a label value (undefined = no such label) satisfies one requirement. */
export function matchesValue(requirement: Requirement, value: string | undefined): boolean {
  switch (requirement.operator) {
    case "In":
      return value !== undefined && requirement.values.includes(value);
    case "NotIn":
      return value === undefined || !requirement.values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
    case "Lt": {
      const have = parseInteger(value);
      const bound = parseInteger(requirement.values[0]);
      if (have === null || bound === null) return false;
      return requirement.operator === "Gt" ? have > bound : have < bound;
    }
  }
}

/** @returns the value of a label, undefined where absent; inherited members are no labels. */
export function labelOf(labels: Labels, key: string): string | undefined {
  const value: unknown = labels[key];
  return typeof value === "string" ? value : undefined;
}

/** @returns whether every requirement holds; an empty selector matches all, null matches none. */
export function matchesLabels(selector: readonly Requirement[] | null, labels: Labels): boolean {
  if (selector === null) return false;
  for (const requirement of selector) {
    if (!matchesValue(requirement, labelOf(labels, requirement.key))) return false;
  }
  return true;
}

/** @returns whether a node term could be read by Kubernetes; one that could not matches no node. */
export function isReadable(term: NodeTerm): boolean {
  for (const { operator, values } of term.expressions) {
    if ((operator === "In" || operator === "NotIn") && values.length === 0) return false;
    if ((operator === "Exists" || operator === "DoesNotExist") && values.length > 0) return false;
    const compares = operator === "Gt" || operator === "Lt";
    if (compares && (values.length !== 1 || parseInteger(values[0]) === null)) return false;
  }
  for (const { operator, values } of term.fields) {
    if ((operator !== "In" && operator !== "NotIn") || values.length !== 1) return false;
  }
  return true;
}

/** What a selector needs to know of the node table. */
export interface LabelColumns {
  /** Ids of the values of one label by row, `ABSENT` where a node lacks it. */
  labelIds(key: string): Int32Array;
  /** @returns the text of a value id. */
  labelValue(id: number): string | undefined;
  /** @returns the id of a value, `ABSENT` when no node carries it. */
  labelId(value: string): number;
  /** @returns the row of a node, -1 when unknown. */
  rowOf(name: string): number;
}

/** The rows that a column operation covers: from `from` up to, not including, `to`. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

/** Clears `keep[row]` where the requirement does not hold. */
function restrict(
  columns: LabelColumns,
  requirement: Requirement,
  keep: Uint8Array,
  range: RowRange,
): void {
  const ids = columns.labelIds(requirement.key);
  const { operator, values } = requirement;
  if (operator === "In" && values.length === 1) {
    const wanted = columns.labelId(values[0]);
    for (let row = range.from; row < range.to; row++) {
      if (ids[row] !== wanted || wanted === 0) keep[row] = 0;
    }
    return;
  }
  // One verdict a value, not a node: label values repeat. -1 = not asked yet.
  const known = new Map<number, boolean>();
  for (let row = range.from; row < range.to; row++) {
    if (keep[row] === 0) continue;
    const id = ids[row];
    let holds = known.get(id);
    if (holds === undefined) {
      holds = matchesValue(requirement, columns.labelValue(id));
      known.set(id, holds);
    }
    if (!holds) keep[row] = 0;
  }
}

/** Clears `keep[row]` where the field requirement (metadata.name) does not hold. */
function restrictByName(
  columns: LabelColumns,
  requirement: Requirement,
  keep: Uint8Array,
  range: RowRange,
): void {
  // Any field but the name is absent, so In fails and NotIn holds.
  const row = requirement.key === "metadata.name" ? columns.rowOf(requirement.values[0]) : -1;
  if (requirement.operator === "NotIn") {
    if (row >= range.from && row < range.to) keep[row] = 0;
    return;
  }
  const kept = row >= range.from && row < range.to ? keep[row] : 0;
  keep.fill(0, range.from, range.to);
  if (kept !== 0) keep[row] = kept;
}

/**
 * Marks the rows that match a node term.
 *
 * @param keep `Uint8Array[rows]`, overwritten within the range with 0 or 1.
 */
export function matchNodeTerm(
  columns: LabelColumns,
  term: NodeTerm,
  keep: Uint8Array,
  range: RowRange,
): void {
  const empty = term.expressions.length === 0 && term.fields.length === 0;
  keep.fill(empty || !isReadable(term) ? 0 : 1, range.from, range.to);
  if (empty) return;
  for (const requirement of term.expressions) restrict(columns, requirement, keep, range);
  for (const requirement of term.fields) restrictByName(columns, requirement, keep, range);
}

/** @returns whether one node, given as name and labels, matches a term. */
export function matchesNodeTerm(
  term: NodeTerm,
  node: { readonly name: string; readonly labels: Labels },
): boolean {
  if (term.expressions.length === 0 && term.fields.length === 0) return false;
  if (!isReadable(term) || !matchesLabels(term.expressions, node.labels)) return false;
  return term.fields.every((field) =>
    matchesValue(field, field.key === "metadata.name" ? node.name : undefined)
  );
}

/** @returns whether one node, given as name and labels, meets a pod's demand. */
export function meetsNodeDemand(
  demand: NodeDemand,
  node: { readonly name: string; readonly labels: Labels },
): boolean {
  for (const [key, value] of Object.entries(demand.nodeSelector ?? {})) {
    if (labelOf(node.labels, key) !== value) return false;
  }
  const terms = demand.requiredNodeTerms;
  return terms === null || terms.some((term) => matchesNodeTerm(term, node));
}

/** What a pod demands of the labels of its node. */
export interface NodeDemand {
  readonly nodeSelector: Labels | null;
  readonly requiredNodeTerms: readonly NodeTerm[] | null;
}

/** @returns whether the pod demands anything of node labels. */
export function demandsNode(demand: NodeDemand): boolean {
  return demand.nodeSelector !== null || demand.requiredNodeTerms !== null;
}

/**
 * Marks the rows that match a pod's node selector and required node affinity.
 *
 * @param keep `Uint8Array[rows]`, overwritten within the range with 0 or 1.
 */
export function matchNodeDemand(
  columns: LabelColumns,
  demand: NodeDemand,
  keep: Uint8Array,
  range: RowRange,
): void {
  keep.fill(1, range.from, range.to);
  for (const [key, value] of Object.entries(demand.nodeSelector ?? {})) {
    restrict(columns, { key, operator: "In", values: [value] }, keep, range);
  }
  if (demand.requiredNodeTerms !== null) {
    keepAnyTerm(columns, demand.requiredNodeTerms, keep, range);
  }
}

/** Clears `keep[row]` where none of the terms matches. */
export function keepAnyTerm(
  columns: LabelColumns,
  terms: readonly NodeTerm[],
  keep: Uint8Array,
  range: RowRange,
): void {
  const any = new Uint8Array(keep.length);
  const one = new Uint8Array(keep.length);
  for (const term of terms) {
    matchNodeTerm(columns, term, one, range);
    for (let row = range.from; row < range.to; row++) any[row] |= one[row];
  }
  for (let row = range.from; row < range.to; row++) keep[row] &= any[row];
}
