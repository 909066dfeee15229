/**
 * Calls at a fixed rate, whatever the server does: the latency that clients of their own pace see.
 * In: a rate, messages. Out: milliseconds of each call, counted from when it was due.
 * Never: leaves out a stall (a call that could not be sent yet waits, too); decodes answers.
 */
import { RawClient } from "./store_raw.ts";

/** Calls that came due are sent this often. */
const TICK_MILLIS = 1;
const DRAIN_MILLIS = 10_000;

export interface OpenLoop {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly perSecond: number;
  readonly millis: number;
  /** Message of the n-th call. */
  readonly messageOf: (call: number) => Uint8Array;
  /** Called about once a tick with the milliseconds since the start. */
  readonly onTick: (elapsed: number) => void;
}

/** One connection: calls that wait for room, and when those under way were due. */
class Lane {
  readonly client: RawClient;
  readonly waiting: { readonly message: Uint8Array; readonly due: number }[] = [];
  readonly dueOf = new Map<number, number>();
  #hasMessage = new Set<number>();

  private constructor(client: RawClient) {
    this.client = client;
  }

  /** @param onDone when a call was due, and whether it was answered */
  static async open(
    loop: Pick<OpenLoop, "port" | "path">,
    onDone: (due: number, answered: boolean) => void,
  ): Promise<Lane> {
    const lane: Lane = new Lane(
      await RawClient.connect(loop.port, loop.path, (_bytes, _start, _end, id) => {
        lane.#hasMessage.add(id);
      }),
    );
    lane.client.onEnd = (id) => {
      const due = lane.dueOf.get(id);
      if (due === undefined || !lane.dueOf.delete(id)) return;
      onDone(due, lane.#hasMessage.delete(id));
      lane.send();
    };
    return lane;
  }

  send(): void {
    while (this.waiting.length > 0 && this.client.window > this.waiting[0].message.length + 5) {
      const { message, due } = this.waiting.shift()!;
      this.dueOf.set(this.client.call(message), due);
    }
  }
}

/**
 * Runs the calls.
 * @returns milliseconds a call; one that failed or never came back counts as the whole run
 */
export async function openLoop(loop: OpenLoop): Promise<number[]> {
  const { perSecond, millis, messageOf, onTick } = loop;
  const latencies: number[] = [];
  const onDone = (due: number, answered: boolean) => {
    latencies.push(answered ? performance.now() - due : millis);
  };
  const lanes = await Promise.all(
    Array.from({ length: loop.connections }, () => Lane.open(loop, onDone)),
  );
  const begun = performance.now();
  let calls = 0;
  for (let now = begun; now - begun < millis; now = performance.now()) {
    onTick(now - begun);
    for (; calls < (now - begun) * perSecond / 1000; calls++) {
      const due = begun + calls * 1000 / perSecond;
      lanes[calls % lanes.length].waiting.push({ message: messageOf(calls), due });
    }
    for (const lane of lanes) {
      lane.send();
      lane.client.flush();
    }
    await pause(TICK_MILLIS);
  }
  const deadline = performance.now() + DRAIN_MILLIS;
  while (latencies.length < calls && performance.now() < deadline) await pause(TICK_MILLIS);
  for (const { client } of lanes) client.close();
  while (latencies.length < calls) latencies.push(performance.now() - begun);
  return latencies;
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
