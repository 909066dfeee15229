/**
 * The way of one snapshot between two simulated members: in pieces, over connections that break.
 * In: an outgoing file, a network that says who reaches whom. Out: the file at the receiver, and
 * the sender told how it ended.
 * Never: begins anew what the receiver has already, as little as the real transport does.
 */
import type { Message } from "../../../store/raft/types.ts";
import { IncomingSnapshot, OutgoingSnapshot } from "../../../store/peer/snapshot_transfer.ts";
import type { SimRandom } from "./random.ts";
import type { Endpoint } from "./sim_network.ts";

const STALL_MILLIS = 5_000;
const RECONNECT_MILLIS = 150;
const PIECE_BYTES = 6 * 1024;
/** What a link carries in a millisecond. */
const BYTES_PER_MILLI = 25_000;

export interface CarrierParts {
  readonly from: Endpoint;
  readonly message: Message;
  readonly random: SimRandom;
  /** World milliseconds. */
  readonly now: () => number;
  /** @returns the receiver as far as the sender reaches it now */
  readonly reach: () => Endpoint | null;
  /** @returns whether what is sent now is lost, and the connection with it */
  readonly breaks: () => boolean;
  /** Brings something back to the sender, if it can be reached. */
  readonly answer: (to: Endpoint, arrive: () => void) => void;
  readonly onDone: (resumed: boolean) => void;
}

export class SnapshotCarrier {
  readonly #parts: CarrierParts;
  readonly #bytes: Uint8Array;
  #stallAt: number;
  #breaks = 0;
  #resumed = false;

  /** Errors: throws when the sender can't read its file. */
  constructor(parts: CarrierParts) {
    const { from, message } = parts;
    this.#parts = parts;
    const file = new OutgoingSnapshot(from.disk, from.snapshotDirectory, message.snapshot!);
    this.#bytes = new Uint8Array(file.size);
    for (let chunk = file.next(); chunk !== null; chunk = file.next()) {
      this.#bytes.set(chunk.bytes, chunk.offset);
    }
    file.close();
    this.#stallAt = parts.now() + STALL_MILLIS;
  }

  /** Connects, and goes on where the receiver's file ends. */
  start(): void {
    const { from, message, random } = this.#parts;
    from.process.schedule(random.between(0.3, 1.6), () => {
      const target = this.#parts.reach();
      if (target === null || this.#parts.breaks()) return this.#retry();
      const { disk, snapshotDirectory: directory } = target;
      try {
        const meta = message.snapshot!;
        const file = new IncomingSnapshot({ disk, directory, meta, size: this.#bytes.length });
        if (file.received > 0 && file.received < this.#bytes.length) this.#resumed = true;
        this.#send(target, file);
      } catch {
        this.#retry();
      }
    });
  }

  #send(target: Endpoint, file: IncomingSnapshot): void {
    const { from } = this.#parts;
    if (file.received === this.#bytes.length) {
      target.process.schedule(0.1, () => void this.#finish(target, file));
      return;
    }
    const piece = this.#bytes.subarray(file.received, file.received + PIECE_BYTES);
    from.process.schedule(piece.length / BYTES_PER_MILLI, () => {
      if (this.#parts.reach() !== target || this.#parts.breaks()) {
        file.suspend();
        return this.#retry();
      }
      target.process.run(() => {
        try {
          if (!file.write(file.received, piece)) return this.#refused(target);
        } catch {
          return this.#refused(target);
        }
        this.#stallAt = this.#parts.now() + STALL_MILLIS;
        this.#send(target, file);
      }, "peer");
    });
  }

  async #finish(target: Endpoint, file: IncomingSnapshot): Promise<void> {
    let ok = false;
    try {
      ok = await file.finish(target.process) === null;
    } catch {
      // A full or failing disk, or a process that died.
    }
    if (!target.process.alive) return this.#retry();
    if (!ok) return this.#refused(target);
    target.host.receive([this.#parts.message]);
    this.#parts.onDone(this.#resumed);
    this.#parts.answer(target, () => this.#tell(true));
  }

  #refused(target: Endpoint): void {
    this.#parts.answer(target, () => this.#tell(false));
  }

  /** Dials again until nothing has moved for too long. */
  #retry(): void {
    const { from, random } = this.#parts;
    const wait = Math.min(2_000, RECONNECT_MILLIS * 2 ** Math.min(this.#breaks++, 4));
    if (this.#parts.now() + wait >= this.#stallAt) {
      from.process.schedule(wait, () => this.#tell(false));
    } else from.process.schedule(wait * random.between(0.5, 1), () => this.start());
  }

  #tell(ok: boolean): void {
    const { host, process } = this.#parts.from;
    process.run(() => host.snapshotSent(this.#parts.message.to, ok), "peer");
  }
}
