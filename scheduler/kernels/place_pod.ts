/**
 * Fit, LeastAllocated and BalancedAllocation over cpu and memory in one pass over all nodes.
 * In: the columns of a `HotColumns`, what one pod asks for. Out: the best total of each block of
 * rows and how many rows have it; of one block at a time, all totals.
 * Never: gives other bits than the general loops of `plugins/`. Tables of `SIMD_ROWS` rows and more
 * live in the memory of a WebAssembly instance and are passed over in 128-bit lanes; smaller ones
 * by the scalar twin below.
 */

import { PLACE_POD_WASM } from "./place_pod_wasm.ts";
import { EXACT_CAPACITY } from "./two_resources.ts";

/** Rows that share one entry of `blockBest`; capacities are whole blocks. */
export const BLOCK_ROWS = 64;
/** From this capacity on the columns live in WebAssembly memory, whose pages are dear. */
const SIMD_ROWS = 1024;
const PAGE_BYTES = 65_536;
const DOUBLE_COLUMNS = 6;
/** Columns of four bytes a row, and those that lie block by block. */
const WORD_COLUMNS = 2;
const QUICK_COLUMNS = 8;
const QUICK_BLOCK_WORDS = QUICK_COLUMNS * BLOCK_ROWS;
/** Memory is compared in whole units of this many bytes, so that 32 bits hold 2 TiB. */
const MEMORY_UNIT = 1024;
/** Above this capacity totals are worked out again where they are asked for, to spare memory. */
const MOST_KEPT_TOTALS = 65_536;
const MOST_UNITS = 2 ** 31 - 1;
/** Two weights share one word. */
const MOST_QUICK_WEIGHT = 2 ** 15 - 1;
/** How much inverses are lifted, so that rounding them to Float32 never leaves them too small. */
const INVERSE_LIFT = 1 + 2 ** -22;

/** What one pod asks for and how its scores count. */
export interface PodAsk {
  /** Must be free; -Infinity when not asked for. */
  readonly cpuFit: number;
  readonly memoryFit: number;
  /** Added to what is counted for LeastAllocated. */
  readonly cpuScored: number;
  readonly memoryScored: number;
  /** Added to what is requested for BalancedAllocation. */
  readonly cpuExact: number;
  readonly memoryExact: number;
  readonly leastWeight: number;
  /** 0 = no say. */
  readonly balanceWeight: number;
  /** Added to every total. */
  readonly constant: number;
}

interface Kernels {
  placeQuickly(...numbers: number[]): number;
  placeExactly(...numbers: number[]): number;
}

/** In `blockBest`: the quick pass could not tell. */
const UNSURE = -2;
/** Most cpu, in thousandths, that the quick pass counts in 32 bits a hundredfold. */
export const MOST_CPU_MILLI = 2 ** 24 - 1;
/** @returns whether a node offers more than the pass can count exactly. */
export function isHuge(offered: { readonly cpuMilli: number; readonly memoryBytes: number }) {
  return offered.cpuMilli > MOST_CPU_MILLI || offered.memoryBytes > EXACT_CAPACITY;
}

/** Free cpu of a row that takes no more pods: less than any pod can do with. */
const FULL = -(2 ** 31);
const NOT_ASKED = FULL + 1;

let compiled: WebAssembly.Module | undefined;

function compile(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(Uint8Array.fromBase64(PLACE_POD_WASM.join("")));
  return compiled;
}

/** The columns that the pass reads and writes, in one buffer. */
export class HotColumns {
  readonly capacity: number;
  readonly cpuAllocatable: Float64Array;
  readonly cpuRequested: Float64Array;
  readonly cpuNonzero: Float64Array;
  readonly memoryAllocatable: Float64Array;
  readonly memoryRequested: Float64Array;
  readonly memoryNonzero: Float64Array;
  /** How many more pods the node takes. */
  readonly podsFree: Int32Array;
  /** 50..100: how evenly cpu and memory are in use as things stand. */
  readonly evenness: Int32Array;
  /** Made from the columns above for the quick pass, block by block; the kernel names them. */
  readonly #quick: Int32Array;
  readonly #quickFloats: Float32Array;
  /** Written by `place`: the best total of each block, -1 = none fits, and how many have it. */
  readonly blockBest: Int32Array;
  readonly blockTies: Int32Array;
  /** -1 = it does not fit. Of each block, or of a large table only those of the last one. */
  readonly #totals: Int32Array;
  readonly #kernels: Kernels | null;

