/**
 * Majorities, plain and joint: what a set of voters agrees on.
 * In: one number or one vote per voter. Out: the index or the verdict of the quorum.
 * Never: knows members by id; a joint configuration is two calls and the stricter answer.
 * Source: Ongaro's thesis, sections 3.6 and 4.3.
 */

export type VoteResult = "won" | "lost" | "pending";

/**
 * The largest index that a majority has reached.
 * @param reached one index per voter in `[0, count)`; sorted in place
 * @param count voters; the rest of `reached` is scratch space
 * @returns the index, or Infinity for no voters, which lets the other half of a joint
 * configuration decide.
 */
export function majorityIndex(reached: number[], count: number): number {
  if (count === 0) return Infinity;
  if (count === 1) return reached[0];
  // Groups have up to seven voters: insertion sort beats the library's and allocates nothing.
  for (let i = 1; i < count; i++) {
    const value = reached[i];
    let j = i - 1;
    while (j >= 0 && reached[j] > value) {
      reached[j + 1] = reached[j];
      j--;
    }
    reached[j + 1] = value;
  }
  return reached[count - (count >> 1) - 1];
}

/**
 * @param votes how many granted and how many refused
 * @param voters how many may vote; none of them wins, as in an empty half of a joint configuration
 */
export function majorityVote(
  votes: { granted: number; rejected: number },
  voters: number,
): VoteResult {
  if (voters === 0) return "won";
  const needed = (voters >> 1) + 1;
  if (votes.granted >= needed) return "won";
  return voters - votes.rejected < needed ? "lost" : "pending";
}

/** The verdict of both halves of a joint configuration: one loss loses, two wins win. */
export function jointVote(incoming: VoteResult, outgoing: VoteResult): VoteResult {
  if (incoming === "lost" || outgoing === "lost") return "lost";
  return incoming === "won" && outgoing === "won" ? "won" : "pending";
}
