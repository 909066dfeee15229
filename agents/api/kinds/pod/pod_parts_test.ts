/** Tries the corners of pods: debugging, resizing, confinement, devices, references. */
import assert from "node:assert/strict";
import type { KubeObject } from "../../meta.ts";
import { prepared, problems, worded } from "../testing.ts";
import { pods as row } from "../../resources.ts";

const amounts = (cpu: string) => ({ requests: { cpu }, limits: { cpu: "2" } });
const container = { name: "c", image: "nginx", resources: amounts("1") };

function pod(spec: Record<string, unknown> = {}): KubeObject {
  const object = prepared(row, { spec: { containers: [container], ...spec } });
  row.rules.prepareForCreate?.(object, { nowMillis: 0, newUid: () => "" });
  return object;
}

const withContainer = (change: Record<string, unknown>, spec: Record<string, unknown> = {}) =>
  pod({ containers: [{ ...container, ...change }], ...spec });

Deno.test("debugging containers are added, never changed", () => {
  const old = pod();
  const draft = structuredClone(old);
  draft.spec.nodeName = "elsewhere";
  draft.spec.ephemeralContainers = [{ name: "debug", image: "busybox" }];
  const { ephemeralcontainers: part } = row.rules.parts ?? {};
  part.prepare(draft, old);
  assert.equal(draft.spec.nodeName, undefined);
  assert.equal(draft.spec.ephemeralContainers.length, 1);
  assert.deepEqual(worded(part.validateUpdate?.(draft, old)), []);
  const gone = pod();
  assert.match(worded(part.validateUpdate?.(gone, draft))[0], /"debug" may not be removed/);
});

Deno.test("a resize moves cpu and memory within the pod's class", () => {
  const { resize: part } = row.rules.parts ?? {};
  const old = pod();
  const grown = structuredClone(old);
  grown.spec.containers[0] = { ...grown.spec.containers[0], image: "x", resources: amounts("2m") };
  part.prepare(grown, old);
  assert.equal(grown.spec.containers[0].image, "nginx");
  assert.deepEqual(worded(part.validateUpdate?.(grown, old)), []);
  const equal = structuredClone(old);
  const exact = { cpu: "2", memory: "1Gi" };
  equal.spec.containers[0].resources = { requests: exact, limits: exact };
  assert.match(
    worded(part.validateUpdate?.(equal, old))[0],
    /Pod QOS Class may not change as a result of resizing/,
  );
  const bare = structuredClone(old);
  bare.spec.containers[0].resources = { limits: { cpu: "2" } };
  assert.match(worded(part.validateUpdate?.(bare, old)).join(), /requests cannot be removed/);
});

Deno.test("a status names claims that the pod has, and containers that ask for them", () => {
  const gpu = "example.com/gpu";
  const resources = { requests: { [gpu]: "1" }, limits: { [gpu]: "1" } };
  const claims = [{ name: "a", resourceClaimTemplateName: "t" }];
  const old = pod({ containers: [{ ...container, resources }], resourceClaims: claims });
  const of = (status: object) => {
    const draft = { ...old, status: { ...old.status, ...status } };
    return worded(row.rules.validateStatusUpdate?.(draft, old)).join("\n");
  };
  const made = (...names: string[]) =>
    of({ resourceClaimStatuses: names.map((name) => ({ name })) });
  const mapping = { containerName: "c", resourceName: gpu, requestName: "container-0-request-0" };
  const extended = (changes: readonly object[], resourceClaimName = "x") => {
    const requestMappings = changes.map((change) => ({ ...mapping, ...change }));
    return of({ extendedResourceClaimStatus: { requestMappings, resourceClaimName } });
  };
  const cases: readonly [string, RegExp][] = [
    [made("a"), /^$/],
    [made("b"), /\[0\]\.name: Invalid value: "b": must match the name of an entry in/],
    [made("a", "a"), /resourceClaimStatuses\[1\]\.name: Duplicate value: "a"/],
    [extended([{}]), /^$/],
    [extended([]), /requestMappings: Required value: at least one request mapping/],
    [extended([{}], ""), /resourceClaimName: Required value/],
    [extended([{ containerName: "d" }]), /\[0\]\.containerName: Invalid value: "d"/],
    [extended([{ resourceName: "x.io/y" }]), /\[0\]\.resourceName: Invalid value: "x.io\/y"/],
    [extended([{ requestName: "A" }]), /requestName: Invalid value: "A"/],
    [extended([{}, {}]), /requestMappings\[1\]\.requestName: Duplicate value/],
  ];
  for (const [found, expected] of cases) assert.match(found, expected);
});

