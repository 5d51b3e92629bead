// Checks that both providers answer in the same way: clock, calling settings, SIP mode, restrictions.
import type { CallingObject, Reply } from '../adapters/provider.ts';
import { viewOfCalling } from '../domain/calling.ts';
import { cannotTell, fine, problem, type Finding } from '../domain/finding.ts';
import { directionsOf, endOf, isInForce } from '../domain/restriction.ts';
import { readCalling } from './calling-settings.ts';
import type { Checks, Patient } from './examine-number.ts';
import { clock, said } from './examine-verdicts.ts';

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
