/**
 * The audit log on disk: lines appended in batches, files turned over by size, old ones removed.
 * In: lines. Out: a file of mode 0600 and its backups `name-TIME.ext`.
 * Never: makes a request wait for the disk; when the disk can't keep up, lines are dropped and
 * counted. Source: the --audit-log-* flags of kube-apiserver (v1.36).
 */
import { basename, dirname, extname, join } from "node:path";
import type { Clock, Log } from "../ports.ts";

export interface AuditLogOptions {
  /** `-` = standard output. */
  readonly path: string;
  /** Megabytes (2^20 bytes) at which a new file begins; 0 = 100. */
  readonly maxSizeMegabytes: number;
  /** Days that old files are kept; 0 = for ever. */
  readonly maxAgeDays: number;
  /** Old files that are kept; 0 = all. */
  readonly maxBackups: number;
}

/** Where audit lines go. */
export interface AuditSink {
  /** Name in /metrics: `log`, `webhook`. */
  readonly plugin: string;
  /** Of one that stands for several. */
  readonly parts?: readonly AuditSink[];
  /** Takes one line without its newline; never waits. */
  write(line: string): void;
  /** Resolves when everything taken is written. */
  close(): Promise<void>;
  readonly written: number;
  /** Lines lost to a full queue or a failing disk. */
  readonly dropped: number;
}

const DEFAULT_MEGABYTES = 100;
/** What may wait for the disk; about 20,000 lines at the level Metadata. */
const QUEUE_LIMIT_CHARS = 32 * 1024 * 1024;
const DAY_MILLIS = 86_400_000;
const encoder = new TextEncoder();

/** Opens the log for appending. Errors: rejects with the platform's error. */
export async function openAuditLog(
  options: AuditLogOptions,
  ports: { readonly clock: Clock; readonly log: Log },
): Promise<AuditSink> {
  if (options.path === "-") return new BatchedLog(standardOutput(), ports.log);
  const file = new TurnedFile(options, ports.clock);
  await file.open();
  return new BatchedLog(file, ports.log);
}

interface Target {
  append(bytes: Uint8Array): Promise<void>;
  close(): void;
}

function standardOutput(): Target {
  return {
    append: async (bytes) => {
      for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
    },
    close: () => {},
  };
}

/** Lines that arrive while a write runs go out together with the next one. */
class BatchedLog implements AuditSink {
  readonly plugin = "log";
  readonly #target: Target;
  readonly #log: Log;
  #lines: string[] = [];
  #chars = 0;
  #running: Promise<void> | null = null;
  written = 0;
  dropped = 0;

  constructor(target: Target, log: Log) {
    this.#target = target;
    this.#log = log;
  }

  write(line: string): void {
    if (this.#chars + line.length > QUEUE_LIMIT_CHARS) {
      this.dropped++;
      return;
    }
    this.#lines.push(line);
    this.#chars += line.length;
    this.#running ??= this.#drain();
  }

  async close(): Promise<void> {
    await this.#running;
    this.#target.close();
  }

  async #drain(): Promise<void> {
    // Requests of the same turn of the event loop share the first write.
    await Promise.resolve();
    while (this.#lines.length > 0) {
      const lines = this.#lines;
      this.#lines = [];
      this.#chars = 0;
      try {
        await this.#target.append(encoder.encode(lines.join("\n") + "\n"));
        this.written += lines.length;
      } catch (error) {
        this.dropped += lines.length;
        this.#log("error", "the audit log can't be written", {
          lines: lines.length,
          error: String(error),
        });
      }
    }
    this.#running = null;
  }
}

/** A file that is put aside when it is full. */
class TurnedFile implements Target {
  readonly #options: AuditLogOptions;
  readonly #clock: Clock;
  readonly #limitBytes: number;
  #file: Deno.FsFile | null = null;
  #size = 0;

  constructor(options: AuditLogOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#limitBytes = (options.maxSizeMegabytes || DEFAULT_MEGABYTES) * 1024 * 1024;
  }

  async open(): Promise<void> {
    const { path } = this.#options;
    await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
    this.#file = await Deno.open(path, { append: true, create: true, mode: 0o600 });
    // A file that was there keeps its mode; this one names users and what they did.
    await Deno.chmod(path, 0o600);
    this.#size = (await this.#file.stat()).size;
  }

  async append(bytes: Uint8Array): Promise<void> {
    if (this.#size > 0 && this.#size + bytes.length > this.#limitBytes) await this.#turn();
    if (this.#file === null) await this.open();
    for (let at = 0; at < bytes.length;) at += await this.#file!.write(bytes.subarray(at));
    this.#size += bytes.length;
  }

  close(): void {
    this.#file?.close();
    this.#file = null;
  }

  async #turn(): Promise<void> {
    const { path } = this.#options;
    this.close();
    const at = new Date(this.#clock.nowMillis()).toISOString().replaceAll(":", "-").slice(0, -1);
    const extension = extname(path);
    const stem = basename(path, extension);
    await Deno.rename(path, join(dirname(path), `${stem}-${at}${extension}`));
    await this.open();
    await this.#removeOld(stem, extension);
  }

  async #removeOld(stem: string, extension: string): Promise<void> {
    const { path, maxAgeDays, maxBackups } = this.#options;
    const backups: { name: string; millis: number }[] = [];
    for await (const { name, isFile } of Deno.readDir(dirname(path))) {
      const millis = isFile ? timeOfBackup(name, stem, extension) : null;
      if (millis !== null) backups.push({ name, millis });
    }
    backups.sort((a, b) => b.millis - a.millis);
    const oldest = maxAgeDays === 0 ? 0 : this.#clock.nowMillis() - maxAgeDays * DAY_MILLIS;
    const kept = maxBackups === 0 ? Infinity : maxBackups;
    for (const [index, { name, millis }] of backups.entries()) {
      if (index >= kept || millis < oldest) await Deno.remove(join(dirname(path), name));
    }
  }
}

/** @returns null for a file that is no backup of this log */
function timeOfBackup(name: string, stem: string, extension: string): number | null {
  if (!name.startsWith(`${stem}-`) || !name.endsWith(extension)) return null;
  const text = name.slice(stem.length + 1, name.length - extension.length);
  const match = /^(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\d\.\d{3})$/.exec(text);
  return match === null ? null : Date.parse(`${match[1]}:${match[2]}:${match[3]}Z`);
}
