/**
 * The one way this folder says "that cannot happen".
 * In: a condition and the invariant it stands for. Out: nothing, or a crash.
 * Never: guards input from users, peers or disks; those are checked and answered or dropped.
 */

/**
 * Crashes the process's Raft core when one of its own invariants is broken.
 * @param condition what must hold
 * @param invariant the sentence to print when it does not
 * Errors: throws when `condition` is false.
 */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new Error(`raft invariant broken: ${invariant}`);
}
