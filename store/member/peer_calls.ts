/**
 * Questions that members ask each other outside Raft, as small JSON objects.
 * In: questions with an `ask` field. Out: answers, or null.
 * Never: carries data of the store; commands and reads go through Raft.
 */
import type { Member } from "./member.ts";

export type Question = { readonly ask: string } & Record<string, unknown>;
export type Answer = Record<string, unknown>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @returns the leader's answer, or null when there is no leader or it does not answer */
export async function callLeader(member: Member, question: Question): Promise<Answer | null> {
  const { leader } = member.raft;
  if (leader === 0n || leader === member.id) return null;
  const bytes = await member.call(leader, encodeQuestion(question));
  return bytes === null ? null : decodeObject(bytes);
}

export function encodeQuestion(question: Answer): Uint8Array {
  return encoder.encode(JSON.stringify(question));
}

/** @returns the object, or null when the bytes are none */
export function decodeObject(bytes: Uint8Array): Answer | null {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    return typeof value === "object" && value !== null ? value as Answer : null;
  } catch {
    return null;
  }
}
