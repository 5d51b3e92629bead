import { expect, it } from 'vitest';
import { Courier } from '../../../worker/courier.ts';

/** A courier whose requests are answered by hand. */
function setUp() {
  const asked: { answer: (hasEndpoints: boolean) => void; fail: () => void }[] = [];
  const courier = new Courier(
    () =>
      new Promise((resolve, reject) => {
        asked.push({ answer: resolve, fail: () => reject(new Error('away')) });
      }),
  );
  return { asked, courier };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

it('asks once at a time, and once more for all that came meanwhile', async () => {
  const { asked, courier } = setUp();
  courier.notify();
  courier.notify();
  courier.notify();
  expect(asked).toHaveLength(1);
  asked[0]?.answer(true);
  await settled();
  expect(asked).toHaveLength(2);
  asked[1]?.answer(true);
  await settled();
  expect(asked).toHaveLength(2);
});

it('asks no more when there are no endpoints, until there may be', async () => {
  const { asked, courier } = setUp();
  courier.notify();
  asked[0]?.answer(false);
  await settled();
  courier.notify();
  courier.notify();
  expect(asked).toHaveLength(1);
  courier.enable();
  courier.notify();
  expect(asked).toHaveLength(2);
});

it('believes the news that there are endpoints more than an older answer', async () => {
  const { asked, courier } = setUp();
  courier.notify();
  courier.enable();
  asked[0]?.answer(false);
  await settled();
  courier.notify();
  expect(asked).toHaveLength(2);
});

it('asks again after a failure when there is something new', async () => {
  const { asked, courier } = setUp();
  courier.notify();
  asked[0]?.fail();
  await settled();
  expect(asked).toHaveLength(1);
  courier.notify();
  expect(asked).toHaveLength(2);
});
