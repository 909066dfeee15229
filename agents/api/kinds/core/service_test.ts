/** Tries the addresses, families and traffic rules of services. */
import assert from "node:assert/strict";
import { prepared, problems, updateProblems } from "../testing.ts";
import { services as row } from "../../resources.ts";

const ports = [{ port: 80 }];
const draft = (spec: Record<string, unknown>) => prepared(row, { spec: { ports, ...spec } });

Deno.test("addresses fit each other and their families", () => {
  const cases: readonly [Record<string, unknown>, string][] = [
    [{ clusterIP: "10.0.0.1", clusterIPs: ["10.0.0.2"] }, "first value must match `clusterIP`"],
    [{ clusterIPs: ["10.0.0.2"] }, "must be empty when `clusterIP` is not specified"],
    [{ clusterIP: "x" }, "must be a valid IP address"],
    [
      { clusterIP: "10.0.0.1", clusterIPs: ["10.0.0.1", "10.0.0.2"] },
      "may specify no more than one IP for each IP family",
    ],
    [
      { clusterIP: "10.0.0.1", ipFamilies: ["IPv6"] },
      "expected an IPv6 value as indicated by " +
      "`ipFamilies[0]`",
    ],
    [
      { clusterIP: "None", clusterIPs: ["None", "10.0.0.1"] },
      "'None' must be the first and only " +
      "value",
    ],
    [{ ipFamilyPolicy: "Any" }, "spec.ipFamilyPolicy: Unsupported value"],
    [{ ipFamilies: ["IPv4", "IPv4"] }, "spec.ipFamilies[1]: Duplicate value"],
    [{ loadBalancerClass: "a.com/b" }, "may only be used when `type` is 'LoadBalancer'"],
    [{ internalTrafficPolicy: "Here" }, "spec.internalTrafficPolicy: Unsupported value"],
    [{ externalIPs: ["1.2.3"] }, "spec.externalIPs[0]: Invalid value"],
  ];
  for (const [spec, expected] of cases) {
    const found = [...problems(row, draft(spec)), ...updateProblems(row, draft(spec), draft({}))]
      .join("\n");
    assert.ok(found.includes(expected), found);
  }
  const dual = { clusterIP: "10.0.0.1", clusterIPs: ["10.0.0.1", "fd00::1"] };
  assert.deepEqual(problems(row, draft({ ...dual, ipFamilies: ["IPv4", "IPv6"] })), []);
});

Deno.test("a second address comes and goes, the first stays", () => {
  const one = draft({ clusterIP: "10.0.0.1" });
  const two = draft({ clusterIP: "10.0.0.1", clusterIPs: ["10.0.0.1", "fd00::1"] });
  assert.deepEqual(updateProblems(row, two, one), []);
  assert.match(updateProblems(row, one, two)[0], /must be set to 'SingleStack' when releasing/);
  const single = draft({ clusterIP: "10.0.0.1", ipFamilyPolicy: "SingleStack" });
  assert.deepEqual(updateProblems(row, single, two), []);
  const moved = draft({ clusterIP: "10.0.0.9" });
  assert.match(updateProblems(row, moved, one)[0], /^spec.clusterIPs\[0\]: .*may not change once/);
});
