/**
 * A disk in memory that forgets what was not synced, and fails when told to.
 * In: the calls of the Disk port and a plan of faults. Out: the port, and the disk that a machine
 * would find after losing power at that moment.
 * Never: makes a write durable that no sync covered, unless the crash's chooser keeps that sector.
 */
import type { Disk, DiskFile } from "../../store/ports.ts";

const SECTOR = 512;

/** Thrown by the call at which the machine loses power, and by every call after it. */
export class PowerLost extends Error {
  constructor() {
    super("the fake machine has no power");
  }
}

/** Same shape as the platform's error for a full disk. */
export class FakeDiskFull extends Error {
  readonly code = "ENOSPC";
  constructor() {
    super("No space left on device");
  }
}

/** Says of each sector that was written but not synced whether it survives the crash. */
export type SectorChooser = (path: string, sector: number) => boolean;

interface Inode {
  bytes: Uint8Array;
  size: number;
  /** The content a crash is sure to keep. */
  durable: Uint8Array;
}

export class FakeDisk implements Disk {
  /** Bytes that files may use together. */
  capacityBytes = Number.POSITIVE_INFINITY;
  /** The next sync of a file rejects. */
  failNextSync = false;
  /** Power is lost when this many changing calls were made; tests set it. */
  powerLossAtOperation = Number.POSITIVE_INFINITY;
  /** Changing calls (write, allocate, truncate, sync, rename, remove, create) so far. */
  operations = 0;
  /** File syncs that succeeded. */
  syncs = 0;
  readonly #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  readonly #directories = new Set<string>();
  readonly #locks = new Set<string>();

  open(path: string, { create }: { create: boolean }): DiskFile {
    let inode = this.#names.get(path);
    if (inode === undefined) {
      if (!create) throw new Error(`no such file: ${path}`);
      this.#change();
      inode = { bytes: new Uint8Array(0), size: 0, durable: new Uint8Array(0) };
      this.#names.set(path, inode);
    }
    return this.#file(path, inode);
  }

  list(directory: string): string[] {
    this.#requirePower();
    const prefix = `${directory}/`;
    return [...this.#names.keys()].filter((path) =>
      path.startsWith(prefix) && !path.slice(prefix.length).includes("/")
    ).map((path) => path.slice(prefix.length)).sort();
  }

  rename(from: string, to: string): void {
    this.#change();
    const inode = this.#names.get(from);
    if (inode === undefined) throw new Error(`no such file: ${from}`);
    this.#names.delete(from);
    this.#names.set(to, inode);
  }

  remove(path: string): void {
    this.#change();
    if (!this.#names.delete(path)) throw new Error(`no such file: ${path}`);
  }

  async removeLarge(path: string): Promise<void> {
    await Promise.resolve();
    this.remove(path);
  }

  makeDirectory(path: string): void {
    this.#requirePower();
    this.#directories.add(path);
  }

  async syncDirectory(path: string): Promise<void> {
    this.#change();
    await Promise.resolve();
    this.#requirePower();
    const prefix = `${path}/`;
    for (const name of [...this.#durableNames.keys()]) {
      if (name.startsWith(prefix) && !this.#names.has(name)) this.#durableNames.delete(name);
    }
    for (const [name, inode] of this.#names) {
      if (name.startsWith(prefix)) this.#durableNames.set(name, inode);
    }
  }

  freeBytes(): number {
    return this.capacityBytes - this.#usedBytes();
  }

  lock(directory: string): (() => void) | null {
    if (this.#locks.has(directory)) return null;
    this.#locks.add(directory);
    return () => this.#locks.delete(directory);
  }

  /**
   * The disk after the machine lost power now: synced data, and of the rest what `survives` keeps.
   * @param survives default: nothing that was not synced survives
   */
  crash(survives: SectorChooser = () => false): FakeDisk {
    const after = new FakeDisk();
    for (const [path, inode] of this.#durableNames) {
      const current = inode.bytes.subarray(0, inode.size);
      const grows = current.length > inode.durable.length &&
        survives(path, Math.ceil(current.length / SECTOR));
      const length = grows ? current.length : inode.durable.length;
      const bytes = new Uint8Array(length);
      bytes.set(inode.durable.subarray(0, length));
      for (let start = 0; start < length; start += SECTOR) {
        const end = Math.min(start + SECTOR, length);
        const written = current.subarray(start, Math.min(end, current.length));
        if (survives(path, start / SECTOR)) bytes.set(written, start);
      }
      const kept = { bytes, size: length, durable: bytes.slice() };
      after.#names.set(path, kept);
      after.#durableNames.set(path, kept);
    }
    return after;
  }

  /** Changes stored bytes behind the store's back; the change is durable. */
  damage(path: string, change: (bytes: Uint8Array) => void): void {
    const inode = this.#names.get(path);
    if (inode === undefined) throw new Error(`no such file: ${path}`);
    change(inode.bytes.subarray(0, inode.size));
    inode.durable = inode.bytes.slice(0, inode.size);
  }

  /** Every path there is. */
  paths(): string[] {
    return [...this.#names.keys()].sort();
  }

  #file(path: string, inode: Inode): DiskFile {
    const grow = (length: number) => {
      if (length <= inode.size) return;
      if (this.#usedBytes() + length - inode.size > this.capacityBytes) throw new FakeDiskFull();
      if (length > inode.bytes.length) {
        const grown = new Uint8Array(Math.max(length, inode.bytes.length * 2));
        grown.set(inode.bytes.subarray(0, inode.size));
        inode.bytes = grown;
      }
      inode.bytes.fill(0, inode.size, length);
      inode.size = length;
    };
    return {
      path,
      size: () => inode.size,
      readAt: (offset, into) => {
        this.#requirePower();
        const part = inode.bytes.subarray(offset, Math.min(inode.size, offset + into.length));
        into.set(part);
        return part.length;
      },
      writeAt: (offset, bytes) => {
        this.#change();
        grow(offset + bytes.length);
        inode.bytes.set(bytes, offset);
      },
      allocate: (length) => {
        this.#change();
        grow(length);
      },
      truncate: (length) => {
        this.#change();
        inode.size = Math.min(inode.size, length);
      },
      sync: async () => {
        this.#change();
        const content = inode.bytes.slice(0, inode.size);
        const fails = this.failNextSync;
        this.failNextSync = false;
        await Promise.resolve();
        this.#requirePower();
        if (fails) throw new Error("fake sync failure");
        inode.durable = content;
        this.syncs++;
      },
      close: () => {},
    };
  }

  #usedBytes(): number {
    let used = 0;
    for (const inode of this.#names.values()) used += inode.size;
    return used;
  }

  #requirePower(): void {
    if (this.operations >= this.powerLossAtOperation) throw new PowerLost();
  }

  #change(): void {
    this.#requirePower();
    this.operations++;
    this.#requirePower();
  }
}
