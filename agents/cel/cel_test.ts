/**
 * The expression language as tables: values, failures, refusals, budgets.
 * In: expressions. Out: what they give. Source: the CEL language definition; upstream's library
 * documentation (v1.36).
 */
import assert from "node:assert/strict";
import {
  BOOL,
  compile,
  DYN,
  environment,
  evaluate,
  formatType,
  INT,
  listOf,
  mapOf,
  objectOf,
  optionalOf,
  STRING,
  toJson,
} from "./mod.ts";

const SPEC = objectOf("Spec", { replicas: INT, name: STRING, tags: listOf(STRING) });
const names = environment({
  self: objectOf("Self", { spec: SPEC, labels: mapOf(STRING, STRING), any: DYN }),
  object: DYN,
  maybe: optionalOf(INT),
  on: BOOL,
});
const values = {
  self: {
    spec: { replicas: 3, name: "über", tags: ["a", "b", "a"] },
    labels: { app: "web", "x/y": "z" },
    any: { deep: [1, 2.5, "three", null, { four: 4 }] },
  },
  object: { metadata: { name: "n" }, spec: { replicas: 2 }, list: [3, 1, 2] },
  on: true,
};

function run(source: string, costLimit = 1_000_000) {
  const compiled = compile(source, names);
  if (compiled.kind === "refused") return `refused: ${compiled.problems[0].message}`;
  const result = evaluate(compiled.program, values, { costLimit });
  if (result.kind !== "value") return `${result.kind}: ${result.message}`;
  return toJson(result.value);
}

