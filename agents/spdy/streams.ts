/**
 * What runs over a session, whoever holds it: byte streams, and how a process ended.
 * In: nothing. Out: types, the last word of a session as remote commands spell it, and sizes.
 * Never: knows what carries them: SPDY, a WebSocket, memory.
 * Source: client-go tools/remotecommand (v4.go, v5.go), v1.36.
 */

/** A byte stream in both directions: an upgraded connection, seen from either end. */
export interface ByteDuplex {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** One multiplexed exec or attach session; absent streams were not asked for. */
export interface ExecStreams {
  readonly stdin?: ReadableStream<Uint8Array>;
  readonly stdout?: WritableStream<Uint8Array>;
  readonly stderr?: WritableStream<Uint8Array>;
  /** Terminal sizes as the client reports them. */
  readonly resize?: AsyncIterable<TerminalSize>;
}

/** How a session ended: the exit code of the process, or a failure before it ran. */
export type ExecOutcome =
  | { readonly kind: "exited"; readonly exitCode: number }
  | { readonly kind: "failed"; readonly message: string };

/** Which streams a client asks for. */
export interface ExecRequest {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** A session as its server sees it. */
export interface ExecSession {
  readonly streams: ExecStreams;
  /** Tells the client how it ended and closes. */
  finish(outcome: ExecOutcome): void;
}

/** The last word of a session: a Status in the remote command protocol's own, shorter dress. */
export function statusOf(outcome: ExecOutcome): Record<string, unknown> {
  if (outcome.kind === "failed") {
    const { message } = outcome;
    return { metadata: {}, status: "Failure", reason: "InternalError", message, code: 500 };
  }
  if (outcome.exitCode === 0) return { metadata: {}, status: "Success" };
  return {
    metadata: {},
    status: "Failure",
    reason: "NonZeroExitCode",
    message: `command terminated with non-zero exit code: exit status ${outcome.exitCode}`,
    details: { causes: [{ reason: "ExitCode", message: String(outcome.exitCode) }] },
  };
}

/** The newest terminal size; older ones that nobody read are of no use. */
export class SizeQueue implements AsyncIterable<TerminalSize> {
  #latest: TerminalSize | null = null;
  #wake: (() => void) | null = null;
  #isEnded = false;

  push(payload: Uint8Array): void {
    try {
      const { Width, Height } = JSON.parse(new TextDecoder().decode(payload));
      if (!Number.isInteger(Width) || !Number.isInteger(Height)) return;
      this.#latest = { width: Width, height: Height };
      this.#wake?.();
    } catch {
      // A size that can't be read leaves the terminal as it is.
    }
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<TerminalSize> {
    for (;;) {
      if (this.#latest !== null) {
        const size = this.#latest;
        this.#latest = null;
        yield size;
      } else if (this.#isEnded) return;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}
