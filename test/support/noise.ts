// Text that nobody would write.
import * as fc from 'fast-check';

/** Any code units, also halves of pairs. fast-check's own `binary` strings cost seconds before the first one. */
export const noise = (maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.nat(0xffff), { maxLength }).map((units) => String.fromCharCode(...units));
