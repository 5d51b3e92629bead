// The doctor: everything that calls of a number need, each checked by itself. A check that cannot find out says so; none can fail
// another or hold it up, and none shows a secret.
import type { Provider } from '../adapters/provider.ts';
import { cannotTell, CHECK_NAMES, type CheckName, type Finding } from '../domain/finding.ts';
import type { NumberId } from '../domain/ids.ts';
import { Problem } from '../http/problems.ts';
import type { BusinessNumber } from '../ports.ts';
import type { Services } from '../services.ts';
import { dialogChecks } from './examine-360dialog.ts';
import { metaChecks } from './examine-meta.ts';
import { ownChecks } from './examine-own.ts';
import { sharedChecks } from './examine-provider.ts';
import { openProvider } from './open-provider.ts';

/** Longest wait for one check, in ms; above the time that one request to the provider may take. */
const CHECK_TIMEOUT_MS = 8_000;

/** What the checks of a number work with. */
export interface Patient {
  readonly services: Services;
  readonly number: BusinessNumber;
  readonly provider: Provider;
  /** Where the provider should send webhooks. */
  readonly webhookUrl: string;
}

/** Checks by name. One that does not apply to the number is absent. */
export type Checks = Partial<Record<CheckName, () => Finding | Promise<Finding>>>;

/**
 * Runs every check at once.
 *
 * @param webhookUrlOf tells where the provider of a number should send webhooks
 * @throws Problem `not-found`
 */
export async function examineNumber(
  services: Services,
  id: NumberId,
  webhookUrlOf: (number: BusinessNumber) => string,
): Promise<({ check: CheckName } & Finding)[]> {
  const number = await services.numbers.find(id);
  if (!number) throw new Problem('not-found', 'There is no number with this id');
  const checks = await checksOf(services, number, webhookUrlOf(number));
  const found = await Promise.all(
    CHECK_NAMES.map(async (check) => {
      const run = checks[check];
      return run ? [{ check, ...(await findingOf(run)) }] : [];
    }),
  );
  return found.flat();
}

async function checksOf(
  services: Services,
  number: BusinessNumber,
  webhookUrl: string,
): Promise<Checks> {
  const own = ownChecks(services, number);
  let provider: Provider | null;
  try {
    provider = await openProvider(services, number.id);
  } catch {
    provider = null;
  }
  if (!provider) {
    const finding: Finding = {
      status: 'problem',
      why: 'The stored access token cannot be decrypted',
      remedy: 'Put the key that sealed it back into TOKEN_ENCRYPTION_KEYS, or PATCH access_token',
    };
    return { ...own, token: () => finding };
  }
  const patient = { services, number, provider, webhookUrl };
  const theirs = number.provider === 'meta' ? metaChecks(patient) : dialogChecks(patient);
  return { ...own, ...sharedChecks(patient), ...theirs };
}

async function findingOf(run: () => Finding | Promise<Finding>): Promise<Finding> {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const timeout = new Promise<Finding>((resolve) => {
    timer = setTimeout(() => resolve(cannotTell('No result in time')), CHECK_TIMEOUT_MS);
  });
  try {
    return await Promise.race([Promise.resolve().then(run), timeout]);
  } catch (error) {
    console.error('doctor.check-failed', { error: String(error) });
    return cannotTell('The check itself failed; the log of the worker says why');
  } finally {
    clearTimeout(timer);
  }
}
