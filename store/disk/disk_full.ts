/**
 * Tells a full disk from every other failure of a write.
 * In: whatever a Disk method threw. Out: a boolean.
 * Never: treats a failed sync as recoverable; syncs report a full disk only as data loss.
 */

/** Platform codes for "no space": the file system is full, or the user's quota on it is. */
const FULL_CODES: readonly string[] = ["ENOSPC", "EDQUOT"];

/**
 * @param error what a write, an allocation or a creation threw
 * @returns whether freeing space makes the same call succeed
 */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return FULL_CODES.includes((error as Error & { readonly code?: string }).code ?? "");
}
