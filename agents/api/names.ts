/**
 * The syntax checks of names, label keys and the like, worded as Kubernetes words them.
 * In: a string. Out: the list of what is wrong with it, empty when nothing is.
 * Never: knows fields or kinds. Source: apimachinery api/validate/content and util/validation.
 */

const LABEL_1123 = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_1123 = `${LABEL_1123}(\\.${LABEL_1123})*`;
const LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?";
const LABEL_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE = `(${LABEL_KEY})?`;
const ENV_NAME = "[-._a-zA-Z][-._a-zA-Z0-9]*";
const CONFIG_KEY = "[-._a-zA-Z0-9]+";
const HEADER_NAME = "[-A-Za-z0-9]+";
const PERCENT = "[0-9]+%";

const LABEL_1123_PATTERN = new RegExp(`^${LABEL_1123}$`);
const SUBDOMAIN_1123_PATTERN = new RegExp(`^${SUBDOMAIN_1123}$`);
const LABEL_1035_PATTERN = new RegExp(`^${LABEL_1035}$`);
const LABEL_KEY_PATTERN = new RegExp(`^${LABEL_KEY}$`);
const LABEL_VALUE_PATTERN = new RegExp(`^${LABEL_VALUE}$`);
const CONFIG_KEY_PATTERN = new RegExp(`^${CONFIG_KEY}$`);
const HEADER_NAME_PATTERN = new RegExp(`^${HEADER_NAME}$`);
const PERCENT_PATTERN = new RegExp(`^${PERCENT}$`);

const ALPHANUMERIC_ENDS = "and must start and end with an alphanumeric character";
const LABEL_1123_RULE = "a lowercase RFC 1123 label must consist of lower case alphanumeric " +
  `characters or '-', ${ALPHANUMERIC_ENDS}`;
const SUBDOMAIN_1123_RULE = "a lowercase RFC 1123 subdomain must consist of lower case " +
  `alphanumeric characters, '-' or '.', ${ALPHANUMERIC_ENDS}`;
const LABEL_1035_RULE = "a DNS-1035 label must consist of lower case alphanumeric characters " +
  "or '-', start with an alphabetic character, and end with an alphanumeric character";
const LABEL_KEY_RULE = `must consist of alphanumeric characters, '-', '_' or '.', ` +
  ALPHANUMERIC_ENDS;
const LABEL_VALUE_RULE = "a valid label must be an empty string or consist of alphanumeric " +
  `characters, '-', '_' or '.', ${ALPHANUMERIC_ENDS}`;

/** A check: what is wrong with the value, or an empty list. */
export type NameCheck = (value: string) => string[];

function tooLong(limit: number): string {
  return `must be no more than ${limit} bytes`;
}

/** "min" and "max" as a range message. */
export function rangeMessage(min: number, max: number): string {
  return `must be between ${min} and ${max}, inclusive`;
}

function patternMessage(rule: string, pattern: string, ...examples: string[]): string {
  const shown = examples.map((example) => `'${example}', `).join("or ");
  const eg = examples.length === 0 ? " (" : ` (e.g. ${shown}`;
  return `${rule}${eg}regex used for validation is '${pattern}')`;
}

function isAscii(value: string): boolean {
  // deno-lint-ignore no-control-regex
  return /^[\x00-\x7f]*$/.test(value);
}

/** No UTF-16 unit takes more bytes in UTF-8. */
const MOST_BYTES_A_UNIT = 3;

function exceeds(value: string, limitBytes: number): boolean {
  if (value.length > limitBytes) return true;
  if (value.length * MOST_BYTES_A_UNIT <= limitBytes) return false;
  return !isAscii(value) && new TextEncoder().encode(value).length > limitBytes;
}

/** A DNS label of RFC 1123: most names that become host names. */
export function checkDns1123Label(value: string): string[] {
  const problems = exceeds(value, 63) ? [tooLong(63)] : [];
  if (LABEL_1123_PATTERN.test(value)) return problems;
  const dotted = SUBDOMAIN_1123_PATTERN.test(value);
  problems.push(
    dotted
      ? "must not contain dots"
      : patternMessage(LABEL_1123_RULE, LABEL_1123, "my-name", "123-abc"),
  );
  return problems;
}

/** A DNS subdomain of RFC 1123: the names of most objects. */
export function checkDns1123Subdomain(value: string): string[] {
  const problems = exceeds(value, 253) ? [tooLong(253)] : [];
  if (!SUBDOMAIN_1123_PATTERN.test(value)) {
    problems.push(patternMessage(SUBDOMAIN_1123_RULE, SUBDOMAIN_1123, "example.com"));
  }
  return problems;
}

/** A DNS label of RFC 1035: the names of services. */
export function checkDns1035Label(value: string): string[] {
  const problems = exceeds(value, 63) ? [tooLong(63)] : [];
  if (!LABEL_1035_PATTERN.test(value)) {
    problems.push(patternMessage(LABEL_1035_RULE, LABEL_1035, "my-name", "abc-123"));
  }
  return problems;
}

/** A name that may stand as one segment of a URL path. */
export function checkPathSegment(value: string): string[] {
  if (value === "." || value === "..") return [`may not be '${value}'`];
  return ["/", "%"].filter((part) => value.includes(part)).map((part) =>
    `may not contain '${part}'`
  );
}