const TRUE = String.raw`
1 + 2 * 3 == 7
-7 / 2 == -3 && -7 % 3 == -1
7u - 2u == 5u && 0x10 == 16 && 1e3 == 1000.0
1 == dyn(1.0) && dyn(1u) == dyn(1) && !(1 == dyn('1'))
1 < 1.5 && 2u > 1 && 'a' < 'b' && b'a' < b'b' && false < true
"\u00fc" == 'ü' && r'\n' == '\\n' && b'\xff' != b'ÿ' && '''a"'b''' == "a\"'b"
size('über') == 4 && 'über'.size() == 4 && size(b'über') == 5 && size([1, 2]) == 2 && size({1: 2}) == 1
'hello'.contains('ell') && 'hello'.startsWith('he') && 'hello'.endsWith('lo')
'foobar'.matches('^fo+b') && matches('x1', '[a-z][0-9]$') && !'foo'.matches('^bar$')
2 in [1, 2] && !('x' in {'y': 1}) && 'app' in self.labels
true || 1 / 0 == 1
!(1 / 0 == 1 && false)
on ? true : 1 / 0 == 1
has(self.spec.name) && !has(object.spec.missing) && has(self.labels.app)
self.labels['x/y'] == 'z' && self.spec.replicas == 3 && self.spec.tags[0] == 'a'
self.any.deep[0] == 1 && self.any.deep[1] == 2.5 && self.any.deep[3] == null && self.any.deep[4].four == 4
[1, 2, 3].all(x, x > 0) && [1, 2, 3].exists(x, x == 2) && [1, 2, 2].exists_one(x, x == 1)
[1, 2, 3].map(x, x * 2) == [2, 4, 6] && [1, 2, 3].map(x, x > 1, x * 2) == [4, 6]
[1, 2, 3].filter(x, x > 1) == [2, 3] && {'a': 1, 'b': 2}.exists(k, k == 'b')
[1, 0].exists(x, 1 / x == 1) && ![0, 1].all(x, 1 / x == 2)
[10, 20].all(i, v, v == (i + 1) * 10) && {'a': 1}.exists(k, v, k == 'a' && v == 1)
[1, 2].transformList(i, v, i + int(v)) == [1, 3] && {'a': 1}.transformMap(k, v, v + 1) == {'a': 2}
['x', 'y'].transformMapEntry(i, v, {v: i}) == {'x': 0, 'y': 1}
[3, 1, 2].isSorted() == false && [1, 2, 2].isSorted() && [1, 2, 3].sum() == 6 && [1.5, 2.5].sum() == 4.0
[3, 1, 2].max() == 3 && ['b', 'a'].min() == 'a' && self.spec.tags.indexOf('b') == 1 && self.spec.tags.lastIndexOf('a') == 2
[1, 2, 3, 4].slice(1, 3) == [2, 3] && [[1], [2, 3]].flatten() == [1, 2, 3] && [3, 1, 2].sort() == [1, 2, 3]
[1, 2, 2].distinct() == [1, 2] && [1, 2].reverse() == [2, 1] && lists.range(3) == [0, 1, 2]
[{'n': 2}, {'n': 1}].sortBy(e, e.n)[0].n == 1 && [1, 2].first().value() == 1 && ![1].filter(x, false).last().hasValue()
sets.contains([1, 2, 3], [2, 3]) && sets.equivalent([1, 1], [1]) && sets.intersects([1], [1, 2]) && !sets.intersects([1], [2])
optional.of(1).hasValue() && !optional.none().hasValue() && optional.of(2).or(optional.of(3)).value() == 2
object.?spec.?replicas.orValue(0) == 2 && object.?nothing.?replicas.orValue(7) == 7 && self.labels[?'zz'].orValue('d') == 'd'
[?optional.none(), 1] == [1] && {?'a': optional.of(1), ?'b': optional.none()} == {'a': 1} && [1, 2][?5].orValue(9) == 9
optional.of(2).optMap(x, x + 1).value() == 3 && optional.of(2).optFlatMap(x, optional.of(x)).value() == 2
!optional.ofNonZeroValue('').hasValue() && optional.unwrap([optional.of(1), optional.none()]) == [1]
'abc 123'.find('[0-9]*') == '' && 'abc 123'.find('[0-9]+') == '123' && '123 abc 456'.findAll('[0-9]+') == ['123', '456']
'123 abc 456'.findAll('[0-9]+', 1) == ['123'] && 'aaa'.findAll('a*?') == ['', 'a', 'a', 'a'].filter(x, x == '') + ['', '', ''] && 'foobar'.find('o+|oob') == 'oo'
'héllo'.charAt(1) == 'é' && 'hello'.indexOf('l') == 2 && 'hello'.indexOf('l', 3) == 3 && 'hello'.lastIndexOf('l') == 3
'Hello'.lowerAscii() == 'hello' && 'é!'.upperAscii() == 'é!' && 'a b a'.replace('a', 'c') == 'c b c' && 'aaa'.replace('a', 'b', 2) == 'bba'
'a,b,c'.split(',') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c'] && ['x', 'y'].join('-') == 'x-y'
'hello'.substring(1, 3) == 'el' && 'hello'.substring(3) == 'lo' && '  x '.trim() == 'x' && strings.quote('a"b') == '"a\\"b"'
'%s is %d, %.2f, %x, %b'.format([dyn('x'), 7, 1.5, 255, 5]) == 'x is 7, 1.50, ff, 101' && '%s'.format([[dyn(1), 'a']]) == '[1, a]'
url('https://user@example.com:80/p%20q?x=1&x=2#f').getHost() == 'example.com:80' && url('https://[::1]:80/').getHostname() == '::1'
url('https://e.com:80/p q?x=1&x=2').getEscapedPath() == '/p%20q' && url('https://e.com:80/?x=1&x=2').getQuery() == {'x': ['1', '2']}
isURL('https://a/b') && isURL('/abs') && !isURL('../x') && url('https://e.com:80/').getPort() == '80' && url('/x').getScheme() == ''
ip('10.0.0.1').family() == 4 && ip('::1').isLoopback() && isIP('1.2.3.4') && !isIP('1.2.3.04') && ip.isCanonical('::1')
cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8')
cidr('10.1.2.3/8').ip() == ip('10.1.2.3') && cidr('fe80::/10').prefixLength() == 10 && ip('169.254.1.1').isLinkLocalUnicast()
string(ip('2001:DB8::1')) == '2001:db8::1' && ip('8.8.8.8').isGlobalUnicast() && ip('0.0.0.0').isUnspecified() && ip('224.0.0.1').isLinkLocalMulticast()
quantity('500m').isLessThan(quantity('1')) && quantity('1Gi').asInteger() == 1073741824 && quantity('1500m').asApproximateFloat() == 1.5
quantity('1').add(quantity('500m')).compareTo(quantity('1.5')) == 0 && quantity('1k') == quantity('1000') && quantity('3').sub(1).isGreaterThan(quantity('1'))
isQuantity('1.5Gi') && !isQuantity('x') && quantity('-1').sign() == -1 && quantity('50k').isInteger()
semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0-alpha').compareTo(semver('1.0.0')) == -1 && isSemver('1.2.3') && !isSemver('v1.0')
semver('v1.2', true).minor() == 2 && isSemver('01.2.3', true) && semver('1.2.3-beta.2').isLessThan(semver('1.2.3-beta.11')) && semver('1.2.3').patch() == 3
!format.dns1123Label().validate('a-b').hasValue() && format.dns1123Label().validate('A').hasValue() && format.named('uuid').hasValue()
format.named('date').value().validate('2021-02-30').value() == ['invalid date'] && !format.datetime().validate('2021-01-01T00:00:00Z').hasValue()
timestamp('2020-02-29T12:30:00Z').getFullYear() == 2020 && timestamp('2020-02-29T12:30:00Z').getMonth() == 1 && timestamp('2020-02-29T12:30:00Z').getDayOfWeek() == 6
timestamp('2020-01-01T23:30:00Z').getHours('+01:00') == 0 && timestamp('2020-07-01T12:00:00Z').getHours('Europe/Vienna') == 14
timestamp('2020-01-01T00:00:00Z') + duration('24h') == timestamp('2020-01-02T00:00:00Z') && duration('90m').getHours() == 1
timestamp('2020-01-02T00:00:00Z') - timestamp('2020-01-01T00:00:00Z') == duration('24h') && string(duration('1.5s')) == '1.5s'
int('42') == 42 && string(42) == '42' && double('1.5') == 1.5 && uint(3) == 3u && int(3.9) == 3 && bool('true') && string(1.0) == '1'
type(1) == int && type([]) == list && type({}) == map && type('x') == string && type(timestamp('2020-01-01T00:00:00Z')) == google.protobuf.Timestamp
[1] + [2] == [1, 2] && 'a' + 'b' == 'ab' && bytes('ab') == b'ab' && string(b'ab') == 'ab'
object.list.sort() == [1, 2, 3] && object.list.sum() == 6 && object.spec.replicas + 1 == 3
{'a': dyn(1), 'b': [2]} == {'b': dyn([2]), 'a': 1} && {1: 'x'}[1] == 'x' && {'a': 1}.a == 1
[1, 2].all(x, [3, 4].all(y, x < y)) // a comment
`.trim().split("\n");