  /** @param simd false keeps to the scalar twin whatever the size. */
  constructor(capacity: number, simd = true) {
    this.capacity = capacity;
    const blocks = capacity / BLOCK_ROWS;
    const totals = capacity <= MOST_KEPT_TOTALS ? capacity : BLOCK_ROWS;
    const words4 = 4 * (WORD_COLUMNS + QUICK_COLUMNS);
    const bytes = capacity * (8 * DOUBLE_COLUMNS + words4) + 8 * blocks + 4 * totals;
    let buffer: ArrayBuffer;
    if (simd && capacity >= SIMD_ROWS) {
      const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) });
      buffer = memory.buffer;
      const { exports } = new WebAssembly.Instance(compile(), { columns: { memory } });
      this.#kernels = exports as unknown as Kernels;
    } else {
      buffer = new ArrayBuffer(bytes);
      this.#kernels = null;
    }
    const doubles = (at: number) => new Float64Array(buffer, 8 * at * capacity, capacity);
    const words = (at: number, length = capacity) =>
      new Int32Array(buffer, (8 * DOUBLE_COLUMNS + 4 * at) * capacity, length);
    this.cpuAllocatable = doubles(0);
    this.cpuRequested = doubles(1);
    this.cpuNonzero = doubles(2);
    this.memoryAllocatable = doubles(3);
    this.memoryRequested = doubles(4);
    this.memoryNonzero = doubles(5);
    this.podsFree = words(0);
    this.evenness = words(1);
    this.#quick = words(WORD_COLUMNS, QUICK_COLUMNS * capacity);
    this.#quickFloats = new Float32Array(buffer, this.#quick.byteOffset, this.#quick.length);
    this.blockBest = words(WORD_COLUMNS + QUICK_COLUMNS, blocks);
    this.blockTies = new Int32Array(buffer, this.blockBest.byteOffset + 4 * blocks, blocks);
    this.#totals = new Int32Array(buffer, this.blockTies.byteOffset + 4 * blocks, totals);
    for (let at = 0; at < this.#quick.length; at += QUICK_BLOCK_WORDS) {
      this.#quick.fill(FULL, at, at + BLOCK_ROWS);
    }
  }

  /** Takes over what another, smaller set of columns holds. */
  copy(from: HotColumns): void {
    this.cpuAllocatable.set(from.cpuAllocatable);
    this.cpuRequested.set(from.cpuRequested);
    this.cpuNonzero.set(from.cpuNonzero);
    this.memoryAllocatable.set(from.memoryAllocatable);
    this.memoryRequested.set(from.memoryRequested);
    this.memoryNonzero.set(from.memoryNonzero);
    this.podsFree.set(from.podsFree);
    for (let row = 0; row < from.capacity; row++) {
      this.offer(row, this.cpuAllocatable[row], this.memoryAllocatable[row]);
    }
  }

  /** Sets what a node offers. */
  offer(row: number, cpu: number, memory: number): void {
    this.cpuAllocatable[row] = cpu;
    this.memoryAllocatable[row] = memory;
    this.weigh(row);
  }

  /** Brings what is made from the other columns up to date with a row. */
  weigh(row: number): void {
    const cpu = this.cpuAllocatable[row];
    const memory = this.memoryAllocatable[row];
    const cpuUsed = this.cpuRequested[row];
    const memoryUsed = this.memoryRequested[row];
    const evenness = evennessOf(cpuUsed, cpu, memoryUsed, memory);
    this.evenness[row] = evenness;
    if (this.#kernels === null) return;
    const at = Math.floor(row / BLOCK_ROWS) * QUICK_BLOCK_WORDS + row % BLOCK_ROWS;
    const quick = this.#quick;
    const floats = this.#quickFloats;
    const lacks = cpu === 0 || memory === 0;
    const free = Math.max(NOT_ASKED + 1, cpu - cpuUsed);
    quick[at] = this.podsFree[row] > 0 ? free : FULL;
    const units = Math.floor((memory - memoryUsed) / MEMORY_UNIT);
    quick[at + BLOCK_ROWS] = Math.min(MOST_UNITS, Math.max(NOT_ASKED + 1, units));
    quick[at + 2 * BLOCK_ROWS] = 100 * Math.max(0, cpu - this.cpuNonzero[row]);
    quick[at + 3 * BLOCK_ROWS] = cpu + evenness * 2 ** 24;
    floats[at + 4 * BLOCK_ROWS] = lacks ? 0 : INVERSE_LIFT / cpu;
    // Half a percent sits between two whole ones, so a row that lacks something is never sure.
    floats[at + 5 * BLOCK_ROWS] = lacks
      ? 0.5
      : 100 * (memory - this.memoryNonzero[row]) / memory - 0.5;
    floats[at + 6 * BLOCK_ROWS] = lacks ? 0 : INVERSE_LIFT / memory;
    floats[at + 7 * BLOCK_ROWS] = lacks
      ? 0
      : 50 * (Math.min(1, cpuUsed / cpu) - Math.min(1, memoryUsed / memory));
  }

  /** Fills `blockBest` and `blockTies` for the first rows. @returns on how many rows it fits. */
  place(rows: number, ask: PodAsk): number {
    return this.#passOver(0, Math.ceil(rows / BLOCK_ROWS), ask);
  }

  /** @returns the totals of one block after `place`, good until the next call */
  totalsOf(block: number, ask: PodAsk): Int32Array {
    const { length } = this.#totals;
    if (length === BLOCK_ROWS) this.#passOver(block, 1, ask);
    const at = (block * BLOCK_ROWS) % length;
    return this.#totals.subarray(at, at + BLOCK_ROWS);
  }

  /** Where the totals of a block go. @returns a byte offset */
  #totalsAt(block: number): number {
    return this.#totals.byteOffset + 4 * ((block * BLOCK_ROWS) % this.#totals.length);
  }

  #passOver(from: number, blocks: number, ask: PodAsk): number {
    const kernels = this.#kernels;
    if (kernels === null) return placeScalar(this, this.#totals, { from, blocks }, ask);
    if (!isQuick(ask)) return this.#placeExactly(kernels, from, blocks, ask);
    let count = this.#placeQuickly(kernels, from, blocks, ask);
    const { blockBest } = this;
    const end = from + blocks;
    for (let block = from; block < end; block++) {
      if (blockBest[block] !== UNSURE) continue;
      let next = block + 1;
      while (next < end && blockBest[next] === UNSURE) next++;
      count += this.#placeExactly(kernels, block, next - block, ask);
      block = next;
    }
    return count;
  }

  #placeQuickly(kernels: Kernels, from: number, blocks: number, ask: PodAsk): number {
    const isAsked = ask.memoryFit !== -Infinity;
    const units = isAsked ? Math.ceil(ask.memoryFit / MEMORY_UNIT) : NOT_ASKED;
    // A row with all but the last, partial unit free may fit or not.
    const isPartial = isAsked && ask.memoryFit % MEMORY_UNIT !== 0;
    return kernels.placeQuickly(
      blocks,
      this.#quick.byteOffset + 4 * QUICK_BLOCK_WORDS * from,
      this.#totalsAt(from),
      this.#totals.length === BLOCK_ROWS ? 0 : 4 * BLOCK_ROWS,
      this.blockBest.byteOffset + 4 * from,
      this.blockTies.byteOffset + 4 * from,
      ask.cpuFit === -Infinity ? NOT_ASKED : ask.cpuFit,
      units,
      isPartial ? units - 1 : FULL,
      100 * ask.cpuScored,
      100 * ask.memoryScored,
      50 * ask.cpuExact,
      50 * ask.memoryExact,
      ask.leastWeight + ask.balanceWeight * 2 ** 16,
      ask.constant + 50 * ask.balanceWeight,
    );
  }

  #placeExactly(kernels: Kernels, from: number, blocks: number, ask: PodAsk): number {
    const row = from * BLOCK_ROWS;
    return kernels.placeExactly(
      blocks,
      this.cpuAllocatable.byteOffset + 8 * row,
      this.cpuRequested.byteOffset + 8 * row,
      this.cpuNonzero.byteOffset + 8 * row,
      this.memoryAllocatable.byteOffset + 8 * row,
      this.memoryRequested.byteOffset + 8 * row,
      this.memoryNonzero.byteOffset + 8 * row,
      this.podsFree.byteOffset + 4 * row,
      this.evenness.byteOffset + 4 * row,
      this.#totalsAt(from),
      this.#totals.length === BLOCK_ROWS ? 0 : 4 * BLOCK_ROWS,
      this.blockBest.byteOffset + 4 * from,
      this.blockTies.byteOffset + 4 * from,
      ask.cpuFit,
      ask.memoryFit,
      ask.cpuScored,
      ask.memoryScored,
      ask.cpuExact,
      ask.memoryExact,
      ask.leastWeight,
      ask.balanceWeight,
      ask.constant,
    );
  }
}