/** A label key, an annotation key (in lower case) or another prefixed name. */
export function checkQualifiedName(value: string): string[] {
  const parts = value.split("/");
  const rule = () => patternMessage(LABEL_KEY_RULE, LABEL_KEY, "MyName", "my.name", "123-abc");
  if (parts.length > 2) {
    return [
      `a valid label key ${rule()} with an optional DNS subdomain prefix and '/' ` +
      "(e.g. 'example.com/MyName')",
    ];
  }
  const problems: string[] = [];
  const name = parts[parts.length - 1];
  if (parts.length === 2) {
    if (parts[0] === "") problems.push("prefix part must be non-empty");
    else problems.push(...checkDns1123Subdomain(parts[0]).map((text) => `prefix part ${text}`));
  }
  if (name === "") problems.push("name part must be non-empty");
  else if (exceeds(name, 63)) problems.push(`name part ${tooLong(63)}`);
  if (!LABEL_KEY_PATTERN.test(name)) problems.push(`name part ${rule()}`);
  return problems;
}

/** A label's value. */
export function checkLabelValue(value: string): string[] {
  const problems = exceeds(value, 63) ? [tooLong(63)] : [];
  if (!LABEL_VALUE_PATTERN.test(value)) {
    problems.push(patternMessage(LABEL_VALUE_RULE, LABEL_VALUE, "MyValue", "my_value", "12345"));
  }
  return problems;
}

/** The name of a container's or a service's port. */
export function checkPortName(value: string): string[] {
  const problems = exceeds(value, 15) ? [tooLong(15)] : [];
  if (!/^[-a-z0-9]+$/.test(value)) {
    problems.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  }
  if (!/[a-z]/.test(value)) problems.push("must contain at least one letter (a-z)");
  if (value.includes("--")) problems.push("must not contain consecutive hyphens");
  if (/^-|-$/.test(value)) problems.push("must not begin or end with a hyphen");
  return problems;
}

/** The number of a port. */
export function checkPortNumber(value: number): string[] {
  return Number.isInteger(value) && value >= 1 && value <= 65535 ? [] : [rangeMessage(1, 65535)];
}

/** A name of an environment variable, by the relaxed rule that is the default since v1.34. */
export function checkEnvName(value: string): string[] {
  if (value === "") return ["environment variable name must be non-empty"];
  if (/^[ -<>-~]*$/.test(value)) return [];
  return [
    "a valid environment variable name must consist only of printable ASCII characters " +
    "other than '='",
  ];
}

/** The strict rule of environment names, used where a prefix is joined to keys. */
export function checkStrictEnvName(value: string): string[] {
  if (new RegExp(`^${ENV_NAME}$`).test(value)) return [];
  return [patternMessage(
    "a valid environment variable name must consist of alphabetic characters, digits, " +
      "'_', '-', or '.', and must not start with a digit",
    ENV_NAME,
    "my.env-name",
    "MY_ENV.NAME",
    "MyEnvName1",
  )];
}

/** A key of a config map or secret. */
export function checkConfigKey(value: string): string[] {
  const problems = exceeds(value, 253) ? [tooLong(253)] : [];
  if (!CONFIG_KEY_PATTERN.test(value)) {
    const rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
    problems.push(patternMessage(rule, CONFIG_KEY, "key.name", "KEY_NAME", "key-name"));
  }
  if (value === ".") problems.push("must not be '.'");
  else if (value === "..") problems.push("must not be '..'");
  else if (value.startsWith("..")) problems.push("must not start with '..'");
  return problems;
}

/** A header's name in a probe. */
export function checkHttpHeaderName(value: string): string[] {
  if (HEADER_NAME_PATTERN.test(value)) return [];
  const rule = "a valid HTTP header must consist of alphanumeric characters or '-'";
  return [patternMessage(rule, HEADER_NAME, "X-Header-Name")];
}

/** A percentage such as `25%`. */
export function checkPercent(value: string): string[] {
  if (PERCENT_PATTERN.test(value)) return [];
  const rule = "a valid percent string must be a numeric string followed by an ending '%'";
  return [patternMessage(rule, PERCENT, "1%", "93%")];
}

const WILDCARD_1123 = `\\*\\.${SUBDOMAIN_1123}`;
const WILDCARD_1123_PATTERN = new RegExp(`^${WILDCARD_1123}$`);
const WILDCARD_1123_RULE = "a wildcard DNS-1123 subdomain must start with '*.', followed by a " +
  "valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' " +
  "and end with an alphanumeric character";
const HTTP_PATH = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
const HTTP_PATH_PATTERN = new RegExp(`^${HTTP_PATH}$`);

/** A host name whose first label is a star. */
export function checkWildcardSubdomain(value: string): string[] {
  const problems = exceeds(value, 253) ? [tooLong(253)] : [];
  if (!WILDCARD_1123_PATTERN.test(value)) {
    problems.push(patternMessage(WILDCARD_1123_RULE, WILDCARD_1123, "*.example.com"));
  }
  return problems;
}

/** `example.com/path`. An empty value is for the caller to require. */
export function checkDomainPrefixedPath(value: string): string[] {
  const slash = value.indexOf("/");
  const host = value.slice(0, slash);
  const path = value.slice(slash + 1);
  if (slash < 1 || path === "") {
    return ['must be a domain-prefixed path (such as "acme.io/foo")'];
  }
  const problems = checkDns1123Subdomain(host);
  if (!HTTP_PATH_PATTERN.test(path)) problems.push(patternMessage("Invalid path", HTTP_PATH));
  return problems;
}
