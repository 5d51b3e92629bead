// The calling settings of a number: read from the provider, changed there, and the last known kept with the number.
import type { CallingObject, Provider, Reply } from '../adapters/provider.ts';
import {
  patchToProvider,
  restrictionsOf,
  viewOfCalling,
  withoutSecrets,
  type CallingPatch,
  type CallingView,
} from '../domain/calling.ts';
import { pastHolidays } from '../domain/calling-hours.ts';
import type { NumberId } from '../domain/ids.ts';
import type { JobFailure } from '../domain/job.ts';
import { isInForce, type Restriction } from '../domain/restriction.ts';
import { Problem } from '../http/problems.ts';
import type { Services } from '../services.ts';
import { openProvider } from './open-provider.ts';

type CallingServices = Pick<Services, 'config' | 'directory' | 'numbers' | 'now'>;

export interface Calling {
  readonly view: CallingView;
  /** Those in force. */
  readonly restrictions: readonly Restriction[];
}

/**
 * Reads the settings and keeps them.
 *
 * @throws Problem `not-found`; `upstream` with the provider's code and text when it does not give them
 */
export async function readCalling(services: CallingServices, id: NumberId): Promise<Calling> {
  const provider = await providerOf(services, id);
  return keep(services, id, unwrap(await provider.readSettings()));
}

/**
 * Changes the settings at the provider, then reads them again.
 *
 * @throws Problem `invalid-request` naming a holiday that is past; else as `readCalling`
 */
export async function changeCalling(
  services: CallingServices,
  id: NumberId,
  patch: CallingPatch,
): Promise<Calling> {
  const past = patch.hours ? pastHolidays(patch.hours, services.now()) : [];
  if (past.length > 0) {
    const errors = past.map((index) => ({
      field: `hours.holidays.${index}.date`,
      expected: 'a date that is not past',
    }));
    throw new Problem('invalid-request', 'A holiday is past', { errors });
  }
  const provider = await providerOf(services, id);
  const known = unwrap(await provider.readSettings());
  const calling = patchToProvider(patch, known);
  if (calling === null) return keep(services, id, known);
  unwrap(await provider.writeSettings(calling));
  return keep(services, id, unwrap(await provider.readSettings()));
}

async function providerOf(services: CallingServices, id: NumberId): Promise<Provider> {
  const provider = await openProvider(services, id);
  if (!provider) throw new Problem('not-found', 'There is no number with this id');
  return provider;
}

async function keep(
  { numbers, now }: CallingServices,
  id: NumberId,
  calling: CallingObject,
): Promise<Calling> {
  const nowMs = now();
  // A reply that lists restrictions knows them all; one that does not leaves those that were reported.
  const listed = restrictionsOf(calling, nowMs);
  await numbers.setCalling(id, withoutSecrets(calling), listed ?? undefined);
  const restrictions = listed ?? (await numbers.find(id))?.restrictions ?? [];
  return {
    view: viewOfCalling(calling),
    restrictions: restrictions.filter((item) => isInForce(item, nowMs)),
  };
}

function unwrap<T>(reply: Reply<T>): T {
  if (reply.ok) return reply.value;
  throw upstreamProblem(reply);
}

/** What the provider said, for whoever asked. 502 also when it refused: the request was right as far as Roomline can know. */
export function upstreamProblem({ message, code, status, retryAtMs }: JobFailure): Problem {
  return new Problem('upstream', message, {
    provider: {
      ...(status === undefined ? {} : { status }),
      ...(code === undefined ? {} : { code }),
      ...(retryAtMs === undefined ? {} : { retry_at: new Date(retryAtMs).toISOString() }),
    },
  });
}
