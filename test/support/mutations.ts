// JSON that was real once: values taken out, swapped for others, repeated, nested, renamed. For tests with random input; the same
// seed gives the same values.
import fc from 'fast-check';

/** For every property, so that a run can be repeated: what fails once fails always. */
export const SEED = 20_261_123;

type Json = unknown;

const deep = (levels: number): Json =>
  Array.from({ length: levels }).reduce<Json>((inner, _, i) => (i % 2 ? [inner] : { a: inner }), 1);

/** Own properties, as `JSON.parse` makes them; a literal would set the prototype. */
const PROTOTYPE_KEYS: readonly Json[] = [
  JSON.parse('{"__proto__":{"polluted":true}}'),
  JSON.parse('{"constructor":{"prototype":{"polluted":true}}}'),
  JSON.parse('{"toString":1,"hasOwnProperty":null,"length":-1}'),
];

/** What stands in no documentation. */
export const oddValue: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(
    null,
    '',
    ' ',
    0,
    -1,
    1e11,
    1e300,
    Number.MAX_SAFE_INTEGER,
    0.1,
    true,
    [],
    {},
    '\u0000',
    '\ud800',
    '\u202e',
    '👩‍👩‍👧',
    '1e5',
    'NaN',
    '__proto__',
    "'; DROP TABLE calls; --",
    'x'.repeat(1_025),
    'x'.repeat(17_000),
    Array.from({ length: 130 }, (_, i) => i),
    ...PROTOTYPE_KEYS,
    deep(20),
    deep(40),
  ),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.jsonValue({ maxDepth: 3 }),
);

interface Mutation {
  /** Which of the places in the body, wrapping around. */
  readonly place: number;
  readonly kind: 'delete' | 'replace' | 'repeat' | 'wrap' | 'rename' | 'add';
  readonly value: Json;
  readonly count: number;
  readonly key: string;
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  place: fc.nat(10_000),
  kind: fc.constantFrom('delete', 'replace', 'repeat', 'wrap', 'rename', 'add'),
  value: oddValue,
  count: fc.constantFrom(1, 2, 20),
  key: fc.constantFrom('__proto__', 'constructor', 'type', 'id', 'a', ''),
});

/** One of the bodies with one to four things changed. */
export const mutatedFrom = (bodies: readonly Json[]): fc.Arbitrary<Json> =>
  fc
    .tuple(fc.nat(bodies.length - 1), fc.array(mutation, { minLength: 1, maxLength: 4 }))
    .map(([index, mutations]) => mutations.reduce(apply, structuredClone(bodies[index])));

interface Place {
  readonly holder: Record<string, Json>;
  readonly key: string;
}

function placesIn(value: Json): Place[] {
  if (typeof value !== 'object' || value === null) return [];
  const holder = value as Record<string, Json>;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...placesIn(holder[key])]);
}

function set(holder: Record<string, Json>, key: string, value: Json): void {
  Object.defineProperty(holder, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

function apply(body: Json, { place, kind, value: shared, count, key }: Mutation): Json {
  const value = structuredClone(shared);
  const places = placesIn(body);
  const found = places[place % Math.max(1, places.length)];
  if (!found) return value;
  const { holder } = found;
  const before = holder[found.key];
  const isList = Array.isArray(holder);
  switch (kind) {
    case 'delete':
      if (isList) holder.splice(Number(found.key), 1);
      else delete holder[found.key];
      break;
    case 'replace':
      set(holder, found.key, value);
      break;
    case 'repeat':
      if (isList) holder.push(...Array.from({ length: count }, () => structuredClone(before)));
      else set(holder, found.key, [before, before]);
      break;
    case 'wrap':
      set(holder, found.key, [before]);
      break;
    case 'rename':
      if (!isList) {
        delete holder[found.key];
        set(holder, key, before);
      }
      break;
    case 'add':
      if (!isList) set(holder, key, value);
  }
  return body;
}