/** @returns whether the quick pass can hold the numbers of a pod. */
function isQuick(ask: PodAsk): boolean {
  const { cpuFit, memoryFit, cpuScored, cpuExact, memoryExact } = ask;
  if (cpuScored > MOST_CPU_MILLI || cpuFit > MOST_CPU_MILLI) return false;
  if (memoryFit >= (MOST_UNITS - 1) * MEMORY_UNIT) return false;
  // Where it fits, shares in use must not pass 1.
  if (cpuExact > Math.max(0, cpuFit) || memoryExact > Math.max(0, memoryFit)) return false;
  // Without a say of evenness, its doubts would be for nothing.
  if (ask.balanceWeight === 0) return false;
  return ask.leastWeight <= MOST_QUICK_WEIGHT && ask.balanceWeight <= MOST_QUICK_WEIGHT;
}

/** @returns 50..100: 100 less half the difference of the shares in use; 100 for one resource. */
function evennessOf(cpuUsed: number, cpu: number, memoryUsed: number, memory: number): number {
  if (cpu === 0 || memory === 0) return 100;
  const a = cpuUsed >= cpu ? 1 : cpuUsed / cpu;
  const b = memoryUsed >= memory ? 1 : memoryUsed / memory;
  return Math.trunc((1 - Math.abs((a - b) / 2)) * 100);
}

