/**
 * Clients that take their time: what each still owes, and until when.
 * In: things that are waited for, a clock. Out: a call for each that did not come.
 * Never: a timer for each; all are looked at every few seconds.
 * Source: secure_serving.go (v1.36) for how long a head and an idle connection may take.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../ports.ts";

/** From the end of the handshake to the end of a request's head. */
export const HEAD_MILLIS = 32_000;
/** From the end of an answer to the end of the next head. */
export const IDLE_MILLIS = 90_000;
/** From a request's head to the end of its body. */
export const BODY_MILLIS = 60_000;
const SWEEP_MILLIS = 5_000;

export class Overdue {
  readonly #clock: Clock;
  readonly #owed = new Map<object, { readonly until: number; readonly expired: () => void }>();
  readonly #stop: () => void;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#stop = clock.every(SWEEP_MILLIS, () => this.#sweep());
  }

  /** Waits for a debtor anew; what it owed before is forgotten. */
  expect(debtor: object, millis: number, expired: () => void): void {
    this.#owed.set(debtor, { until: this.#clock.nowMillis() + millis, expired });
  }

  settled(debtor: object): void {
    this.#owed.delete(debtor);
  }

  close(): void {
    this.#stop();
    this.#owed.clear();
  }

  #sweep(): void {
    const now = this.#clock.nowMillis();
    for (const [debtor, { until, expired }] of this.#owed) {
      if (until > now) continue;
      this.#owed.delete(debtor);
      expired();
    }
  }
}

/** Ends connections of an HTTP/1.1 server that are slower than they may be. */
export function limitHttp1(server: Server, overdue: Overdue): void {
  const expect = (socket: Socket, millis: number) =>
    overdue.expect(socket, millis, () => void socket.destroy());
  server.on("connection", (socket: Socket) => {
    expect(socket, HEAD_MILLIS);
    socket.on("close", () => overdue.settled(socket));
  });
  server.on("request", (message: IncomingMessage, response: ServerResponse) => {
    const { socket } = message;
    // An answer may take longer than its request: a watch does.
    if (message.method === "GET" || message.method === "HEAD") overdue.settled(socket);
    else {
      expect(socket, BODY_MILLIS);
      message.on("end", () => overdue.settled(socket));
    }
    response.on("finish", () => expect(socket, IDLE_MILLIS));
  });
  server.on("upgrade", ({ socket }: IncomingMessage) => overdue.settled(socket));
}
