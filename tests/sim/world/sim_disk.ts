/**
 * A machine's disk: survives its processes, forgets on power loss what no sync covered.
 * In: the calls of the Disk port from one process at a time; faults. Out: the port, bound to a
 * process; what is left after a kill or a power loss.
 * Never: touches a real disk; keeps more than a random part of what was written and not synced.
 */
import type { Disk, DiskFile } from "../../../store/ports.ts";
import type { SimProcess } from "./process.ts";
import { ProcessDead } from "./process.ts";
import type { SimRandom } from "./random.ts";

const SECTOR = 512;
const PAGE = 4096;

interface Span {
  readonly start: number;
  readonly end: number;
}

interface Inode {
  bytes: Uint8Array;
  size: number;
  /** What a power loss is sure to keep; as long as `bytes`. */
  durable: Uint8Array;
  durableSize: number;
  /** Written and not yet covered by a finished sync. */
  dirty: Span[];
}

/** One change of a name, in the order of the file system's journal. */
interface NameChange {
  readonly directory: string;
  readonly path: string;
  readonly inode: Inode | null;
}

class DiskFull extends Error {
  readonly code = "ENOSPC";
  constructor() {
    super("No space left on device");
  }
}

export interface DiskFaults {
  /** Bytes that files may use together. */
  capacityBytes: number;
  /** Added to every sync, milliseconds. */
  syncDelayMillis: number;
  /** The next sync of a file rejects. */
  failNextSync: boolean;
  /** The process dies at the changing call after this many; -1 = never. */
  killAfterOperations: number;
  /** A sync reports success without keeping anything: a lie that only seeded bugs tell. */
  lies: boolean;
}

export class SimDisk {
  readonly faults: DiskFaults = {
    capacityBytes: Number.POSITIVE_INFINITY,
    syncDelayMillis: 0,
    failNextSync: false,
    killAfterOperations: -1,
    lies: false,
  };
  readonly #random: SimRandom;
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #journal: NameChange[] = [];
  #lockedBy: SimProcess | null = null;

  constructor(random: SimRandom) {
    this.#random = random;
  }

