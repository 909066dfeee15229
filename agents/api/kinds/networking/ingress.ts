/**
 * The rules of ingresses and ingress classes.
 * In: drafts. Out: defaults, checks, columns. Never: routes anything.
 * Source: pkg/apis/networking/validation, pkg/apis/networking/v1/defaults.go (v1.36).
 */
import { checkAddress, parseAddress } from "../../ip.ts";
import type { KubeObject } from "../../meta.ts";
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkDomainPrefixedPath,
  checkPathSegment,
  checkPortName,
  checkPortNumber,
  checkWildcardSubdomain,
} from "../../names.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressClass,
  IngressRule,
  IngressTLS,
} from "../../schema/generated/networking_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { ownStatus } from "../prepare.ts";
import { Problems } from "../problems.ts";

export type {
  Ingress,
  IngressBackend,
  IngressClass,
  IngressRule,
} from "../../schema/generated/networking_v1.ts";

const PATH_TYPES = ["Exact", "ImplementationSpecific", "Prefix"];
const BAD_SEQUENCES = ["//", "/./", "/../", "%2f", "%2F"];
const BAD_SUFFIXES = ["/..", "/."];
const CLASS_ANNOTATION = "kubernetes.io/ingress.class";
const DEFAULT_CLASS_ANNOTATION = "ingressclass.kubernetes.io/is-default-class";
const CONTROLLER_LIMIT = 250;
const SHOWN_HOSTS = 3;
const ADDRESS_WIDTH = 16;

function validatePath(problems: Problems, at: string, item: HTTPIngressPath): void {
  const { path = "", pathType } = item;
  if (pathType === undefined) {
    return problems.required(`${at}.pathType`, "pathType must be specified");
  }
  if (!PATH_TYPES.includes(pathType)) {
    problems.notSupported(`${at}.pathType`, pathType, PATH_TYPES);
  } else {
    const isExactly = pathType !== "ImplementationSpecific";
    if (!path.startsWith("/") && (isExactly || path !== "")) {
      problems.invalid(`${at}.path`, path, "must be an absolute path");
    }
    for (const sequence of isExactly ? BAD_SEQUENCES : []) {
      if (path.includes(sequence)) {
        problems.invalid(`${at}.path`, path, `must not contain '${sequence}'`);
      }
    }
    for (const suffix of isExactly ? BAD_SUFFIXES : []) {
      if (path.endsWith(suffix)) {
        problems.invalid(`${at}.path`, path, `cannot end with '${suffix}'`);
      }
    }
  }
  validateBackend(problems, `${at}.backend`, item.backend ?? {});
}

/** A kind and a name, and where a group is given, that. */
function validateReference(
  problems: Problems,
  at: string,
  reference: { readonly apiGroup?: string; readonly kind?: string; readonly name?: string },
): void {
  const { apiGroup } = reference;
  if (apiGroup !== undefined) {
    problems.checkName(`${at}.apiGroup`, apiGroup, checkDns1123Subdomain);
  }
  for (const field of ["kind", "name"] as const) {
    const value = reference[field];
    if (!value) problems.required(`${at}.${field}`);
    else problems.checkName(`${at}.${field}`, value, checkPathSegment);
  }
}

function validateBackend(problems: Problems, at: string, backend: IngressBackend): void {
  const { service, resource } = backend;
  if (service !== undefined && resource !== undefined) {
    return problems.invalid(at, "", "cannot set both resource and service backends");
  }
  if (resource !== undefined) return validateReference(problems, `${at}.resource`, resource);
  if (service === undefined) {
    return problems.invalid(at, "", "resource or service backend is required");
  }
  if (!service.name) problems.required(`${at}.service.name`);
  else problems.checkName(`${at}.service.name`, service.name, checkDns1123Label);
  const { name, number } = service.port ?? {};
  if (name && number) problems.invalid(at, "", "cannot set both port name & port number");
  else if (name) problems.checkName(`${at}.service.port.name`, name, checkPortName);
  else if (number) {
    for (const detail of checkPortNumber(number)) {
      problems.invalid(`${at}.service.port.number`, number, detail);
    }
  } else problems.required(at, "port name or number is required");
}

function validateHost(problems: Problems, path: string, host: string): void {
  const check = host.includes("*") ? checkWildcardSubdomain : checkDns1123Subdomain;
  problems.checkName(path, host, check);
}

function validateRule(problems: Problems, at: string, rule: IngressRule): void {
  const { host, http } = rule;
  if (host) {
    if (parseAddress(host) !== null) {
      problems.invalid(`${at}.host`, host, "must be a DNS name, not an IP address");
    }
    validateHost(problems, `${at}.host`, host);
  }
  if (http === undefined) return;
  const paths = http.paths ?? [];
  if (paths.length === 0) problems.required(`${at}.http.paths`);
  paths.forEach((item, index) => validatePath(problems, `${at}.http.paths[${index}]`, item));
}