Deno.test("expressions that hold", () => {
  for (const source of TRUE) assert.equal(run(source), true, source);
});

Deno.test("failures are worded as cel-go words them", () => {
  const table: readonly (readonly [string, string])[] = [
    ["1 / 0 == 1", "error: division by zero"],
    ["1 % 0 == 1", "error: modulus by zero"],
    ["9223372036854775807 + 1 == 0", "error: integer overflow"],
    ["0u - 1u == 0u", "error: unsigned integer overflow"],
    ["object.nothing", "error: no such key: nothing"],
    ["self.labels['zz']", "error: no such key: zz"],
    ["[1][2]", "error: index out of bounds: 2"],
    ["object.spec + 1 == 2", "error: no such overload"],
    ["optional.none().value() == 1", "error: optional.none() dereference"],
    ["maybe.hasValue()", "error: no such attribute(s): maybe"],
    [
      "ip('x') == ip('y')",
      'error: IP Address "x" parse error during conversion from string: ' +
      'ParseAddr("x"): unable to parse IP',
    ],
    ["[1, 2].exists(x, x / 0 == 1)", "error: division by zero"],
    ["{'a': 1, 'a': 2} == {}", "error: insert failed: key a already exists"],
    ["'a'.charAt(9)", "error: index out of range: 9"],
  ];
  for (const [source, wanted] of table) assert.equal(run(source), wanted, source);
});

