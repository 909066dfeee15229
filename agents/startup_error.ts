/**
 * A failure to start that the user can do something about.
 * In: what happened, what to do. Out: an error that `main.ts` prints as two lines, without a stack.
 * Never: for our own bugs; those crash with their stack.
 */
export class StartupError extends Error {
  override readonly name = "StartupError";

  /**
   * @param message what happened and where, one line
   * @param advice what to do next, one line
   */
  constructor(message: string, readonly advice: string) {
    super(message);
  }
}
