import { describe, expect, it } from 'vitest';
import { Admission, type LoadSample } from '../../../../relay/domain/admission.ts';

const IDLE: LoadSample = { cpu: 0.1, forwarding: 0.1, late: 0 };
const CALLS = 40;

/** Takes the samples, one a second. @returns after each whether new calls are refused */
const after = (admission: Admission, samples: LoadSample[], calls = CALLS): boolean[] =>
  samples.map((sample) => {
    admission.second(sample, calls);
    return admission.isOverloaded;
  });
const seconds = (count: number, change: Partial<LoadSample>): LoadSample[] =>
  Array.from({ length: count }, () => ({ ...IDLE, ...change }));

describe('new calls are refused after two seconds', () => {
  it.each<[string, Partial<LoadSample>]>([
    ['in which the cores are used up', { cpu: 0.81 }],
    ['in which the thread that forwards is', { forwarding: 0.81 }],
    ['in which more than one tick of a hundred is late', { late: 0.011 }],
  ])('%s', (_name, change) => {
    const admission = new Admission(0.8);
    expect(after(admission, seconds(2, change))).toEqual([false, true]);
  });
});

it('one bad second, as a burst of set-ups makes it, refuses nobody', () => {
  const bad = { ...IDLE, cpu: 1 };
  expect(after(new Admission(0.8), [bad, IDLE, bad, IDLE, bad])).toEqual(Array(5).fill(false));
});

it('what is right at the limits is not too much', () => {
  const samples = seconds(5, { cpu: 0.8, forwarding: 0.8, late: 0.01 });
  expect(after(new Admission(0.8), samples)).toEqual(Array(5).fill(false));
});

describe('once refused, new calls are taken again', () => {
  const overloaded = (): Admission => {
    const admission = new Admission(0.8);
    after(admission, seconds(2, { cpu: 1 }));
    return admission;
  };

  it('after five seconds in a row clearly under the limit', () => {
    expect(after(overloaded(), seconds(5, { cpu: 0.64 }))).toEqual([true, true, true, true, false]);
  });

  it('not while it is only just under it', () => {
    expect(after(overloaded(), seconds(20, { cpu: 0.65 })).every(Boolean)).toBe(true);
  });

  it('not before five in a row: a bad one begins the count anew', () => {
    const samples = [...seconds(4, {}), ...seconds(1, { late: 0.5 }), ...seconds(5, {})];
    expect(after(overloaded(), samples).indexOf(false)).toBe(9);
  });

  it('at once when few calls are left', () => {
    expect(after(overloaded(), seconds(1, { cpu: 1 }), 9)).toEqual([false]);
  });
});

it('few calls are never too much: something else uses up the machine', () => {
  expect(after(new Admission(0.8), seconds(10, { cpu: 1, late: 1 }), 9)).toEqual(
    Array(10).fill(false),
  );
});

it('a limit of 1 leaves the decision to the capacity', () => {
  const samples = seconds(10, { cpu: 2, forwarding: 1, late: 1 });
  expect(after(new Admission(1), samples)).toEqual(Array(10).fill(false));
});

it('tells when something has changed, and only then', () => {
  const admission = new Admission(0.8);
  const changes = seconds(4, { cpu: 1 }).map((sample) => admission.second(sample, CALLS));
  expect(changes).toEqual([false, true, false, false]);
});