  get usedBytes(): number {
    let used = 0;
    for (const inode of this.#names.values()) used += inode.size;
    return used;
  }

  paths(): string[] {
    return [...this.#names.keys()].sort();
  }

  /** The port as `process` sees it. */
  attach(process: SimProcess): Disk {
    return {
      open: (path, { create }) => {
        let inode = this.#names.get(path);
        if (inode === undefined) {
          if (!create) throw new Error(`no such file: ${path}`);
          this.#change(process);
          inode = newInode();
          this.#setName(path, inode);
        }
        return this.#file(process, path, inode);
      },
      list: (directory) => {
        requireAlive(process);
        const prefix = `${directory}/`;
        return [...this.#names.keys()].filter((path) =>
          path.startsWith(prefix) && !path.slice(prefix.length).includes("/")
        ).map((path) => path.slice(prefix.length)).sort();
      },
      rename: (from, to) => {
        this.#change(process);
        const inode = this.#names.get(from);
        if (inode === undefined) throw new Error(`no such file: ${from}`);
        this.#setName(from, null);
        this.#setName(to, inode);
      },
      remove: (path) => this.#remove(process, path),
      removeLarge: (path) => this.#later(process, () => this.#remove(process, path)),
      makeDirectory: () => requireAlive(process),
      syncDirectory: (path) => {
        this.#change(process);
        const covered = this.#journal.length;
        return this.#later(process, () => {
          const kept: NameChange[] = [];
          this.#journal.forEach((change, i) => {
            if (i < covered && change.directory === path) this.#keepName(change);
            else kept.push(change);
          });
          this.#journal = kept;
        });
      },
      freeBytes: () => this.faults.capacityBytes - this.usedBytes,
      lock: () => {
        if (this.#lockedBy?.alive) return null;
        this.#lockedBy = process;
        return () => this.#lockedBy = null;
      },
    };
  }

  /** The machine lost power: names and sectors that no sync covered survive at random. */
  losePower(): void {
    const kept = this.#random.nextInt(this.#journal.length + 1);
    for (const change of this.#journal.slice(0, kept)) this.#keepName(change);
    this.#journal = [];
    this.#names = new Map(this.#durableNames);
    for (const inode of new Set(this.#names.values())) this.#forget(inode);
  }

  /** Changes stored bytes behind the store's back, durably. */
  damage(path: string, change: (bytes: Uint8Array) => void): void {
    const inode = this.#names.get(path);
    if (inode === undefined) throw new Error(`no such file: ${path}`);
    change(inode.bytes.subarray(0, inode.size));
    inode.durable.set(inode.bytes.subarray(0, inode.size));
  }

  /** A new, empty disk in the machine. */
  wipe(): void {
    this.#names = new Map();
    this.#durableNames = new Map();
    this.#journal = [];
  }

  #forget(inode: Inode): void {
    const grown = inode.size !== inode.durableSize && this.#random.chance(0.5);
    const size = grown ? inode.size : inode.durableSize;
    for (const { start, end } of inode.dirty) {
      for (let at = start; at < end;) {
        const next = Math.min(end, (Math.floor(at / SECTOR) + 1) * SECTOR);
        // A drive writes a sector whole or not at all.
        if (this.#random.chance(0.5)) inode.durable.set(inode.bytes.subarray(at, next), at);
        at = next;
      }
    }
    inode.durable.fill(0, size);
    inode.dirty = [];
    inode.bytes = inode.durable.slice();
    inode.size = size;
    inode.durableSize = size;
  }

  #setName(path: string, inode: Inode | null): void {
    if (inode === null) this.#names.delete(path);
    else this.#names.set(path, inode);
    this.#journal.push({ directory: path.slice(0, path.lastIndexOf("/")), path, inode });
  }

  #keepName({ path, inode }: NameChange): void {
    if (inode === null) this.#durableNames.delete(path);
    else this.#durableNames.set(path, inode);
  }

  #file(process: SimProcess, path: string, inode: Inode): DiskFile {
    return {
      path,
      size: () => inode.size,
      readAt: (offset, into) => {
        requireAlive(process);
        const part = inode.bytes.subarray(offset, Math.min(inode.size, offset + into.length));
        into.set(part);
        return part.length;
      },
      writeAt: (offset, bytes) => {
        if (this.#isLast()) {
          // A kernel copies page by page; a process may die between two.
          const page = PAGE * Math.ceil(offset / PAGE + this.#random.nextInt(3));
          const part = bytes.subarray(0, Math.max(0, page - offset));
          this.#grow(inode, offset + part.length);
          write(inode, offset, part);
        }
        this.#change(process);
        this.#grow(inode, offset + bytes.length);
        write(inode, offset, bytes);
      },
      allocate: (length) => {
        this.#change(process);
        this.#grow(inode, length);
      },
      truncate: (length) => {
        this.#change(process);
        if (length >= inode.size) return;
        inode.bytes.fill(0, length, inode.size);
        inode.dirty.push({ start: length, end: inode.size });
        inode.size = length;
      },
      sync: () => this.#sync(process, path, inode),
      close: () => {},
    };
  }

  #sync(process: SimProcess, path: string, inode: Inode): Promise<void> {
    this.#change(process);
    const covered = inode.dirty.length;
    const contents: Uint8Array[] = [];
    for (const { start, end } of inode.dirty) contents.push(inode.bytes.slice(start, end));
    const { size } = inode;
    const fails = this.faults.failNextSync;
    this.faults.failNextSync = false;
    return this.#later(process, () => {
      if (fails) throw new Error(`input/output error: ${path}`);
      if (this.faults.lies) return;
      const spans = inode.dirty.splice(0, covered);
      spans.forEach(({ start }, i) => inode.durable.set(contents[i], start));
      inode.durableSize = size;
    });
  }

  #remove(process: SimProcess, path: string): void {
    this.#change(process);
    if (!this.#names.has(path)) throw new Error(`no such file: ${path}`);
    this.#setName(path, null);
  }

  #later(process: SimProcess, finish: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const delay = this.#random.between(0.1, 1.2) + this.faults.syncDelayMillis;
      process.schedule(delay, () => {
        try {
          finish();
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #grow(inode: Inode, length: number): void {
    if (length <= inode.size) return;
    if (
      this.faults.capacityBytes !== Number.POSITIVE_INFINITY &&
      this.usedBytes + length - inode.size > this.faults.capacityBytes
    ) throw new DiskFull();
    if (length > inode.bytes.length) {
      const capacity = Math.max(length, inode.bytes.length * 2, PAGE);
      inode.bytes = resized(inode.bytes, capacity);
      inode.durable = resized(inode.durable, capacity);
    }
    inode.size = length;
  }

  #isLast(): boolean {
    return this.faults.killAfterOperations === 0;
  }

  /** Counts a changing call; the planned one is where the process dies. */
  #change(process: SimProcess): void {
    requireAlive(process);
    if (this.#isLast()) {
      this.faults.killAfterOperations = -1;
      process.kill();
      throw new ProcessDead();
    }
    if (this.faults.killAfterOperations > 0) this.faults.killAfterOperations--;
  }
}

function newInode(): Inode {
  return {
    bytes: new Uint8Array(0),
    size: 0,
    durable: new Uint8Array(0),
    durableSize: 0,
    dirty: [],
  };
}

function resized(bytes: Uint8Array, capacity: number): Uint8Array {
  const grown = new Uint8Array(capacity);
  grown.set(bytes);
  return grown;
}

function write(inode: Inode, offset: number, bytes: Uint8Array): void {
  inode.bytes.set(bytes, offset);
  inode.dirty.push({ start: offset, end: offset + bytes.length });
}

function requireAlive(process: SimProcess): void {
  if (!process.alive) throw new ProcessDead();
}