/** The twin of the kernel: the same in plain numbers. */
function placeScalar(
  columns: HotColumns,
  totals: Int32Array,
  { from, blocks }: { readonly from: number; readonly blocks: number },
  ask: PodAsk,
): number {
  const { cpuAllocatable, cpuRequested, cpuNonzero, podsFree, evenness } = columns;
  const { memoryAllocatable, memoryRequested, memoryNonzero, blockBest, blockTies } = columns;
  const { cpuFit, memoryFit, cpuScored, memoryScored, cpuExact, memoryExact } = ask;
  let count = 0;
  for (let block = from; block < from + blocks; block++) {
    let best = -1;
    let ties = 0;
    for (let at = 0; at < BLOCK_ROWS; at++) {
      const row = block * BLOCK_ROWS + at;
      const cpu = cpuAllocatable[row];
      const memory = memoryAllocatable[row];
      const cpuUsed = cpuRequested[row];
      const memoryUsed = memoryRequested[row];
      const put = row % totals.length;
      totals[put] = -1;
      if (!(cpuFit <= cpu - cpuUsed && memoryFit <= memory - memoryUsed)) continue;
      if (podsFree[row] <= 0) continue;
      count++;
      const cpuFree = cpu - cpuNonzero[row] - cpuScored;
      const memoryFree = memory - memoryNonzero[row] - memoryScored;
      const sum = (cpuFree > 0 ? Math.trunc((cpuFree * 100) / cpu) : 0) +
        (memoryFree > 0 ? Math.trunc((memoryFree * 100) / memory) : 0);
      const least = cpu === 0 || memory === 0 ? sum : sum >> 1;
      const after = evennessOf(cpuUsed + cpuExact, cpu, memoryUsed + memoryExact, memory);
      const balance = 50 + ((50 + after - evenness[row]) >> 1);
      const total = ask.constant + ask.leastWeight * least + ask.balanceWeight * balance;
      totals[put] = total;
      if (total > best) {
        best = total;
        ties = 1;
      } else if (total === best) ties++;
    }
    blockBest[block] = best;
    blockTies[block] = best < 0 ? BLOCK_ROWS : ties;
  }
  return count;
}

/**
 * Finds the row to take after `place`.
 *
 * @param ask that of `place`
 * @param rankOf given how many rows share the best total, says which of them, from 0.
 */
export function pickPlaced(
  columns: HotColumns,
  rows: number,
  ask: PodAsk,
  rankOf: (ties: number) => number,
): number {
  const { blockBest, blockTies } = columns;
  const blocks = Math.ceil(rows / BLOCK_ROWS);
  let best = -1;
  let ties = 0;
  for (let block = 0; block < blocks; block++) {
    const found = blockBest[block];
    if (found < best) continue;
    if (found > best) ties = 0;
    best = found;
    ties += blockTies[block];
  }
  let rank = rankOf(ties);
  for (let block = 0; block < blocks; block++) {
    if (blockBest[block] !== best) continue;
    if (rank >= blockTies[block]) {
      rank -= blockTies[block];
      continue;
    }
    const totals = columns.totalsOf(block, ask);
    for (let at = 0;; at++) {
      if (totals[at] === best && rank-- === 0) return block * BLOCK_ROWS + at;
    }
  }
  throw new Error("place pod: no row to pick");
}
