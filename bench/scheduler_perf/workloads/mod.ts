/**
 * All workloads, in the order they are reported.
 * In: the lists of this folder. Out: one list.
 * Never: a template; those stand beside the workloads that use them.
 */
import type { TestCase } from "../workload.ts";
import { AFFINITY } from "./affinity.ts";
import { GANGS } from "./gangs.ts";
import { PLAIN } from "./plain.ts";
import { SPREADING, VOLUMES } from "./spreading.ts";

export const TEST_CASES: readonly TestCase[] = [
  ...PLAIN,
  ...AFFINITY,
  ...SPREADING,
  ...VOLUMES,
  ...GANGS,
];
