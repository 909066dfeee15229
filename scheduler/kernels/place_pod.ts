/**
 * Fit, LeastAllocated and BalancedAllocation over cpu and memory in one pass over all nodes.
 * In: the columns of a `HotColumns`, what one pod asks for. Out: on how many rows it fits, the best
 * worth of each block of rows that may hold the winner and how many rows have it.
 * Never: picks another row than the general loops of `plugins/` do. Tables of `SIMD_ROWS` rows and
 * more live in the memory of a WebAssembly instance and are passed over in 128-bit lanes; smaller
 * ones by the scalar twin below.
 */

import type { PodSpecRow } from "../pod_row.ts";
import { PLACE_POD_WASM } from "./place_pod_wasm.ts";
import { EXACT_CAPACITY } from "./two_resources.ts";

/** Rows that share one entry of `blockBest`; capacities are whole blocks. */
export const BLOCK_ROWS = 64;
/** From this capacity on the columns live in WebAssembly memory, whose pages are dear. */
const SIMD_ROWS = 1024;
const PAGE_BYTES = 65_536;
/** Columns of eight bytes a row, of four, and of two; the latter lie block by block. */
const DOUBLE_COLUMNS = 6;
const WORD_COLUMNS = 2;
const NARROW_COLUMNS = 8;
const NARROW_BLOCK = NARROW_COLUMNS * BLOCK_ROWS;
/** Of each block: the smallest cpu and memory as doubles, and two words. */
const HEAD_DOUBLES = 4;
const HEAD_WORDS = 2 * HEAD_DOUBLES;
/** Word: rows whose free shares by requests are not those that scores count. */
const APART = 4;
/** Word: 1 where all nodes are as large as the smallest. */
const ALIKE = 5;
/** Two rounds of worths of two bytes, or one of four; four of what is asked for. */
const WORTH_BYTES = (4 + 8) * BLOCK_ROWS;

/** Shares are counted in 256ths of a percent. */
const WHOLE = 25_600;
/** The share that stands for 1 in the column of smallest nodes over this one. */
const MOST_RATIO = 2 ** 15 - 1;
/** Most cpu, in thousandths, and memory for which the error of a share stays below its margin. */
const MOST_CPU_MILLI = 2 ** 24 - 1;
const MOST_MEMORY_BYTES = 2 ** 43;
/** Worths of two bytes hold two scores with weights that add up to this. */
const MOST_QUICK_WEIGHT = 300;
/** Free share of a row that takes no more pods: less than any pod can do with. */
const FULL = -(2 ** 15);

/** What one pod asks for and how its scores count: whole numbers, unless said otherwise. */
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
}

interface Kernels {
  layOut(...offsets: number[]): void;
  ask(...amounts: number[]): void;
  placeQuickly(blocks: number, block: number, atLeast: number): number;
  placeExactly(blocks: number, block: number): number;
}

