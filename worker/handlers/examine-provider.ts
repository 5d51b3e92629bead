// Checks that both providers answer in the same way: clock, calling settings, SIP mode, restrictions.
import type { CallingObject, Reply } from '../adapters/provider.ts';
import { viewOfCalling } from '../domain/calling.ts';
import { cannotTell, fine, problem, type Finding } from '../domain/finding.ts';
import type { JobFailure } from '../domain/job.ts';
import { directionsOf, endOf, isInForce } from '../domain/restriction.ts';
import { readCalling } from './calling-settings.ts';
import type { Checks, Patient } from './examine-number.ts';

/** Webhooks older than the answer limit of 26 s are not rung; half of that is left to delivery. In ms. */
const SKEW_MS_MAX = 10_000;

export function sharedChecks({ services, number, provider }: Patient): Checks {
  // One read for all that ask about it.
  let reading: Promise<Reply<CallingObject>> | undefined;
  const settings = () => (reading ??= provider.readSettings());
  return {
    clock: async () => {
      const { serverAtMs } = await provider.get('');
      return clock(serverAtMs, services.now());
    },
    'calling-enabled': async () => callingEnabled(await settings()),
    'sip-off': async () => sipOff(await settings()),
    restrictions: async () => {
      const { restrictions } = await readCalling(services, number.id);
      return restricted(restrictions.filter((item) => isInForce(item, services.now())));
    },
  };
}

/** @param serverAtMs time of the provider's reply, whole seconds */
export function clock(serverAtMs: number | undefined, nowMs: number): Finding {
  if (serverAtMs === undefined) return cannotTell('The provider does not tell its time');
  const skewMs = Math.abs(nowMs - serverAtMs);
  const why = `The clocks differ by ${Math.round(skewMs / 1000)} s`;
  return skewMs <= SKEW_MS_MAX
    ? fine(why)
    : problem(why, 'Correct the clock of the machine that runs the worker');
}

/** What the provider said, without anything of what was sent to it. */
export const said = ({ message, code, status }: JobFailure): string =>
  `The provider answered: ${message}` +
  (code === undefined ? '' : ` (code ${code})`) +
  (status === undefined ? '' : ` (HTTP ${status})`);

function callingEnabled(settings: Reply<CallingObject>): Finding {
  if (!settings.ok) return cannotTell(said(settings), 'See the check `token`');
  return viewOfCalling(settings.value).enabled
    ? fine('Calling is enabled')
    : problem(
        'Calling is off for this number',
        'PATCH /v1/numbers/{id}/calling { "enabled": true }',
      );
}

function sipOff(settings: Reply<CallingObject>): Finding {
  if (!settings.ok) return cannotTell(said(settings), 'See the check `token`');
  const { sip } = viewOfCalling(settings.value);
  return sip.enabled
    ? problem(
        'The number is in SIP mode: no webhooks of calls come',
        'PATCH /v1/numbers/{id}/calling { "sip": "off" }',
      )
    : fine('The number is not in SIP mode');
}

function restricted(
  restrictions: Awaited<ReturnType<typeof readCalling>>['restrictions'],
): Finding {
  if (restrictions.length === 0) return fine('No restriction is in force');
  const list = restrictions.map((item) => {
    const { inbound, outbound } = directionsOf(item.type);
    const what = [...(inbound ? ['calls of users'] : []), ...(outbound ? ['own calls'] : [])];
    const until = new Date(endOf(item)).toISOString();
    return `${item.type} (${what.join(' and ') || 'other'}) until ${until}`;
  });
  return problem(
    list.join('; '),
    'Answer more calls, call fewer people who do not pick up; it ends by itself',
  );
}