function validateTls(problems: Problems, at: string, tls: IngressTLS): void {
  (tls.hosts ?? []).forEach((host, index) => validateHost(problems, `${at}.hosts[${index}]`, host));
  if (tls.secretName) {
    problems.checkName(`${at}.secretName`, tls.secretName, checkDns1123Subdomain);
  }
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec = {}, metadata } = draft as Ingress;
  const rules = spec.rules ?? [];
  if (rules.length === 0 && spec.defaultBackend === undefined) {
    const detail = "either `defaultBackend` or `rules` must be specified";
    problems.invalid("spec", spec.rules ?? null, detail);
  }
  if (spec.defaultBackend !== undefined) {
    validateBackend(problems, "spec.defaultBackend", spec.defaultBackend);
  }
  rules.forEach((rule, index) => validateRule(problems, `spec.rules[${index}]`, rule));
  (spec.tls ?? []).forEach((tls, index) => validateTls(problems, `spec.tls[${index}]`, tls));
  const className = spec.ingressClassName;
  if (className !== undefined) {
    problems.checkName("spec.ingressClassName", className, checkDns1123Subdomain);
  }
  const annotation = metadata.annotations?.[CLASS_ANNOTATION];
  const isNew = metadata.resourceVersion === undefined;
  if (isNew && annotation !== undefined && className !== undefined && annotation !== className) {
    problems.invalid(
      `annotations.${CLASS_ANNOTATION}`,
      annotation,
      "must match `ingressClassName` when both are specified",
    );
  }
  return problems.errors;
}

function validateStatusUpdate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  ((draft as Ingress).status?.loadBalancer?.ingress ?? []).forEach(({ ip, hostname }, index) => {
    const at = `status.loadBalancer.ingress[${index}]`;
    if (ip) problems.checkName(`${at}.ip`, ip, checkAddress);
    if (!hostname) return;
    problems.checkName(`${at}.hostname`, hostname, checkDns1123Subdomain);
    if (parseAddress(hostname) !== null) {
      problems.invalid(`${at}.hostname`, hostname, "must be a DNS name, not an IP address");
    }
  });
  return problems.errors;
}

function hostsCell(object: KubeObject): string {
  const rules = (object as Ingress).spec?.rules ?? [];
  const hosts: string[] = [];
  let isCut = false;
  for (const { host } of rules) {
    if (hosts.length === SHOWN_HOSTS) isCut = true;
    else if (host) hosts.push(host);
  }
  if (hosts.length === 0) return "*";
  const shown = hosts.join(",");
  return isCut ? `${shown} + ${rules.length - SHOWN_HOSTS} more...` : shown;
}

function addressCell(object: KubeObject): string {
  const items = (object as Ingress).status?.loadBalancer?.ingress ?? [];
  const all = [...new Set(items.map((item) => item.ip || item.hostname).filter(Boolean))].sort()
    .join(",");
  return all.length > ADDRESS_WIDTH ? `${all.slice(0, ADDRESS_WIDTH - 3)}...` : all;
}

export const ingressRules: Rules = {
  ...ownStatus(() => ({ loadBalancer: {} })),
  validate,
  validateStatusUpdate,
  columns: [
    nameColumn,
    column("Class", "Class that serves it.", (item) => item.spec?.ingressClassName ?? "<none>"),
    column("Hosts", "Hosts that it routes.", hostsCell),
    column("Address", "Where it is reached.", addressCell),
    column(
      "Ports",
      "Ports that it listens on.",
      (item) => (item.spec?.tls ?? []).length > 0 ? "80, 443" : "80",
    ),
    ageColumn,
  ],
};

function validateClass(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { controller = "", parameters } = (draft as IngressClass).spec ?? {};
  if (controller.length > CONTROLLER_LIMIT) problems.tooLong("spec.controller", CONTROLLER_LIMIT);
  if (controller === "") problems.required("spec.controller");
  else problems.checkName("spec.controller", controller, checkDomainPrefixedPath);
  if (parameters === undefined) return problems.errors;
  const at = "spec.parameters";
  validateReference(problems, at, parameters);
  const { scope, namespace } = parameters;
  if (scope === undefined) problems.required(`${at}.scope`);
  else if (scope === "Namespace") {
    if (namespace === undefined) {
      problems.required(`${at}.namespace`, "`parameters.scope` is set to 'Namespace'");
    } else problems.checkName(`${at}.namespace`, namespace, checkDns1123Label);
  } else if (scope !== "Cluster") {
    problems.notSupported(`${at}.scope`, scope, ["Cluster", "Namespace"]);
  } else if (namespace !== undefined) {
    problems.forbidden(`${at}.namespace`, "`parameters.scope` is set to 'Cluster'");
  }
  return problems.errors;
}

function parametersCell(object: KubeObject): string {
  const parameters = (object as IngressClass).spec?.parameters;
  if (parameters === undefined) return "<none>";
  const group = parameters.apiGroup === undefined ? "" : `.${parameters.apiGroup}`;
  return `${parameters.kind}${group}/${parameters.name}`;
}

export const ingressClassRules: Rules = {
  setDefaults: (draft) => {
    const parameters = (draft as IngressClass).spec?.parameters;
    if (parameters !== undefined) parameters.scope ??= "Cluster";
  },
  validate: validateClass,
  validateUpdate: (draft, old) => {
    const problems = new Problems();
    problems.immutable("spec.controller", draft.spec?.controller, old.spec?.controller);
    return problems.errors;
  },
  columns: [
    {
      ...nameColumn,
      cell: ({ metadata }) => {
        const isDefault = metadata.annotations?.[DEFAULT_CLASS_ANNOTATION] === "true";
        return `${metadata.name ?? ""}${isDefault ? " (default)" : ""}`;
      },
    },
    column("Controller", "Controller that serves it.", (item) => item.spec?.controller ?? ""),
    column("Parameters", "Where its settings stand.", parametersCell),
    ageColumn,
  ],
};