/** @returns whether a node offers more than any pass can count exactly. */
export function isHuge(offered: { readonly cpuMilli: number; readonly memoryBytes: number }) {
  return offered.cpuMilli > EXACT_CAPACITY || offered.memoryBytes > EXACT_CAPACITY;
}

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
  readonly #narrow: Int16Array;
  /** By block: smallest cpu, smallest memory; NaN where true division must do. */
  readonly #smallest: Float64Array;
  readonly #headWords: Int32Array;
  /**
   * Written by `place`: the best worth of each block, -1 = none fits, and how many rows have it.
   * Where the best is below that of a block before it, it may be too low.
   */
  readonly blockBest: Int32Array;
  readonly blockTies: Int32Array;
  /** Of the block passed over last, -1 = it does not fit. */
  readonly #worths: Int32Array;
  readonly #narrowWorths: Int16Array;
  readonly #kernels: Kernels | null;

  /** @param simd false keeps to the scalar twin whatever the size. */
  constructor(capacity: number, simd = true) {
    this.capacity = capacity;
    const blocks = capacity / BLOCK_ROWS;
    const narrowAt = capacity * (8 * DOUBLE_COLUMNS + 4 * WORD_COLUMNS);
    const headsAt = narrowAt + 2 * NARROW_COLUMNS * capacity;
    const bestAt = headsAt + 8 * HEAD_DOUBLES * blocks;
    const tiesAt = bestAt + 4 * blocks;
    const worthsAt = 16 * Math.ceil((tiesAt + 4 * blocks) / 16);
    const bytes = worthsAt + WORTH_BYTES;
    let buffer: ArrayBuffer;
    if (simd && capacity >= SIMD_ROWS) {
      const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) });
      buffer = memory.buffer;
      const { exports } = new WebAssembly.Instance(compile(), { columns: { memory } });
      this.#kernels = exports as unknown as Kernels;
      this.#kernels.layOut(8 * capacity, narrowAt, headsAt, bestAt, tiesAt, worthsAt);
    } else {
      buffer = new ArrayBuffer(bytes);
      this.#kernels = null;
    }
    const doubles = (at: number) => new Float64Array(buffer, 8 * at * capacity, capacity);
    const words = (at: number) =>
      new Int32Array(buffer, (8 * DOUBLE_COLUMNS + 4 * at) * capacity, capacity);
    this.cpuAllocatable = doubles(0);
    this.cpuRequested = doubles(1);
    this.cpuNonzero = doubles(2);
    this.memoryAllocatable = doubles(3);
    this.memoryRequested = doubles(4);
    this.memoryNonzero = doubles(5);
    this.podsFree = words(0);
    this.evenness = words(1);
    this.#narrow = new Int16Array(buffer, narrowAt, NARROW_COLUMNS * capacity);
    this.#smallest = new Float64Array(buffer, headsAt, HEAD_DOUBLES * blocks).fill(Infinity);
    this.#headWords = new Int32Array(buffer, headsAt, HEAD_WORDS * blocks);
    this.blockBest = new Int32Array(buffer, bestAt, blocks);
    this.blockTies = new Int32Array(buffer, tiesAt, blocks);
    this.#worths = new Int32Array(buffer, worthsAt, BLOCK_ROWS);
    this.#narrowWorths = new Int16Array(buffer, worthsAt, BLOCK_ROWS);
    for (let block = 0; block < blocks; block++) {
      this.#headWords[HEAD_WORDS * block + APART] = 0;
      this.#headWords[HEAD_WORDS * block + ALIKE] = 1;
      const at = NARROW_BLOCK * block;
      this.#narrow.fill(FULL, at, at + BLOCK_ROWS);
      this.#narrow.fill(FULL, at + 6 * BLOCK_ROWS, at + 7 * BLOCK_ROWS);
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
    for (let row = 0; row < from.capacity; row += BLOCK_ROWS) this.#measure(row / BLOCK_ROWS);
  }

  /** Sets what a node offers. */
  offer(row: number, cpu: number, memory: number): void {
    const block = Math.floor(row / BLOCK_ROWS);
    const smallestCpu = this.#smallest[HEAD_DOUBLES * block];
    const smallestMemory = this.#smallest[HEAD_DOUBLES * block + 1];
    const wasSmallest = !(this.cpuAllocatable[row] !== smallestCpu && smallestCpu <= cpu &&
      this.memoryAllocatable[row] !== smallestMemory && smallestMemory <= memory);
    this.cpuAllocatable[row] = cpu;
    this.memoryAllocatable[row] = memory;
    if (wasSmallest && this.#kernels !== null) this.#measure(block);
    else this.weigh(row);
  }

  /** Makes the sums of a row anew from the pods on it. */
  recount(row: number, specs: readonly PodSpecRow[]): void {
    const sums = [this.cpuRequested, this.cpuNonzero, this.memoryRequested, this.memoryNonzero];
    for (const sum of sums) sum[row] = 0;
    for (const { requests, nonzeroCpuMilli, nonzeroMemoryBytes } of specs) {
      this.cpuRequested[row] += requests.cpuMilli;
      this.cpuNonzero[row] += nonzeroCpuMilli;
      this.memoryRequested[row] += requests.memoryBytes;
      this.memoryNonzero[row] += nonzeroMemoryBytes;
    }
  }

  /** Finds the smallest node of a block, against which the others are weighed. */
  #measure(block: number): void {
    const from = block * BLOCK_ROWS;
    let smallestCpu = Infinity;
    let smallestMemory = Infinity;
    for (let row = from; row < from + BLOCK_ROWS; row++) {
      if (!this.#isCountable(row)) continue;
      smallestCpu = Math.min(smallestCpu, this.cpuAllocatable[row]);
      smallestMemory = Math.min(smallestMemory, this.memoryAllocatable[row]);
    }
    this.#smallest[HEAD_DOUBLES * block] = smallestCpu;
    this.#smallest[HEAD_DOUBLES * block + 1] = smallestMemory;
    this.#headWords[HEAD_WORDS * block + ALIKE] = 1;
    for (let row = from; row < from + BLOCK_ROWS; row++) this.weigh(row);
  }

  /** @returns whether the quick pass can count what a node offers */
  #isCountable(row: number): boolean {
    const cpu = this.cpuAllocatable[row];
    const memory = this.memoryAllocatable[row];
    return cpu > 0 && memory > 0 && cpu <= MOST_CPU_MILLI && memory <= MOST_MEMORY_BYTES;
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
    const block = Math.floor(row / BLOCK_ROWS);
    const at = block * NARROW_BLOCK + row % BLOCK_ROWS;
    const head = HEAD_DOUBLES * block;
    const words = this.#headWords;
    const narrow = this.#narrow;
    const wereApart = this.#areApart(at);
    if (this.podsFree[row] <= 0 || !this.#isCountable(row)) {
      if (this.podsFree[row] > 0) this.#smallest.fill(NaN, head, head + 2);
      narrow[at] = narrow[at + 6 * BLOCK_ROWS] = FULL;
      narrow[at + BLOCK_ROWS] = narrow[at + 7 * BLOCK_ROWS] = 0;
    } else {
      const smallestCpu = this.#smallest[head];
      const smallestMemory = this.#smallest[head + 1];
      // Ratios are rounded up; what that may add to an ask is taken off what is free.
      const cpuSlack = smallestCpu === cpu ? 0 : 1;
      const memorySlack = smallestMemory === memory ? 0 : 1;
      if (cpuSlack + memorySlack > 0) words[2 * head + ALIKE] = 0;
      const cpuLeft = shareOf(cpu - this.cpuNonzero[row], cpu) - cpuSlack;
      const memoryLeft = shareOf(memory - this.memoryNonzero[row], memory) - memorySlack;
      narrow[at] = Math.max(0, cpuLeft);
      narrow[at + BLOCK_ROWS] = Math.max(0, memoryLeft);
      narrow[at + 2 * BLOCK_ROWS] = Math.round(
        WHOLE * (Math.min(1, cpuUsed / cpu) - Math.min(1, memoryUsed / memory)),
      );
      narrow[at + 3 * BLOCK_ROWS] = 52 - evenness;
      narrow[at + 4 * BLOCK_ROWS] = ratioOf(smallestCpu, cpu);
      narrow[at + 5 * BLOCK_ROWS] = ratioOf(smallestMemory, memory);
      narrow[at + 6 * BLOCK_ROWS] = shareOf(cpu - cpuUsed, cpu) - cpuSlack;
      narrow[at + 7 * BLOCK_ROWS] = shareOf(memory - memoryUsed, memory) - memorySlack;
    }
    words[2 * head + APART] += this.#areApart(at) - wereApart;
  }

  /** @returns 1 where a row's free shares by requests are not those that scores count, else 0 */
  #areApart(at: number): number {
    const narrow = this.#narrow;
    return narrow[at] === narrow[at + 6 * BLOCK_ROWS] &&
        narrow[at + BLOCK_ROWS] === narrow[at + 7 * BLOCK_ROWS]
      ? 0
      : 1;
  }

  /** Fills `blockBest` and `blockTies` for the first rows. @returns on how many rows it fits. */
  place(rows: number, ask: PodAsk): number {
    const blocks = Math.ceil(rows / BLOCK_ROWS);
    const kernels = this.#kernels;
    if (kernels === null) return this.#placeScalar({ from: 0, to: blocks }, ask);
    kernels.ask(
      ask.cpuFit,
      ask.memoryFit,
      ask.cpuScored,
      ask.memoryScored,
      ask.cpuExact,
      ask.memoryExact,
      ask.leastWeight,
      ask.balanceWeight,
    );
    return isQuick(ask) ? kernels.placeQuickly(blocks, 0, 0) : kernels.placeExactly(blocks, 0);
  }

  /**
   * Finds a row of a block after `place`.
   *
   * @param ask that of `place`
   * @param best the best worth of any block, and of this one
   * @returns the row of the given rank, from 0, among those of that worth
   */
  pick(block: number, ask: PodAsk, best: number, rank: number): number {
    const kernels = this.#kernels;
    let worths: Int32Array | Int16Array = this.#worths;
    if (kernels === null) this.#placeScalar({ from: block, to: block + 1 }, ask);
    else if (isQuick(ask)) {
      kernels.placeQuickly(1, block, best);
      worths = this.#narrowWorths;
    } else kernels.placeExactly(1, block);
    for (let at = 0; at < BLOCK_ROWS; at++) {
      if (worths[at] === best && rank-- === 0) return block * BLOCK_ROWS + at;
    }
    throw new Error("place pod: no row to pick");
  }

  /** The twin of the kernels: the same in plain numbers. */
  #placeScalar(
    { from, to }: { readonly from: number; readonly to: number },
    ask: PodAsk,
  ): number {
    const { cpuAllocatable, cpuRequested, cpuNonzero, podsFree, evenness } = this;
    const { memoryAllocatable, memoryRequested, memoryNonzero, blockBest, blockTies } = this;
    const { cpuFit, memoryFit, cpuScored, memoryScored, cpuExact, memoryExact } = ask;
    const worths = this.#worths;
    let count = 0;
    for (let block = from; block < to; block++) {
      let best = -1;
      let ties = 0;
      for (let at = 0; at < BLOCK_ROWS; at++) {
        const row = block * BLOCK_ROWS + at;
        const cpu = cpuAllocatable[row];
        const memory = memoryAllocatable[row];
        const cpuUsed = cpuRequested[row];
        const memoryUsed = memoryRequested[row];
        worths[at] = -1;
        if (!(cpuFit <= cpu - cpuUsed && memoryFit <= memory - memoryUsed)) continue;
        if (podsFree[row] <= 0) continue;
        count++;
        const cpuFree = cpu - cpuNonzero[row] - cpuScored;
        const memoryFree = memory - memoryNonzero[row] - memoryScored;
        const sum = (cpuFree > 0 ? Math.trunc((cpuFree * 100) / cpu) : 0) +
          (memoryFree > 0 ? Math.trunc((memoryFree * 100) / memory) : 0);
        const least = cpu === 0 || memory === 0 ? sum : sum >> 1;
        const after = evennessOf(cpuUsed + cpuExact, cpu, memoryUsed + memoryExact, memory);
        const balance = 1 + ((50 + after - evenness[row]) >> 1);
        const worth = ask.leastWeight * least + ask.balanceWeight * balance;
        worths[at] = worth;
        if (worth > best) {
          best = worth;
          ties = 1;
        } else if (worth === best) ties++;
      }
      blockBest[block] = best;
      blockTies[block] = best < 0 ? BLOCK_ROWS : ties;
    }
    return count;
  }
}

