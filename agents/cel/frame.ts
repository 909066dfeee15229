/**
 * One evaluation under way: where its variables stand and what it has cost so far.
 * In: costs. Out: the end of it, once they pass the limit.
 * Never: knows an expression. Source: upstream's per-call limits (apiserver/pkg/apis/cel, v1.36).
 */
import type { Value } from "./values.ts";

/** Where an expression that has used up its budget ends; nothing absorbs it. */
export class BudgetSpent extends Error {}

export interface Frame {
  /** Variables first, then those of loops; undefined where none was given. */
  readonly slots: (Value | undefined)[];
  cost: number;
  readonly costLimit: number;
}

export type Step = (frame: Frame) => Value;

export function charge(frame: Frame, cost: number): void {
  frame.cost += cost;
  if (frame.cost > frame.costLimit) throw new BudgetSpent();
}
