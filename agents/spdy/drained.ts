/**
 * Waiting for a reader who is slower than the writer.
 * In: a response whose `write` said that it holds enough. Out: a promise that never rejects.
 * Never: says which of the two it was; the writer looks whether the response is gone.
 */
import type { ServerResponse } from "node:http";

/** Resolves when the socket took what waits, or is gone. */
export function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}
