/**
 * Container logs: the CRI log file of a run as the bytes that `kubectl logs` shows.
 * In: a file in CRI format (`time stream tag text`) and what to show of it. Out: a byte stream.
 * Never: holds a whole log in memory; a followed file is watched, not polled.
 * Source: CRI's logging format; PodLogOptions of core/v1.
 */

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  /** null = all lines. */
  readonly tailLines: number | null;
  readonly limitBytes: number | null;
  /** Lines older than this are left out; milliseconds since 1970, null = none. */
  readonly sinceMillis: number | null;
  /** Whether the run has ended, so that a follow may stop at the end of the file. */
  readonly hasEnded: () => boolean;
}

const CHUNK_BYTES = 64 * 1024;
const NEWLINE = 10;
/** How often a follower looks whether the container has ended while its file stays silent. */
const ENDED_CHECK_MILLIS = 500;

/** Reads the options of a log request. Errors: throws naming the parameter. */
export function parseLogOptions(
  query: URLSearchParams,
  nowMillis: number,
  hasEnded: () => boolean,
): LogOptions {
  const number = (name: string, least: number): number | null => {
    const text = query.get(name);
    if (text === null || text === "") return null;
    if (!/^\d+$/.test(text) || Number(text) < least) {
      throw new Error(`${name}: must be a whole number of at least ${least}`);
    }
    return Number(text);
  };
  const sinceSeconds = number("sinceSeconds", 1);
  const sinceTime = query.get("sinceTime");
  const sinceMillis = sinceTime === null ? null : Date.parse(sinceTime);
  if (sinceMillis !== null && Number.isNaN(sinceMillis)) throw new Error("sinceTime: not a time");
  return {
    follow: query.get("follow") === "true",
    timestamps: query.get("timestamps") === "true",
    tailLines: number("tailLines", 0),
    limitBytes: number("limitBytes", 1),
    sinceMillis: sinceSeconds === null ? sinceMillis : nowMillis - sinceSeconds * 1000,
    hasEnded,
  };
}

/**
 * Streams a log file.
 * @param signal stops a follow
 * Errors: rejects when the file can't be opened.
 */
export async function openLog(
  path: string,
  options: LogOptions,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const file = await Deno.open(path, { read: true });
  const start = options.tailLines === null ? 0 : await tailOffset(file, options.tailLines);
  await file.seek(start, Deno.SeekMode.Start);
  return ReadableStream.from(readLog(file, path, options, signal));
}

async function* readLog(
  file: Deno.FsFile,
  path: string,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const formatter = new LineFormatter(options);
  const buffer = new Uint8Array(CHUNK_BYTES);
  const changes = options.follow ? new FileChanges(path, signal) : null;
  try {
    while (!signal.aborted && !formatter.isFull) {
      // Asked before reading: what was written until it ended must still be read.
      const ended = options.hasEnded();
      const count = await file.read(buffer);
      if (count !== null) {
        const bytes = formatter.push(buffer.subarray(0, count));
        if (bytes.length > 0) yield bytes;
      } else if (changes === null || ended) break;
      else await changes.next();
    }
  } finally {
    changes?.close();
    file.close();
  }
}

/** Wakes when the file changes, when the follower should look around, or when it is stopped. */
class FileChanges {
  readonly #watcher: Deno.FsWatcher;
  #wake: () => void = () => {};
  #changed = false;

  constructor(path: string, signal: AbortSignal) {
    this.#watcher = Deno.watchFs(path);
    signal.addEventListener("abort", () => this.#notify(), { once: true });
    void this.#listen();
  }

  async #listen() {
    for await (const _ of this.#watcher) this.#notify();
  }

  #notify() {
    this.#changed = true;
    this.#wake();
  }

  async next(): Promise<void> {
    if (!this.#changed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ENDED_CHECK_MILLIS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#changed = false;
  }

  close(): void {
    this.#watcher.close();
  }
}

/** CRI lines in, shown bytes out; keeps an unfinished line until its rest arrives. */
export class LineFormatter {
  readonly #options: Pick<LogOptions, "timestamps" | "limitBytes" | "sinceMillis">;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #rest = new Uint8Array(0);
  #written = 0;
  #inPartial = false;

  constructor(options: Pick<LogOptions, "timestamps" | "limitBytes" | "sinceMillis">) {
    this.#options = options;
  }

  /** Whether the byte limit was reached. */
  get isFull(): boolean {
    return this.#options.limitBytes !== null && this.#written >= this.#options.limitBytes;
  }

  push(chunk: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(this.#rest.length + chunk.length);
    bytes.set(this.#rest);
    bytes.set(chunk, this.#rest.length);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    this.#rest = bytes.slice(end);
    let out = "";
    for (const line of this.#decoder.decode(bytes.subarray(0, end)).split("\n")) {
      if (line !== "") out += this.#format(line);
    }
    const encoded = this.#encoder.encode(out);
    const left = this.#options.limitBytes === null
      ? encoded.length
      : Math.max(0, this.#options.limitBytes - this.#written);
    this.#written += encoded.length;
    return encoded.subarray(0, left);
  }

  /** `2026-01-02T03:04:05.678901234Z stdout F text`; tag P marks a line that goes on. */
  #format(line: string): string {
    const match = /^(\S+) (?:stdout|stderr) (\S+) ?(.*)$/s.exec(line);
    if (match === null) return "";
    const [, time, tags, text] = match;
    const { sinceMillis, timestamps } = this.#options;
    if (sinceMillis !== null && Date.parse(time) < sinceMillis) return "";
    const isPartial = tags.split(":").includes("P");
    const prefix = timestamps && !this.#inPartial ? `${time} ` : "";
    this.#inPartial = isPartial;
    return `${prefix}${text}${isPartial ? "" : "\n"}`;
  }
}

/** Offset at which the last `lines` lines begin; reads backwards in chunks. */
async function tailOffset(file: Deno.FsFile, lines: number): Promise<number> {
  const size = (await file.stat()).size;
  if (lines === 0) return size;
  let found = 0;
  for (let end = size; end > 0; end -= CHUNK_BYTES) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const chunk = new Uint8Array(end - start);
    await file.seek(start, Deno.SeekMode.Start);
    await readFully(file, chunk);
    for (let at = chunk.length - 1; at >= 0; at--) {
      if (chunk[at] !== NEWLINE || start + at === size - 1) continue;
      if (++found === lines) return start + at + 1;
    }
  }
  return 0;
}

async function readFully(file: Deno.FsFile, into: Uint8Array): Promise<void> {
  for (let at = 0; at < into.length;) {
    const count = await file.read(into.subarray(at));
    if (count === null) return;
    at += count;
  }
}
