/** Who may do what, as the real kubectl asks it, both versions. */
import assert from "node:assert/strict";
import { HOLLOW, Kubectl, withCluster } from "./cluster.ts";
import { systemTest } from "./tools.ts";

const ROLES = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: default}
rules:
- {apiGroups: [""], resources: [pods], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects:
- {kind: User, apiGroup: rbac.authorization.k8s.io, name: ann}
`;

for (const version of ["kubectl-1.32", "kubectl-1.36"] as const) {
  systemTest(
    `${version}: auth and roles`,
    [version],
    (test) => withCluster(HOLLOW, (cluster) => walk(test, new Kubectl(version, cluster))),
  );
}

async function walk(test: Deno.TestContext, kubectl: Kubectl) {
  await test.step("whoami, and a master may all", async () => {
    assert.match(await kubectl.ok("auth whoami"), /Groups +\[system:masters/);
    assert.equal(await kubectl.ok("auth can-i '*' '*'"), "yes\n");
  });

  await test.step("reconcile makes roles, and a user may what they say", async () => {
    const made = await kubectl.ok("auth reconcile -f -", ROLES);
    assert.match(made, /reader reconciled/);
    assert.equal(await kubectl.ok("auth can-i list pods --as ann"), "yes\n");
    const refused = await kubectl.try(["auth", "can-i", "delete", "pods", "--as", "ann"]);
    assert.equal(refused.stdout, "no\n");
    assert.match(await kubectl.ok("auth can-i --list --as ann"), /pods +\[\] +\[\] +\[get list\]/);
    await kubectl.ok("get pods --as ann");
    assert.match(
      await kubectl.refused("get secrets --as ann"),
      /secrets is forbidden: User "ann" cannot list resource "secrets"/,
    );
  });

  await test.step("a service account may nothing until it is bound", async () => {
    const as = "--as system:serviceaccount:default:default";
    assert.match(await kubectl.refused(`get pods ${as}`), /forbidden/);
    await kubectl.ok(
      "create rolebinding sa --clusterrole=view --serviceaccount=default:default",
    );
    await kubectl.ok(`get pods ${as}`);
    assert.match(await kubectl.refused(`get pods -n kube-system ${as}`), /forbidden/);
  });

  await test.step("the default roles are there, with what they gather", async () => {
    const described = await kubectl.ok("describe clusterrole admin");
    assert.match(described, /deployments\.apps/);
    assert.match(await kubectl.ok("get clusterrolebindings"), /cluster-admin/);
  });

  await test.step("a user can't grant what it lacks", async () => {
    await kubectl.ok("create rolebinding ann-admin --clusterrole=admin --user=ann");
    await kubectl.ok("create role mine --verb=get --resource=pods --as ann");
    const refused = await kubectl.refused(
      "create rolebinding all --clusterrole=cluster-admin --user=ann --as ann",
    );
    assert.match(refused, /attempting to grant RBAC permissions not currently held/);
  });
}
