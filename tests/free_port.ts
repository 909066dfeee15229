/**
 * Ports for servers that tests and benchmarks start as processes of their own.
 * In: nothing. Out: a port that nobody listens on and that nobody else is given meanwhile.
 * Never: one that the kernel hands to outgoing connections (32,768 and up on Linux), since such a
 * port may be taken between being chosen and being listened on; nor a NodePort (30,000 and up).
 */
import { join } from "node:path";
import { tmpdir } from "node:os";

const FIRST = 20_000;
const COUNT = 10_000;

/**
 * @param nextTurn counts up; by default together with every process of this user
 * @returns a TCP port on 127.0.0.1
 */
export function freePort(nextTurn: () => number = countTogether): number {
  for (let tries = 0; tries < COUNT; tries++) {
    const port = FIRST + nextTurn() % COUNT;
    if (isFree(port)) return port;
  }
  throw new Error(`no port from ${FIRST} to ${FIRST + COUNT - 1} is free`);
}

/** Counts in a file under a lock: test runners are several processes and threads. */
function countTogether(): number {
  const path = join(tmpdir(), `balsa-test-ports-${Deno.uid()}`);
  using file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
  file.lockSync(true);
  const turn = new Uint32Array(1);
  const bytes = new Uint8Array(turn.buffer);
  file.readSync(bytes);
  turn[0]++;
  file.seekSync(0, Deno.SeekMode.Start);
  file.writeSync(bytes);
  return turn[0];
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}