/** @returns whether the quick pass can hold the numbers of a pod. */
function isQuick(ask: PodAsk): boolean {
  const { cpuFit, memoryFit, cpuExact, memoryExact, leastWeight, balanceWeight } = ask;
  if (leastWeight + balanceWeight > MOST_QUICK_WEIGHT) return false;
  // It takes one amount for what must be free and for what balance adds.
  return balanceWeight === 0 ||
    (cpuExact === Math.max(0, cpuFit) && memoryExact === Math.max(0, memoryFit));
}

/** @returns a share of something that is free, rounded down, in 256ths of a percent. */
function shareOf(free: number, whole: number): number {
  return free <= 0 ? 0 : Math.floor((WHOLE * free) / whole);
}

/** @returns the smallest node's amount over this one's, in 32,768ths, rounded up. */
function ratioOf(smallest: number, whole: number): number {
  return Math.min(MOST_RATIO, Math.ceil((2 ** 15 * smallest) / whole));
}

/** @returns 50..100: 100 less half the difference of the shares in use; 100 for one resource. */
function evennessOf(cpuUsed: number, cpu: number, memoryUsed: number, memory: number): number {
  if (cpu === 0 || memory === 0) return 100;
  const a = cpuUsed >= cpu ? 1 : cpuUsed / cpu;
  const b = memoryUsed >= memory ? 1 : memoryUsed / memory;
  return Math.trunc((1 - Math.abs((a - b) / 2)) * 100);
}

/**
 * Finds the row to take after `place`.
 *
 * @param ask that of `place`
 * @param rankOf given how many rows share the best worth, says which of them, from 0.
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
    return columns.pick(block, ask, best, rank);
  }
  throw new Error("place pod: no block to pick");
}
