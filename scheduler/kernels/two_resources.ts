/**
 * The hot loops of the default profile: both resource scores over exactly two resources, unrolled.
 * In: columns, what the pod asks for, a range of rows. Out: scores written to a column.
 * Never: allocates, or takes more than plain typed arrays. The general loops in `plugins/` are
 * their twins and give the same bits; `two_resources_test.ts` holds them to it.
 */

/** Above this, 100 * bytes is no exact double any more. */
export const EXACT_CAPACITY = Math.floor(Number.MAX_SAFE_INTEGER / 100);

/** @returns whether every capacity is small enough for exact products. `Float64Array[rows]`. */
export function areExact(allocatable: Float64Array, from: number, to: number): boolean {
  for (let row = from; row < to; row++) if (allocatable[row] > EXACT_CAPACITY) return false;
  return true;
}

/** Free share of each resource in percent, then their weighted mean, both rounded down. */
export function scoreLeastAllocatedOfTwo(
  allocatableA: Float64Array,
  requestedA: Float64Array,
  askedA: number,
  weightA: number,
  allocatableB: Float64Array,
  requestedB: Float64Array,
  askedB: number,
  weightB: number,
  out: Float64Array,
  from: number,
  to: number,
): void {
  const weights = weightA + weightB;
  for (let row = from; row < to; row++) {
    const capacityA = allocatableA[row];
    const capacityB = allocatableB[row];
    const freeA = capacityA - requestedA[row] - askedA;
    const freeB = capacityB - requestedB[row] - askedB;
    const a = freeA > 0 ? Math.floor((freeA * 100) / capacityA) * weightA : 0;
    const b = freeB > 0 ? Math.floor((freeB * 100) / capacityB) * weightB : 0;
    // A resource that the node lacks has no say, whatever the pod asks of it.
    if (capacityA === 0) out[row] = capacityB === 0 ? 0 : Math.floor(b / weightB);
    else out[row] = Math.floor((a + b) / (capacityB === 0 ? weightA : weights));
  }
}

/** How much better the two resources are in balance with the pod than without it: 50..100. */
export function scoreBalanceOfTwo(
  allocatableA: Float64Array,
  requestedA: Float64Array,
  askedA: number,
  allocatableB: Float64Array,
  requestedB: Float64Array,
  askedB: number,
  out: Float64Array,
  from: number,
  to: number,
): void {
  for (let row = from; row < to; row++) {
    const capacityA = allocatableA[row];
    const capacityB = allocatableB[row];
    if (capacityA === 0 || capacityB === 0) {
      // One resource alone is always in balance.
      out[row] = 75;
      continue;
    }
    const nowA = requestedA[row];
    const nowB = requestedB[row];
    const withA = nowA + askedA >= capacityA ? 1 : (nowA + askedA) / capacityA;
    const withB = nowB + askedB >= capacityB ? 1 : (nowB + askedB) / capacityB;
    const withoutA = nowA >= capacityA ? 1 : nowA / capacityA;
    const withoutB = nowB >= capacityB ? 1 : nowB / capacityB;
    const after = Math.trunc((1 - Math.abs((withA - withB) / 2)) * 100);
    const before = Math.trunc((1 - Math.abs((withoutA - withoutB) / 2)) * 100);
    out[row] = 50 + Math.floor((50 + after - before) / 2);
  }
}