Deno.test("what can't be right is refused before it runs", () => {
  const table: readonly (readonly [string, string])[] = [
    ["x + 1", "undeclared reference to 'x' (in container '')"],
    ["self.sepc", "undefined field 'sepc'"],
    ["self.spec.replicas + 'a'", "found no matching overload for '_+_' applied to '(int, string)'"],
    ["self.spec.name.foo()", "undeclared reference to 'foo' (in container '')"],
    ["self.spec.name.size(1)", "found no matching overload for 'size' applied to 'string.(int)'"],
    ["1 == 'a'", "found no matching overload for '_==_' applied to '(int, string)'"],
    ["[1, 'a']", "expected type 'int' but found 'string'"],
    ["self.spec.replicas.x", "type 'int' does not support field selection"],
    [
      "(1).all(x, true)",
      "expression of type 'int' cannot be range of a comprehension " +
      "(must be list, map, or dynamic)",
    ],
    ["[1].all(1, true)", "argument must be a simple name"],
    [
      "1 +",
      "Syntax error: mismatched input '<EOF>' expecting " +
      "{'[', '{', '(', '.', '-', '!', LITERAL, IDENTIFIER}",
    ],
    ["'a", "Syntax error: token recognition error at: ''a'"],
    ["on && 1", "found no matching overload for '_&&_' applied to '(bool, int)'"],
    ["9223372036854775808", "invalid int literal"],
  ];
  for (const [source, wanted] of table) assert.equal(run(source), `refused: ${wanted}`, source);
  const compiled = compile("self.spec.nmae == 'x'", names);
  assert.equal(
    compiled.kind === "refused" && compiled.problems[0].text,
    "ERROR: <input>:1:10: undefined field 'nmae'\n | self.spec.nmae == 'x'\n | .........^",
  );
});

Deno.test("types follow from the parts", () => {
  const table: readonly (readonly [string, string])[] = [
    ["[1, 2].map(x, string(x))", "list(string)"],
    ["{'a': [1u]}", "map(string, list(uint))"],
    ["on ? [] : ['a']", "list(string)"],
    ["object.x", "dyn"],
    ["self.?spec.?replicas", "optional_type(int)"],
    ["optional.of('a').orValue('b')", "string"],
    ["quantity('1').add(1)", "kubernetes.Quantity"],
    ["has(self.spec)", "bool"],
  ];
  for (const [source, wanted] of table) {
    const compiled = compile(source, names);
    assert(compiled.kind === "compiled", source);
    assert.equal(formatType(compiled.program.type), wanted, source);
  }
});

Deno.test("no expression outruns its budget", () => {
  const wide = "lists.range(100000)";
  const sources = [
    `${wide}.all(x, ${wide}.all(y, x + y >= 0))`,
    `${wide}.map(x, ${wide} + ${wide}).size() > 0`,
    `${wide}.map(x, string(x)).join(',').matches('(a|b|ab)*c')`,
    `${wide}.distinct().size() > 0`,
    "lists.range(1000000000000).size() > 0",
    `sets.equivalent(${wide}, ${wide})`,
    `lists.range(100).map(x, lists.range(100).map(y, lists.range(100))).flatten() == []`,
  ];
  for (const source of sources) {
    assert.equal(
      run(source),
      "overBudget: operation cancelled: actual cost limit exceeded",
      source,
    );
  }
  const nested = `${"(".repeat(400)}1${")".repeat(400)}`;
  assert.equal(run(nested), "refused: expression recursion limit exceeded: 250");
  assert.match(String(run("1".repeat(100_001))), /expression code point size exceeds limit/);
  assert.equal(run(`${"1 + ".repeat(400)}1`), 401);
  assert.match(String(run(`${"1 + ".repeat(9000)}1`)), /recursion limit/);
});

Deno.test("costs are those that upstream counts", () => {
  const cost = (source: string) => {
    const compiled = compile(source, names);
    assert(compiled.kind === "compiled", source);
    return evaluate(compiled.program, values, { costLimit: 1e9 }).cost;
  };
  const table: readonly (readonly [string, number])[] = [
    ["1 == 1", 1],
    ["self.spec.replicas == 3", 4],
    ["has(self.spec.name)", 2],
    ["[1, 2, 3].all(x, x > 0)", 26],
    ["'aaaaaaaaaaaaaaaaaaaa'.contains('b')", 2],
    ["self.labels['app'] == 'web'", 4],
  ];
  for (const [source, wanted] of table) assert.equal(cost(source), wanted, source);
});
