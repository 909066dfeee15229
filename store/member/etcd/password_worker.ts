/**
 * The thread on which passwords are hashed, one after the other.
 * In: a password, and the hash to compare it with or null. Out: whether it fits, or a new hash.
 * Never: answers in another order than it was asked.
 */
import { compareSync, hashSync } from "bcryptjs";

const COST = 10;

export interface PasswordQuestion {
  readonly id: number;
  readonly password: string;
  /** What to compare with; null asks for a new hash. */
  readonly stored: string | null;
}

export interface PasswordAnswer {
  readonly id: number;
  readonly answer: boolean | string;
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<PasswordQuestion>) => void;
  postMessage(answer: PasswordAnswer): void;
};

scope.onmessage = ({ data: { id, password, stored } }) => {
  scope.postMessage({ id, answer: stored === null ? hash(password) : fits(password, stored) });
};

/** `$2a$` is what etcd writes; `$2b$` differs in name only. */
function hash(password: string): string {
  return hashSync(password, COST).replace(/^\$2b\$/, "$2a$");
}

function fits(password: string, stored: string): boolean {
  try {
    return compareSync(password, stored);
  } catch {
    // What is stored is no bcrypt hash, so nothing fits it.
    return false;
  }
}
