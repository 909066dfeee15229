/**
 * Two links that are the two ends of one connection in memory, for tests of whatever runs on one.
 * In: nothing. Out: a pair of links; bytes arrive in pieces of five, so that nothing is whole.
 * Never: a socket.
 */
import type { Link } from "./session.ts";

/** Two ends of one connection; bytes travel in pieces of five. */
export function linkPair(): [Link, Link] {
  const pipes = [new TransformStream<Uint8Array>(), new TransformStream<Uint8Array>()];
  const end = (
    incoming: ReadableStream<Uint8Array>,
    outgoing: WritableStream<Uint8Array>,
  ): Link => {
    const writer = outgoing.getWriter();
    let last: Promise<void> = Promise.resolve();
    return {
      incoming,
      write(bytes) {
        const pieces: Uint8Array[] = [];
        for (let at = 0; at < bytes.length; at += 5) pieces.push(bytes.slice(at, at + 5));
        last = Promise.all(pieces.map((piece) => writer.write(piece))).then(() => {});
        return last;
      },
      close: () => void last.catch(() => {}).then(() => writer.close()).catch(() => {}),
    };
  };
  return [
    end(pipes[0].readable, pipes[1].writable),
    end(pipes[1].readable, pipes[0].writable),
  ];
}
