/**
 * Requests that the etcd API refuses, each with its gRPC status and words.
 * In: nothing. Out: a table; raw messages, so that a client library can't mend them on the way.
 */

/** A protobuf field: a string or bytes, or a number as a varint. */
export type Field = readonly [number: number, value: string | Uint8Array | number];

export interface Refusal {
  readonly method: string;
  readonly fields: readonly Field[];
  readonly code: number;
  readonly message: string;
}

const INVALID = 3;
const NOT_FOUND = 5;
const PRECONDITION = 9;
const OUT_OF_RANGE = 11;
const UNIMPLEMENTED = 12;

const refusal = (
  method: string,
  fields: readonly Field[],
  code: number,
  message: string,
): Refusal => ({ method, fields, code, message });

/** @returns a message's bytes */
export function encodeFields(fields: readonly Field[]): Uint8Array {
  const bytes: number[] = [];
  const varint = (value: number) => {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    bytes.push(Number(rest));
  };
  for (const [field, value] of fields) {
    varint(field * 8 + (typeof value === "number" ? 0 : 2));
    if (typeof value === "number") {
      varint(value);
      continue;
    }
    const content = typeof value === "string" ? new TextEncoder().encode(value) : value;
    varint(content.length);
    for (const byte of content) bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

const putOp = (key: string): Field => [2, encodeFields([[2, encodeFields([[1, key], [2, "v"]])]])];
const deleteOp = (key: string, end: string): Field => [
  2,
  encodeFields([[3, encodeFields([[1, key], [2, end]])]]),
];

export const REFUSALS: readonly Refusal[] = [
  refusal("KV/Range", [], INVALID, "etcdserver: key is not provided"),
  refusal("KV/Put", [[2, "v"]], INVALID, "etcdserver: key is not provided"),
  refusal("KV/DeleteRange", [], INVALID, "etcdserver: key is not provided"),
  refusal("KV/Put", [[1, "a"], [2, "v"], [5, 1]], INVALID, "etcdserver: value is provided"),
  refusal("KV/Put", [[1, "a"], [3, 7], [6, 1]], INVALID, "etcdserver: lease is provided"),
  refusal("KV/Put", [[1, "absent"], [5, 1]], INVALID, "etcdserver: key not found"),
  refusal("KV/Put", [[1, "absent"], [6, 1]], INVALID, "etcdserver: key not found"),
  refusal(
    "KV/Put",
    [[1, "a"], [3, 4242]],
    NOT_FOUND,
    "etcdserver: requested lease not found",
  ),
  refusal(
    "KV/Range",
    [[1, "a"], [4, 1_000_000]],
    OUT_OF_RANGE,
    "etcdserver: mvcc: required revision is a future revision",
  ),
  refusal(
    "KV/Range",
    [[1, "a"], [4, 1]],
    OUT_OF_RANGE,
    "etcdserver: mvcc: required revision has been compacted",
  ),
  refusal(
    "KV/Compact",
    [[1, 1_000_000]],
    OUT_OF_RANGE,
    "etcdserver: mvcc: required revision is a future revision",
  ),
  refusal(
    "KV/Compact",
    [[1, 1]],
    OUT_OF_RANGE,
    "etcdserver: mvcc: required revision has been compacted",
  ),
  refusal(
    "KV/Txn",
    [putOp("same"), putOp("same")],
    INVALID,
    "etcdserver: duplicate key given in txn request",
  ),
  refusal(
    "KV/Txn",
    [putOp("m"), deleteOp("a", "z")],
    INVALID,
    "etcdserver: duplicate key given in txn request",
  ),
  refusal(
    "KV/Txn",
    Array.from({ length: 129 }, (_, i) => putOp(`k${i}`)),
    INVALID,
    "etcdserver: too many operations in txn request",
  ),
  refusal(
    "KV/Txn",
    [[1, encodeFields([[1, 0], [2, 0]])]],
    INVALID,
    "etcdserver: key is not provided",
  ),
  refusal(
    "KV/Put",
    [[1, "a"], [2, "x".repeat(1.5 * 1024 * 1024)]],
    INVALID,
    "etcdserver: request is too large",
  ),
  refusal(
    "Lease/LeaseRevoke",
    [[1, 4242]],
    NOT_FOUND,
    "etcdserver: requested lease not found",
  ),
  refusal(
    "Lease/LeaseGrant",
    [[1, 10_000_000_000]],
    OUT_OF_RANGE,
    "etcdserver: too large lease TTL",
  ),
  refusal(
    "Lease/LeaseGrant",
    [[1, 60], [2, 77]],
    PRECONDITION,
    "etcdserver: lease already exists",
  ),
  refusal("Cluster/MemberRemove", [[1, 4242]], NOT_FOUND, "etcdserver: member not found"),
  refusal("Cluster/MemberPromote", [[1, 4242]], NOT_FOUND, "etcdserver: member not found"),
  refusal(
    "Cluster/MemberAdd",
    [[1, "no url"]],
    INVALID,
    "etcdserver: given member URLs are invalid",
  ),
  refusal(
    "Maintenance/MoveLeader",
    [[1, 4242]],
    PRECONDITION,
    "etcdserver: bad leader transferee",
  ),
  refusal(
    "Maintenance/HashKV",
    [[1, 1_000_000]],
    OUT_OF_RANGE,
    "etcdserver: mvcc: required revision is a future revision",
  ),
  refusal(
    "Auth/Authenticate",
    [[1, "root"], [2, "x"]],
    PRECONDITION,
    "etcdserver: authentication is not enabled",
  ),
  refusal("Auth/AuthEnable", [], PRECONDITION, "etcdserver: root user does not exist"),
  refusal("Auth/UserAdd", [[2, "pw"]], INVALID, "etcdserver: user name is empty"),
  refusal("Auth/UserGet", [[1, "absent"]], PRECONDITION, "etcdserver: user name not found"),
  refusal("Auth/UserDelete", [[1, "absent"]], PRECONDITION, "etcdserver: user name not found"),
  refusal("Auth/RoleGet", [[1, "absent"]], PRECONDITION, "etcdserver: role name not found"),
  refusal("Auth/RoleAdd", [[1, "taken"]], PRECONDITION, "etcdserver: role name already exists"),
  refusal("Auth/RoleAdd", [], INVALID, "etcdserver: role name is empty"),
  refusal(
    "Auth/RoleRevokePermission",
    [[1, "taken"], [2, "k"]],
    PRECONDITION,
    "etcdserver: permission is not granted to the role",
  ),
  refusal(
    "KV/Nothing",
    [],
    UNIMPLEMENTED,
    "unknown method Nothing for service etcdserverpb.KV",
  ),
  refusal("Nothing/At", [], UNIMPLEMENTED, "unknown service etcdserverpb.Nothing"),
];
