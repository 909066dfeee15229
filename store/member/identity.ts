/**
 * Member and cluster ids, computed as etcd computes them.
 * In: peer URLs, the cluster token, member ids. Out: unsigned 64-bit ids.
 * Never: draws randomness; the same command lines give the same ids on every member.
 * Source: etcd server/etcdserver/api/membership (member and cluster ids).
 */
import { createHash } from "node:crypto";

/**
 * @param peerUrls of the member, any order
 * @param token `--initial-cluster-token`
 * @param addedAtSeconds wall clock, only for a member added to a running cluster
 * @returns the member's id
 */
export function computeMemberId(
  peerUrls: readonly string[],
  token: string,
  addedAtSeconds?: number,
): bigint {
  const text = [...peerUrls].sort().join("") + token + (addedAtSeconds ?? "");
  return firstEightBytes(new TextEncoder().encode(text));
}

/** @returns the id of a cluster that starts with these members */
export function computeClusterId(memberIds: readonly bigint[]): bigint {
  const sorted = [...memberIds].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const view = new DataView(new ArrayBuffer(8 * sorted.length));
  sorted.forEach((id, i) => view.setBigUint64(8 * i, id));
  return firstEightBytes(new Uint8Array(view.buffer));
}

/** @returns an id as etcd prints it */
export function formatId(id: bigint): string {
  return id.toString(16);
}

function firstEightBytes(bytes: Uint8Array): bigint {
  return createHash("sha1").update(bytes).digest().readBigUInt64BE(0);
}
