/**
 * How many seats each priority level has: by its shares, and by what levels lend one another.
 * In: the levels' settings and what each could have used lately. Out: seats.
 * Never: counts requests. Source: apiserver's util/flowcontrol/apf_controller.go and conc_alloc.go
 * (v1.36).
 */
import type { PriorityLevelConfiguration } from "../../api/schema/generated/flowcontrol_v1.ts";

export interface SeatBounds {
  readonly name: string;
  readonly isExempt: boolean;
  /** Its share of the server. */
  readonly nominal: number;
  /** What it never lends. */
  readonly least: number;
  /** Its share and what it may borrow. */
  readonly most: number;
}

/** What a level could have used since the last look, in seats. */
export interface SeatDemand {
  readonly highest: number;
  /** Smoothed over earlier looks. */
  readonly smoothed: number;
}

const SMOOTHING = 0.977;
const LEAST_TARGET = 0.001;

/** @param serverSeats of all levels together */
export function boundSeats(
  levels: readonly PriorityLevelConfiguration[],
  serverSeats: number,
): SeatBounds[] {
  const settings = levels.map(({ metadata, spec }) => {
    const { limited, exempt } = spec as PriorityLevelConfiguration["spec"] & object;
    const part = limited ?? exempt ?? {};
    return {
      name: metadata.name!,
      isExempt: limited === undefined,
      shares: part.nominalConcurrencyShares ?? 0,
      lendable: part.lendablePercent ?? 0,
      borrowing: limited?.borrowingLimitPercent,
    };
  });
  const sum = settings.reduce((total, { shares }) => total + shares, 0);
  return settings.map(({ name, isExempt, shares, lendable, borrowing }) => {
    const nominal = sum === 0 ? 0 : Math.ceil((serverSeats * shares) / sum);
    const borrowed = borrowing === undefined
      ? serverSeats
      : Math.round((nominal * borrowing) / 100);
    const lent = Math.round((nominal * lendable) / 100);
    return { name, isExempt, nominal, least: nominal - lent, most: nominal + borrowed };
  });
}

/** What a level is taken to want next, from what it wanted on average and at most. */
export function smoothDemand(
  before: number,
  seen: { readonly highest: number; readonly average: number; readonly deviation: number },
): number {
  const envelope = Math.min(seen.highest, seen.average + seen.deviation);
  return Math.max(envelope, SMOOTHING * before + (1 - SMOOTHING) * envelope);
}

/**
 * Seats of each level until the next look; demand is met in proportion, within each one's bounds.
 * @param bounds and demands of the same length and order
 * @returns Int32Array[levels]
 */
export function lendSeats(
  bounds: readonly SeatBounds[],
  demands: readonly SeatDemand[],
): Int32Array {
  const seats = new Int32Array(bounds.length);
  const total = bounds.reduce((sum, { nominal }) => sum + nominal, 0);
  let left = total;
  const limited: number[] = [];
  bounds.forEach((bound, i) => {
    if (!bound.isExempt) {
      limited.push(i);
      return;
    }
    seats[i] = Math.max(bound.least, demands[i].highest);
    left -= seats[i];
  });
  const floors = bounds.map(({ least, nominal }, i) =>
    Math.max(least, Math.min(nominal, demands[i].highest))
  );
  const leastSum = sumOf(limited, (i) => bounds[i].least);
  const floorSum = sumOf(limited, (i) => floors[i]);
  if (left <= leastSum) {
    for (const i of limited) seats[i] = bounds[i].least;
  } else if (left <= floorSum) {
    const fraction = (left - leastSum) / (floorSum - leastSum);
    for (const i of limited) {
      seats[i] = bounds[i].least + Math.round((floors[i] - bounds[i].least) * fraction);
    }
  } else {
    const items = limited.map((i) => ({
      least: floors[i],
      most: bounds[i].most,
      target: Math.max(floors[i], demands[i].smoothed, LEAST_TARGET),
    }));
    fairShares(total, items).forEach((share, at) => seats[limited[at]] = Math.round(share));
  }
  return seats;
}

interface Claim {
  readonly least: number;
  readonly most: number;
  readonly target: number;
}

/** The one fraction of all targets that, within the bounds, adds up to the sum. */
function fairShares(sum: number, claims: readonly Claim[]): number[] {
  const at = (fraction: number) =>
    claims.map(({ least, most, target }) => Math.min(most, Math.max(least, fraction * target)));
  const totalAt = (fraction: number) => at(fraction).reduce((total, share) => total + share, 0);
  let [low, high] = [0, 1];
  while (totalAt(high) < sum && high < 1e12) high *= 2;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (totalAt(middle) < sum) low = middle;
    else high = middle;
  }
  return at(high);
}

function sumOf(list: readonly number[], value: (i: number) => number): number {
  return list.reduce((total, i) => total + value(i), 0);
}