Deno.test("confinement, devices and references are checked as upstream checks them", () => {
  const cases: readonly [KubeObject, string][] = [
    [
      withContainer({ securityContext: { seccompProfile: { type: "Localhost" } } }),
      "must be set when seccomp type is Localhost",
    ],
    [
      withContainer({ securityContext: { appArmorProfile: { type: "Odd" } } }),
      'appArmorProfile.type: Unsupported value: "Odd"',
    ],
    [
      withContainer({ securityContext: { procMount: "Odd" } }),
      'securityContext.procMount: Unsupported value: "Odd"',
    ],
    [pod({ resourceClaims: [{ name: "gpu" }] }), "must specify one of: `resourceClaimName`"],
    [
      withContainer({ resources: { claims: [{ name: "gpu" }] } }),
      "must be one of the names in pod.spec.resourceClaims which is empty",
    ],
    [
      pod({ resources: { requests: { cpu: "500m" } } }),
      "must be greater than or equal to aggregate container requests of 1",
    ],
    [
      withContainer({ env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "spec.x" } } }] }),
      "error converting fieldPath: field label not supported: spec.x",
    ],
    [
      withContainer({
        env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.labels" } } }],
      }),
      'fieldPath: Unsupported value: "metadata.labels"',
    ],
    [
      withContainer({
        env: [{ name: "A", valueFrom: { resourceFieldRef: { resource: "limits.bananas" } } }],
      }),
      'resource: Unsupported value: "limits.bananas"',
    ],
    [
      withContainer({ resizePolicy: [{ resourceName: "cpu", restartPolicy: "Odd" }] }),
      'resizePolicy: Unsupported value: "Odd"',
    ],
    [pod({ volumes: [{ name: "v", iscsi: {} }] }), "iscsi.targetPortal: Required value"],
    [
      pod({ volumes: [{ name: "v", ephemeral: { volumeClaimTemplate: { spec: {} } } }] }),
      "at least 1 access mode is required",
    ],
    [
      pod({ volumes: [{ name: "v", downwardAPI: { items: [{ path: "a" }] } }] }),
      "one of fieldRef and resourceFieldRef is required",
    ],
  ];
  for (const [object, expected] of cases) {
    const found = problems(row, object).join("\n");
    assert.ok(found.includes(expected), `${expected}\n${found}`);
  }
  const label = { fieldRef: { fieldPath: "metadata.labels['app']" } };
  assert.deepEqual(problems(row, withContainer({ env: [{ name: "A", valueFrom: label }] })), []);
});

Deno.test("label keys of a new pod's terms become requirements with its own values", () => {
  const term = (more: object = {}) => ({
    topologyKey: "zone",
    labelSelector: { matchLabels: { app: "web" } },
    matchLabelKeys: ["rev", "absent"],
    ...more,
  });
  const draft = prepared(row, {
    metadata: { name: "p", namespace: "default", labels: { rev: "7", tenant: "a" } },
    spec: {
      containers: [{ name: "c", image: "i" }],
      affinity: {
        podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term()] },
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 1, podAffinityTerm: term({ mismatchLabelKeys: ["tenant"] }) },
          ],
        },
      },
      topologySpreadConstraints: [
        term({ maxSkew: 1, whenUnsatisfiable: "DoNotSchedule" }),
        { topologyKey: "zone", maxSkew: 1, matchLabelKeys: ["rev"] },
      ],
    },
  });
  row.rules.prepareForCreate!(draft, { nowMillis: 0, newUid: () => "u" });
  const { affinity, topologySpreadConstraints } = draft.spec;
  const same = { key: "rev", operator: "In", values: ["7"] };
  const other = { key: "tenant", operator: "NotIn", values: ["a"] };
  const [required] = affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution;
  assert.deepEqual(required.labelSelector.matchExpressions, [same]);
  const [preferred] = affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution;
  assert.deepEqual(preferred.podAffinityTerm.labelSelector.matchExpressions, [same, other]);
  assert.deepEqual(topologySpreadConstraints[0].labelSelector.matchExpressions, [same]);
  assert.equal(topologySpreadConstraints[1].labelSelector, undefined);
});
